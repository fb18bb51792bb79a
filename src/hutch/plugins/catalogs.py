"""Catalogs that packages publish, as entry points of the group ``hutch.catalogs``.

The name of an entry point is the catalog's. What it points to is a catalog, a function without arguments that
returns one, or a mapping of names to such, which is a folder of catalogs::

    [project.entry-points."hutch.catalogs"]
    csx = "csx_catalogs:catalogs"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

__all__ = ["GROUP", "published_catalogs"]

GROUP = "hutch.catalogs"
"""The group of entry points that publish catalogs."""


@cache
def published_catalogs() -> dict[str, list[EntryPoint]]:
    """Return the entry points by name, sorted; of several that have one name the first is used."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        found.setdefault(entry.name, []).append(entry)
    return found
