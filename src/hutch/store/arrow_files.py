"""Batches as bytes: in a row of the database, or in an Arrow file of their own.

A body in a row is one record batch message of Arrow's IPC format; its schema is the segment's. A file
is a complete Arrow IPC file, which any Arrow program reads, and is mapped into memory here.
"""

from __future__ import annotations

import uuid
import zlib
from pathlib import Path

import pyarrow as pa

from hutch.errors import CorruptBatchError
from hutch.store.faults import translate
from hutch.store.protocol import Batch, NewBatch
from hutch.store.syncing import sync_path

__all__ = ["LARGEST_BODY", "body_of", "checksum", "new_batch", "open_file", "parse_body"]

LARGEST_BODY = 1_000_000
"""Bytes up to which a batch lies in its row; larger ones get a file."""


def checksum(body: bytes | memoryview | pa.Buffer) -> int:
    """Return the CRC-32 that is kept with a batch."""
    return zlib.crc32(body)


def new_batch(files: Path, run: int, first_arrival: int, batch: pa.RecordBatch) -> NewBatch:
    """Serialize a batch, and put it onto the disk at once if it is large; its segment is 0 so far.

    :param files: the store's folder of files.
    :raises StoreError: if its file cannot be written.
    """
    if pa.ipc.get_record_batch_size(batch) <= LARGEST_BODY:
        body = batch.serialize().to_pybytes()
        return NewBatch(0, first_arrival, batch.num_rows, len(body), checksum(body), body, None)
    name = f"{run // 1000}/{run}-{first_arrival}-{uuid.uuid4().hex[:8]}.arrow"
    try:
        size, crc32 = _write_file(files / name, batch)
    except OSError as error:
        translate(error, files.parent)
    return NewBatch(0, first_arrival, batch.num_rows, size, crc32, None, name)


def _write_file(path: Path, batch: pa.RecordBatch) -> tuple[int, int]:
    """Write a file that is there whole or not at all: temporary, fsync, rename, fsync of the folder.

    :returns: its size in bytes and its checksum.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        sync_path(path.parent.parent)
    early = path.with_name(f".{path.name}")
    try:
        # Straight into the file: a buffer in memory would cost five times as much.
        with pa.OSFile(str(early), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as out:
            out.write_batch(batch)
        sync_path(early)
        with pa.memory_map(str(early)) as written:
            size, crc32 = written.size(), checksum(written.read_buffer())
        early.rename(path)
    except BaseException:
        early.unlink(missing_ok=True)
        raise
    sync_path(path.parent)
    return size, crc32


def open_file(path: Path, batch: Batch) -> list[pa.RecordBatch]:
    """Return the batches of an Arrow file, mapped into memory.

    :raises CorruptBatchError: if it is gone (compaction may have replaced it), or is no whole Arrow
        file of the recorded size.
    """
    try:
        with pa.memory_map(str(path)) as source:
            if source.size() != batch.size:
                msg = f"{str(path)!r} has {source.size()} bytes, recorded are {batch.size}."
                raise CorruptBatchError(f"{msg} Check the store with: hutch verify")
            reader = pa.ipc.open_file(source)
            return [reader.get_batch(number) for number in range(reader.num_record_batches)]
    except FileNotFoundError as error:
        msg = f"{str(path)!r} is gone. Check the store with: hutch verify"
        raise CorruptBatchError(msg) from error
    except CorruptBatchError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{str(path)!r} is not a whole Arrow file: {error}. Check the store with: hutch verify"
        raise CorruptBatchError(msg) from error


def parse_body(body: bytes, schema: pa.Schema, batch: Batch) -> pa.RecordBatch:
    """Return the record batch that a row's body holds.

    :raises CorruptBatchError: if the bytes are not those that were committed.
    """
    if len(body) != batch.size:
        msg = f"Batch {batch.id} has {len(body)} bytes, recorded are {batch.size}."
        raise CorruptBatchError(f"{msg} Check the store with: hutch verify")
    try:
        return pa.ipc.read_record_batch(pa.py_buffer(body), schema)
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"Batch {batch.id} cannot be read: {error}. Check the store with: hutch verify"
        raise CorruptBatchError(msg) from error


def body_of(path: Path) -> bytes:
    """Return the bytes of an Arrow file, to compare with its checksum.

    :raises CorruptBatchError: if it is gone.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"The Arrow file {str(path)!r} cannot be read: {error.strerror}."
        raise CorruptBatchError(msg) from error
