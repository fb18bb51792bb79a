"""Which runs of a store a catalog shows, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from hutch.catalogs.finding.sorting import SortKey, in_order
from hutch.catalogs.finding.windows import WHOLE, Window
from hutch.documents.text import is_storable
from hutch.queries.conditions import And, Condition, Equal, Field, Matching, Path, everything, of_catalog
from hutch.queries.patterns import quoted
from hutch.store.protocols.store import Change, RunRow, Store

__all__ = ["Selection", "rows_by_uid"]

_AT_ONCE = 100
"""Rows that are fetched together while iterating."""

_MOST_RUNS = 2**60
"""No store has so many."""

_TIME = Path("start", ("time",))
_SCAN_ID = Path("start", ("scan_id",))
_UID = Path("start", ("uid",))


@dataclass(frozen=True)
class Selection:
    """Runs of a store: those that fulfil a condition, in an order, and of these a window.

    It holds no runs: every question is answered from what the store has at that moment, so the last
    five are always the last five.

    :ivar source: among which they are, if these are a window of others; None stands for all of the store.
    :ivar order: by which keys they stand; by start time if there are none.
    :ivar among: what all runs fulfil that may be told of, and no search leaves; None stands for everything.
    """

    store: Store
    condition: Condition = everything
    order: tuple[SortKey, ...] = ()
    window: Window = WHOLE
    source: Selection | None = None
    among: Condition | None = None

    # narrower ones

    def sliced(self, part: slice) -> Selection:
        """Return a slice of these runs.

        :raises TypeError: if a bound is no integer.
        :raises ValueError: if the step is zero.
        """
        return replace(self, window=self.window.sliced(part))

    def searched(self, condition: Condition) -> Selection:
        """Return those of these runs that fulfil a condition."""
        if self.among is not None:
            condition = of_catalog(condition, self.among)
        if self.window != WHOLE:
            return Selection(self.store, condition, source=self, among=self.among)
        # Side by side, as searches may narrow hundreds of times.
        known = self.condition.parts if isinstance(self.condition, And) else (self.condition,)
        return replace(self, condition=And((*known, condition)) if known else condition)

    def sorted(self, order: tuple[SortKey, ...]) -> Selection:
        """Return these runs in another order."""
        if self.window != WHOLE:
            return Selection(self.store, order=order, source=self, among=self.among)
        return replace(self, order=order)

    def restricted(self, condition: Condition) -> Selection:
        """Return what these runs are if there were only those that fulfil a condition."""
        if condition == everything:
            return self
        among = condition if self.among is None else And((self.among, condition))
        source = None if self.source is None else self.source.restricted(condition)
        # What may be told of stands first: nothing else is asked of other runs.
        both = And((condition, of_catalog(self.condition, among)))
        return replace(self, condition=both, source=source, among=among)

    @property
    def is_whole(self) -> bool:
        """Tell whether these are all runs of the store, in order of time."""
        return self == Selection(self.store)

    # all of them

    def count(self) -> int:
        """Return how many there are."""
        return self.window.count(self._count_all)

    def uids(self) -> Iterator[str]:
        """Yield the uids of these runs, in order."""
        if self.is_whole:
            yield from self.store.run_uids()
            return
        ids = iter(self.ids())
        while wanted := list(islice(ids, 10 * _AT_ONCE)):
            found = self.store.uids_by_id(wanted)
            yield from (found[run] for run in wanted if run in found)

    def ids(self) -> list[int]:
        """Return the ids of these runs, in order."""
        if self.window.is_short and not self._is_listed:
            return [row.id for row in self.rows()]
        return self._cut(self._all_ids())

    def rows(self) -> Iterator[RunRow]:
        """Yield these runs, in order."""
        if self._is_listed:
            yield from self._fetched(self.ids())
            return
        part = self.window.part(self._count_all)
        if part is None:  # every other, say
            yield from self._fetched(self._cut(self._all_ids()))
            return
        found = self._read(part.start, part.count, part.newest_first != self._is_descending)
        yield from reversed(list(found)) if part.is_turned else found

    # one of them

    def at(self, index: int) -> RunRow | None:
        """Return the run at a position, counted from the end if negative."""
        part = slice(index, index + 1) if index >= 0 else slice(index, index + 1 or None)
        return next(self.sliced(part).rows(), None)

    def by_uid(self, uid: str) -> RunRow | None:
        """Return the run with a uid, if it is among these."""
        found = self.store.runs_by_uid([uid])
        return found[0] if found and self._has(found[0]) else None

    def by_prefix(self, prefix: str, limit: int) -> list[RunRow]:
        """Return runs among these whose uid begins with a text, newest first."""
        if self.is_whole:
            return self.store.runs_by_prefix(prefix, limit)
        if not is_storable(prefix):
            # No run has it, and RE2 takes none with a lone surrogate.
            return []
        return list(islice(self._newest_with(Field(_UID, Matching(f"^{quoted(prefix)}"))), limit))

    def by_scan_id(self, scan_id: int) -> RunRow | None:
        """Return the newest run with a scan_id among these."""
        if self.is_whole:
            return self.store.run_by_scan_id(scan_id)
        return next(self._newest_with(Field(_SCAN_ID, Equal(scan_id))), None)

    def newest(self) -> RunRow | None:
        """Return the newest of these runs."""
        return next(self._newest_with(everything), None)

    def count_values(self, path: Path) -> list[tuple[Any, int]]:
        """Return the different values that these runs have at a path, and how many have each."""
        values = self.store.values(path)
        is_all = self.condition == everything and self.window == WHOLE and self.source is None
        return values.count(None if is_all else set(self.ids()))

    # what happens to them

    def changes(self, after: int, limit: int) -> tuple[list[Change], int]:
        """Return what was done to these runs, of so many changes after a cursor, and the next cursor."""
        found = self.store.changes(after, limit)
        cursor = found[-1].number if found else after
        if not self.is_whole:
            runs = self._those_of(list({change.run for change in found if change.run is not None}))
            found = [change for change in found if change.run in runs]
        return found, cursor

    # without the window

    @property
    def _is_descending(self) -> bool:
        """Tell whether they stand in the opposite order of time."""
        return self.order == ((_TIME, -1),)

    @property
    def _is_listed(self) -> bool:
        """Tell whether their order is known only once all are looked at."""
        return self.source is not None or self.order not in ((), ((_TIME, 1),), ((_TIME, -1),))

    def _count_all(self) -> int:
        if self.source is not None:
            return len(self._all_ids())
        if self.condition == everything:
            return self.store.count_runs()
        return self.store.search(self.condition).count()

    def _all_ids(self) -> list[int]:
        search = self.store.search(self.condition)
        if self.source is None:
            found = [run for _, run in search.places(newest_first=self._is_descending)]
            if not self._is_listed:
                return found
        else:
            found = self.source.ids()
            found = found if self.condition == everything else search.filter(found)
        return in_order(self.store, found, self.order)

    def _read(self, start: int, limit: int | None, newest_first: bool) -> Iterator[RunRow]:
        """Yield runs in order of time, some of them from a position on."""
        if start > _MOST_RUNS:
            return
        limit = None if limit is None or limit > _MOST_RUNS else limit
        if self.condition == everything and limit is not None and limit <= _AT_ONCE:
            yield from self.store.runs(start=start, limit=limit, newest_first=newest_first)
            return
        search = self.store.search(self.condition)
        yield from search.rows(start=start, limit=limit, newest_first=newest_first)

    def _newest_with(self, condition: Condition) -> Iterator[RunRow]:
        """Yield those of these runs that fulfil a condition, the newest first."""
        if self.window == WHOLE and self.source is None:
            found = replace(self, order=()).searched(condition)
            yield from self.store.search(found.condition).rows(newest_first=True)
            return
        ids = self.store.search(condition).filter(self.ids())
        yield from sorted(self._fetched(ids), key=lambda row: (row.time, row.id), reverse=True)

    def _has(self, row: RunRow) -> bool:
        return bool(self._those_of([row.id]))

    def _those_of(self, ids: list[int]) -> set[int]:
        """Return those of some runs that are among these."""
        if self.window != WHOLE or self.source is not None:
            return set(ids).intersection(self.ids())
        if self.condition == everything:
            return set(ids)
        return set(self.store.search(self.condition).filter(ids))

    def _cut(self, ids: list[int]) -> list[int]:
        return [ids[position] for position in self.window.positions(lambda: len(ids))]

    def _fetched(self, ids: Iterable[int]) -> Iterator[RunRow]:
        rest = iter(ids)
        while wanted := list(islice(rest, _AT_ONCE)):
            rows = self.store.runs_by_id(wanted)
            yield from (rows[run] for run in wanted if run in rows)


def rows_by_uid(store: Store, uids: Iterable[str]) -> Iterator[RunRow]:
    """Yield the runs of some uids in the same order, of those that are there."""
    rest = iter(uids)
    while wanted := list(islice(rest, _AT_ONCE)):
        found = {row.uid: row for row in store.runs_by_uid(wanted)}
        yield from (found[uid] for uid in wanted if uid in found)
