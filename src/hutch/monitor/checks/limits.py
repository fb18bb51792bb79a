"""Checks of one number against limits: a read-out, a rate, the values of a field."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hutch.errors import CheckError
from hutch.monitor.checks.forms import Judgement, Seen, Verdict, parameter, too_little

__all__ = ["Range", "Rate", "Threshold", "grade", "plainly"]

_INFINITE = math.inf
_PAUSE_S = 3600

_REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
    "last": lambda values: values[-1],
}
_OF = ("every", "mean", "last")


def plainly(value: float, unit: str = "") -> str:
    """Return a number as an operator reads it: ``1,230 Hz``, ``0.0042``."""
    text = f"{value:,.0f}" if abs(value) >= 1000 and math.isfinite(value) else f"{value:.4g}"  # noqa: PLR2004
    return f"{text} {unit}".rstrip()


def grade(
    value: float,
    bad: tuple[float, float],
    medium: tuple[float, float] = (-_INFINITE, _INFINITE),
    good: tuple[float, float] | None = None,
    before: Verdict | None = None,
) -> Verdict:
    """Return what a number is worth: a limit itself is still within.

    :param bad: the lowest and the highest number that is not bad.
    :param medium: the same for medium.
    :param good: what was bad must be within these to be no more so.
    :param before: the verdict before.
    """
    if not bad[0] <= value <= bad[1]:
        return Verdict.BAD
    if before is Verdict.BAD and good is not None and not good[0] <= value <= good[1]:
        return Verdict.BAD
    return Verdict.GOOD if medium[0] <= value <= medium[1] else Verdict.MEDIUM


@dataclass(frozen=True)
class Threshold:
    """A number that a plot gives lies within limits.

    What has turned bad turns good again only within limits of its own, so that a number that wavers about a
    limit makes no verdicts that come and go.
    """

    plot: str | Sequence[str]
    readout: str = parameter("the read-out, or array of the state, that it looks at")
    reduce: str = parameter("what becomes of an array: mean, min, max, sum, last", "")
    low: float = parameter("bad below this", -_INFINITE)
    high: float = parameter("bad above this", _INFINITE)
    medium_low: float = parameter("medium below this", -_INFINITE)
    medium_high: float = parameter("medium above this", _INFINITE)
    good_low: float = parameter("what was bad is good again only from this on", -_INFINITE)
    good_high: float = parameter("what was bad is good again only up to this", _INFINITE)
    unit: str = parameter("of the number, for people", "")

    def __post_init__(self) -> None:
        _refuse_others("reduce", self.reduce, ("", *_REDUCTIONS))

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Judge the number as it is now."""
        value = _reduced(seen, self.readout, self.reduce) if self.reduce else seen.number(self.readout)
        if math.isnan(value):
            return too_little(f"There is no {self.readout} yet.")
        good = (max(self.good_low, self.low), min(self.good_high, self.high))
        limits = (self.low, self.high), (self.medium_low, self.medium_high), good
        verdict = grade(value, *limits, seen.before)
        name = f"{self.reduce} {self.readout}".strip()
        said = f"{name} is {plainly(value, self.unit)}"
        if verdict is Verdict.BAD and self.low <= value <= self.high:
            said += f"; it was bad, and is good again {_within(good, self.unit)}"
        else:
            said += f"; good is {_within(limits[1] if verdict is Verdict.MEDIUM else limits[0], self.unit)}"
        return Judgement(verdict, value, f"{said}.")


