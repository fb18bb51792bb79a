"""Compaction: batches of one segment become fewer that hold the same events.

What is new is written and on the disk before a transaction puts it in the place of the old; files that
are replaced are noted in the same transaction, and deleted when nobody reads them any more
(:func:`sweep`). A process that dies in between leaves a file that no batch names, which is harmless.
Nothing is merged that does not match its checksum, so damage is never covered up. Which batches are
merged is said by :mod:`hutch.store.batches.tiering`; who does it, and when, above.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa

from hutch.errors import CorruptBatchError, RunNotFoundError, StoreFullError
from hutch.store.batches.arrow_files import LARGEST_RECORD_BATCH, ArrowFile, new_batch, read_file, run_of
from hutch.store.batches.columns import read_columns
from hutch.store.batches.tiering import choose
from hutch.store.pacing import Pace
from hutch.store.protocols.store import Batch, NewBatch, RunRow, Segment, Store

__all__ = ["GRACE_S", "Compaction", "is_named", "sweep", "unmerged_runs"]

GRACE_S = 600.0
"""Readers may still look for a file so long after it was replaced."""

_BODIES_AT_ONCE = 64
_RECORD_BATCH_BYTES = 4_000_000
"""Merged record batches have at least this: reading is as fast as it gets, and little memory is needed."""
_COLUMN_BYTES = 8_000
"""They are larger if there are so many columns that each would have less than this, a thousand numbers."""
_CONFLICTS = 3
_FORGOTTEN_AT_ONCE = 100


class Compaction:
    """The compaction of one run, step by step; each step takes some milliseconds.

    :param is_open: more events will come, so only what is worthwhile is merged.
    :ivar replaced: batches that were merged.
    :ivar made: batches that took their place.
    :ivar written_bytes: their size.
    :ivar discarded: files that were replaced.
    :ivar damaged: what kept segments from being merged, in sentences.
    """

    def __init__(self, store: Store, run: int, *, is_open: bool) -> None:
        self.replaced = self.made = self.written_bytes = self.discarded = 0
        self.damaged: list[str] = []
        self._store = store
        self._run = run
        self._is_open = is_open
        self._pace = Pace()
        self._given_up: set[int] = set()
        """Segments that are damaged, or that somebody else is merging."""

    def steps(self) -> Generator[None, None, None]:
        """Do it, and yield after each step; it may be left at any of them.

        :raises StoreError: if the store cannot take what is merged.
        """
        segments = {segment.id: segment for segment in self._store.segments(self._run)}
        conflicts = 0
        while groups := self._choose(segments):
            for segment, group in groups:
                if segment.id in self._given_up:
                    continue
                try:
                    yield from self._merge(segment, group)
                except CorruptBatchError as error:
                    conflicts += 1
                    if set(group) <= set(self._store.batches(self._run, segment.id)):
                        self.damaged.append(str(error))
                        self._given_up.add(segment.id)
                    elif conflicts >= _CONFLICTS:
                        return  # somebody else does it

    def _choose(self, segments: dict[int, Segment]) -> list[tuple[Segment, list[Batch]]]:
        """Return what is to be merged now, as groups of batches of one segment."""

        def segment_of(batch: Batch) -> int:
            return batch.segment

        # Sorting is stable, so those of each segment stay in order.
        batches = sorted(self._store.batches(self._run), key=segment_of)
        return [
            (segments[number], group)
            for number, found in groupby(batches, segment_of)
            if number in segments and number not in self._given_up
            for group in choose(list(found), is_open=self._is_open)
        ]

    def _merge(self, segment: Segment, group: Sequence[Batch]) -> Generator[None, None, None]:
        merged = yield from _merged(self._store, self._run, segment, group)
        try:
            with self._pace.transaction(self._store) as writer:
                writer.lock(f"run/{self._run}")
                writer.replace_batches(self._run, segment.stream, group, [merged.in_segment(segment.id)])
        except (CorruptBatchError, StoreFullError):
            # After any other error it may be there all the same: it is left, and harmless if it is not.
            if merged.file is not None:
                (self._store.files / merged.file).unlink(missing_ok=True)
            raise
        self.replaced += len(group)
        self.made += 1
        self.written_bytes += merged.size
        self.discarded += sum(1 for batch in group if batch.file is not None)
        yield


def _merged(
    store: Store, run: int, segment: Segment, group: Sequence[Batch]
) -> Generator[None, None, NewBatch]:
    """Return one batch of the events of several; a large one is in a file that is on the disk.

    :raises CorruptBatchError: if one is gone or damaged.
    """
    first = group[0].first_arrival
    schema, _ = read_columns(segment)
    large = min(max(_RECORD_BATCH_BYTES, _COLUMN_BYTES * len(schema)), LARGEST_RECORD_BATCH)
    joined = _Joined(first)
    file: ArrowFile | None = None
    with contextlib.ExitStack() as cleanup:
        for some in _slices(group):
            # Asking each part for its size costs more than to load it.
            row_bytes = sum(batch.size for batch in some) / sum(batch.rows for batch in some)
            for part in _load(store, some, schema):
                joined.add(part, row_bytes)
                if joined.size_bytes >= large:
                    file = file or cleanup.enter_context(ArrowFile(store.files, run, first, schema))
                    file.write(joined.take())
                    yield
            yield
        expected = sum(batch.rows for batch in group)
        if joined.rows != expected:
            msg = f"Batches of run {run} have {joined.rows:,} rows, recorded are {expected:,}."
            raise CorruptBatchError(f"{msg} Check the store with: hutch verify")
        if file is None:
            return new_batch(store.files, run, first, joined.take())
        if joined.size_bytes:
            file.write(joined.take())
        return file.finish()


def _load(store: Store, some: Sequence[Batch], schema: pa.Schema) -> Iterable[pa.RecordBatch]:
    """Return record batches whose checksums were compared; a large file is never in memory as a whole."""
    (first, *_) = some
    if first.file is None:
        return store.load(some, schema, checked=True)
    return read_file(store.files / first.file, first)


def _slices(group: Sequence[Batch]) -> Iterator[Sequence[Batch]]:
    """Yield what is loaded at a time: one file, or some batches from rows of the database."""
    some: list[Batch] = []
    for batch in group:
        is_enough = len(some) == _BODIES_AT_ONCE or sum(one.size for one in some) >= _RECORD_BATCH_BYTES
        if some and (is_enough or batch.file is not None or some[0].file is not None):
            yield some
            some = []
        some.append(batch)
    yield some


class _Joined:
    """Rows that follow each other, from several record batches.

    :ivar rows: all that were added.
    :ivar size_bytes: of those that were not taken.
    """

    def __init__(self, first_arrival: int) -> None:
        self.rows, self.size_bytes = 0, 0.0
        self._parts: list[pa.RecordBatch] = []
        self._next_arrival = first_arrival

    def add(self, part: pa.RecordBatch, row_bytes: float) -> None:
        """Append rows.

        :param row_bytes: about what each of them takes.
        """
        self._parts.append(part)
        self.rows += part.num_rows
        self.size_bytes += row_bytes * part.num_rows

    def take(self) -> pa.RecordBatch:
        """Return all rows that were added, and forget them.

        :raises CorruptBatchError: if they are not in order of arrival, or begin before others that
            were taken.
        """
        found = self._parts[0] if len(self._parts) == 1 else pa.concat_batches(self._parts)
        self._parts, self.size_bytes = [], 0.0
        arrivals = found.column("arrival").to_numpy()
        if arrivals[0] < self._next_arrival or not bool(np.all(arrivals[1:] > arrivals[:-1])):
            msg = f"The events from arrival {arrivals[0]} on are not in order. Check with: hutch verify"
            raise CorruptBatchError(msg)
        self._next_arrival = int(arrivals[-1]) + 1
        return found


def unmerged_runs(store: Store, least: int) -> tuple[list[int], list[RunRow]]:
    """Return the runs with so many batches that nobody records, and those that a live process does.

    These are merged by that process.
    """
    free, recorded = [], []
    for run in store.crowded_runs(least):
        try:
            row = store.run_by_id(run)
        except RunNotFoundError:  # deleted since
            continue
        if row.stop is None and store.is_live(row.owner):
            recorded.append(row)
        else:
            free.append(run)
    return free, recorded


def sweep(store: Store, grace_s: float = GRACE_S) -> int:
    """Delete files that were replaced some time ago; return how many.

    :param grace_s: how long they stay for readers that may have just listed them, in s.
    """
    names = store.discarded(time.time() - grace_s)
    if names:
        # A power cut must not bring back rows that name them.
        store.sync()
    pace = Pace()
    for start in range(0, len(names), _FORGOTTEN_AT_ONCE):
        some = names[start : start + _FORGOTTEN_AT_ONCE]
        for name in some:
            # Nothing that is needed must ever be deleted.
            if not is_named(store, name):
                (store.files / name).unlink(missing_ok=True)
        with pace.transaction(store) as writer:
            writer.forget_files(some)
    return len(names)


def is_named(store: Store, name: str) -> bool:
    """Tell whether a batch names a file now."""
    run = run_of(name)
    return run is not None and any(batch.file == name for batch in store.batches(run))
