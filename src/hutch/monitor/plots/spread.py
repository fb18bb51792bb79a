"""A histogram of numbers of which nothing is known beforehand."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.forms import State
from hutch.monitor.plots.packets import coarsest

__all__ = ["Spread"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_BINS = 256
_DIGITS = 52
"""Bits: no bin is narrower than the greatest number is exact."""
_LEAST = -1022


class Spread:
    """A histogram whose bins are as narrow as leaves at most 256 that are not empty.

    Bins are ``2**exponent`` wide and begin at multiples of that, so that the same numbers give the same
    histogram in whatever parts and order they come.
    """

    def __init__(self) -> None:
        self.exponent = _LEAST
        self.bins: Ints = np.zeros(0, dtype=np.int64)
        self.counts: Ints = np.zeros(0, dtype=np.int64)
        self.other = 0

    def add(self, values: Floats) -> None:
        """Add numbers; those that are not finite are counted apart."""
        finite = values[np.isfinite(values)]
        self.other += len(values) - len(finite)
        if not len(finite):
            return
        distinct, counts = np.unique(finite, return_counts=True)
        greatest = max(abs(float(distinct[0])), abs(float(distinct[-1])))
        exponent = max(_LEAST, math.frexp(greatest)[1] - _DIGITS if greatest else _LEAST, self.exponent)
        bins = np.floor(np.ldexp(distinct, -exponent)).astype(np.int64)
        self._add(exponent, bins, counts)

    def merge(self, other: Self) -> None:
        """Add the numbers of another."""
        self.other += other.other
        if len(other.bins):
            self._add(other.exponent, other.bins, other.counts)

    def _add(self, exponent: int, bins: Ints, counts: Ints) -> None:
        widest = max(exponent, self.exponent)
        shifts = (min(widest - self.exponent, 63), min(widest - exponent, 63))
        every = np.concatenate([self.bins >> shifts[0], bins >> shifts[1]])
        self.exponent, union = coarsest(np.unique(every), widest, _MOST_BINS)
        kept = np.zeros(len(union), dtype=np.int64)
        np.add.at(
            kept,
            np.searchsorted(union, every >> (self.exponent - widest)),
            np.concatenate([self.counts, counts]),
        )
        self.bins, self.counts = union, kept

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all of it."""
        return {
            "bins": self.bins.copy(),
            "counts": self.counts.copy(),
            "exponent": np.array(self.exponent),
            "other": np.array(self.other),
        }

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        self.bins, self.counts = (np.array(state[name], dtype=np.int64) for name in ("bins", "counts"))
        self.exponent, self.other = int(state["exponent"]), int(state["other"])

    def outline(self) -> tuple[Floats, Ints]:
        """Return x and y of a line around the histogram; it goes down to 0 between bins that are apart."""
        width = math.ldexp(1.0, self.exponent)
        if len(self.bins) > 1:
            # Few values far apart, as whole numbers are: bars that can be seen.
            width = max(width, 0.002 * float(self.bins[-1] - self.bins[0]) * width)
        left = np.ldexp(self.bins.astype(float), self.exponent)
        x = np.stack([left, left, left + width, left + width], axis=1).ravel()
        nothing = np.zeros_like(self.counts)
        y = np.stack([nothing, self.counts, self.counts, nothing], axis=1).ravel()
        return x, y
