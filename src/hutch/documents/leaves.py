"""What of a document is searched: its scalar leaves, as rows of the index table.

The rows of a run are a pure function of its documents, so the index can be made again at any time.

A row is ``(key, type, number, text)``. ``key`` is the dotted path; lists are walked through, so that
``{"a": [{"b": 1}]}`` has the leaf ``a.b`` (MongoDB's rule: an array matches when an element does).
Elements of a list within a list are no leaves of it, as in MongoDB. The start document's keys stand
as they are, those of other sources begin with their name (``stop.exit_status``); a start key that
has the name of a source is written ``start.stop``. Path components that hold a dot themselves can't
be addressed in a query and have no rows.

===========  ======================  ==============================================================
type         number, text            meaning
===========  ======================  ==============================================================
NULL         0, ""                   the value None
BOOL         0 or 1, ""
NUMBER       value, ""               beyond 2**53 the nearest float, to be checked in the document
NAN          0, ""
TEXT         0, prefix or whole      longer than 200 characters: prefix, U+0001, hash
EMPTY_LIST   0, ""                   ``[]``
EMPTY_DICT   0, ""                   ``{}``
DOCUMENT     0, ""                   the value must be looked up in the document: a list of more
                                     than 64 elements, or one that holds lists
===========  ======================  ==============================================================
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Any, NamedTuple

__all__ = ["LONGEST_LIST", "LONGEST_TEXT", "SOURCES", "Leaf", "LeafType", "leaves", "storable", "text_key"]

LONGEST_LIST = 64
"""A list with more elements than this has one marker row instead of one row an element."""

LONGEST_TEXT = 200
"""Text with more characters than this is indexed as a prefix and a hash."""

SOURCES = frozenset({"start", "stop", "param", "dqm"})
"""First components of a key that name a source, not a key of the start document."""

_LARGEST_FLOAT = 1.7976931348623157e308


class LeafType(IntEnum):
    """The types of index rows; rows of one type sort together, as MongoDB's types bracket."""

    NULL = 0
    BOOL = 1
    NUMBER = 2
    NAN = 3
    TEXT = 4
    EMPTY_LIST = 5
    EMPTY_DICT = 6
    DOCUMENT = 7


# Rows have plain integers: not every database driver takes members of an enumeration for them.
_NULL, _BOOL, _NUMBER, _NAN, _TEXT, _EMPTY_LIST, _EMPTY_DICT, _DOCUMENT = map(int, LeafType)


class Leaf(NamedTuple):
    """One row of the index, without the run's time and number."""

    key: str
    type: int
    number: float
    text: str


def leaves(document: dict[str, Any], source: str = "start") -> set[Leaf]:
    """Return the index rows of one document in plain Python types.

    :param source: ``start``, or the name that all keys begin with.
    """
    found: set[Leaf] = set()
    for key, value in document.items():
        if "." in key:
            continue
        path = f"{source}.{key}" if source != "start" or key in SOURCES else key
        _walk(storable(path), value, found)
    return found


def text_key(text: str) -> str:
    """Return the form in which text stands in the index.

    Text up to 200 characters is itself; longer text is its first 200 characters, U+0001, and the
    first 16 bytes of its SHA-256 in hexadecimal, so that equality is decided by the index alone.
    Lone surrogates are replaced, as no database takes them, and NULs, as PostgreSQL does not.
    """
    if len(text) > LONGEST_TEXT:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{storable(text[:LONGEST_TEXT])}\x01{digest}"
    return storable(text)


def storable(text: str) -> str:
    """Return text as every database takes it: lone surrogates become ``?``, NULs U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _walk(path: str, value: Any, found: set[Leaf]) -> None:
    """Add the leaves of a value."""
    if isinstance(value, dict):
        if not value:
            found.add(Leaf(path, _EMPTY_DICT, 0.0, ""))
        for key, item in value.items():
            if "." not in key:
                _walk(f"{path}.{storable(key)}", item, found)
    elif isinstance(value, list):
        if not value:
            found.add(Leaf(path, _EMPTY_LIST, 0.0, ""))
        elif len(value) > LONGEST_LIST or any(isinstance(item, list) for item in value):
            found.add(Leaf(path, _DOCUMENT, 0.0, ""))
        else:
            for item in value:
                _walk(path, item, found)
    else:
        found.add(_leaf(path, value))


def _leaf(path: str, value: Any) -> Leaf:
    if isinstance(value, str):
        return Leaf(path, _TEXT, 0.0, text_key(value))
    if value is None:
        return Leaf(path, _NULL, 0.0, "")
    if isinstance(value, bool):
        return Leaf(path, _BOOL, float(value), "")
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return Leaf(path, _NAN, 0.0, "")
    return Leaf(path, _NUMBER, _number(value), "")


def _number(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return _LARGEST_FLOAT if value > 0 else -_LARGEST_FLOAT
