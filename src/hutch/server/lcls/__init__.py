"""The web service that clients of LCLS's logbook expect: the same paths, parameters and replies."""

from hutch.server.lcls.app import PREFIXES, build_lcls, is_lcls

__all__ = ["PREFIXES", "build_lcls", "is_lcls"]
