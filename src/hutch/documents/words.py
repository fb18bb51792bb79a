"""How text is cut into words, so that every database finds the same ones.

A word is a run of letters and digits, without case and accents: ``"LaB₆ à 300 K"`` has the words ``lab6``,
``a``, ``300`` and ``k``. Underscores and hyphens separate words. Integers are words too, numbers with a
fraction are not: for these there are conditions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

__all__ = ["REFERENCES", "cut", "words_of"]

REFERENCES = {"start": frozenset[str](), "stop": frozenset({"uid", "run_start"})}
"""Keys of a document whose text names the document itself or its run, and says nothing about it."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")


def cut(text: str) -> list[str]:
    """Return the words of a text, in order."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    # Twice: folding case can make letters that are to be taken apart themselves.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return _WORD.findall("".join(char for char in folded if not unicodedata.combining(char)))


def words_of(document: dict[str, Any], source: str = "start") -> Iterator[str]:
    """Yield the words of all values of a document, some more than once; names of keys are none.

    :param source: ``start`` or ``stop``.
    """
    left_out = REFERENCES[source]
    for key, value in document.items():
        if key not in left_out:
            yield from _words(value)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from cut(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _words(item)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from cut(str(value))
