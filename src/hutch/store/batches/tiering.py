"""Which batches of a segment are merged into one, so that reading is fast and little is rewritten.

A run that goes on has a batch for every commit: 86,400 a day at one event a second. They are merged
into batches at least three times as large as the largest of them, these again, and so on; so an event is
rewritten only a few times, however long the run is, and the number of batches grows with the logarithm
of the number of events. What is large enough is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hutch.store.protocols.store import Batch

__all__ = ["FULL_BYTES", "MANY", "choose"]

MANY = 256
"""Batches from which on merging them is worthwhile while the run goes on."""

FULL_BYTES = 128_000_000
"""A batch of this size is left alone; so much is worth merging while the run goes on."""

_LARGEST_BYTES = 2 * FULL_BYTES
"""Bytes that are merged at most."""

_SMALL_BYTES = 1_000_000
"""When a run is over, each of its segments that has no more than this becomes one batch."""

_MOST = 512
"""Batches that are merged at a time: their rows are removed in one transaction, which must be short."""

_MOST_ROW_BYTES = 16_000_000
"""Bytes in rows of the database that are merged at a time, for the same reason; worthwhile as well."""

_GROWTH = 3
"""A merged batch is so many times as large as the largest it was made of."""


def choose(batches: Sequence[Batch], *, is_open: bool) -> list[list[Batch]]:
    """Return groups of consecutive batches, each to be merged into one.

    :param batches: all of one segment, by first arrival.
    :param is_open: more will come, so there must be enough to be worthwhile.
    """
    found: list[list[Batch]] = []
    for stretch in _stretches(batches):
        for part in _parts(stretch, is_open):
            *full, last = _portions(part)
            found += full
            if _is_worthwhile(last, is_open):
                found.append(last)
    return found


def _stretches(batches: Sequence[Batch]) -> Iterator[Sequence[Batch]]:
    """Yield what is between batches that are left alone."""
    first = 0
    for number, batch in enumerate(batches):
        if batch.size >= FULL_BYTES:
            yield batches[first:number]
            first = number + 1
    yield batches[first:]


def _parts(stretch: Sequence[Batch], is_open: bool) -> Iterator[Sequence[Batch]]:
    """Yield parts of a stretch in which no batch is much larger than the others together."""
    waiting = [stretch]
    while waiting:
        part = waiting.pop()
        if not _is_worthwhile(part, is_open):
            continue
        total = sum(batch.size for batch in part)
        largest = max(range(len(part)), key=lambda number: part[number].size)
        if part[largest].size * _GROWTH <= total or (not is_open and total <= _SMALL_BYTES):
            yield part
        else:
            # The largest is more than a third of all, so this ends soon.
            waiting += [part[:largest], part[largest + 1 :]]


def _portions(part: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Yield a part in portions that can be merged at a time."""
    portion: list[Batch] = []
    total = in_rows = 0
    for batch in part:
        body_size = batch.size if batch.file is None else 0
        is_full = total + batch.size > _LARGEST_BYTES or in_rows >= _MOST_ROW_BYTES
        if is_full or len(portion) == _MOST:
            yield portion
            portion, total, in_rows = [], 0, 0
        portion.append(batch)
        total += batch.size
        in_rows += body_size
    yield portion


def _is_worthwhile(group: Sequence[Batch], is_open: bool) -> bool:
    if len(group) < 2 or not is_open:
        return len(group) > 1
    total = sum(batch.size for batch in group)
    in_rows = sum(batch.size for batch in group if batch.file is None)
    return len(group) >= MANY or total >= FULL_BYTES or in_rows >= _MOST_ROW_BYTES
