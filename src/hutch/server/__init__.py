"""Serving catalogs to browsers, programs and the clients of Tiled."""

from hutch.server.access import Admission
from hutch.server.app import build_app

__all__ = ["Admission", "build_app"]
