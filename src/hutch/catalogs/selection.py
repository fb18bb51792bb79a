"""Which runs of a store a catalog shows, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from hutch.store.protocol import RunRow, Store

__all__ = ["Selection"]

_AT_ONCE = 500
"""Rows that are fetched together while iterating."""


@dataclass(frozen=True)
class Selection:
    """Runs of a store, ordered by start time; then slices, each taken of what the one before left.

    It holds no runs: every question is answered from what the store has at that moment, so the last
    five are always the last five.
    """

    store: Store
    slices: tuple[slice, ...] = ()

    def sliced(self, part: slice) -> Selection:
        """Return a slice of these runs.

        :raises TypeError: if a bound is no integer.
        :raises ValueError: if the step is zero.
        """
        range(0)[part]
        return replace(self, slices=(*self.slices, part))

    def positions(self) -> range:
        """Return the positions of these runs in the store's order."""
        found = range(self.store.count_runs())
        for part in self.slices:
            found = found[part]
        return found

    def uids(self) -> list[str]:
        """Return the uids of these runs, in order."""
        found = self.store.run_uids()
        for part in self.slices:
            found = found[part]
        return found

    def rows(self, uids: Iterable[str] | None = None) -> Iterator[RunRow]:
        """Yield these runs as they are when first asked, or those of some uids, in order."""
        remaining = iter(self.uids() if uids is None else uids)
        while wanted := list(islice(remaining, _AT_ONCE)):
            found = {row.uid: row for row in self.store.runs_by_uid(wanted)}
            yield from (found[uid] for uid in wanted if uid in found)

    def at(self, index: int) -> RunRow | None:
        """Return the run at a position, counted from the end if negative."""
        if self.slices:
            positions = self.positions()
            if not -len(positions) <= index < len(positions):
                return None
            found = self.store.runs(start=positions[index], limit=1)
        elif index < 0:
            found = self.store.runs(start=-index - 1, limit=1, newest_first=True)
        else:
            found = self.store.runs(start=index, limit=1)
        return found[0] if found else None

    def by_uid(self, uid: str) -> RunRow | None:
        """Return the run with a uid, if it is among these."""
        found = self.store.runs_by_uid([uid])
        return found[0] if found and (self._is_everything() or uid in self.uids()) else None

    def by_prefix(self, prefix: str, limit: int) -> list[RunRow]:
        """Return runs among these whose uid begins with a text, newest first."""
        if self._is_everything():
            return self.store.runs_by_prefix(prefix, limit)
        rows = self.rows([uid for uid in self.uids() if uid.startswith(prefix)])
        return sorted(rows, key=_age, reverse=True)[:limit]

    def by_scan_id(self, scan_id: int) -> RunRow | None:
        """Return the newest run with a scan_id among these."""
        if self._is_everything():
            return self.store.run_by_scan_id(scan_id)
        return max((row for row in self.rows() if row.scan_id == scan_id), key=_age, default=None)

    def newest(self) -> RunRow | None:
        """Return the newest of these runs."""
        if not self.slices:
            return self.at(-1)
        positions = self.positions()
        found = self.store.runs(start=max(positions), limit=1) if positions else []
        return found[0] if found else None

    def _is_everything(self) -> bool:
        """Tell whether no slice leaves a run out, so that the store's own look-ups answer."""
        return not self.slices or len(self.positions()) == self.store.count_runs()


def _age(row: RunRow) -> tuple[float, int]:
    return row.time, row.id
