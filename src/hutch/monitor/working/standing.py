"""How the plots of a source stand, as the monitor keeps it between cycles, and as ``status.json`` says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hutch.monitor.keeping import Keeper, replace_file
from hutch.monitor.observing import Failure, Tile, count_rows, fraction_of
from hutch.monitor.sources import BadRange, Sighting
from hutch.monitor.working.jobs import Drawn, Folded
from hutch.monitor.working.work import picture_file

__all__ = ["Standing", "Watched"]

_MOST_CYCLES = 64
"""A plot that fails again and again is tried again after so many cycles at most."""
_MOST_BAD = 20
"""As many ranges are listed in ``status.json``, the last; their number is there too."""


@dataclass(slots=True)
class Standing:
    """How one plot of one source stands.

    :ivar begun: the row up to which it counted when it was heard of first; None before.
    :ivar seen: the row up to which it counts; None if that is not known yet.
    :ivar shown: the row up to which its picture counts; None if it has to be drawn.
    :ivar asked: when rows were asked for last, by ``time.monotonic``; 0 for never.
    :ivar seconds: what was spent on it since its last tile, s.
    :ivar took: what the last rows and their picture took, s.
    :ivar due: the cycle in which it is tried again after a failure.
    :ivar is_over: whether observers have looked at it since its source is complete.
    :ivar is_told: whether nobody waits to be told how it stands.
    """

    begun: int | None = None
    seen: int | None = None
    shown: int | None = None
    there: int = 0
    skipped: int = 0
    updated: float = 0.0
    drawn: float | None = None
    asked: float = 0.0
    seconds: float = 0.0
    took: float = 0.0
    bad: tuple[BadRange, ...] = ()
    failure: Failure | None = None
    due: int = 0
    is_kept: bool = True
    is_over: bool = False
    is_told: bool = True
    judgements: list[Any] = field(default_factory=list)

    @property
    def unreadable(self) -> int:
        """How many rows were passed over because they cannot be read."""
        return count_rows(self.bad)

    def folded(self, answer: Folded, *, is_over: bool) -> None:
        """Take in how far the plot has come.

        :param is_over: whether its source was complete when it was asked.
        """
        self.begun = answer.begun if self.begun is None else self.begun
        self.seen, self.there, self.skipped = answer.seen, answer.there, answer.skipped
        self.updated, self.bad, self.is_kept = answer.updated, answer.bad, answer.is_kept
        self.seconds += answer.seconds
        self.took = answer.seconds
        self.judgements += answer.judgements
        if answer.drawn is not None:
            self.drawn, self.shown = answer.drawn, answer.seen
        if self.judgements or self.needs_drawing() or (is_over and not self.is_over):
            self.is_told = False
        self.is_over = is_over

    def draw(self, answer: Drawn) -> None:
        """Take in that it was drawn."""
        self.seen = self.shown = answer.seen
        self.drawn = answer.drawn or self.drawn
        self.seconds += answer.seconds
        self.took += answer.seconds
        self.failure = None

    def fail(self, failure: Failure, cycle: int) -> None:
        """Take in a failure: the plot rests for one cycle, then for two, four and so on."""
        times = 1 + (self.failure.times if self.failure is not None else 0)
        self.failure = replace(failure, times=times)
        self.due = cycle + (1 if failure.is_passing else min(2 ** (times - 1), _MOST_CYCLES))

    def rests(self, cycle: int) -> bool:
        """Tell whether nothing is asked of the plot in a cycle."""
        return self.failure is not None and cycle < self.due

    def is_behind(self, sighting: Sighting) -> bool:
        """Tell whether it has not kept all rows that there are, or not taken in that no more will come."""
        is_over = self.is_over or not sighting.is_complete
        return self.seen is None or self.seen < sighting.rows or not (self.is_kept and is_over)

    def needs_drawing(self) -> bool:
        """Tell whether its picture is not there, or older than what it has accumulated."""
        return self.seen is not None and self.shown != self.seen

    def tell_again(self, judgements: Iterable[Any]) -> None:
        """Take in that nobody could be told how it stands: the next picture tells it.

        :param judgements: what came with it.
        """
        self.judgements = [*judgements, *self.judgements]
        self.shown = None

    def lose(self) -> None:
        """Take in that the worker is gone: what was not kept or drawn is lost, and has to be done anew."""
        if not self.is_kept or self.needs_drawing():
            self.seen = None


@dataclass(slots=True)
class Watched:
    """A source that is watched.

    :ivar changed: when it was sighted last, by the monitor's clock.
    :ivar counted: the row up to which rows have been counted, by :meth:`count_new`.
    :ivar is_told: whether ``status.json`` says how it stands.
    """

    sighting: Sighting
    changed: float
    plots: dict[str, Standing]
    number: int
    counted: int = 0
    is_told: bool = False

    @property
    def base(self) -> str:
        """How the files of its pictures begin."""
        return self.sighting.spec.base

    def sight(self, sighting: Sighting, now: float) -> None:
        """Take in what is there now; if it is another than it was, all begins anew."""
        if sighting.spec.identity != self.sighting.spec.identity:
            self.plots = {name: Standing(drawn=old.drawn) for name, old in self.plots.items()}
            self.counted = 0
        self.sighting, self.changed, self.is_told = sighting, now, False

    def chosen(self, is_chosen: Callable[[Standing], bool]) -> tuple[str, ...]:
        """Return the names of some plots."""
        return tuple(name for name, standing in self.plots.items() if is_chosen(standing))

    def is_done(self) -> bool:
        """Tell whether nothing is left to be done for the plots, but for those that fail by themselves."""
        return not any(
            (one.is_behind(self.sighting) or one.needs_drawing())
            and (one.failure is None or one.failure.is_passing)
            for one in self.plots.values()
        )

    def count_new(self) -> int:
        """Return how many rows the plot that is furthest has taken in since this was called last.

        What an earlier monitor, or this one before it let go of the source, has taken in is not new.
        """
        known = max([self.counted, *(one.begun or 0 for one in self.plots.values())])
        self.counted = max([known, *(one.seen or 0 for one in self.plots.values())])
        return self.counted - known

    def failures(self) -> dict[tuple[str, str], Failure]:
        """Return what is wrong with plots, by base and name."""
        return {(self.base, name): one.failure for name, one in self.plots.items() if one.failure is not None}

    def tile(self, name: str, keeper: Keeper, *, is_called: bool, picture: bytes | None) -> Tile:
        """Return how a plot stands; what was gathered for the tile is handed over."""
        one = self.plots[name]
        one.is_told = True
        judgements, one.judgements = tuple(one.judgements), []
        seconds, one.seconds = one.seconds, 0.0
        return Tile(
            sighting=self.sighting,
            plot=name,
            seen=one.seen or 0,
            there=max(one.there, self.sighting.rows),
            updated=one.updated,
            drawn=one.drawn,
            seconds=seconds,
            skipped=one.skipped,
            bad=one.bad,
            failure=one.failure,
            judgements=judgements,
            picture=picture,
            state_file=None if is_called else keeper.file(self.sighting.spec.base, name),
        )

    def write_status(self, out: Path, extension: str, now: float) -> None:
        """Write ``status.json`` beside the pictures.

        :raises OSError: if it cannot be written.
        """
        spec = self.sighting.spec
        content = {
            "source": spec.address,
            "format": spec.format,
            "run": self.sighting.run,
            "rows": self.sighting.rows,
            "written": self.sighting.written,
            "is_complete": self.sighting.is_complete,
            "time": now,
            "plots": {name: self._status(name, extension, now) for name in self.plots},
        }
        file = picture_file(out, spec.base, "", extension).parent / "status.json"
        replace_file(file, json.dumps(content, indent=1).encode())
        self.is_told = True

    def _status(self, name: str, extension: str, now: float) -> dict[str, Any]:
        one = self.plots[name]
        seen, there = one.seen or 0, max(one.there, self.sighting.rows)
        failure = one.failure
        return {
            "picture": f"{self.sighting.spec.base}_{name}.{extension}" if one.drawn is not None else None,
            "rows_seen": seen - one.skipped,
            "rows_unreadable": one.unreadable,
            "rows_there": there,
            "fraction": fraction_of(seen - one.skipped - one.unreadable, there),
            "updated": one.updated or None,
            "drawn": one.drawn,
            "age_s": max(now - one.drawn, 0.0) if one.drawn is not None else None,
            "seconds": round(one.took, 4),
            "bad_ranges": len(one.bad),
            "bad": [{"start": bad.start, "stop": bad.stop, "why": bad.why} for bad in one.bad[-_MOST_BAD:]],
            "error": None if failure is None else failure.to_json(),
        }
