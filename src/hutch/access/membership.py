"""Which runs belong to which experiments, as conditions that a search asks and a document is put to.

A run belongs to the experiments that its start document names under ``experiment``. If it names none, and
an ``instrument``, it belongs to the one that was active there, at its ``station``, when it began. Both are
functions of the start document and of the history of activations, in which nothing is changed later; so no
run moves from one experiment to another because a third is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hutch.queries.conditions import And, Condition, Equal, Field, Matching, Not, Or, Order, Path
from hutch.queries.matching import matches
from hutch.queries.patterns import quoted
from hutch.store.rows.access import ActivationRow

__all__ = ["Shift", "experiments_of", "readable", "runs_of", "shifts"]

_EXPERIMENT = Path("start", ("experiment",))
_INSTRUMENT = Path("start", ("instrument",))
_STATION = Path("start", ("station",))
_TIME = Path("start", ("time",))

_NAMES_NONE = Or((Field(_EXPERIMENT, Equal(None)), Field(_EXPERIMENT, Equal(""))))


@dataclass(frozen=True, slots=True)
class Shift:
    """A time in which an experiment is active at a station of an instrument.

    :ivar since: s since 1970.
    :ivar until: s since 1970; None as long as it lasts.
    """

    experiment: str
    instrument: str
    station: int
    since: float
    until: float | None

    @property
    def runs(self) -> Condition:
        """The runs that began there in this time, and name no experiment."""
        # People write xpp for XPP.
        parts: list[Condition] = [
            _NAMES_NONE,
            Field(_INSTRUMENT, Matching(f"^{quoted(self.instrument)}$", "i")),
            Field(_TIME, Order("$gte", self.since)),
        ]
        if self.until is not None:
            parts.append(Field(_TIME, Order("$lt", self.until)))
        # The first station is meant where nothing is said, or what is none.
        is_other = Field(_STATION, Order("$gte", 1))
        parts.append(Field(_STATION, Equal(self.station)) if self.station else Not(is_other))
        return And(tuple(parts))


def shifts(activations: Sequence[ActivationRow]) -> list[Shift]:
    """Return when which experiment was active where.

    :param activations: all that there were, in the order in which they were done.
    """
    last: dict[tuple[str, int], ActivationRow] = {}
    found: list[Shift] = []

    def end(row: ActivationRow, until: float | None) -> None:
        if row.experiment is not None and (until is None or until > row.time):
            found.append(Shift(row.experiment, row.instrument, row.station, row.time, until))

    for row in activations:
        place = (row.instrument, row.station)
        if place in last:
            end(last[place], row.time)
        last[place] = row
    for row in last.values():
        end(row, None)
    return found


def runs_of(experiment: str, all_shifts: Iterable[Shift]) -> Condition:
    """Return the condition that the runs of an experiment fulfil."""
    own = (shift.runs for shift in all_shifts if shift.experiment == experiment)
    return Or((Field(_EXPERIMENT, Equal(experiment)), *own))


def readable(experiments: Collection[str], all_shifts: Iterable[Shift]) -> Condition:
    """Return the condition that readable runs fulfil: those of some experiments, or of none.

    What names an experiment that nobody made is not among them: it may be a slip of who meant one that is
    restricted.

    :param experiments: those that may be read.
    """
    hidden = tuple(shift.runs for shift in all_shifts if shift.experiment not in experiments)
    free = And((_NAMES_NONE, Not(Or(hidden)))) if hidden else _NAMES_NONE
    return Or((free, *(Field(_EXPERIMENT, Equal(name)) for name in sorted(experiments))))


def experiments_of(start: Mapping[str, Any], all_shifts: Iterable[Shift]) -> list[str]:
    """Return the experiments of a run by its start document; it may name several, or what is none."""
    value = start.get("experiment")
    named = value if isinstance(value, list) else [value]
    found = [name if isinstance(name, str) else repr(name) for name in named if name not in (None, "")]
    documents = {"start": dict(start)}
    found += [shift.experiment for shift in all_shifts if matches(shift.runs, documents)]
    return list(dict.fromkeys(found))
