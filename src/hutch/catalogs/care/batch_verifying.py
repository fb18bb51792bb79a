"""The check of one batch: whether its bytes are those that were committed, and are what its row says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from hutch.catalogs.care.findings import Kind
from hutch.errors import CorruptBatchError
from hutch.store.batches.arrow_files import checksum
from hutch.store.protocols.store import Batch, Segment, Store

__all__ = [
    "UNREADABLE",
    "Columns",
    "Flaw",
    "check_batch",
    "inner_columns",
    "map_file",
    "place_of",
    "read_body",
    "read_parts",
    "schema_of",
    "sound_parts",
]

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Arrival numbers, sequence numbers and digests of uids, int64 each, one element an event."""


UNREADABLE = (pa.ArrowException, OSError, ValueError, EOFError, KeyError, TypeError, RecursionError)
"""What pyarrow, and what reads documents, raise of bytes that are not what they should be."""


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong with a batch."""

    kind: Kind
    text: str


def schema_of(segment: Segment) -> pa.Schema | None:
    """Return the columns of a segment's batches; None if that cannot be read."""
    return _parse_schema(segment.schema)


@lru_cache(maxsize=256)
def _parse_schema(schema: bytes) -> pa.Schema | None:
    try:
        return pa.ipc.read_schema(pa.py_buffer(schema))
    except UNREADABLE:
        return None


def read_body(store: Store, batch: Batch, bodies: Mapping[int, bytes] | None = None) -> pa.Buffer:
    """Return the bytes of a batch as they are now; those of a file are mapped into memory.

    :param bodies: of batches in rows, if they were read already.
    :raises CorruptBatchError: if they are gone.
    """
    if batch.file is not None:
        return map_file(store.files / batch.file)
    body = bodies.get(batch.id) if bodies is not None else store.read_bytes(batch)
    if body is None:
        msg = f"Batch {batch.id} is gone from the database."
        raise CorruptBatchError(msg)
    return pa.py_buffer(body)


_CHUNK_BYTES = 2**20


def map_file(path: Path) -> pa.Buffer:
    """Return the bytes of a file, mapped into memory.

    They are read once before, as what the disk cannot read would end the process if it were mapped.

    :raises CorruptBatchError: if they cannot be read.
    """
    try:
        with path.open("rb") as file:
            while file.read(_CHUNK_BYTES):
                pass
            if not file.tell():
                return pa.py_buffer(b"")
        with pa.memory_map(str(path)) as source:
            return source.read_buffer()
    except OSError as error:
        msg = f"The Arrow file {str(path)!r} cannot be read: {error.strerror or error}."
        raise CorruptBatchError(msg) from error


def place_of(batch: Batch, stream: str) -> str:
    """Return which batch it is, for people."""
    where = f" in {batch.file!r}" if batch.file else ""
    return f"batch {batch.id} of stream {stream!r}{where}"


def check_batch(batch: Batch, segment: Segment, body: pa.Buffer, columns: list[Columns]) -> Iterator[Flaw]:
    """Yield what is wrong with a batch.

    :param body: its bytes as they are now.
    :param columns: gets the columns of its events, if they can be trusted.
    """
    place = place_of(batch, segment.stream)
    if checksum(body) != batch.crc32:
        yield Flaw(Kind.CHECKSUM, f"{place} does not match its checksum: {batch.rows:,} events are damaged")
        return
    schema = schema_of(segment)
    if schema is None:
        return
    try:
        parts = read_parts(body, schema, is_file=batch.file is not None)
    except UNREADABLE as error:
        yield Flaw(Kind.COLUMNS, f"{place} cannot be read with the columns of its segment: {error}")
        return
    if any(part.schema != schema for part in parts):
        yield Flaw(Kind.COLUMNS, f"{place} has other columns than its segment")
        return
    found = [inner_columns(part) for part in parts]
    columns += found
    rows = sum(part.num_rows for part in parts)
    if rows != batch.rows:
        yield Flaw(Kind.FACTS, f"{place} has {rows:,} rows, recorded are {batch.rows:,}")
    if rows and found[0][0][0] != batch.first_arrival:
        yield Flaw(Kind.FACTS, f"{place} begins with another arrival number than recorded")
    if len(body) != batch.size:
        yield Flaw(Kind.FACTS, f"{place} has {len(body):,} bytes, recorded are {batch.size:,}")
    arrivals = found[0][0] if len(found) == 1 else np.concatenate([arrival for arrival, _, _ in found])
    if len(arrivals) > 1 and not bool((arrivals[1:] > arrivals[:-1]).all()):
        yield Flaw(Kind.ARRIVALS, f"the arrival numbers of {place} do not grow")


def read_parts(body: pa.Buffer, schema: pa.Schema, *, is_file: bool) -> list[pa.RecordBatch]:
    """Return the record batches that bytes hold, without a look at what is in them.

    :raises ArrowException: if they hold none.
    """
    if not is_file:
        return [pa.ipc.read_record_batch(body, schema)]
    reader = pa.ipc.open_file(body)
    return [part for part in map(reader.get_batch, range(reader.num_record_batches)) if part.num_rows]


def inner_columns(part: pa.RecordBatch) -> Columns:
    """Return the columns of numbers of a record batch, and digests of its uids."""
    uids = part.column("uid").to_pylist()
    digests = np.fromiter(map(hash, uids), np.int64, len(uids))
    return part.column("arrival").to_numpy(), part.column("seq_num").to_numpy(), digests


def sound_parts(store: Store, batch: Batch, segment: Segment) -> list[pa.RecordBatch]:
    """Return the record batches of a batch; none if its bytes are gone or not those that were committed."""
    schema = schema_of(segment)
    try:
        body = read_body(store, batch)
        if schema is None or checksum(body) != batch.crc32:
            return []
        return read_parts(body, schema, is_file=batch.file is not None)
    except UNREADABLE:
        return []
