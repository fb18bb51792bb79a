"""Timings, their medians, and the rows of the table that compares them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["Figure", "Plan", "Row", "Target", "rates", "seconds", "side_by_side"]


@dataclass(frozen=True)
class Plan:
    """How much to measure, and where."""

    folder: Path
    """Below this, stores and files of contestants are made and removed."""
    quick: bool = False
    """A tenth of the data and three repetitions: to see that everything runs."""

    @property
    def repetitions(self) -> int:
        """Timings of which a median is taken."""
        return 3 if self.quick else 5

    def scaled(self, count: int) -> int:
        """Return a number of events or runs, less if it is to be quick."""
        return max(count // 10, 1) if self.quick else count

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Lend an empty folder."""
        with TemporaryDirectory(dir=self.folder, prefix="hutch-bench-") as folder:
            yield Path(folder)


@dataclass(frozen=True)
class Figure:
    """The median of some measurements."""

    value: float
    unit: str
    spread: tuple[float, float]
    """The smallest and the largest of the measurements."""

    @classmethod
    def of(cls, values: list[float], unit: str) -> Figure:
        """Return the median of values of one unit."""
        return cls(statistics.median(values), unit, (min(values), max(values)))

    def __str__(self) -> str:
        number = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"
        return f"{number} {self.unit}"


@dataclass(frozen=True)
class Target:
    """What hutch has to reach: a multiple of the peer, or a figure of its own."""

    limit: float
    kind: str
    """``times`` the peer at least; a figure ``above`` or ``below``."""
    unit: str = ""

    @classmethod
    def times(cls, limit: float) -> Target:
        """Say how many times as good as the peer hutch has to be."""
        return cls(limit, "times")

    @classmethod
    def above(cls, limit: float, unit: str) -> Target:
        """Say what hutch has to reach."""
        return cls(limit, "above", unit)

    @classmethod
    def below(cls, limit: float, unit: str) -> Target:
        """Say what hutch must not exceed."""
        return cls(limit, "below", unit)

    def __str__(self) -> str:
        if self.kind == "times":
            return f"≥ {self.limit:g} ×"
        return f"{'≥' if self.kind == 'above' else '≤'} {self.limit:,.10g} {self.unit}"


@dataclass(frozen=True)
class Row:
    """One line of the table: hutch, a peer beside it, and the target."""

    what: str
    hutch: Figure
    target: Target | None = None
    peer: str = ""
    other: Figure | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as good as the peer hutch is: for a rate the quotient, for a cost its inverse."""
        if self.other is None:
            return None
        quotient = self.hutch.value / self.other.value
        return quotient if self.hutch.unit.endswith("/s") else 1 / quotient

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None if there is none."""
        if self.target is None:
            return None
        if self.target.kind == "times":
            return self.ratio is not None and self.ratio >= self.target.limit
        if self.target.kind == "above":
            return self.hutch.value >= self.target.limit
        return self.hutch.value <= self.target.limit

    def __str__(self) -> str:
        beside = f"; {self.peer}: {self.other}" if self.other else ""
        return f"{self.what}: {self.hutch}{beside}"

    def as_dict(self) -> dict[str, object]:
        """Return the row for JSON."""
        return {
            "what": self.what,
            "hutch": self.hutch.value,
            "unit": self.hutch.unit,
            "spread": self.hutch.spread,
            "peer": self.peer or None,
            "other": None if self.other is None else self.other.value,
            "ratio": self.ratio,
            "target": None if self.target is None else str(self.target),
            "met": self.is_met,
        }


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a piece of work in s, without the collector's view of what was before."""
    gc.collect()
    gc.freeze()
    try:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin
    finally:
        gc.unfreeze()


def side_by_side(contestants: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """Let contestants measure themselves in turn, so that a busy moment hits all of them.

    :returns: their measurements; those of a first round, which warms up, are dropped.
    """
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for round_number in range(repetitions + 1):
        for name, measure in contestants.items():
            value = measure()
            if round_number:
                found[name].append(value)
    return found


def rates(durations_s: list[float], count: int, unit: str) -> Figure:
    """Return a rate from the durations of as many things."""
    return Figure.of([count / duration for duration in durations_s], unit)
