"""What every query comes to: a tree of conditions on a run's documents.

A path leads into one of the documents; a test is put to what it leads to. All is frozen and plain, so that
whoever answers a query can take it to pieces: the store for its index
(:mod:`hutch.store.searching.planning`), and :mod:`hutch.queries.matching` for the documents themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "And",
    "Condition",
    "Contained",
    "Element",
    "Equal",
    "Exists",
    "Field",
    "Lasts",
    "Matching",
    "NewestOfScanId",
    "Not",
    "Or",
    "Order",
    "Path",
    "Size",
    "Test",
    "Words",
    "everything",
    "nothing",
    "of_catalog",
    "sources_of",
]


@dataclass(frozen=True, slots=True)
class Path:
    """A way into one of a run's documents.

    :ivar source: ``start``, ``stop``, ``param`` or ``dqm``; empty for what an element of a list holds.
    :ivar parts: keys, and positions in lists; none stands for the whole.
    """

    source: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        name = ".".join(self.parts)
        return name if self.source in ("", "start") else f"{self.source}.{name}"


# tests


@dataclass(frozen=True, slots=True)
class Equal:
    """A value, or an element of a list, is this one; None also where nothing is."""

    value: Any


@dataclass(frozen=True, slots=True)
class Order:
    """A value, or an element of a list, is less or greater than this one, which is of the same type."""

    operator: Literal["$lt", "$lte", "$gt", "$gte"]
    value: Any


@dataclass(frozen=True, slots=True)
class Matching:
    """Text, or a text in a list, has a part that a regular expression of RE2 fits.

    :ivar options: some of ``ims``.
    """

    pattern: str
    options: str = ""


@dataclass(frozen=True, slots=True)
class Contained:
    """A list has this element, or a text this part."""

    value: Any


@dataclass(frozen=True, slots=True)
class Size:
    """A list has so many elements."""

    length: int


@dataclass(frozen=True, slots=True)
class Exists:
    """Something is there, be it None."""


@dataclass(frozen=True, slots=True)
class Element:
    """A list has an element that fulfils a condition, whose paths begin at the element.

    :ivar is_document: the element must be a dictionary.
    """

    condition: Condition
    is_document: bool


Test = Equal | Order | Matching | Contained | Size | Exists | Element


# conditions


@dataclass(frozen=True, slots=True)
class Field:
    """What a path leads to stands a test."""

    path: Path
    test: Test


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of these holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Words:
    """All of these are words of the start or the stop document.

    :ivar words: as :func:`hutch.documents.words.cut` gives them.
    :ivar prefixes: beginnings of words.
    """

    words: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lasts:
    """From its start to its stop the run took at least, and less than, so many s."""

    longer_than: float | None
    shorter_than: float | None


@dataclass(frozen=True, slots=True)
class NewestOfScanId:
    """No newer run of the catalog has the same scan_id.

    :ivar is_required: it is an error if one has.
    :ivar among: what the runs of the catalog fulfil; None stands for all runs of the store.
    """

    is_required: bool = False
    among: Condition | None = None


Condition = Field | And | Or | Not | Words | Lasts | NewestOfScanId

everything = And(())
"""The condition that every run fulfils."""

nothing = Or(())
"""The condition that no run fulfils."""


def of_catalog(condition: Condition, among: Condition) -> Condition:
    """Return a condition as it is asked of a catalog whose runs all fulfil another one."""
    match condition:
        case And(parts):
            return And(tuple(of_catalog(part, among) for part in parts))
        case Or(parts):
            return Or(tuple(of_catalog(part, among) for part in parts))
        case Not(part):
            return Not(of_catalog(part, among))
        case NewestOfScanId(is_required):
            return NewestOfScanId(is_required, among)
    return condition


def sources_of(condition: Condition) -> frozenset[str]:
    """Return which documents a condition asks for."""
    match condition:
        case Field(path):
            return frozenset({path.source})
        case And(parts) | Or(parts):
            return frozenset().union(*map(sources_of, parts))
        case Not(part):
            return sources_of(part)
        case NewestOfScanId():
            return frozenset()
    return frozenset({"start", "stop"})
