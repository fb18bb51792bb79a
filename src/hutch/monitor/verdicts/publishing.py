"""Who is told how plots stand: the store, which pages read, and whoever keeps verdicts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from hutch.documents import encode
from hutch.errors import RunDeletedError
from hutch.monitor.observing import Publisher, Tile
from hutch.monitor.verdicts.attaching import Attachments
from hutch.monitor.verdicts.found import Found, source_name
from hutch.store.protocols.store import Store
from hutch.store.rows.monitor import TileRow

__all__ = ["KEPT_SOURCES", "Publishers", "TilePublisher"]

KEPT_SOURCES = 200
"""Sources whose tiles are kept: those that were updated last."""


class Publishers:
    """Several publishers as one; each is told, whatever becomes of the others."""

    def __init__(self, *publishers: Publisher) -> None:
        self._publishers = publishers

    def publish(self, tile: Tile) -> None:
        """Make a tile known to all.

        :raises Exception: what the first one that failed has raised.
        """
        with contextlib.ExitStack() as stack:
            for publisher in reversed(self._publishers):
                stack.callback(publisher.publish, tile)


class TilePublisher:
    """Keeps in a store how plots stand, for the page of the monitor.

    :param store: where.
    :param attachments: tells which run a file belongs to; without it, files belong to none.
    :param keep: of as many sources, the ones that were updated last.
    """

    def __init__(
        self, store: Store, attachments: Attachments | None = None, *, keep: int = KEPT_SOURCES
    ) -> None:
        self._store = store
        self._attachments = attachments
        self._keep = keep
        self._said: dict[str, dict[str, dict[str, Any]]] = {}
        """Verdicts by source, plot and name; the source that was updated last stands last."""

    def publish(self, tile: Tile) -> None:
        """Make a tile known."""
        source = source_name(tile.sighting)
        is_new = source not in self._said
        by_plot = self._said[source] = self._said.pop(source, {})
        said = by_plot.setdefault(tile.plot, {})
        said.update({one.name: one.to_json() for one in tile.judgements if isinstance(one, Found)})
        row = TileRow(
            source,
            tile.plot,
            self._run(tile),
            tile.sighting.spec.base,
            tile.updated,
            encode(describe(tile, said)),
        )
        with self._store.transaction() as writer:
            writer.publish_tile(row, tile.picture)
            if is_new:
                writer.prune_tiles(self._keep)
        while len(self._said) > self._keep:
            del self._said[next(iter(self._said))]

    def _run(self, tile: Tile) -> int | None:
        uid = tile.sighting.run
        if uid is None:
            row = None if self._attachments is None else self._attachments.run_of(tile.source)
            return None if row is None else row.id
        rows = self._store.runs_by_uid([uid])
        if not rows:
            msg = f"Run {uid!r} has been deleted."
            raise RunDeletedError(msg, uid)
        return rows[0].id


def describe(tile: Tile, verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page says of a tile, as a document; times in s since 1970."""
    failure = tile.failure
    return {
        "address": tile.source,
        "identity": tile.sighting.spec.identity,
        "format": tile.sighting.spec.format,
        "seen": tile.seen,
        "there": tile.there,
        "fraction": tile.fraction,
        "unreadable": tile.unreadable,
        "written": tile.sighting.written,
        "is_complete": tile.sighting.is_complete,
        "drawn": tile.drawn,
        "seconds": tile.seconds,
        "bad": [{"start": bad.start, "stop": bad.stop, "why": bad.why} for bad in tile.bad],
        "failure": None if failure is None else failure.to_json(),
        "verdicts": dict(verdicts),
    }
