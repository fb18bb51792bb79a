"""What documents say is worth seeing: bluesky's hints, in documents that may hold anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["hinted_fields", "scanned_axes"]


def scanned_axes(start: Mapping[str, Any]) -> tuple[list[str], str | None]:
    """Return the key of each axis that was scanned, slow to fast, and their stream.

    :param start: the start document; ``hints["dimensions"]`` is ``[[[key, …], stream], …]``.
    """
    hints = start.get("hints")
    found = hints.get("dimensions") if isinstance(hints, Mapping) else None
    keys: list[str] = []
    stream: str | None = None
    for dimension in found if isinstance(found, (list, tuple)) else ():
        try:
            fields, name = dimension
            key = fields[0]
        except (TypeError, ValueError, LookupError):
            continue
        if isinstance(key, str) and isinstance(name, str) and stream in (None, name):
            keys.append(key)
            stream = name
    return keys, stream


def hinted_fields(descriptors: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the keys that the hints of descriptors name, in order."""
    found: dict[str, None] = {}
    for descriptor in descriptors:
        hints = descriptor.get("hints")
        for device in hints.values() if isinstance(hints, Mapping) else ():
            fields = device.get("fields") if isinstance(device, Mapping) else None
            found.update(dict.fromkeys(key for key in fields or () if isinstance(key, str)))
    return list(found)
