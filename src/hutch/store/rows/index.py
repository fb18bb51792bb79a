"""Sets of runs, as rows of the index tell of them.

:class:`Rows` are the rows between some bounds; the other sets are made of them. Which rows there are, is
said by :mod:`hutch.documents.leaves`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hutch.documents.leaves import Leaf, LeafType
from hutch.store.statement import several as several_values

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "TOGETHER",
    "Everything",
    "Meet",
    "Rest",
    "Rows",
    "RunSet",
    "Union",
    "beginning",
    "below",
    "exactly",
    "grouped",
    "is_plain",
    "meet",
    "numbers",
    "of_key",
    "pointer",
    "rest",
    "several",
    "texts",
    "union",
]

_LAST_CHARACTER = "\U0010ffff"
_FIRST_SURROGATE = 0xD800

TOGETHER = 100
"""Values of one column that rows of one question may have."""

Bound = tuple[str, str, Any]
"""A column, ``=``, ``<``, ``<=``, ``>`` or ``>=``, and a value; or ``in``, and up to ``TOGETHER`` values."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The runs of the rows between some bounds.

    :ivar is_ordered: the bounds leave one leaf, so its rows are ordered by time and have each run once.
    :ivar is_single: no run is there twice.
    :ivar also: ordered rows that the runs must have as well.
    :ivar without: ordered rows that they must not have.
    :ivar is_short: there are so few rows that these others are sooner looked up one by one.
    :ivar is_long: there are so many, of each, that they are sooner all read in order side by side.
    """

    bounds: tuple[Bound, ...]
    is_ordered: bool = False
    is_single: bool = False
    also: tuple[Rows, ...] = ()
    without: tuple[Rows, ...] = ()
    is_short: bool = False
    is_long: bool = False

    def within(self, bounds: tuple[Bound, ...]) -> Rows:
        """Return those of the rows that are within further bounds, of their runs' time."""
        return replace(self, bounds=(*self.bounds, *bounds))

    def values(self) -> dict[str, Any]:
        """Return all values by the names that statements have for them."""
        found: dict[str, Any] = {}
        bounds = (bound for rows in (self, *self.also, *self.without) for bound in rows.bounds)
        for number, (_, operator, value) in enumerate(bounds):
            name = f"bound_{number}"
            found |= several_values(name, value, TOGETHER) if operator == "in" else {name: value}
        return found


@dataclass(frozen=True, slots=True)
class Union:
    """The runs that are in one of some sets."""

    parts: tuple[RunSet, ...]


@dataclass(frozen=True, slots=True)
class Meet:
    """The runs that are in all of some sets."""

    parts: tuple[RunSet, ...]


@dataclass(frozen=True, slots=True)
class Rest:
    """The runs that are not in a set."""

    part: RunSet


