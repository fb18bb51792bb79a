"""Batches as bytes: in a row of the database, or in an Arrow file of their own.

A body in a row is one record batch message of Arrow's IPC format; its schema is the segment's. A file
is a complete Arrow IPC file of one or more record batches, which any Arrow program reads, and is mapped
into memory here.
"""

from __future__ import annotations

import contextlib
import re
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from hutch.errors import CorruptBatchError, NoStoreError
from hutch.store.faults import translate
from hutch.store.protocols.store import Batch, NewBatch
from hutch.store.syncing import sync_path

__all__ = [
    "LARGEST_BODY",
    "LARGEST_RECORD_BATCH",
    "ArrowFile",
    "body_of",
    "checksum",
    "new_batch",
    "open_file",
    "parse_body",
    "read_file",
    "run_of",
]

LARGEST_BODY = 1_000_000
"""Bytes up to which a batch lies in its row; larger ones get a file."""

LARGEST_RECORD_BATCH = 64_000_000
"""Bytes of a record batch in a file; a row that is larger stands alone."""

_SYNC_BYTES = 16_000_000
"""A file goes onto the disk in portions of about this size, so that nobody else waits long for it."""
_CHUNK_BYTES = 2**20

_NAME = re.compile(r"(?:.*/)?\.?(\d{1,18})-\d+-[0-9a-f]{8}\.arrow")
"""A dot stands before the name of one that is not complete."""


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
    with ArrowFile(files, run, first_arrival, batch.schema) as file:
        file.write(batch)
        return file.finish()


class ArrowFile:
    """A file that is being written: there whole after :meth:`finish`, and not at all before.

    :param files: the store's folder of files.
    :raises StoreError: from all methods, if the disk does not take it.
    """

    def __init__(self, files: Path, run: int, first_arrival: int, schema: pa.Schema) -> None:
        self.name = f"{run // 1000}/{run}-{first_arrival}-{uuid.uuid4().hex[:8]}.arrow"
        self._files = files
        self._first_arrival = first_arrival
        self._path = files / self.name
        self._early = self._path.with_name(f".{self._path.name}")
        self._rows = self._unsynced_bytes = 0
        self._open = contextlib.ExitStack()
        with self._translated():
            if not self._path.parent.exists():
                _check_is_there(files)
                self._path.parent.mkdir(exist_ok=True)
                sync_path(files)
            # Straight into the file: a buffer in memory would cost five times as much.
            sink = self._open.enter_context(pa.OSFile(str(self._early), "wb"))
            self._out = self._open.enter_context(pa.ipc.new_file(sink, schema))

    def __enter__(self) -> ArrowFile:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what is there if it was not finished."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._open.close()
        with contextlib.suppress(OSError):
            self._early.unlink(missing_ok=True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with self._translated():
            for piece in _pieces(batch):
                self._out.write_batch(piece)
                self._unsynced_bytes += piece.nbytes
                if self._unsynced_bytes >= _SYNC_BYTES:
                    sync_path(self._early)
                    self._unsynced_bytes = 0
        self._rows += batch.num_rows

    def finish(self) -> NewBatch:
        """Put all of it onto the disk, give it its name, and return it as a batch."""
        with self._translated():
            self._open.close()
            sync_path(self._early)
            size, crc32 = self._early.stat().st_size, _checksum_of(self._early)
            self._early.rename(self._path)
            sync_path(self._path.parent)
        return NewBatch(0, self._first_arrival, self._rows, size, crc32, None, self.name)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.__exit__()
            translate(error, self._files.parent)


def _check_is_there(files: Path) -> None:
    """Refuse to make a folder of files anew: it may be a share that is not mounted.

    :raises NoStoreError: if it is gone.
    """
    if not files.is_dir():
        msg = f"The store's folder of files {str(files)!r} is gone, or not mounted. Put it back."
        raise NoStoreError(msg)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a batch in batches of bounded size."""
    rows = max(1, LARGEST_RECORD_BATCH * batch.num_rows // max(batch.nbytes, 1))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _checksum_of(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found = zlib.crc32(chunk, found)
    return found


def run_of(name: str) -> int | None:
    """Return the run that a file was made for, complete or not; None if it is no file of a batch."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1])


def open_file(path: Path, batch: Batch, *, checked: bool = False) -> list[pa.RecordBatch]:
    """Return the batches of an Arrow file, mapped into memory.

    :param checked: compares all of it with its checksum.
    :raises CorruptBatchError: if it is gone (compaction may have replaced it), or is no whole Arrow
        file of the recorded size.
    """
    with _explained(path):
        if checked:
            _compare(f"{str(path)!r}", _checksum_of(path), batch)
        with pa.memory_map(str(path)) as source:
            if source.size() != batch.size:
                msg = f"{str(path)!r} has {source.size()} bytes, recorded are {batch.size}."
                raise CorruptBatchError(f"{msg} Check the store with: hutch verify")
            reader = pa.ipc.open_file(source)
            return [reader.get_batch(number) for number in range(reader.num_record_batches)]


def read_file(path: Path, batch: Batch) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow file one by one, none of them mapped, after a look at its checksum.

    :raises CorruptBatchError: as :func:`open_file`.
    """
    with _explained(path):
        _compare(f"{str(path)!r}", _checksum_of(path), batch)
        with pa.OSFile(str(path)) as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Tell what is wrong with a file that cannot be read."""
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{str(path)!r} is gone. Check the store with: hutch verify"
        raise CorruptBatchError(msg) from error
    except CorruptBatchError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{str(path)!r} is not a whole Arrow file: {error}. Check the store with: hutch verify"
        raise CorruptBatchError(msg) from error


def parse_body(body: bytes, schema: pa.Schema, batch: Batch, *, checked: bool = False) -> pa.RecordBatch:
    """Return the record batch that a row's body holds.

    :param checked: compares it with its checksum.
    :raises CorruptBatchError: if the bytes are not those that were committed.
    """
    if len(body) != batch.size:
        msg = f"Batch {batch.id} has {len(body)} bytes, recorded are {batch.size}."
        raise CorruptBatchError(f"{msg} Check the store with: hutch verify")
    if checked:
        _compare(f"Batch {batch.id}", checksum(body), batch)
    try:
        return pa.ipc.read_record_batch(pa.py_buffer(body), schema)
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"Batch {batch.id} cannot be read: {error}. Check the store with: hutch verify"
        raise CorruptBatchError(msg) from error


def _compare(what: str, crc32: int, batch: Batch) -> None:
    if crc32 != batch.crc32:
        msg = f"{what} does not match its checksum: {batch.rows:,} events are damaged."
        raise CorruptBatchError(f"{msg} Check the store with: hutch verify")


def body_of(path: Path) -> bytes:
    """Return the bytes of an Arrow file, to compare with its checksum.

    :raises CorruptBatchError: if it is gone.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"The Arrow file {str(path)!r} cannot be read: {error.strerror}."
        raise CorruptBatchError(msg) from error
