"""Serving catalogs to browsers, programs and the clients of Tiled."""

from hutch.server.access import Gate, Identity, KeyGate
from hutch.server.app import build_app

__all__ = ["Gate", "Identity", "KeyGate", "build_app"]
