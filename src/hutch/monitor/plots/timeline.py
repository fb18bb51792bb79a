"""Counts over time, in bounded memory, that add up to the same in whatever parts and order they come.

Bins are a power of two of seconds wide and begin at multiples of that. Only those are kept that a timestamp
falls into, and they are as narrow as leaves at most :data:`~hutch.monitor.plots.packets.MOST_BINS` of them:
that depends on which timestamps there are, and not on their order.

What comes before the first timestamp of a part belongs into the bin of the last one of the part before it.
It is kept beside until the parts meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.forms import State
from hutch.monitor.plots.packets import MOST_BINS, Moments, coarsest
from hutch.monitor.plots.parts import joined

__all__ = ["Timeline"]

Ints = npt.NDArray[np.int64]

_PAUSE_S = 3600
"""A longer time without timestamps is no part of a run."""
_MOST_PARTS = 256
"""Parts of a source that do not meet, because rows between them are missing; more are taken to meet."""


@dataclass(slots=True)
class _Part:
    """Rows of a source without a gap.

    :ivar last: the timestamp of its last timestamp packet; -1 if it has none.
    :ivar before: counts of what precedes its first one.
    """

    start: int
    stop: int
    last: int
    before: Ints


class Timeline:
    """Counts over time.

    :param columns: how many things are counted.
    :ivar exponent: bins are ``2**exponent`` s wide.
    :ivar bins: numbers of the bins, Unix time divided by width, growing; int64, shape (bins,).
    :ivar counts: int64, shape (bins, columns).
    :ivar first: the earliest timestamp, Unix s; -1 if there is none.
    :ivar latest: the latest timestamp.
    """

    def __init__(self, columns: int) -> None:
        self.exponent = 0
        self.bins: Ints = np.zeros(0, dtype=np.int64)
        self.counts: Ints = np.zeros((0, columns), dtype=np.int64)
        self.first = self.latest = -1
        self._parts: list[_Part] = []

    # taking in

    def add(self, start: int, stop: int, when: Moments, counts: Ints) -> None:
        """Add what was counted in some rows.

        :param counts: shape (bins of ``when`` + 1, columns); the first row is of what precedes them.
        """
        self._add(when.exponent, when.bins, counts[1:], when.first, when.latest)
        if stop > start:
            self._join([_Part(start, stop, when.last, counts[0].astype(np.int64))])

    def merge(self, other: Self) -> None:
        """Add what another has counted in other rows."""
        self._add(other.exponent, other.bins, other.counts, other.first, other.latest)
        self._join([_Part(part.start, part.stop, part.last, part.before.copy()) for part in other._parts])

    def _add(self, exponent: int, bins: Ints, counts: Ints, first: int, latest: int) -> None:
        if not len(bins):
            return
        self.first = first if self.first < 0 else min(self.first, first)
        self.latest = max(self.latest, latest)
        widest = max(exponent, self.exponent)
        ours, theirs = self.bins >> (widest - self.exponent), bins >> (widest - exponent)
        union = ours if np.array_equal(ours, theirs) else np.union1d(ours, theirs)
        widest, union = coarsest(union, widest, MOST_BINS) if len(union) > MOST_BINS else (widest, union)
        if widest != self.exponent or len(union) != len(self.bins):
            kept = np.zeros((len(union), self.counts.shape[1]), dtype=np.int64)
            np.add.at(kept, np.searchsorted(union, self.bins >> (widest - self.exponent)), self.counts)
            self.counts = kept
        np.add.at(self.counts, np.searchsorted(union, bins >> (widest - exponent)), counts)
        self.bins, self.exponent = union, widest

    def _join(self, more: list[_Part]) -> None:
        self._parts = joined([*self._parts, *more], self._meet, _MOST_PARTS)

    def _meet(self, left: _Part, right: _Part) -> None:
        if left.last < 0:
            left.before = left.before + right.before
        elif right.before.any():
            self.counts[np.searchsorted(self.bins, left.last >> self.exponent)] += right.before
        left.stop = right.stop
        left.last = right.last if right.last >= 0 else left.last

    # keeping

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all but the counts, whose name depends on what is counted: see :meth:`restore`."""
        parts = self._parts
        columns = self.counts.shape[1]
        return {
            "time_s": self.time_s,
            "bin_width_s": np.array(self.width_s),
            "time_range_s": np.array([self.first, self.latest]),
            "parts": np.array([(part.start, part.stop, part.last) for part in parts], np.int64).reshape(
                -1, 3
            ),
            "before_time": np.array([part.before for part in parts], np.int64).reshape(len(parts), columns),
        }

    def restore(self, state: State, counts: npt.NDArray[Any]) -> None:
        """Go on from what :meth:`state` and :attr:`counts` were."""
        self.exponent = int(state["bin_width_s"]).bit_length() - 1
        self.bins = np.asarray(state["time_s"], dtype=np.int64) >> self.exponent
        self.counts = np.array(counts, dtype=np.int64).reshape(
            len(self.bins), -1 if len(self.bins) else self.counts.shape[1]
        )
        self.first, self.latest = (int(second) for second in state["time_range_s"])
        self._parts = [
            _Part(int(start), int(stop), int(last), np.array(before, dtype=np.int64))
            for (start, stop, last), before in zip(state["parts"], state["before_time"], strict=True)
        ]

    # reading out

    @property
    def width_s(self) -> int:
        """How wide bins are, s."""
        return 1 << self.exponent

    @property
    def time_s(self) -> Ints:
        """The beginning of each bin, Unix s; int64, shape (bins,)."""
        return self.bins << self.exponent

    @property
    def before(self) -> Ints:
        """Counts of what no time is known of; int64, shape (columns,)."""
        return (
            np.sum([part.before for part in self._parts], axis=0, dtype=np.int64)
            if self._parts
            else np.zeros(self.counts.shape[1], dtype=np.int64)
        )

    @property
    def live_s(self) -> int:
        """How long there were timestamps, s, the first and the last second included; 0 if there were none.

        Times of more than an hour without any do not count: pauses, and clocks that were set meanwhile.
        """
        if not len(self.bins):
            return 0
        groups = self._groups()
        spans = [int(group[-1] - group[0] + 1) << self.exponent for group in groups]
        spans[0] -= self.first - (int(groups[0][0]) << self.exponent)
        spans[-1] -= (int(groups[-1][-1] + 1) << self.exponent) - 1 - self.latest
        return sum(spans)

    def shown(self) -> slice:
        """Return which bins are drawn: the most without a long pause, the same whatever is counted."""
        groups = self._groups()
        ends = np.cumsum([len(group) for group in groups])
        best = max(range(len(groups)), key=lambda at: (len(groups[at]), at))
        return slice(int(ends[best]) - len(groups[best]), int(ends[best]))

    def left_out(self) -> list[str]:
        """Return what there is to say of bins that are not drawn, in a list; nothing if all are."""
        shown = self.shown()
        count = len(self.bins) - (shown.stop - shown.start)
        return [f"{count * self.width_s:,} s before or after a long pause are not drawn"] if count else []

    def _groups(self) -> list[Ints]:
        """Return bins between pauses."""
        pauses = np.flatnonzero(np.diff(self.bins) > max(1, _PAUSE_S >> self.exponent)) + 1
        return np.split(self.bins, pauses)
