"""Queries by what names a run: its scan_id, the beginning of its uid, its plan."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any as Value

from hutch.errors import QueryError
from hutch.queries.conditions import And, Condition, Equal, Field, Matching, NewestOfScanId, Or, Order, Path
from hutch.queries.patterns import quoted
from hutch.queries.query import Query

__all__ = ["PartialUID", "PlanName", "ScanID", "ScanIDRange", "Uids"]

_SCAN_ID = Path("start", ("scan_id",))
_UID = Path("start", ("uid",))
_PLAN_NAME = Path("start", ("plan_name",))
_DUPLICATES = ("latest", "all", "error")


@dataclass(frozen=True, init=False)
class ScanID(Query):
    """Runs with one of several scan_ids.

    :ivar duplicates: ``latest`` takes the newest run of each scan_id, ``all`` takes all, ``error`` raises if
        there are several.
    """

    scan_ids: tuple[int, ...]
    duplicates: str = "latest"

    def __init__(self, *scan_ids: int, duplicates: str = "latest") -> None:
        """Look for some scan_ids.

        :raises QueryError: if one is no integer.
        """
        if not scan_ids:
            msg = "ScanID takes at least one scan_id, as in ScanID(42)."
            raise QueryError(msg)
        object.__setattr__(self, "scan_ids", tuple(_integer(number) for number in scan_ids))
        object.__setattr__(self, "duplicates", _checked(duplicates))

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        found = Or(tuple(Field(_SCAN_ID, Equal(number)) for number in self.scan_ids))
        return _newest(found, self.duplicates)


@dataclass(frozen=True)
class ScanIDRange(Query):
    """Runs whose scan_id is at least the first number, and less than the second.

    :ivar duplicates: as in :class:`ScanID`.
    """

    start_id: int
    end_id: int
    duplicates: str = "latest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_id", _integer(self.start_id))
        object.__setattr__(self, "end_id", _integer(self.end_id))
        object.__setattr__(self, "duplicates", _checked(self.duplicates))
        if self.start_id > self.end_id:
            msg = f"The scan_ids {self.start_id} to {self.end_id} are reversed. Exchange the two."
            raise QueryError(msg)

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        first, last = Order("$gte", self.start_id), Order("$lt", self.end_id)
        return _newest(And((Field(_SCAN_ID, first), Field(_SCAN_ID, last))), self.duplicates)


@dataclass(frozen=True, init=False)
class PartialUID(Query):
    """Runs whose uid begins with one of several texts."""

    partial_uids: tuple[str, ...]

    def __init__(self, *partial_uids: str) -> None:
        """Look for beginnings of uids.

        :raises QueryError: if one is no text, or empty.
        """
        if not partial_uids or not all(isinstance(uid, str) and uid for uid in partial_uids):
            msg = f"PartialUID takes beginnings of uids, as in PartialUID('17531a'); not {partial_uids!r}."
            raise QueryError(msg)
        object.__setattr__(self, "partial_uids", tuple(partial_uids))

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Or(tuple(Field(_UID, Matching(f"^{quoted(uid)}")) for uid in self.partial_uids))


@dataclass(frozen=True, init=False)
class PlanName(Query):
    """Runs of one of several plans."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        """Look for some plans.

        :raises QueryError: if one is no text.
        """
        if not names or not all(isinstance(name, str) for name in names):
            msg = f"PlanName takes names of plans, as in PlanName('scan'); not {names!r}."
            raise QueryError(msg)
        object.__setattr__(self, "names", tuple(names))

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Or(tuple(Field(_PLAN_NAME, Equal(name)) for name in self.names))


@dataclass(frozen=True)
class Uids(Query):
    """Runs with one of several uids."""

    uids: tuple[str, ...]

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Or(tuple(Field(_UID, Equal(uid)) for uid in self.uids))


def _newest(found: Condition, duplicates: str) -> Condition:
    if duplicates == "all":
        return found
    return And((found, NewestOfScanId(is_required=duplicates == "error")))


def _integer(number: Value) -> int:
    if isinstance(number, bool):
        number = repr(number)
    try:
        return operator.index(number)
    except TypeError:
        msg = f"A scan_id is an integer; not {number!r}."
        raise QueryError(msg) from None


def _checked(duplicates: Value) -> str:
    name = getattr(duplicates, "value", duplicates)
    if name not in _DUPLICATES:
        msg = f"duplicates={duplicates!r} is none of {', '.join(map(repr, _DUPLICATES))}."
        raise QueryError(msg)
    return str(name)
