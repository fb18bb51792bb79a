"""The files of detectors: what opens them, and what their frames are to events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hutch.assets.formats import mimetypes, open_source, register_source
    from hutch.assets.frames import Announced, StreamFrames
    from hutch.assets.places import FilePlaces, moved, path_of
    from hutch.assets.sources import Index, Resource, Source

__all__ = [
    "Announced",
    "FilePlaces",
    "Index",
    "Resource",
    "Source",
    "StreamFrames",
    "mimetypes",
    "moved",
    "open_source",
    "path_of",
    "register_source",
]

_MODULES = {
    "formats": ("mimetypes", "open_source", "register_source"),
    "frames": ("Announced", "StreamFrames"),
    "places": ("FilePlaces", "moved", "path_of"),
    "sources": ("Index", "Resource", "Source"),
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for: whoever only looks runs up needs no arrays."""
    from importlib import import_module

    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"hutch.assets.{module}"), name)
    msg = f"module 'hutch.assets' has no attribute {name!r}"
    raise AttributeError(msg)
