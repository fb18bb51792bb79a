"""The rows of a segment by their places, though batches are replaced while they are read.

Compaction may put other batches in the place of those that were listed a moment ago, and delete their
bytes; but a row keeps its place among all of its segment, so reading goes on there with the batches that
there are by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hutch.errors import CorruptBatchError
from hutch.store.protocols.store import Batch, Segment, Store

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_rows"]

_BYTES_AT_ONCE = 2**20
"""So much is loaded at a time: many batches if they are small, so that memory stays small too."""
_TRIES = 100
"""Batches of one place are replaced a few times in the life of a run, and not twice in a second."""


def read_rows(
    store: Store,
    segment: Segment,
    schema: pa.Schema,
    batches: Sequence[Batch],
    start: int = 0,
    stop: int | None = None,
) -> Iterator[list[pa.RecordBatch]]:
    """Yield rows of a segment, in order, as they are loaded: some record batches at a time.

    :param schema: the segment's.
    :param batches: all of the segment, as they were listed.
    :param start: the place of the first row, from 0.
    :param stop: the place after the last; else that after all rows of these batches.
    :raises CorruptBatchError: if batches are damaged or gone, and not because they were replaced.
    """
    stop = sum(batch.rows for batch in batches) if stop is None else stop
    tries = _TRIES
    while start < stop:
        for first, together in _grouped(batches, start, stop):
            try:
                loaded = store.load(together, schema)
            except CorruptBatchError:
                batches = store.batches(segment.run, segment.id)
                tries -= 1
                if not tries or set(together) <= set(batches) or sum(one.rows for one in batches) < stop:
                    raise
                break
            yield list(_cut(loaded, start - first, stop - first))
            start, tries = first + sum(batch.rows for batch in together), _TRIES


def _grouped(batches: Sequence[Batch], start: int, stop: int) -> Iterator[tuple[int, list[Batch]]]:
    """Yield the batches that rows are in as groups, each with the place of its first row."""
    together: list[Batch] = []
    first = place = size = 0
    for batch in batches:
        if place >= stop:
            break
        place += batch.rows
        if place <= start:
            first = place
            continue
        together.append(batch)
        size += batch.size
        if size >= _BYTES_AT_ONCE:
            yield first, together
            together, first, size = [], place, 0
    if together:
        yield first, together


def _cut(loaded: Sequence[pa.RecordBatch], start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Yield what record batches have between two rows."""
    place = 0
    for part in loaded:
        first, last = max(start - place, 0), min(stop - place, part.num_rows)
        if first < last:
            yield part if last - first == part.num_rows else part.slice(first, last - first)
        place += part.num_rows
