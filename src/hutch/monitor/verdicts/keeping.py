"""Verdicts become known: in the folder of pictures, and in the run that the data belong to.

A line and a posting are made when a verdict changes, and once more at the end if the number has changed. What
is posted twice is posted once: the run's own history decides, in one transaction. So a monitor may be killed
between the two, and says nothing twice when it is started again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hutch.catalogs.verdicts import post_verdict
from hutch.documents import encode
from hutch.errors import RunDeletedError, StoreError
from hutch.monitor.arrays import pack_state
from hutch.monitor.forms import State
from hutch.monitor.keeping import read_state
from hutch.monitor.observing import Tile
from hutch.monitor.sources import Sighting
from hutch.monitor.verdicts.attaching import Attachments
from hutch.monitor.verdicts.files import VerdictFile, verdict_file
from hutch.monitor.verdicts.found import Found, source_name
from hutch.store.protocols.store import RunRow, Store
from hutch.store.rows.monitor import PlotStateRow

__all__ = ["KEPT_STATES", "VerdictKeeper"]

logger = logging.getLogger("hutch.monitor")

KEPT_STATES = 200
"""States of each plot that are kept of files that belong to no run."""

_SETTLED_S = 60.0
"""A source that has not changed for so long is taken to be complete until it does."""


@dataclass(slots=True)
class _Judged:
    """A plot of a source that checks look at.

    :ivar found: what was said last, by name.
    :ivar since: when it was said, s since 1970.
    """

    tile: Tile
    since: float
    found: dict[str, Found] = field(default_factory=dict)


def _read_state(file: Path) -> State:
    return read_state(file)[1]


class VerdictKeeper:
    """The :class:`~hutch.monitor.observing.Publisher` that keeps verdicts; it belongs to one process.

    :param folder: of all pictures.
    :param store: that runs are in; None if there is none, and verdicts stand in the folder alone.
    :param attachments: tells which run a file belongs to; without it, files belong to none.
    :param read_state: reads what a plot has accumulated from the file that a tile names.
    :param settled_s: after so many seconds without news a source is taken to be complete.
    :param clock: gives s since 1970.
    """

    def __init__(
        self,
        folder: Path,
        store: Store | None = None,
        attachments: Attachments | None = None,
        *,
        read_state: Callable[[Path], State] = _read_state,
        settled_s: float = _SETTLED_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._store = store
        self._attachments = attachments
        self._read_state = read_state
        self._settled_s = settled_s
        self._clock = clock
        self._judged: dict[tuple[str, str], _Judged] = {}
        self._files: dict[tuple[str, str], VerdictFile] = {}
        self._begun: dict[tuple[str, str], float] = {}

    def publish(self, tile: Tile) -> None:
        """Keep the verdicts that came with a tile."""
        found = [one for one in tile.judgements if isinstance(one, Found)]
        key = (source_name(tile.sighting), tile.plot)
        if found or key in self._judged:
            judged = self._judged.setdefault(key, _Judged(tile, self._clock()))
            judged.tile, judged.since = tile, self._clock()
            judged.found |= {one.name: one for one in found}
            for one in found:
                self._keep(tile.sighting, one, is_final=False)
        self.settle()

    def settle(self, *, all_of_them: bool = False) -> None:
        """Keep what plots have accumulated of sources that are complete, or have not changed for a while.

        :param all_of_them: without waiting, as when the monitor ends.
        """
        now = self._clock()
        for key, judged in list(self._judged.items()):
            tile = judged.tile
            is_over = tile.sighting.is_complete and tile.seen >= tile.there
            if not (all_of_them or is_over or now - judged.since >= self._settled_s):
                continue
            try:
                self._complete(key, judged, is_over=is_over)
            except StoreError:
                # It is done when the store can be written to again; at the end somebody has to know.
                if all_of_them:
                    raise

    def _complete(self, key: tuple[str, str], judged: _Judged, *, is_over: bool) -> None:
        """Keep all that is known of a plot of a source, and let go of it."""
        sighting = judged.tile.sighting
        is_final = is_over or self._has_ended(sighting)
        for one in judged.found.values():
            self._keep(sighting, one, is_final=is_final)
        self._keep_state(judged)
        self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        """Let go what is known of a plot of a source, which is taken up again if the source goes on."""
        place = _place(self._judged.pop(key).tile.sighting)
        if all(_place(judged.tile.sighting) != place for judged in self._judged.values()):
            self._files.pop(place, None)
            self._begun.pop(place, None)

    # verdicts

    def _keep(self, sighting: Sighting, found: Found, *, is_final: bool) -> None:
        """Say what was found wherever it is not yet said."""
        file = self._file(sighting)
        last = file.last(found.name)
        row = self._run(sighting)
        run = None if row is None else row.uid
        has_changed = found.verdict is not None if last is None else last.get("verdict") != found.verdict
        # A file may be named by a run when it has been judged already.
        has_changed = has_changed or (last is not None and run not in (None, last.get("run")))
        if not has_changed and not is_final:
            return
        origin = found.origin(sighting, self._begin(sighting, row))
        if self._store is not None and row is not None:
            try:
                post_verdict(
                    self._store,
                    row.id,
                    found.name,
                    found.verdict,
                    origin=origin,
                    plot=found.plot,
                    picture=found.picture,
                    is_final=is_final,
                )
            except RunDeletedError as error:
                logger.info("%s", error)
        if has_changed:
            said = {"time": self._clock(), "name": found.name, "verdict": found.verdict, "run": run}
            file.append({**said, **origin})

    def _file(self, sighting: Sighting) -> VerdictFile:
        key = _place(sighting)
        if key not in self._files:
            path = verdict_file(self._folder, sighting.spec)
            self._files[key] = VerdictFile(path, sighting.spec.identity)
        return self._files[key]

    # runs

    def _run(self, sighting: Sighting) -> RunRow | None:
        if self._store is None:
            return None
        if sighting.run is not None:
            return next(iter(self._store.runs_by_uid([sighting.run])), None)
        return None if self._attachments is None else self._attachments.run_of(sighting.spec.address)

    def _has_ended(self, sighting: Sighting) -> bool:
        row = self._run(sighting)
        return row is not None and row.stop is not None

    def _begin(self, sighting: Sighting, row: RunRow | None) -> float:
        """Return when the first data were taken: the run's start, or when the file was seen first."""
        first = self._begun.setdefault(_place(sighting), sighting.written)
        return first if row is None else row.time

    # states

    def _keep_state(self, judged: _Judged) -> None:
        tile = judged.tile
        if self._store is None or tile.state_file is None or not judged.found:
            return
        try:
            state = pack_state(self._read_state(tile.state_file))
        except (OSError, ValueError) as error:
            logger.warning("What %s has accumulated is not kept: %s", tile.plot, error)
            return
        row = self._run(tile.sighting)
        version = next(iter(judged.found.values())).plot_version
        kept = PlotStateRow(
            source_name(tile.sighting),
            tile.plot,
            None if row is None else row.id,
            version,
            tile.sighting.written,
            tile.seen,
            encode(_meta(tile.sighting, judged.found)),
            state,
        )
        with self._store.transaction() as writer:
            writer.keep_plot_state(kept)
            if row is None:
                writer.prune_plot_states(tile.plot, KEPT_STATES)


def _place(sighting: Sighting) -> tuple[str, str]:
    return sighting.spec.address, sighting.spec.identity


def _meta(sighting: Sighting, found: Mapping[str, Found]) -> dict[str, Any]:
    verdicts = {name: one.verdict for name, one in found.items()}
    return {"format": sighting.spec.format, "identity": sighting.spec.identity, "verdicts": verdicts}
