"""The seam of the monitor: what a store tells of plots and verdicts that turned bad, and what is written."""

from __future__ import annotations

from typing import Protocol

from hutch.store.rows.monitor import FrozenFigure, PlotStateRow, ReferenceRow, TileRow

__all__ = ["MonitorSink", "MonitorStore"]


class MonitorStore(Protocol):
    """The part of a :class:`~hutch.store.protocols.store.Store` that knows how plots stand."""

    def tiles(self, source: str | None = None) -> list[TileRow]:
        """Return how the plots stand, of one source if given: sources by name, then plots by name."""
        ...

    def tiles_of_run(self, run: int) -> list[TileRow]:
        """Return how the plots of a run stand, by source and plot."""
        ...

    def tile_picture(self, source: str, plot: str) -> bytes | None:
        """Return the newest picture of a plot, a PNG; None if there is none."""
        ...

    def plot_state(self, source: str, plot: str) -> PlotStateRow | None:
        """Return what a plot had accumulated of a source; None if it was not kept."""
        ...

    def plot_states_of_run(self, run: int, plot: str) -> list[PlotStateRow]:
        """Return what a plot had accumulated of the streams of a run, by source."""
        ...

    def newest_plot_states(self, plot: str, limit: int) -> list[PlotStateRow]:
        """Return what a plot had accumulated of sources that belong to no run, the newest first."""
        ...

    def saved_reference(self, name: str) -> ReferenceRow | None:
        """Return what a name stands for that checks compare with; None if there is none."""
        ...

    def saved_references(self) -> list[ReferenceRow]:
        """Return all names that stand for what checks compare with, by name."""
        ...

    def frozen_figure(self, posted: int) -> FrozenFigure | None:
        """Return the picture of a verdict that turned bad, by the verdict's number; None if it did not."""
        ...


class MonitorSink(Protocol):
    """The part of a :class:`~hutch.store.protocols.store.Writer` that says how plots stand."""

    def publish_tile(self, row: TileRow, picture: bytes | None = None) -> None:
        """Say how a plot stands, unless something newer is known.

        :param picture: a PNG; with None the one that is there stays.
        """
        ...

    def prune_tiles(self, keep: int) -> None:
        """Forget how the plots stand of all but the sources that were updated last."""
        ...

    def keep_plot_state(self, row: PlotStateRow) -> None:
        """Keep what a plot has accumulated, in the place of what is kept of it."""
        ...

    def prune_plot_states(self, plot: str, keep: int) -> None:
        """Forget what a plot had accumulated of all but the newest sources that belong to no run."""
        ...

    def save_reference(self, name: str, sources: bytes | None, author: str) -> None:
        """Let a name stand for sources, or with None for nothing any more."""
        ...

    def freeze_figure(self, run: int, name: str, verdict: str, plot: str, picture: bytes | None) -> None:
        """Say of the newest verdict of a name that it turned bad, and keep the picture of that moment."""
        ...
