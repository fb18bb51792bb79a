"""What of a document is searched: its scalar leaves and its words, as rows of the index table.

The rows of a run are a pure function of its documents, so the index can be made again at any time.

A row is ``(key, type, number, text)``. ``key`` is the dotted path; lists are walked through, so that
``{"a": [{"b": 1}]}`` has the leaf ``a.b`` (MongoDB's rule: an array matches when an element does).
Elements of a list within a list are no leaves of it, as in MongoDB. The start document's keys stand
as they are, those of other sources begin with their name (``stop.exit_status``); a start key that
has the name of a source is written ``start.stop``. What is posted to a run has one literal name after the
name of its source, dots and all. The words of a document stand under keys that no path is.

What a row says is exact. Where the value cannot be told by one, a row of the type DOCUMENT, a pointer, says
that it must be looked up in the document.

===========  ======================  ==============================================================
type         number, text            meaning
===========  ======================  ==============================================================
NULL         0, ""                   the value None
BOOL         0 or 1, ""
NUMBER       value, ""               a number that a float of 64 bit holds
NAN          0, ""
TEXT         0, prefix or whole      longer than 200 characters: prefix, U+0001, hash
EMPTY_LIST   0, ""                   ``[]``
EMPTY_DICT   0, ""                   ``{}``
DOCUMENT     0, ""                   look in the document: a list of more than 64 elements, or one that
                                     holds lists; an integer that is no float; text that no database
                                     takes; a dictionary with keys that no path names (a dot in them)
SEVERAL      0, ""                   the key has several of the rows above, as a list has
===========  ======================  ==============================================================
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from itertools import islice
from typing import Any, NamedTuple

from hutch.documents.text import is_storable
from hutch.documents.words import words_of

__all__ = [
    "LONGEST_LIST",
    "LONGEST_PATH",
    "LONGEST_TEXT",
    "MOST_WORDS",
    "SOURCES",
    "Leaf",
    "LeafType",
    "has_rows",
    "leaves",
    "leaves_of",
    "posted_leaves",
    "text_key",
    "words_key",
]

LONGEST_LIST = 64
"""A list with more elements than this has one pointer instead of one row an element."""

LONGEST_TEXT = 200
"""Text with more characters than this is indexed as a prefix and a hash."""

SOURCES = frozenset({"start", "stop", "param", "dqm"})
"""First components of a key that name a source, not a key of the start document."""

LONGEST_PATH = 400
"""Characters; a path that is longer has no rows, as databases bound the size of a row of an index."""

MOST_WORDS = 2000
"""A document has rows for so many different words at most."""


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
    SEVERAL = 8


# Rows have plain integers: not every database driver takes members of an enumeration for them.
_NULL, _BOOL, _NUMBER, _NAN, _TEXT, _EMPTY_LIST, _EMPTY_DICT, _DOCUMENT, _SEVERAL = map(int, LeafType)


class Leaf(NamedTuple):
    """One row of the index, without the run's time and number."""

    key: str
    type: int
    number: float
    text: str


def leaves(document: dict[str, Any], source: str = "start") -> set[Leaf]:
    """Return the index rows of one document in plain Python types.

    :param source: ``start`` or ``stop``.
    """
    found: set[Leaf] = set()
    for key, value in document.items():
        path = f"{source}.{key}" if source != "start" or key in SOURCES else key
        if _is_named(key) and has_rows(path):
            _walk(path, value, found)
    _note_several(found)
    if source == "start" and not _is_moment(document.get("time")):
        # Rows are ordered by the time of their run, which then is that of its arrival.
        found.add(Leaf("time", _DOCUMENT, 0.0, ""))
    key = words_key(source)
    words = dict.fromkeys(words_of(document, source))
    if len(words) > MOST_WORDS:
        found.add(Leaf(key, _DOCUMENT, 0.0, ""))
    found.update(Leaf(key, _TEXT, 0.0, text_key(word)) for word in islice(words, MOST_WORDS))
    return found


def posted_leaves(source: str, name: str, value: Any) -> set[Leaf]:
    """Return the index rows of one value that was posted to a run, in plain Python types.

    :param source: ``param`` or ``dqm``.
    """
    path = f"{source}.{name}"
    if not has_rows(path):
        return set()
    if isinstance(value, dict) and value:
        # Its name may hold dots: rows of what is in it could not be told from those of other names.
        return {Leaf(path, _DOCUMENT, 0.0, "")}
    found: set[Leaf] = set()
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        found.add(Leaf(path, _DOCUMENT, 0.0, ""))
    else:
        _walk(path, value, found)
    _note_several(found)
    return found


def leaves_of(path: str, value: Any) -> set[Leaf]:
    """Return the index rows of a value at a path."""
    found: set[Leaf] = set()
    _walk(path, value, found)
    return found


def words_key(source: str) -> str:
    """Return the key of the rows of a document's words; no path begins with a dot."""
    return f".{source}"


def text_key(text: str) -> str:
    """Return the form in which text stands in the index.

    Text up to 200 characters is itself; longer text is its first 200 characters, U+0001, and the
    first 16 bytes of its SHA-256 in hexadecimal, so that equality is decided by the index alone.
    """
    if len(text) > LONGEST_TEXT:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{text[:LONGEST_TEXT]}\x01{digest}"
    return text


def has_rows(path: str) -> bool:
    """Tell whether the index has rows of a path; it is not too long, and every database takes it."""
    return len(path) <= LONGEST_PATH and is_storable(path)


def _is_named(key: str) -> bool:
    """Tell whether a path can name a key."""
    return key != "" and "." not in key


def _is_moment(time: Any) -> bool:
    """Tell whether a time is that of its run."""
    return type(time) is float and time == time or type(time) is int and _is_exact(time)


def _walk(path: str, value: Any, found: set[Leaf]) -> None:
    """Add the leaves of a value."""
    if isinstance(value, dict):
        if not value:
            found.add(Leaf(path, _EMPTY_DICT, 0.0, ""))
        for key, item in value.items():
            if _is_named(key) and has_rows(longer := f"{path}.{key}"):
                _walk(longer, item, found)
            else:
                found.add(Leaf(path, _DOCUMENT, 0.0, ""))
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
        if is_storable(value):
            return Leaf(path, _TEXT, 0.0, text_key(value))
        return Leaf(path, _DOCUMENT, 0.0, "")
    if value is None:
        return Leaf(path, _NULL, 0.0, "")
    if isinstance(value, bool):
        return Leaf(path, _BOOL, float(value), "")
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return Leaf(path, _NAN, 0.0, "")
    if isinstance(value, float) or _is_exact(value):
        return Leaf(path, _NUMBER, float(value), "")
    return Leaf(path, _DOCUMENT, 0.0, "")


def _note_several(found: set[Leaf]) -> None:
    """Add a row for each key that has several."""
    seen: set[str] = set()
    several: set[str] = set()
    for leaf in found:
        (several if leaf.key in seen else seen).add(leaf.key)
    found.update(Leaf(key, _SEVERAL, 0.0, "") for key in several)


def _is_exact(number: int) -> bool:
    """Tell whether a float of 64 bit holds an integer."""
    try:
        return float(number) == number
    except OverflowError:
        return False
