"""The public face of hutch."""

from hutch.api.opening import open_catalog

__all__ = ["open_catalog"]
