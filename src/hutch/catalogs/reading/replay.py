"""A run as documents again: replayed as recorded, or followed while it is recorded."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa

from hutch.assets.places import FilePlaces
from hutch.catalogs.tombstones import check_present, present_row
from hutch.documents import decode
from hutch.errors import ConfigurationError, CorruptBatchError, StoreUnavailableError
from hutch.store.batches.columns import read_columns
from hutch.store.batches.rereading import read_rows
from hutch.store.batches.unpacking import events, join_small
from hutch.store.protocols.store import Batch, DocumentRow, RunRow, Segment, Store

__all__ = ["follow", "replay"]

NamedDocument = tuple[str, dict[str, Any]]

_FILLS = ("yes", "no", "delayed")
_ROWS_AT_ONCE = 4096
_BYTES_AT_ONCE = 2**20
"""Events are made from so many rows, or from columns of so many bytes, at a time."""
_LOOK_AGAIN_S = 1.0
"""While a run is followed, so often is looked whether its process still lives, in s."""
_AWAY_S = 0.2
"""So often a store that is away is asked again, in s."""

_arrival: Callable[[tuple[Any, ...]], int] = itemgetter(0)


def replay(
    store: Store, run: RunRow, places: FilePlaces, fill: str, *, amended: bool = False
) -> Iterator[NamedDocument]:
    """Return the documents of a run as recorded: start, the others in order of arrival, stop.

    :param fill: ``"no"`` leaves datum ids in events; ``"yes"`` puts numpy arrays in their place,
        ``"delayed"`` dask arrays.
    :param amended: True gives the start document as it was amended since.
    :raises ConfigurationError: for another ``fill``.
    """
    if fill not in _FILLS:
        msg = f"fill={fill!r} is none of {', '.join(map(repr, _FILLS))}: 'no' leaves datum ids in the events."
        raise ConfigurationError(msg)
    found = _documents(store, run, run.current if amended else run.start)
    return found if fill == "no" else _filled(found, store, run, places, fill)


def follow(store: Store, run: RunRow, timeout_s: float | None) -> Iterator[NamedDocument]:
    """Yield the documents of a run as they are committed, until it ends or its process has died.

    While the server of a database is away, it waits for that.

    :param timeout_s: ends after so long without a new document, in s; None waits without limit.
    """
    yield "start", decode(run.start)
    progress = _Progress(store, run)
    last_news = time.monotonic()
    cursor: int | None
    while True:
        try:
            # In this order: what is committed before the end is seen before the end is told.
            cursor = store.last_change()
            run = present_row(store, run.id)
            ended = run.stop is not None or not store.is_live(run.owner)
            for name, document in progress.news():
                last_news = time.monotonic()
                yield name, document
            if run.stop is not None:
                check_present(store, run.id)
                yield "stop", decode(run.stop)
            if ended:
                return
        except StoreUnavailableError:
            cursor = None
        patience_s = _LOOK_AGAIN_S
        if timeout_s is not None:
            patience_s = min(patience_s, last_news + timeout_s - time.monotonic())
            if patience_s <= 0:
                return
        _wait(store, cursor, patience_s)


def _wait(store: Store, cursor: int | None, patience_s: float) -> None:
    """Wait for news after a cursor, or for a store that is away."""
    try:
        if cursor is not None:
            store.wait(cursor, patience_s)
            return
    except StoreUnavailableError:
        pass
    time.sleep(min(patience_s, _AWAY_S))


def _documents(store: Store, run: RunRow, start: bytes) -> Iterator[NamedDocument]:
    # In this order: there are the segments of all batches, and the descriptors of all segments.
    committed = store.batches(run.id)
    segments = store.segments(run.id)
    sources = [_others(store.documents(run.id))]
    for segment in segments:
        batches = [batch for batch in committed if batch.segment == segment.id]
        sources.append(_events(store, segment, batches))
    check_present(store, run.id)
    yield "start", decode(start)
    for _, name, document in heapq.merge(*sources, key=_arrival):
        yield name, document
    if run.stop is not None:
        yield "stop", decode(run.stop)


def _filled(
    found: Iterable[NamedDocument], store: Store, run: RunRow, places: FilePlaces, fill: str
) -> Iterator[NamedDocument]:
    from hutch.catalogs.reading.external import External

    external = External(store, run, places, coerce="numpy" if fill == "yes" else "delayed")
    for name, document in found:
        if name == "event":
            external.fill_event(document)
        yield name, document


def _others(rows: Iterable[DocumentRow]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield documents that are no events, with their arrival numbers."""
    for row in rows:
        yield row.number, row.kind, decode(row.body)


def _events(
    store: Store, segment: Segment, batches: Sequence[Batch], start: int = 0
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the events of a segment from a row on, with their arrival numbers."""
    schema, layout = read_columns(segment)
    mean_size = sum(batch.size for batch in batches) // max(sum(batch.rows for batch in batches), 1)
    try:
        for loaded in read_rows(store, segment, schema, batches, start):
            for found in join_small(loaded, mean_size * sum(part.num_rows for part in loaded)):
                for piece in _in_pieces(found):
                    for arrival, event in events(piece, layout, segment.descriptor):
                        yield arrival, "event", event
    except CorruptBatchError:
        check_present(store, segment.run)
        raise


def _in_pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE * batch.num_rows // max(batch.nbytes, 1)))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


_Item = tuple[int, str, dict[str, Any], int | None]
"""Arrival number, name, document, and the segment if it is an event."""


class _Progress:
    """How far the documents of an open run have been seen."""

    def __init__(self, store: Store, run: RunRow) -> None:
        self._store = store
        self._run = run
        self._last_document = -1
        self._rows: dict[int, int] = {}
        """How many rows of each segment."""

    def news(self) -> Iterator[NamedDocument]:
        """Yield what was committed since the last time, in order of arrival; it may end anywhere."""
        # In this order: there are the segments of all batches, and the descriptors of all segments.
        committed = self._store.batches(self._run.id)
        segments = self._store.segments(self._run.id)
        rows = [row for row in self._store.documents(self._run.id) if row.number > self._last_document]
        sources: list[Iterator[_Item]] = [((*item, None) for item in _others(rows))]
        sources += [self._rest(segment, committed) for segment in segments]
        for arrival, name, document, segment in heapq.merge(*sources, key=_arrival):
            if segment is None:
                self._last_document = arrival
            else:
                # Compaction replaces batches, and leaves rows in their places.
                self._rows[segment] = self._rows.get(segment, 0) + 1
            yield name, document

    def _rest(self, segment: Segment, committed: Sequence[Batch]) -> Iterator[_Item]:
        mine = [batch for batch in committed if batch.segment == segment.id]
        for item in _events(self._store, segment, mine, self._rows.get(segment.id, 0)):
            yield *item, segment.id
