"""The index, made again from the documents.

It is a pure function of them, so it can be brought in order while runs are recorded and searched: what is
missing is added first, what follows from no document is removed after that, run by run in short
transactions. It may be ended at any moment and begun again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hutch.catalogs.care.index_verifying import IndexSums, find_rows, present_run
from hutch.catalogs.expected_leaves import expected_leaves, leaves_now
from hutch.documents import Leaf
from hutch.store.pacing import Pace
from hutch.store.protocols.store import RunRow, Store, Writer

__all__ = ["Reindexed", "reindex"]

Progress = Callable[[int, int], object]
"""Called with how many runs are done, and how many there are."""

_RUNS_AT_ONCE = 500
_RUNS_OF_A_PASS = 10_000
"""Runs whose index rows are in memory at a time."""


@dataclass
class Reindexed:
    """What came of it."""

    runs: int = 0
    """Runs that were looked at."""
    completed: int = 0
    """Runs of which index rows were not what they must be, or that were asked for."""
    cleared: int = 0
    """Runs, and ids of no run, whose rows in excess were removed."""
    removed: int = 0
    """Index rows that were removed."""
    unreadable: int = 0
    """Runs whose documents cannot be read; their index rows are left as they are."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def reindex(store: Store, runs: Sequence[int] | None = None, progress: Progress | None = None) -> Reindexed:
    """Bring the index in order.

    :param runs: only of these ids; None takes all, and removes what belongs to no run.
    :param progress: called after every few runs.
    :raises StoreError: if the store cannot be written.
    """
    work = _Reindexing(store)
    if runs is not None:
        done = Reindexed(len(runs))
        work.add(runs, done)
        for start in range(0, len(runs), _RUNS_OF_A_PASS):
            work.remove(runs[start : start + _RUNS_OF_A_PASS], done)
        store.sync()
        if progress is not None:
            progress(len(runs), len(runs))
        return done
    return work.run(progress)


class _Reindexing:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._pace = Pace()

    def run(self, progress: Progress | None) -> Reindexed:
        """Look at all runs."""
        done = Reindexed()
        sums = IndexSums(self._store)
        total = self._store.count_runs()
        ids = [np.empty(0, np.int64)]
        had_rows = False
        for page in self._pages():
            wrong = list(self._wrong(sums, page))
            had_rows |= any(sums.count(row.id) for row in wrong)
            self.add([row.id for row in wrong], done)
            ids.append(np.array([row.id for row in page], np.int64))
            done.runs += len(page)
            if progress is not None:
                progress(done.runs, max(done.runs, total))
        nobodys = np.setdiff1d(sums.runs(), np.concatenate(ids)).tolist()
        strange = []
        if had_rows:
            sums = IndexSums(self._store)
            strange = [row.id for page in self._pages() for row in self._wrong(sums, page)]
        for group in sums.in_groups(nobodys + strange):
            self.remove(group, done)
        self._store.sync()
        return done

    def add(self, runs: Iterable[int], done: Reindexed) -> None:
        """Add the index rows that runs must have."""

        def complete(writer: Writer, run: int, row: RunRow | None) -> None:
            expected = None if row is None else leaves_now(self._store, row)
            if row is not None and expected is not None:
                writer.add_leaves(run, row.time, expected)
                done.completed += 1
            elif row is not None:
                done.unreadable += 1

        self._each(runs, complete)

    def remove(self, runs: Sequence[int], done: Reindexed) -> None:
        """Remove the index rows that runs must not have; of an id that is of no run, all."""
        found = find_rows(self._store, runs)

        def clear(writer: Writer, run: int, row: RunRow | None) -> None:
            expected: set[Leaf] | None = set() if row is None else leaves_now(self._store, row)
            if expected is None:
                return
            count = 0
            for time, leaves in found[run].items():
                strange = leaves - expected if row is not None and time == row.time else leaves
                if strange:
                    writer.remove_leaves(run, time, strange)
                    count += len(strange)
            done.removed += count
            done.cleared += bool(count)

        self._each([run for run in runs if run in found], clear)

    def _each(self, runs: Iterable[int], act: Callable[[Writer, int, RunRow | None], None]) -> None:
        """Do something with each of some runs, as it is at that moment, in short transactions."""
        waiting = deque(runs)
        while waiting:
            with self._pace.transaction(self._store) as writer:
                while waiting:
                    run = waiting.popleft()
                    # Nobody amends or deletes it meanwhile.
                    writer.lock(f"run/{run}")
                    act(writer, run, present_run(self._store, run))
                    if not self._pace.has_time:
                        break

    def _wrong(self, sums: IndexSums, page: Sequence[RunRow]) -> Iterator[RunRow]:
        """Yield runs whose index rows are not those that they must have."""
        posted = self._store.posted_now([row.id for row in page])
        for row in page:
            expected = expected_leaves(row, posted.get(row.id, {}))
            if expected is None or not sums.agrees(row, expected):
                yield row

    def _pages(self) -> Iterator[list[RunRow]]:
        last = 0
        while page := self._store.runs_after(last, _RUNS_AT_ONCE):
            yield page
            last = page[-1].id
