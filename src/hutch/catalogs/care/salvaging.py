"""What can still be read of the bytes of a damaged batch.

A checksum tells that something in it is not as it was, and not what. Every row is therefore tried: rows
that are whole Arrow data and make events are kept as they are, and may be wrong; the others are lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hutch.catalogs.care.batch_verifying import UNREADABLE
from hutch.store.batches.columns import Layout
from hutch.store.batches.unpacking import events

__all__ = ["Salvaged", "read_all", "salvage"]

_BYTES_AT_ONCE = 2**20
_MAGIC_BYTES = 8
"""Of an Arrow file: its magic and padding, before what any stream begins with."""
_FIXED = ("seq_num", "time", "uid", "arrival")


@dataclass(frozen=True)
class Salvaged:
    """What is left of a batch."""

    kept: list[pa.RecordBatch]
    """Rows that can be read, in the order in which they were, arrival numbers growing."""
    lost: list[tuple[int, int]]
    """Where rows are missing: from which arrival number on, and how many."""

    @property
    def rows(self) -> int:
        """The number of rows that can be read."""
        return sum(part.num_rows for part in self.kept)


def salvage(body: pa.Buffer, schema: pa.Schema, *, rows: int, first_arrival: int, is_file: bool) -> Salvaged:
    """Return what can be read of a damaged batch.

    :param schema: of its segment.
    :param rows: how many it had.
    :param first_arrival: the arrival number of its first event.
    """
    layout = Layout.from_schema(schema)
    parts = read_all(body, schema, is_file=is_file)
    # Rows of what can't be read at all are counted once: nobody knows which of several had how many.
    unknown = max(rows - sum(part.num_rows for part in parts if part is not None), 0)
    pieces: list[tuple[int, pa.RecordBatch]] = []
    place = 0
    for part in parts:
        if part is None:
            place, unknown = place + unknown, 0
        else:
            pieces += _readable(part, layout, place)
            place += part.num_rows
    return _in_order(pieces, rows, first_arrival)


def read_all(body: pa.Buffer, schema: pa.Schema | None, *, is_file: bool) -> list[pa.RecordBatch | None]:
    """Return the record batches that bytes hold, unchecked; None stands for what cannot be read.

    :param schema: what they must have; None takes any, of a file.
    """
    found = _read_file(body) if is_file else _read_body(body, schema)
    return [part if part is None or schema is None else _as_schema(part, schema) for part in found]


def _as_schema(part: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch | None:
    if part.schema == schema:
        return part
    if part.schema.equals(schema, check_metadata=False):
        return pa.RecordBatch.from_arrays(part.columns, schema=schema)
    return None


def _read_body(body: pa.Buffer, schema: pa.Schema | None) -> Iterator[pa.RecordBatch | None]:
    try:
        yield pa.ipc.read_record_batch(body, schema)
    except UNREADABLE:
        yield None


def _read_file(body: pa.Buffer) -> Iterator[pa.RecordBatch | None]:
    """Yield what the end of a file tells of; if that is gone, what comes one after the other."""
    try:
        reader = pa.ipc.open_file(body)
    except UNREADABLE:
        yield from _read_stream(body)
        return
    for number in range(reader.num_record_batches):
        try:
            yield reader.get_batch(number)
        except UNREADABLE:
            yield None


def _read_stream(body: pa.Buffer) -> Iterator[pa.RecordBatch | None]:
    try:
        reader = pa.ipc.open_stream(body.slice(min(_MAGIC_BYTES, body.size)))
        while True:
            yield reader.read_next_batch()
    except StopIteration:
        return
    except UNREADABLE:
        yield None


def _readable(part: pa.RecordBatch, layout: Layout, place: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows that can be read, in as few and long pieces as there are, and the place of each."""
    step = max(1, _BYTES_AT_ONCE * part.num_rows // max(part.nbytes, 1))
    waiting = [(start, min(step, part.num_rows - start)) for start in range(0, part.num_rows, step)][::-1]
    while waiting:
        start, count = waiting.pop()
        piece = part.slice(start, count)
        if _is_readable(piece, layout):
            yield place + start, piece
        elif count > 1:
            half = count // 2
            waiting += [(start + half, count - half), (start, half)]


def _is_readable(piece: pa.RecordBatch, layout: Layout) -> bool:
    try:
        piece.validate(full=True)
        if any(piece.column(name).null_count for name in _FIXED):
            return False
        for _ in events(piece, layout, ""):
            pass
    except UNREADABLE:
        return False
    return True


def _in_order(pieces: Sequence[tuple[int, pa.RecordBatch]], rows: int, first_arrival: int) -> Salvaged:
    """Return rows less those whose arrival numbers are out of order: nobody could tell their place."""
    kept: list[pa.RecordBatch] = []
    lost: list[tuple[int, int]] = []
    all_arrivals = [piece.column("arrival").to_numpy() for _, piece in pieces]
    numbers = np.concatenate([np.empty(0, np.int64), *all_arrivals])
    wanted = np.zeros(len(numbers), bool)
    wanted[_longest_growth(numbers.tolist(), first_arrival)] = True
    # One before the first: where it should have been, and where its arrival number leaves off.
    last_place, last_arrival, row = -1, first_arrival - 1, 0
    for (place, piece), arrivals in zip(pieces, all_arrivals, strict=True):
        mask = wanted[row : row + len(arrivals)]
        row += len(arrivals)
        for at in np.flatnonzero(mask).tolist():
            if place + at > last_place + 1:
                lost.append((last_arrival + 1, place + at - last_place - 1))
            last_place, last_arrival = place + at, int(arrivals[at])
        if bool(mask.all()):
            kept.append(piece)
        elif bool(mask.any()):
            kept.append(piece.filter(pa.array(mask)))
    if last_place + 1 < rows:
        lost.append((last_arrival + 1, rows - last_place - 1))
    return Salvaged(kept, lost)


def _longest_growth(numbers: Sequence[int], least: int) -> list[int]:
    """Return the positions of the longest part of some numbers that grows, from a least one on."""
    if sum(number >= least for number in numbers) * 2 < len(numbers):
        least = min(numbers)  # what the row says is damaged too
    ends: list[int] = []  # for each length, less one, of growing parts: the smallest number that one ends in
    places: list[int] = []
    before = [-1] * len(numbers)
    for place, number in enumerate(numbers):
        if number >= least:
            length = bisect_left(ends, number)
            before[place] = places[length - 1] if length else -1
            ends[length : length + 1] = [number]
            places[length : length + 1] = [place]
    found = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]