@dataclass(frozen=True, slots=True)
class Everything:
    """All runs, or those that began within some bounds of time."""

    bounds: tuple[Bound, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return all values by the names that statements have for them."""
        return {f"bound_{number}": value for number, (_, _, value) in enumerate(self.bounds)}


RunSet = Rows | Union | Meet | Rest | Everything

EVERYTHING = Everything()
NOTHING = Union(())


def exactly(leaf: Leaf) -> Rows:
    """Return the rows of one leaf."""
    fields = (("key", leaf.key), ("type", leaf.type), ("number", leaf.number), ("text", leaf.text))
    return Rows(tuple((column, "=", value) for column, value in fields), is_ordered=True, is_single=True)


def pointer(key: str) -> Rows:
    """Return the rows that say that a key must be looked up in the document."""
    return exactly(Leaf(key, int(LeafType.DOCUMENT), 0.0, ""))


def several(key: str) -> Rows:
    """Return the rows that say that runs have several rows of a key."""
    return exactly(Leaf(key, int(LeafType.SEVERAL), 0.0, ""))


def of_key(key: str, kind: LeafType | None = None) -> Rows:
    """Return the rows of a key, of one type only if given."""
    found: tuple[Bound, ...] = (("key", "=", key),)
    return Rows(found if kind is None else (*found, ("type", "=", int(kind))))


def below(key: str) -> Rows:
    """Return the rows of what lies within a key."""
    # The character that follows on the dot.
    return Rows((("key", ">=", f"{key}."), ("key", "<", f"{key}/")))


def numbers(key: str, kind: LeafType, *bounds: tuple[str, float]) -> Rows:
    """Return the rows of numbers, or of bools, of a key that are within some bounds."""
    return Rows((*of_key(key, kind).bounds, *(("number", operator, value) for operator, value in bounds)))


def beginning(text: str) -> tuple[tuple[str, str], ...]:
    """Return the bounds of everything that begins with a text."""
    head = text.rstrip(_LAST_CHARACTER)
    if not head:
        return ((">=", text),) if text else ()
    # Text with lone surrogates has no rows.
    code = ord(head[-1]) + 1
    after = "\ue000" if code == _FIRST_SURROGATE else chr(code)
    return ((">=", text), ("<", head[:-1] + after))


def texts(key: str, *bounds: tuple[str, str]) -> Rows:
    """Return the rows of text of a key that are within some bounds."""
    start = (*of_key(key, LeafType.TEXT).bounds, ("number", "=", 0.0))
    return Rows((*start, *(("text", operator, value) for operator, value in bounds)))


def union(*parts: RunSet) -> RunSet:
    """Return the runs that are in one of some sets."""
    found: list[RunSet] = []
    for part in parts:
        if part == EVERYTHING:
            return EVERYTHING
        found += part.parts if isinstance(part, Union) else (part,)
    found = list(dict.fromkeys(found))
    return found[0] if len(found) == 1 else Union(tuple(found))


def is_plain(part: RunSet) -> bool:
    """Tell whether a set is the rows of one leaf, in which a run is looked up at once."""
    return isinstance(part, Rows) and part.is_ordered and not part.also and not part.without


def grouped(parts: Iterable[RunSet]) -> Iterator[RunSet]:
    """Yield the sets of a union as fewer: leaves that only differ in their value have their rows together."""
    groups: dict[tuple[Bound, ...], list[Rows]] = {}
    for part in parts:
        if isinstance(part, Rows) and is_plain(part):
            place = _value_place(part)
            groups.setdefault((*part.bounds[:place], *part.bounds[place + 1 :]), []).append(part)
        else:
            yield part
    for alike in groups.values():
        for start in range(0, len(alike), TOGETHER):
            some = alike[start : start + TOGETHER]
            first, place = some[0].bounds, _value_place(some[0])
            values = tuple(rows.bounds[place][2] for rows in some)
            together = (first[place][0], "in", values)
            yield some[0] if len(some) == 1 else Rows((*first[:place], together, *first[place + 1 :]))


def _value_place(rows: Rows) -> int:
    """Return which bound of the rows of a leaf is its value: its text, or else its number."""
    _, (_, _, kind), *_ = rows.bounds
    return 3 if kind == LeafType.TEXT else 2


def meet(*parts: RunSet) -> RunSet:
    """Return the runs that are in all of some sets."""
    found: list[RunSet] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        found += part.parts if isinstance(part, Meet) else (part,)
    bounds = tuple(dict.fromkeys(b for part in found if isinstance(part, Everything) for b in part.bounds))
    others: list[RunSet] = [part for part in dict.fromkeys(found) if not isinstance(part, Everything)]
    if bounds:
        # Rows know the time of their run, so they are bounded rather than met.
        others = [part if isinstance(part, Rest) else _within(part, bounds) for part in others]
        if all(isinstance(part, Rest) for part in others):
            others.insert(0, Everything(bounds))
    if not others:
        return EVERYTHING
    return others[0] if len(others) == 1 else Meet(tuple(others))


def _within(part: RunSet, bounds: tuple[Bound, ...]) -> RunSet:
    """Return the runs of a set that are within bounds of their time."""
    match part:
        case Rows():
            return part.within(bounds)
        case Everything(some):
            return Everything(tuple(dict.fromkeys((*some, *bounds))))
        case Union(parts):
            return union(*(_within(one, bounds) for one in parts))
        case Meet(parts):
            return meet(Everything(bounds), *parts)
        case Rest():
            return Meet((Everything(bounds), part))


def rest(part: RunSet) -> RunSet:
    """Return the runs that are not in a set."""
    if isinstance(part, Rest):
        return part.part
    if part == EVERYTHING:
        return NOTHING
    return EVERYTHING if part == NOTHING else Rest(part)
