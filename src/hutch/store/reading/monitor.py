"""Questions about how plots stand, and their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hutch.documents.text import storable
from hutch.store.rows.monitor import FrozenFigure, PlotStateRow, ReferenceRow, TileRow
from hutch.store.statement import Statement
from hutch.store.statements.monitor import MonitorStatements

__all__ = ["MonitorReader"]


class MonitorReader:
    """The part of a :class:`~hutch.store.protocols.store.Store` that knows how plots stand."""

    # What is more of a store than this says these.
    _query: Callable[[Statement, dict[str, Any]], list[Any]]
    _ask_monitor: MonitorStatements

    def tiles(self, source: str | None = None) -> list[TileRow]:
        """Return how the plots stand, of one source if given: sources by name, then plots by name."""
        if source is None:
            rows = self._query(self._ask_monitor.tiles, {})
        else:
            rows = self._query(self._ask_monitor.tiles_of_source, {"source": storable(source)})
        return [TileRow(*row) for row in rows]

    def tiles_of_run(self, run: int) -> list[TileRow]:
        """Return how the plots of a run stand, by source and plot."""
        return [TileRow(*row) for row in self._query(self._ask_monitor.tiles_of_run, {"run": run})]

    def tile_picture(self, source: str, plot: str) -> bytes | None:
        """Return the newest picture of a plot, a PNG; None if there is none."""
        rows = self._query(self._ask_monitor.tile_picture, _place(source, plot))
        return rows[0][0] if rows else None

    def plot_state(self, source: str, plot: str) -> PlotStateRow | None:
        """Return what a plot had accumulated of a source; None if it was not kept."""
        rows = self._query(self._ask_monitor.plot_state, _place(source, plot))
        return PlotStateRow(*rows[0]) if rows else None

    def plot_states_of_run(self, run: int, plot: str) -> list[PlotStateRow]:
        """Return what a plot had accumulated of the streams of a run, by source."""
        values = {"run": run, "plot": storable(plot)}
        return [PlotStateRow(*row) for row in self._query(self._ask_monitor.plot_states_of_run, values)]

    def newest_plot_states(self, plot: str, limit: int) -> list[PlotStateRow]:
        """Return what a plot had accumulated of sources that belong to no run, the newest first."""
        values = {"plot": storable(plot), "limit": limit}
        return [PlotStateRow(*row) for row in self._query(self._ask_monitor.newest_plot_states, values)]

    def saved_reference(self, name: str) -> ReferenceRow | None:
        """Return what a name stands for that checks compare with; None if there is none."""
        rows = self._query(self._ask_monitor.saved_reference, {"name": storable(name)})
        return ReferenceRow(*rows[0]) if rows else None

    def saved_references(self) -> list[ReferenceRow]:
        """Return all names that stand for what checks compare with, by name."""
        return [ReferenceRow(*row) for row in self._query(self._ask_monitor.saved_references, {})]

    def frozen_figure(self, posted: int) -> FrozenFigure | None:
        """Return the picture of a verdict that turned bad, by the verdict's number; None if it did not."""
        rows = self._query(self._ask_monitor.frozen_figure, {"posted": posted})
        return FrozenFigure(*rows[0]) if rows else None


def _place(source: str, plot: str) -> dict[str, str]:
    return {"source": storable(source), "plot": storable(plot)}
