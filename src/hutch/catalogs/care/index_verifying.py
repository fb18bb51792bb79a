"""The index against the documents, for all runs at once.

The index is ordered by key, so the rows of one run are spread over all of it: asking for them run by run
would read all of it as often as there are runs. Here one pass sums up digests of the rows of each run, in
16 bytes a run, and only runs whose sum is not what it must be are looked at row by row, many in a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hutch.catalogs.care.findings import Finding, Kind
from hutch.catalogs.expected_leaves import leaves_now
from hutch.documents import Leaf
from hutch.errors import RunNotFoundError
from hutch.store.protocols.store import RunRow, Store

__all__ = ["IndexSums", "check_index", "find_rows", "present_run"]

_ROWS_AT_ONCE = 400_000
"""Index rows that are in memory at a time, about 100 MB."""
_ROWS_OF_A_RUN = 32
"""A run that has none yet may soon have about so many."""
_MOST_RUNS = 2**27
"""A run with a higher id is none that a store ever had."""
_MOST_PASSES = 5
_TRIES = 3
"""A run that changes while the index is read is looked at so often."""
_MOST_NAMED = 5

LeafRow = tuple[int, float, str, int, float, str]
"""Run, its time, and the four fields of a leaf."""


class IndexSums:
    """How many index rows each run has, and the sum of their digests, at the moment it is made."""

    def __init__(self, store: Store) -> None:
        self._counts = np.zeros(1024, np.int64)
        self._sums = np.zeros(1024, np.int64)
        self._strange: set[int] = set()
        for page in store.leaf_pages():
            self._add(page)

    def _add(self, page: Sequence[LeafRow]) -> None:
        runs = np.fromiter((row[0] for row in page), np.int64, len(page))
        digests = np.fromiter(map(hash, page), np.int64, len(page))
        usual = (runs >= 0) & (runs < _MOST_RUNS)
        if not bool(usual.all()):
            self._strange.update(runs[~usual].tolist())
            runs, digests = runs[usual], digests[usual]
        missing = int(runs.max(initial=0)) + 1 - len(self._counts)
        if missing > 0:
            room = (0, max(missing, len(self._counts)))
            self._counts, self._sums = np.pad(self._counts, room), np.pad(self._sums, room)
        np.add.at(self._counts, runs, 1)
        np.add.at(self._sums, runs, digests)

    def agrees(self, row: RunRow, leaves: set[Leaf]) -> bool:
        """Tell whether a run has the index rows that it must have, and no others."""
        if self.count(row.id) != len(leaves):
            return False
        found = sum(hash((row.id, row.time, *leaf)) for leaf in leaves)
        return bool(self._sums[row.id] == np.int64((found + 2**63) % 2**64 - 2**63))

    def count(self, run: int) -> int:
        """Return how many index rows bear the id of a run."""
        return int(self._counts[run]) if 0 <= run < len(self._counts) else 0

    def runs(self) -> np.ndarray:
        """Return the ids that index rows bear: int64."""
        strange = np.array(sorted(self._strange), np.int64)
        return np.concatenate([strange, np.flatnonzero(self._counts)])

    def in_groups(self, runs: Iterable[int]) -> Iterator[list[int]]:
        """Yield runs in groups whose rows fit into memory."""
        group: list[int] = []
        rows = 0
        for run in runs:
            group.append(run)
            rows += self.count(run) + _ROWS_OF_A_RUN
            if rows >= _ROWS_AT_ONCE:
                yield group
                group, rows = [], 0
        if group:
            yield group


def find_rows(store: Store, runs: Iterable[int]) -> dict[int, dict[float, set[Leaf]]]:
    """Return the index rows of some runs, by run and by the time that they bear (slow: it reads all)."""
    wanted = set(runs)
    found: dict[int, dict[float, set[Leaf]]] = {}
    for page in store.leaf_pages():
        for run, time, key, type_, number, text in page:
            if run in wanted:
                found.setdefault(run, defaultdict(set))[time].add(Leaf(key, type_, number, text))
    return found


def check_index(store: Store, sums: IndexSums, suspects: Sequence[int]) -> Iterator[Finding]:
    """Yield how the index rows of runs differ from what follows from their documents.

    :param suspects: runs whose sums were not what they must be, and ids that are of no run.
    """
    for number, group in enumerate(sums.in_groups(suspects)):
        if number < _MOST_PASSES:
            yield from _check_group(store, group)
            continue
        for run in group:  # so many that nobody reads more about each
            row = present_run(store, run)
            if row is not None:
                text = "the index has other rows than follow from its documents"
                yield Finding(Kind.NO_LEAVES, text, row.uid, row.scan_id)


def _check_group(store: Store, group: Sequence[int]) -> Iterator[Finding]:
    waiting = list(group)
    for _ in range(_TRIES):
        before = {run: _state(store, run) for run in waiting}
        found = find_rows(store, waiting)
        after = {run: _state(store, run) for run in waiting}
        for run in waiting:
            if before[run] == after[run]:
                yield from _compare(run, *after[run], found.get(run, {}))
        waiting = [run for run in waiting if before[run] != after[run]]
        if not waiting:
            return


def _state(store: Store, run: int) -> tuple[RunRow | None, set[Leaf] | None]:
    """Return a run, if it is there, and the index rows that it must have, if anybody knows."""
    row = present_run(store, run)
    return row, None if row is None else leaves_now(store, row)


def _compare(
    run: int, row: RunRow | None, expected: set[Leaf] | None, found: dict[float, set[Leaf]]
) -> Iterator[Finding]:
    count = sum(map(len, found.values()))
    if row is None:
        if count:
            text = f"The index has {count:,} rows of a run that is not there (its internal number is {run})"
            yield Finding(Kind.STRANGE_LEAVES, text)
        return
    if expected is None:
        return
    present = found.get(row.time, set())
    strange = [leaf for time, some in found.items() for leaf in some if time != row.time] + [
        *(present - expected)
    ]
    for kind, what, leaves in (
        (Kind.NO_LEAVES, "lacks", expected - present),
        (Kind.STRANGE_LEAVES, "has in excess", strange),
    ):
        if leaves:
            keys = sorted({leaf.key for leaf in leaves})
            more = ", …" if len(keys) > _MOST_NAMED else ""
            text = f"the index {what} {len(leaves):,} rows: {', '.join(keys[:_MOST_NAMED])}{more}"
            yield Finding(kind, text, row.uid, row.scan_id)


def present_run(store: Store, run: int) -> RunRow | None:
    """Return a run by its number; None if it is not there."""
    try:
        return store.run_by_id(run)
    except RunNotFoundError:
        return None
