"""Lines of the numbers of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from hutch.catalogs.showing.hints import hinted_fields
from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.row_plot import (
    ROOM_FOR_NAME,
    RowPlot,
    described,
    floats_of,
    is_number,
    name_panel,
    own_axes,
)
from hutch.monitor.plots.thinning import Envelope

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["Lines"]

_MOST_KEPT = 16
_MOST_PANELS = 6
_TIME = "time"
_COUNTING = "seq_num"


class Lines(RowPlot):
    """Show the hinted fields of a run as lines over what is scanned, or over time.

    State: ``names``, the first of what the others are drawn against; ``rows``, int64, shape (groups,);
    ``first``, ``low``, ``high``, float64, shape (groups, columns): of every ``2**rows_exponent`` rows the
    values of the first, and the least and the greatest of all. Groups are single rows up to 2000 rows.
    """

    headline = "Lines"

    def _chosen(self, batch: Batch) -> list[str]:
        numbers = [name for name in batch if name not in (_TIME, _COUNTING) and is_number(batch[name])]
        axes = [name for name in own_axes(batch.facts) if name in numbers]
        x = axes[0] if len(axes) == 1 else _TIME
        hinted = [
            name for name in hinted_fields(described(batch.facts)) if name in numbers and name not in axes
        ]
        return [x, *(hinted or [name for name in numbers if name not in axes])[:_MOST_KEPT]]

    def _make(self) -> None:
        self.envelope = Envelope(len(self.names or ()))

    def _take(self, batch: Batch) -> None:
        self.envelope.add(batch.start, floats_of(batch, self.names or ()))

    def _take_over(self, other: Self) -> None:
        self.envelope.merge(other.envelope)

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return self.envelope.state()

    def _put_back(self, state: State) -> None:
        self.envelope.restore(state)

    def _panels(self) -> int:
        return min(_MOST_PANELS, len(self.names or ()) - 1)

    def _missing(self) -> str:
        return "" if self._panels() > 0 else "this stream has no numbers to draw"

    def _remarks(self) -> list[str]:
        left_out = len(self.names or ()) - 1 - self._panels()
        thinned = [f"every {1 << self.envelope.exponent} rows are one point"] if self._is_thinned() else []
        return [*thinned, *([f"{left_out} more are not drawn"] if left_out > 0 else [])]

    def _is_thinned(self) -> bool:
        return self.names is not None and self.envelope.exponent > 0

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import PALETTE, style

        many, height = self._panels(), 0.78 / self._panels()
        for at in range(many):
            axes = made.add_axes((0.1, 0.085 + height * (many - 1 - at), 0.88, height - ROOM_FOR_NAME))
            style(axes)
            name_panel(axes, self.label(at + 1), many)
            axes.tick_params(labelbottom=at == many - 1)
            color = PALETTE[at % 7]
            (made.kept[f"line {at}"],) = axes.plot([], [], color=color, linewidth=1.5, markersize=4)
            made.kept[f"band {at}"] = axes.fill_between([], [], color=color, alpha=0.25, linewidth=0)

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import fit, timed

        assert self.names is not None  # noqa: S101 - else this is not called
        envelope = self.envelope
        x = envelope.first[:, 0]
        label = self.label(0)
        if self.names[0] == _TIME and np.isfinite(x).any():
            x, label = timed(x, float(np.nanmin(x)))
        is_sorted = bool(np.all(np.diff(x) >= 0))
        for at in range(self._panels()):
            axes, line, band = made.axes[at], made.kept[f"line {at}"], made.kept[f"band {at}"]
            y, low, high = (part[:, at + 1] for part in (envelope.first, envelope.low, envelope.high))
            line.set_data(x, y)
            line.set_marker("o" if len(x) <= 100 else "")
            is_band = is_sorted and self._is_thinned()
            nothing = np.zeros(0)
            band.set_data(*((x, low, high) if is_band else (nothing, nothing, nothing)))
            finite = x[np.isfinite(x)]
            fit(axes, finite, [y, *((low, high) if is_band else ())])
        made.axes[self._panels() - 1].set_xlabel(label, fontsize=13)
