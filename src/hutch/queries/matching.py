"""Conditions put to the documents of a run: what they mean, by MongoDB's rules.

A path enters dictionaries by key. At a list it enters every element that is a dictionary, and the one at its
position if the part is a number; a list within a list is entered by position only. Where a list has nothing
to enter, nothing is there, not even something that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
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
    Path,
    Size,
    Test,
    Words,
)
from hutch.queries.patterns import finder
from hutch.queries.values import is_equal, is_ordered

__all__ = ["ABSENT", "Documents", "Matcher", "is_position", "matcher", "matches", "reach"]

ABSENT: Any = object()
"""Stands where a path ends because a key is missing."""

Documents = Mapping[str, Any]
"""The start and the stop document of a run (or None), and what was posted to it, by source."""

Matcher = Callable[[Documents, Callable[[NewestOfScanId], bool]], bool]


def matches(condition: Condition, documents: Documents) -> bool:
    """Tell whether a condition holds for the documents of a run.

    :param documents: in plain Python types; under an empty name the element that paths begin at.
    """
    return matcher(condition)(documents, _nobody_knows)


def matcher(condition: Condition) -> Matcher:
    """Return a function that tells whether a condition holds for documents; making it once pays for many.

    Its second argument answers for the run what only the whole catalog can.
    """
    match condition:
        case Field(path, test):
            return _field_matcher(path, _tester(test))
        case And():
            return _all_of([matcher(part) for part in _parts(condition)])
        case Or(parts):
            some = [*_of_values(parts), *(matcher(part) for part in parts if not _is_of_value(part))]
            return lambda documents, asked: any(holds(documents, asked) for holds in some)
        case Not(part):
            inner = matcher(part)
            return lambda documents, asked: not inner(documents, asked)
        case Words():
            return lambda documents, _: _has_words(condition, documents)
        case Lasts():
            return lambda documents, _: _lasts(condition, documents)
        case NewestOfScanId():
            return lambda _, asked: asked(condition)


_HASHED = frozenset({str, int, float})
"""Types whose values are equal just where Python finds them equal, and among themselves only."""


def _is_of_value(condition: Condition) -> bool:
    """Tell whether a path must lead to one text or number, which a set can be asked for."""
    match condition:
        case Field(_, Equal(value)):
            return type(value) in _HASHED and bool(value == value)  # noqa: PLR0124 - NaN
    return False


def _of_values(parts: Sequence[Condition]) -> Iterator[Matcher]:
    """Yield for each path whether it leads to one of all the values that parts ask for, many or few."""
    values: dict[Path, set[Any]] = {}
    for part in parts:
        match part:
            case Field(path, Equal(value)) if _is_of_value(part):
                values.setdefault(path, set()).add(value)
    for path, wanted in values.items():
        yield _field_matcher(path, _of_any(partial(_is_among, wanted)))


def _is_among(wanted: set[Any], item: Any) -> bool:
    return type(item) in _HASHED and item in wanted


def _parts(condition: Condition) -> Iterator[Condition]:
    """Yield what must hold together; searches within searches are one in the other."""
    if isinstance(condition, And):
        for part in condition.parts:
            yield from _parts(part)
    else:
        yield condition


def _all_of(some: Sequence[Matcher]) -> Matcher:
    def holds_all(documents: Documents, asked: Callable[[NewestOfScanId], bool]) -> bool:
        # A loop, as all() over a generator takes three times as long.
        for holds in some:  # noqa: SIM110
            if not holds(documents, asked):
                return False
        return True

    return holds_all


def _field_matcher(path: Path, stands: Callable[[Any], bool]) -> Matcher:
    source, parts = path.source, path.parts
    if source and len(parts) == 1:
        # Most paths are one key of a document.
        (key,) = parts
        return lambda documents, _: stands(_get(documents.get(source), key))
    return lambda documents, _: any(map(stands, reach(documents.get(source, ABSENT), parts)))


def _nobody_knows(_: NewestOfScanId) -> bool:
    return True


def _get(document: Any, part: str) -> Any:
    return document.get(part, ABSENT) if isinstance(document, dict) else ABSENT


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


def _tester(test: Test) -> Callable[[Any], bool]:
    """Return a function that tells whether what a path leads to stands a test."""
    match test:
        case Equal(None):
            is_none = _of_any(lambda item: item is None)
            return lambda value: value is ABSENT or is_none(value)
        case Equal(str(wanted)):
            return _of_any(lambda item: type(item) is str and item == wanted)
        case Equal(wanted):
            return _of_any(lambda item: is_equal(item, wanted))
        case Order(operator, wanted):
            return _of_any(lambda item: is_ordered(item, operator, wanted))
        case Matching(pattern, options):
            fits = finder(pattern, options)
            return _of_any(lambda item: isinstance(item, str) and fits(item))
        case Contained(wanted):
            return lambda value: _contains(value, wanted)
        case Size(length):
            return lambda value: isinstance(value, list) and len(value) == length
        case Exists():
            return lambda value: value is not ABSENT
        case Element(condition, is_document):
            holds = matcher(condition)
            return lambda value: (
                isinstance(value, list)
                and any(
                    holds({"": item}, _nobody_knows)
                    for item in value
                    if isinstance(item, dict) or not is_document
                )
            )


def _of_any(is_wanted: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a function that tells whether a value, or an element of a list, is wanted."""

    def stands(value: Any) -> bool:
        if value is ABSENT:
            return False
        return is_wanted(value) or (isinstance(value, list) and any(map(is_wanted, value)))

    return stands


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
