"""Runs of a catalog, watched while they are recorded: driven by the changes feed, not by looking around."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from hutch.errors import FeedPrunedError, RunNotFoundError, StoreUnavailableError
from hutch.monitor.reading.run_sources import catalog_at, know_catalog, spec_of
from hutch.monitor.sources import Sighting
from hutch.store import Topic

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run

__all__ = ["RunWatcher"]

_TOPICS = frozenset({Topic.START, Topic.DATA, Topic.DOCUMENT, Topic.STOP})
"""What of a run's changes adds rows, or ends it."""
_AT_ONCE = 1000
_AWAY_S = 1.0
"""How long to wait at most for a store that does not answer, before asking again."""


class RunWatcher:
    """The streams of runs that are being recorded.

    :param catalog: a catalog, or the address of a store: a folder, or ``postgresql://…``. Other processes
        open an address as it is given; from a catalog they get one without password, which libpq then must
        know from elsewhere.
    :param query: only runs that fulfil it, as ``cat.search`` takes it.
    :param streams: only these; else all.
    :param since: ``"now"`` reports runs that are being recorded, and those that begin from now on; ``"all"``
        those that have ended, too.
    :param after: goes on from a :attr:`cursor` of before; else from now.
    :param clock: s since 1970.
    """

    def __init__(
        self,
        catalog: Catalog | str | os.PathLike[str],
        query: Any = None,
        streams: Collection[str] | None = None,
        *,
        since: Literal["now", "all"] = "now",
        after: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(catalog, (str, os.PathLike)):
            self.address = os.fspath(catalog)
            if "://" not in self.address:
                self.address = os.path.abspath(os.path.expanduser(self.address))
            whole = catalog_at(self.address)
        else:
            whole, self.address = catalog, catalog.store.location
            know_catalog(self.address, catalog)
        self._catalog = whole if query is None else whole.search(query)
        self._streams = None if streams is None else frozenset(streams)
        self._since = since
        self._clock = clock
        self._cursor = after
        self._has_looked = False
        self._open: dict[int, dict[str, Sighting]] = {}
        """What was last told of the streams of each run that is open, by the run's number."""

    @property
    def cursor(self) -> int | None:
        """How far the changes have been seen; None before the first poll."""
        return self._cursor

    def poll(self) -> list[Sighting]:
        """Return the streams that are new, have more rows, or are complete since the last poll."""
        try:
            return self._poll()
        except FeedPrunedError:
            self._cursor, self._has_looked = None, False
            return self._poll()

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to poll for; tell whether there is.

        :param timeout_s: not longer than this.
        """
        if not self._has_looked or self._cursor is None:
            return True
        try:
            return self._catalog.store.wait(self._cursor, timeout_s)
        except StoreUnavailableError:
            time.sleep(min(timeout_s, _AWAY_S))
            return False

    def _poll(self) -> list[Sighting]:
        store = self._catalog.store
        runs: dict[int, None] = {}
        if not self._has_looked:
            # In this order: what is committed while we look is in the changes after this.
            if self._cursor is None:
                self._cursor = store.last_change()
            runs.update(dict.fromkeys(self._standing()))
        cursor = self._cursor or 0
        while True:
            changes, following = self._catalog.changes(cursor, _AT_ONCE)
            runs.update((one.run, None) for one in changes if one.topic in _TOPICS and one.run is not None)
            if following == cursor:
                break
            cursor = following
        # The death of a process is no change.
        runs.update(dict.fromkeys(self._open))
        found = [one for number, uid in self._uids(runs) for one in self._look(number, uid)]
        self._cursor, self._has_looked = cursor, True
        return found

    def _standing(self) -> Iterable[int]:
        """Return the numbers of the runs to begin with, the oldest first."""
        if self._since == "all":
            return [run.row.id for run in self._catalog.runs()]
        store = self._catalog.store
        live = [row for row in store.owned_runs() if store.is_live(row.owner)]
        return [row.id for row in live if row.uid in self._catalog]

    def _uids(self, runs: Iterable[int]) -> Iterator[tuple[int, str]]:
        """Yield the numbers and uids of runs, in the order of the numbers given."""
        rest = iter(runs)
        while some := list(islice(rest, _AT_ONCE)):
            uids = self._catalog.store.uids_by_id(some)
            for number in some:
                yield number, uids.get(number, "")

    def _look(self, number: int, uid: str) -> list[Sighting]:
        try:
            if uid:
                return self._look_into(self._catalog[uid])
        except RunNotFoundError:
            pass
        self._open.pop(number, None)  # it has been deleted
        return []

    def _look_into(self, run: Run) -> list[Sighting]:
        row = run.row
        # In this order: once it has ended, all its rows are counted.
        is_complete = row.stop is not None or not run.store.is_live(row.owner)
        told = self._open.setdefault(row.id, {})
        found: list[Sighting] = []
        counts = run.count_rows()
        for name, stream in run.items():
            if self._streams is not None and name not in self._streams:
                continue
            rows = counts.get(name) or stream.snapshot().rows
            before = told.get(name)
            if before is None or (before.rows, before.is_complete) != (rows, is_complete):
                spec = spec_of(self.address, run, name)
                written = self._clock() if before is None or before.rows != rows else before.written
                found.append(Sighting(spec, rows, written, is_complete, run.uid))
                told[name] = found[-1]
        if is_complete:
            del self._open[row.id]
        return found
