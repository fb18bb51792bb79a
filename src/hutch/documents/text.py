"""Which text databases take, and what becomes of the rest."""

from __future__ import annotations

import unicodedata

__all__ = ["has_shape", "is_storable", "size_text", "storable"]

_SHAPELESS = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_storable(text: str) -> bool:
    """Tell whether every database takes a text as it is: no NUL, no lone surrogate."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def storable(text: str) -> str:
    """Return text as every database takes it: lone surrogates become ``?``, NULs U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def has_shape(char: str) -> bool:
    """Tell whether a character may stand in a line of text: it is no control character, and ends no line.

    Joiners and spaces of all kinds may: scripts and emoji need them.
    """
    return unicodedata.category(char) not in _SHAPELESS


def size_text(count: float) -> str:
    """Return a number of bytes with its unit: ``3.1 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:  # or three digits make it 1e+03
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