@dataclass(frozen=True)
class Rate:
    """Packets come neither too slowly nor too fast.

    The rate is that of the last seconds of the data, by the data's own clock; a second that is not over
    counts not yet. What was before a pause of more than an hour does not count.
    """

    plot: str | Sequence[str] = "PacketRate"
    rates: str = parameter(
        "the read-out that gives the rate in each bin of time, beside ``time_s``", "rates_hz"
    )
    low_hz: float = parameter("bad below this", 0.0, unit="Hz")
    high_hz: float = parameter("bad above this", _INFINITE, unit="Hz")
    medium_low_hz: float = parameter("medium below this", 0.0, unit="Hz")
    medium_high_hz: float = parameter("medium above this", _INFINITE, unit="Hz")
    window_s: float = parameter("over how much of the end of the data", 60.0, unit="s")
    least_s: float = parameter("as much there must be to tell", 10.0, unit="s")
    margin: float = parameter("what was bad is good again so far inside the limits, as a fraction", 0.05)

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Judge the rate at the end of the data."""
        value, covered = self._rate(seen)
        least = min(self.least_s, self.window_s)
        if not covered or covered < least:
            return too_little(f"There are {plainly(covered)} s of data; it takes {plainly(least)} s to tell.")
        bad = (self.low_hz, self.high_hz)
        good = (self.low_hz * (1 + self.margin), self.high_hz * (1 - self.margin))
        medium = (self.medium_low_hz, self.medium_high_hz)
        verdict = grade(value, bad, medium, good, seen.before)
        limits = _within(medium if verdict is Verdict.MEDIUM else bad, "Hz")
        said = f"{plainly(value)} packets/s over the last {plainly(covered, 's')}; good is {limits}"
        return Judgement(verdict, value, f"{said}.")

    def _rate(self, seen: Seen) -> tuple[float, float]:
        """Return the rate, Hz, and over how long, s: without the last bin, which is not over."""
        starts, width = seen.array("time_s"), int(seen.array("bin_width_s"))
        pauses = np.flatnonzero(np.diff(starts) > max(_PAUSE_S, width)) + 1
        # One bin alone is over only when the next begins; hours after all others it is a clock gone wrong.
        last = next((some for some in reversed(np.split(starts, pauses)) if len(some) > 1), starts[:0])
        if not len(last):
            return 0.0, 0.0
        counts = seen.array(self.rates) * width
        end = int(last[-1])
        begin = end - max(round(self.window_s / width), 1) * width
        covered = float(end - max(begin, int(last[0]), int(seen.array("time_range_s")[0])))
        chosen = (starts >= begin) & (starts < end)
        return (float(counts[chosen].sum()) / covered if covered > 0 else 0.0), covered


@dataclass(frozen=True)
class Range:
    """The values of a field of a run lie within limits.

    Every value counts, or their mean, or the last one; values that are NaN are counted apart.
    """

    field: str = parameter("the field: a column of the stream")
    low: float = parameter("bad below this", -_INFINITE)
    high: float = parameter("bad above this", _INFINITE)
    medium_low: float = parameter("medium below this", -_INFINITE)
    medium_high: float = parameter("medium above this", _INFINITE)
    of: str = parameter("what must be within: every, mean or last value", "every")
    least: int = parameter("as many values there must be to tell", 1)
    plot: str | Sequence[str] = "ColumnStatistics"

    def __post_init__(self) -> None:
        _refuse_others("of", self.of, _OF)

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Judge the values so far."""
        known = seen.readout("column", self.field)
        if known is None or known.count < self.least:
            count = 0 if known is None else known.count
            return too_little(f"{self.field} has {count:,} values; it takes {self.least:,} to tell.")
        bad, medium = (self.low, self.high), (self.medium_low, self.medium_high)
        if self.of == "every":
            ends = (known.minimum, known.maximum)
            value = max(ends, key=lambda end: (_outside(end, bad), _outside(end, medium)))
            verdict = grade(value, bad, medium, before=seen.before)
            said = f"{self.field} is from {plainly(ends[0])} to {plainly(ends[1])}"
        else:
            value = known.mean if self.of == "mean" else known.last
            if math.isnan(value):
                return too_little(f"The {self.of} value of {self.field} is no number.")
            verdict = grade(value, bad, medium, before=seen.before)
            said = f"the {self.of} value of {self.field} is {plainly(value)}"
        limits = _within(medium if verdict is Verdict.MEDIUM else bad, known.units)
        missing = f"; {known.missing:,} values are no numbers" if known.missing else ""
        return Judgement(verdict, value, f"{said}; good is {limits}{missing}.")


def _reduced(seen: Seen, name: str, how: str) -> float:
    values = seen.array(name).ravel().astype(float)
    if not values.size:
        return math.nan
    return float(_REDUCTIONS[how](values))


def _refuse_others(name: str, given: str, known: Sequence[str]) -> None:
    """Refuse what a parameter cannot be.

    :raises CheckError: naming what it can be.
    """
    if given not in known:
        msg = f"{name!r} cannot be {given!r}; give {', '.join(filter(None, known))}."
        raise CheckError(msg)


def _outside(value: float, limits: tuple[float, float]) -> float:
    return max(limits[0] - value, value - limits[1], 0.0)


def _within(limits: tuple[float, float], unit: str) -> str:
    low, high = limits
    if math.isinf(low) and math.isinf(high):
        return "anything"
    if math.isinf(low):
        return f"up to {plainly(high, unit)}"
    if math.isinf(high):
        return f"from {plainly(low, unit)} on"
    return f"from {plainly(low)} to {plainly(high, unit)}"
