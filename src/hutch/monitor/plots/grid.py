"""Images of runs that scan two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from hutch.catalogs.showing.gridding import find_grid
from hutch.catalogs.showing.hints import hinted_fields
from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.row_plot import RowPlot, described, floats_of, is_number, own_axes
from hutch.monitor.plots.thinning import Thinned

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["Grid"]

_MOST_MAPS = 4
_PLACES = {
    1: ((0.09, 0.10, 0.78, 0.74),),
    2: ((0.075, 0.10, 0.36, 0.74), (0.565, 0.10, 0.36, 0.74)),
    4: (
        (0.075, 0.53, 0.36, 0.31),
        (0.565, 0.53, 0.36, 0.31),
        (0.075, 0.09, 0.36, 0.31),
        (0.565, 0.09, 0.36, 0.31),
    ),
}


class Grid(RowPlot):
    """Show the hinted fields of a run that scans two axes as images.

    State: ``names``, the first two of the slow and the fast axis; ``rows``, int64, shape (rows,), and
    ``values``, float64, shape (rows, columns): every ``2**rows_exponent``-th row, each one up to 65,536 rows;
    ``planned``, float64, shape (6,) or (0,): rows, columns, slow from, to, fast from, to, as the start
    document promises them.
    """

    headline = "Grid"

    def _chosen(self, batch: Batch) -> list[str]:
        numbers = [name for name in batch if name != "time" and is_number(batch[name])]
        axes = [name for name in own_axes(batch.facts) if name in numbers]
        self.planned = _planned(batch.facts.get("start") or {}, len(axes))
        if len(axes) < 2:
            return []
        hinted = [
            name for name in hinted_fields(described(batch.facts)) if name in numbers and name not in axes
        ]
        return [*axes[-2:], *(hinted or [name for name in numbers if name not in axes])[:_MOST_MAPS]]

    def _make(self) -> None:
        self.points = Thinned(len(self.names or ()))

    def _take(self, batch: Batch) -> None:
        if self.names:
            self.points.add(batch.start, floats_of(batch, self.names))

    def _take_over(self, other: Self) -> None:
        self.points.merge(other.points)

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return {**self.points.state(), "planned": self.planned}

    def _put_back(self, state: State) -> None:
        self.points.restore(state)
        self.planned = np.array(state["planned"], dtype=float)

    def _missing(self) -> str:
        return "" if len(self.names or ()) > 2 else "this run scans no two axes"

    def _remarks(self) -> list[str]:
        if not self.names or not self.points.exponent:
            return []
        return [f"every {1 << self.points.exponent}th point is drawn"]

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import image_panel

        many = len(self.names or ()) - 2
        for at, place in enumerate(_PLACES[many if many < 3 else 4][:many]):
            image_panel(made, str(at), place, self.label(at + 2))
            axes, image, _ = made.kept[str(at)]
            image.remove()
            axes.set(aspect="auto", xlabel=self.label(1), ylabel=self.label(0))
            made.kept[f"mesh {at}"] = None

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import color_range, set_scale

        slow, fast = self.points.values[:, 0], self.points.values[:, 1]
        shape, extents = (None, None) if not len(self.planned) else _as_promised(self.planned)
        found = find_grid(fast, slow, shape, extents)
        for at in range(len(self.names or ()) - 2):
            axes = made.kept[str(at)][0]
            values = self.points.values[:, at + 2]
            if made.kept[f"mesh {at}"] is not None:
                made.kept[f"mesh {at}"].remove()
            limits = color_range(values)
            look: dict[str, Any] = {"cmap": "viridis", "vmin": limits[0], "vmax": limits[1]}
            if found is not None:
                mesh = axes.pcolormesh(found.x_edges, found.y_edges, found.image(values), **look)
                axes.set(xlim=found.x_edges[[0, -1]], ylim=found.y_edges[[0, -1]])
            else:
                mesh = axes.scatter(fast, slow, c=values, s=24, **look)
                axes.relim()
                axes.autoscale()
            made.kept[f"mesh {at}"] = mesh
            set_scale(made, str(at), mesh, limits)


def _planned(start: Any, axes: int) -> npt.NDArray[np.float64]:
    """Return shape and extents of the two fast axes of a grid, if a start document promises them."""
    try:
        shape, extents = start["shape"], start["extents"]
        if not len(shape) == len(extents) == axes >= 2:
            return np.zeros(0)
        return np.array([*shape[-2:], *extents[-2], *extents[-1]], dtype=float).reshape(6)
    except (TypeError, ValueError, LookupError):
        return np.zeros(0)


def _as_promised(planned: npt.NDArray[np.float64]) -> tuple[list[int], list[list[float]]]:
    rows, columns, *edges = planned.tolist()
    return [int(rows), int(columns)], [edges[:2], edges[2:]]
