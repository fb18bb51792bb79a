"""Rows of something that has no end, in bounded memory, the same in whatever parts and order they come."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.forms import State
from hutch.monitor.plots.packets import coarsest

__all__ = ["Envelope", "Thinned"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Envelope:
    """Of every ``2**exponent`` rows the first, and the least and the greatest value of each column.

    :param columns: how many columns there are; the first is what the others are drawn against.
    :param most: how many groups of rows are kept; they are as small as this allows.
    :ivar rows: the first row of each group that there is; int64, shape (groups,).
    :ivar first: values of that row; float64, shape (groups, columns), like the next two.
    :ivar low: the least values, without NaN.
    :ivar high: the greatest values.
    """

    def __init__(self, columns: int, most: int = 2000) -> None:
        self.most = most
        self.exponent = 0
        self.rows: Ints = np.zeros(0, dtype=np.int64)
        self.first, self.low, self.high = (np.zeros((0, columns)) for _ in range(3))

    def add(self, start: int, values: Floats) -> None:
        """Add rows that follow each other; shape (rows, columns)."""
        self._add(0, np.arange(start, start + len(values)), values, values, values)

    def merge(self, other: Self) -> None:
        """Add the rows of another."""
        self._add(other.exponent, other.rows, other.first, other.low, other.high)

    def _add(self, exponent: int, rows: Ints, first: Floats, low: Floats, high: Floats) -> None:
        if not len(rows):
            return
        widest = max(exponent, self.exponent)
        every = np.concatenate([self.rows, rows])
        order = np.argsort(every, kind="stable")
        every = every[order]
        self.exponent, _ = coarsest(np.unique(every >> widest), widest, self.most)
        starts = np.flatnonzero(np.diff(every >> self.exponent, prepend=-1))
        self.rows = every[starts]
        self.first = np.concatenate([self.first, first])[order][starts]
        self.low = np.fmin.reduceat(np.concatenate([self.low, low])[order], starts, axis=0)
        self.high = np.fmax.reduceat(np.concatenate([self.high, high])[order], starts, axis=0)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all of it."""
        return {
            "rows": self.rows.copy(),
            "rows_exponent": np.array(self.exponent),
            "first": self.first.copy(),
            "low": self.low.copy(),
            "high": self.high.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        self.rows = np.array(state["rows"], dtype=np.int64)
        self.exponent = int(state["rows_exponent"])
        self.first, self.low, self.high = (
            np.array(state[name], dtype=float) for name in ("first", "low", "high")
        )


class Thinned:
    """Every ``2**exponent``-th row, as many as there is room for.

    :ivar rows: their numbers, growing; int64, shape (rows,).
    :ivar values: float64, shape (rows, columns).
    """

    def __init__(self, columns: int, most: int = 1 << 16) -> None:
        self.most = most
        self.exponent = 0
        self.rows: Ints = np.zeros(0, dtype=np.int64)
        self.values: Floats = np.zeros((0, columns))

    def add(self, start: int, values: Floats) -> None:
        """Add rows that follow each other; shape (rows, columns)."""
        self._add(0, np.arange(start, start + len(values)), values)

    def merge(self, other: Self) -> None:
        """Add the rows of another."""
        self._add(other.exponent, other.rows, other.values)

    def _add(self, exponent: int, rows: Ints, values: Floats) -> None:
        self.exponent = max(self.exponent, exponent)
        every, kept = np.concatenate([self.rows, rows]), np.concatenate([self.values, values])
        while True:
            is_kept = every & ((1 << self.exponent) - 1) == 0
            every, kept = every[is_kept], kept[is_kept]
            if len(every) <= self.most:
                break
            self.exponent += 1
        order = np.argsort(every, kind="stable")
        self.rows, self.values = every[order], kept[order]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all of it."""
        return {
            "rows": self.rows.copy(),
            "rows_exponent": np.array(self.exponent),
            "values": self.values.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        self.rows = np.array(state["rows"], dtype=np.int64)
        self.exponent = int(state["rows_exponent"])
        self.values = np.array(state["values"], dtype=float)
