"""What is written about how plots stand, and the changes that tell of it."""

from __future__ import annotations

import time as clock
from typing import Any

from hutch.documents.text import storable
from hutch.store.rows.monitor import PlotStateRow, TileRow
from hutch.store.rows.runs import Topic
from hutch.store.statement import Statement
from hutch.store.statements.monitor import MonitorStatements

__all__ = ["MonitorWriter"]


class MonitorWriter:
    """The part of a :class:`~hutch.store.protocols.store.Writer` that says how plots stand."""

    # What is more of a writer than this says these.
    _say_monitor: MonitorStatements

    def publish_tile(self, row: TileRow, picture: bytes | None = None) -> None:
        """Say how a plot stands, unless something newer is known.

        :param picture: a PNG; with None the one that is there stays.
        """
        values = {
            "source": storable(row.source),
            "plot": storable(row.plot),
            "run": row.run,
            "base": storable(row.base),
            "updated": row.updated,
            "meta": row.meta,
            "picture": picture,
        }
        self._execute(self._say_monitor.publish_tile, values)
        self._change(Topic.TILE, row.run, row.source)

    def prune_tiles(self, keep: int) -> None:
        """Forget how the plots stand of all but the sources that were updated last."""
        self._execute(self._say_monitor.prune_tiles, {"keep": keep})

    def keep_plot_state(self, row: PlotStateRow) -> None:
        """Keep what a plot has accumulated, in the place of what is kept of it."""
        values = {
            "source": storable(row.source),
            "plot": storable(row.plot),
            "run": row.run,
            "version": storable(row.version),
            "time": row.time,
            "rows": row.rows,
            "meta": row.meta,
            "state": row.state,
        }
        self._execute(self._say_monitor.keep_plot_state, values)

    def prune_plot_states(self, plot: str, keep: int) -> None:
        """Forget what a plot had accumulated of all but the newest sources that belong to no run."""
        self._execute(self._say_monitor.prune_plot_states, {"plot": storable(plot), "keep": keep})

    def save_reference(self, name: str, sources: bytes | None, author: str) -> None:
        """Let a name stand for sources, or with None for nothing any more."""
        values = {"name": storable(name)}
        if sources is None:
            self._execute(self._say_monitor.drop_reference, values)
        else:
            more = {"sources": sources, "time": clock.time(), "author": storable(author)}
            self._execute(self._say_monitor.save_reference, {**values, **more})

    def freeze_figure(self, run: int, name: str, verdict: str, plot: str, picture: bytes | None) -> None:
        """Say of the newest verdict of a name that it turned bad, and keep the picture of that moment."""
        asked = {"run": run, "name": storable(name)}
        (posted,) = self._execute(self._say_monitor.newest_posted, asked).fetchone()
        values = {"posted": posted, "run": run, "plot": storable(plot), "picture": picture}
        self._execute(self._say_monitor.freeze_figure, values)
        self._change(Topic.VERDICT, run, f"{verdict} {posted} {name}")

    def _change(self, topic: Topic, run: int | None, reference: str) -> None:
        raise NotImplementedError

    def _execute(self, statement: Statement, values: dict[str, Any]) -> Any:
        raise NotImplementedError
