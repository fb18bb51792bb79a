"""Columns of any HDF5 file that grows: values over row number, and how they are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.row_plot import ROOM_FOR_NAME, RowPlot, floats_of, is_number, name_panel
from hutch.monitor.plots.spread import Spread
from hutch.monitor.plots.thinning import Envelope

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["Columns"]

_MOST_KEPT = 16
_MOST_PANELS = 5


class Columns(RowPlot):
    """Show each number of a growing HDF5 file over its row, and a histogram of it.

    State: ``rows``, ``first``, ``low``, ``high``: as of ``Lines``, for each of ``names``; and for each,
    numbered from 0: ``bins_0`` and ``counts_0``, int64, shape (bins,): values from ``bin * 2**exponent`` to
    below ``(bin + 1) * 2**exponent`` and how many they are, ``exponent_0``, and ``other_0``: how many are not
    finite.
    """

    formats = ("hdf5",)
    headline = "Columns"

    def _chosen(self, batch: Batch) -> list[str]:
        return [name for name in batch if is_number(batch[name])][:_MOST_KEPT]

    def _make(self) -> None:
        self.envelope = Envelope(len(self.names or ()))
        self.spreads = [Spread() for _ in self.names or ()]

    def _take(self, batch: Batch) -> None:
        values = floats_of(batch, self.names or ())
        self.envelope.add(batch.start, values)
        for column, spread in zip(values.T, self.spreads, strict=True):
            spread.add(column)

    def _take_over(self, other: Self) -> None:
        self.envelope.merge(other.envelope)
        for ours, theirs in zip(self.spreads, other.spreads, strict=True):
            ours.merge(theirs)

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        spreads = {
            f"{name}_{at}": array
            for at, one in enumerate(self.spreads)
            for name, array in one.state().items()
        }
        return {**self.envelope.state(), **spreads}

    def _put_back(self, state: State) -> None:
        self.envelope.restore(state)
        for at, spread in enumerate(self.spreads):
            spread.restore({name: state[f"{name}_{at}"] for name in spread.state()})

    def _panels(self) -> int:
        return min(_MOST_PANELS, len(self.names or ()))

    def _missing(self) -> str:
        return "" if self._panels() else "no dataset has one number a row"

    def _remarks(self) -> list[str]:
        left_out = len(self.names or ()) - self._panels()
        return [f"{left_out} more are not drawn"] if left_out else []

    def _build(self, made: Picture) -> None:
        from matplotlib.ticker import MaxNLocator

        from hutch.monitor.plots.drawing import PALETTE, style

        many = self._panels()
        height = 0.79 / many
        for at in range(many):
            bottom = 0.085 + height * (many - 1 - at)
            high, lifted = height - ROOM_FOR_NAME, 0.035 * (many > 1)
            over = made.add_axes((0.1, bottom, 0.53, high))
            beside = made.add_axes((0.72, bottom + lifted, 0.265, high - lifted))
            style(over)
            style(beside, y="rows", is_log=True, is_counts=True)
            name_panel(over, self.label(at), many)
            beside.xaxis.set_major_locator(MaxNLocator(5))
            over.tick_params(labelbottom=at == many - 1)
            (made.kept[f"line {at}"],) = over.plot([], [], color=PALETTE[at % 7], linewidth=1.5)
            made.kept[f"band {at}"] = over.fill_between(
                [], [], color=PALETTE[at % 7], alpha=0.25, linewidth=0
            )
            (made.kept[f"spread {at}"],) = beside.plot([], [], color=PALETTE[at % 7], linewidth=1.6)
            made.kept[f"axes {at}"] = over, beside
        over.set_xlabel("row", fontsize=13)

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import fit

        envelope = self.envelope
        rows = envelope.rows.astype(float)
        for at in range(self._panels()):
            over, beside = made.kept[f"axes {at}"]
            y, low, high = (part[:, at] for part in (envelope.first, envelope.low, envelope.high))
            made.kept[f"line {at}"].set_data(rows, y)
            made.kept[f"line {at}"].set_marker("o" if len(rows) <= 60 else "")
            made.kept[f"band {at}"].set_data(rows, low, high)
            fit(over, rows, [y, low, high])
            x, counts = self.spreads[at].outline()
            made.kept[f"spread {at}"].set_data(x, counts)
            fit(beside, x, [counts], is_log=True)
