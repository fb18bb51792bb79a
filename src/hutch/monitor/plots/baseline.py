"""Statistics of what is read before and after a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.row_plot import RowPlot, floats_of, is_number

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["Baseline"]

_MOST_KEPT = 200
_SHOWN = 24
_HEADS = ("first", "last", "change", "least", "greatest")


class Baseline(RowPlot):
    """Show the first, last, least and greatest value of each number of a baseline, changes first.

    State: ``values``, float64, shape (columns, 4): first, last, least and greatest value of each of
    ``names``; ``ends``, int64, shape (2,): which rows the first and the last are of.
    """

    headline = "Baseline"
    size = (13.0, 9.0)

    def _chosen(self, batch: Batch) -> list[str]:
        return [name for name in batch if name not in ("time", "seq_num") and is_number(batch[name])][
            :_MOST_KEPT
        ]

    def _make(self) -> None:
        self.ends = np.array([-1, -1])
        self.values = np.full((len(self.names or ()), 4), np.nan)

    def _take(self, batch: Batch) -> None:
        rows = floats_of(batch, self.names or ())
        values = np.stack([rows[0], rows[-1], np.fmin.reduce(rows), np.fmax.reduce(rows)], axis=1)
        self._fold(np.array([batch.start, batch.start + len(batch) - 1]), values)

    def _take_over(self, other: Self) -> None:
        self._fold(other.ends, other.values)

    def _fold(self, ends: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> None:
        if ends[0] < 0:
            return
        if self.ends[0] < 0 or ends[0] < self.ends[0]:
            self.ends[0], self.values[:, 0] = ends[0], values[:, 0]
        if ends[1] > self.ends[1]:
            self.ends[1], self.values[:, 1] = ends[1], values[:, 1]
        self.values[:, 2] = np.fmin(self.values[:, 2], values[:, 2])
        self.values[:, 3] = np.fmax(self.values[:, 3], values[:, 3])

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return {"values": self.values.copy(), "ends": self.ends.copy()}

    def _put_back(self, state: State) -> None:
        self.values = np.array(state["values"], dtype=float)
        self.ends = np.array(state["ends"], dtype=np.int64)

    def changes(self) -> dict[str, float]:
        """Return the last value less the first, by name."""
        return dict(zip(self.names or (), (self.values[:, 1] - self.values[:, 0]).tolist(), strict=True))

    def _missing(self) -> str:
        if self.stream != "baseline":
            return "this stream is no baseline"
        return "" if self.names else "the baseline has no numbers"

    def _remarks(self) -> list[str]:
        left_out = len(self.names or ()) - _SHOWN
        return [f"{left_out} more are not shown"] if left_out > 0 and self.stream == "baseline" else []

    def _build(self, made: Picture) -> None:
        for at, head in enumerate(_HEADS):
            made.text(0.5 + 0.118 * at, 0.885, head, fontsize=13, fontweight="bold", ha="right")
        for row in range(_SHOWN):
            y = 0.85 - 0.0345 * row
            made.kept[f"name {row}"] = made.text(0.012, y, "", fontsize=13, parse_math=False)
            for at in range(len(_HEADS)):
                made.kept[f"{row} {at}"] = made.text(0.5 + 0.118 * at, y, "", fontsize=13, ha="right")

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import PALETTE

        first, last, low, high = self.values.T
        change = last - first
        size = np.maximum(np.abs(first), np.abs(last))
        share = np.divide(np.abs(change), size, out=np.zeros(len(size)), where=size > 0)
        order = np.argsort(-np.nan_to_num(share), kind="stable")[:_SHOWN]
        for row in range(_SHOWN):
            at = int(order[row]) if row < len(order) else None
            numbers = () if at is None else (first[at], last[at], change[at], low[at], high[at])
            color = PALETTE[1] if at is not None and share[at] > 0 else "black"
            made.kept[f"name {row}"].set(text="" if at is None else self.label(at), color=color)
            for column in range(len(_HEADS)):
                text = f"{numbers[column]:.6g}" if at is not None else ""
                made.kept[f"{row} {column}"].set(text=text, color=color)
