"""Conditions put to the documents of a run: what they mean, by MongoDB's rules.

A path enters dictionaries by key. At a list it enters every element that is a dictionary, and the one at its
position if the part is a number; a list within a list is entered by position only. Where a list has nothing
to enter, nothing is there, not even something that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hutch.documents.words import words_of
from hutch.queries.conditions import (
    And,
    Condition,
    Contained,
    Element,
    Equal,
    Exists,
    Field,
    Lasts,
    Matching,
    NewestOfScanId,
    Not,
    Or,
    Order,
    Size,
    Test,
    Words,
)
from hutch.queries.patterns import finder
from hutch.queries.values import is_equal, is_ordered

__all__ = ["ABSENT", "Documents", "is_position", "matches", "reach"]

ABSENT: Any = object()
"""Stands where a path ends because a key is missing."""

Documents = Mapping[str, Any]
"""The start and the stop document of a run (or None), and what was posted to it, by source."""

_NewestQuestion = Callable[[NewestOfScanId], bool]


def matches(condition: Condition, documents: Documents, is_newest: _NewestQuestion | None = None) -> bool:
    """Tell whether a condition holds for the documents of a run.

    :param documents: in plain Python types; under an empty name the element that paths begin at.
    :param is_newest: answers for the run what only the whole catalog can.
    """
    match condition:
        case Field(path, test):
            return _stands(test, reach(documents.get(path.source, ABSENT), path.parts), documents)
        case And(parts):
            return all(matches(part, documents, is_newest) for part in parts)
        case Or(parts):
            return any(matches(part, documents, is_newest) for part in parts)
        case Not(part):
            return not matches(part, documents, is_newest)
        case Words():
            return _has_words(condition, documents)
        case Lasts():
            return _lasts(condition, documents)
        case NewestOfScanId():
            return is_newest is None or is_newest(condition)


def reach(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    """Yield what a path leads to from a value, :data:`ABSENT` where a key is missing."""
    if not parts:
        yield value
        return
    head, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        yield from reach(value[head], rest) if head in value else (ABSENT,)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from reach(item, parts)
        if is_position(head) and int(head) < len(value):
            yield from reach(value[int(head)], rest)
    else:
        yield ABSENT


def is_position(part: str) -> bool:
    """Tell whether a part of a path may be a position in a list."""
    # The longest list has fewer elements than twenty digits count, and int() is slow for long texts.
    return part.isascii() and part.isdigit() and len(part) < 20 and (part == "0" or part[0] != "0")


def _stands(test: Test, found: Iterator[Any], documents: Documents) -> bool:
    match test:
        case Equal(None):
            return any(value is ABSENT or _any(value, lambda item: item is None) for value in found)
        case Equal(wanted):
            return any(_any(value, lambda item: is_equal(item, wanted)) for value in found)
        case Order(operator, wanted):
            return any(_any(value, lambda item: is_ordered(item, operator, wanted)) for value in found)
        case Matching(pattern, options):
            fits = finder(pattern, options)
            return any(_any(value, lambda item: isinstance(item, str) and fits(item)) for value in found)
        case Contained(wanted):
            return any(_contains(value, wanted) for value in found)
        case Size(length):
            return any(isinstance(value, list) and len(value) == length for value in found)
        case Exists():
            return any(value is not ABSENT for value in found)
        case Element(condition, is_document):
            return any(
                matches(condition, {"": item})
                for value in found
                if isinstance(value, list)
                for item in value
                if isinstance(item, dict) or not is_document
            )


def _any(value: Any, is_wanted: Callable[[Any], bool]) -> bool:
    """Tell whether a value, or an element of a list, is wanted."""
    if value is ABSENT:
        return False
    return is_wanted(value) or (isinstance(value, list) and any(map(is_wanted, value)))


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(is_equal(item, wanted) for item in value)
    return isinstance(value, str) and isinstance(wanted, str) and wanted in value


def _has_words(condition: Words, documents: Documents) -> bool:
    found: set[str] = set()
    for source in ("start", "stop"):
        if isinstance(documents.get(source), dict):
            found.update(words_of(documents[source], source))
    return all(word in found for word in condition.words) and all(
        any(word.startswith(prefix) for word in found) for prefix in condition.prefixes
    )


def _lasts(condition: Lasts, documents: Documents) -> bool:
    start, stop = (_time(documents.get(source)) for source in ("start", "stop"))
    if start is None or stop is None:
        return False
    duration = stop - start
    longer, shorter = condition.longer_than, condition.shorter_than
    return (longer is None or duration >= longer) and (shorter is None or duration < shorter)


def _time(document: Any) -> float | None:
    """Return the time of a document in s since 1970; None if it has none."""
    found = document.get("time") if isinstance(document, dict) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None
