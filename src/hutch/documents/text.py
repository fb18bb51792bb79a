"""Which text databases take, and what becomes of the rest."""

from __future__ import annotations

__all__ = ["is_storable", "storable"]


def is_storable(text: str) -> bool:
    """Tell whether every database takes a text as it is: no NUL, no lone surrogate."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def storable(text: str) -> str:
    """Return text as every database takes it: lone surrogates become ``?``, NULs U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
