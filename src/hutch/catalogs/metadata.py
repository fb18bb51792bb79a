"""Documents as they are shown to people, and what descriptors say in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "PRIMARY",
    "Document",
    "data_keys_of",
    "dictionary",
    "is_datum_key",
    "is_stream_key",
    "stream_name",
]

PRIMARY = "primary"
"""The stream of the main data of interest."""


class Document(dict[str, Any]):
    """A document, or a dictionary in one; ``doc.sample.name`` is ``doc["sample"]["name"]``.

    It compares equal to the plain dictionary. It is a copy: changing it changes nothing recorded. A
    key that is also a method of dictionaries (``items``) is reached with brackets only.
    """

    def __init__(self, contents: Mapping[str, Any]) -> None:
        super().__init__({key: _shown(value) for key, value in contents.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            keys = ", ".join(self) or "none"
            msg = f"The document has no key {name!r}. Keys: {keys}"
            raise AttributeError(msg) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(key for key in self if key.isidentifier())})

    def __reduce__(self) -> tuple[type[Document], tuple[dict[str, Any]]]:
        return Document, (dict(self),)


def stream_name(descriptor: Mapping[str, Any]) -> str:
    """Return the stream a descriptor belongs to; those before event-model 1.2 name none."""
    name = descriptor.get("name")
    return name if isinstance(name, str) else PRIMARY


def dictionary(holder: Any, *path: str) -> dict[str, Any]:
    """Return a dictionary within a document; an empty one if something else, or nothing, is there.

    Documents that break their schema are kept and marked, so readers meet them.
    """
    for key in path:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else {}


def data_keys_of(descriptor: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a descriptor says of each key."""
    found = dictionary(descriptor, "data_keys")
    return {key: dictionary(found, key) for key in found}


def is_datum_key(data_key: Mapping[str, Any]) -> bool:
    """Tell whether events have datum ids in place of this key's values."""
    return "external" in data_key and not is_stream_key(data_key)


def is_stream_key(data_key: Mapping[str, Any]) -> bool:
    """Tell whether this key's values are in files that stream_resource documents name."""
    return str(data_key.get("external", "")).startswith("STREAM:")


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return Document(value)
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return value
