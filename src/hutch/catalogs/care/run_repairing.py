"""The repair of one run: what can be read of damaged batches stays, and what it lost is marked.

Nothing is invented. Bytes that are given up are put away whole first: those of a row into quarantine,
those of a file into the folder ``lost+found`` below the store's files.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from hutch.catalogs.care.adopting import keep_copy
from hutch.catalogs.care.batch_verifying import (
    UNREADABLE,
    inner_columns,
    place_of,
    read_body,
    read_parts,
    schema_of,
    sound_parts,
)
from hutch.catalogs.care.findings import DOUBTFUL, LOST, Kind, Repair
from hutch.catalogs.care.index_verifying import present_run
from hutch.catalogs.care.salvaging import Salvaged, salvage
from hutch.documents import encode
from hutch.documents.digests import digest
from hutch.errors import CorruptBatchError
from hutch.store.batches.arrow_files import checksum, new_batch
from hutch.store.batches.columns import Layout
from hutch.store.batches.unpacking import events
from hutch.store.protocols.store import Batch, Mark, NewBatch, RunRow, Segment, Store, Writer

__all__ = ["RunRepair"]

_BYTES_AT_ONCE = 64_000_000


class RunRepair:
    """Repairs one run that no live process records.

    :ivar repairs: what was done.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self.repairs: list[Repair] = []
        self._store = store
        self._row = row
        self._segments = {segment.id: segment for segment in store.segments(row.id)}

    def run(self, kinds: set[Kind]) -> None:
        """Repair what can be.

        :param kinds: what was found.
        :raises StoreError: if the store cannot be written.
        """
        if Kind.DEAD_OWNER in kinds:
            self._let_go()
        if kinds & {Kind.CHECKSUM, Kind.NO_BATCH, Kind.FACTS}:
            for batch in self._store.batches(self._row.id):
                if batch.segment in self._segments:
                    self._repair_batch(batch, self._segments[batch.segment])
        if Kind.DUPLICATES in kinds:
            self._remove_duplicates()

    def _let_go(self) -> None:
        row = self._row
        with self._store.transaction() as writer:
            writer.lock(f"run/{row.id}")
            now = present_run(self._store, row.id)
            if now is None or now.stop is not None or now.owner is None or self._store.is_live(now.owner):
                return
            writer.disown_run(row.id)
        self._did(Kind.DEAD_OWNER, "it belongs to nobody now; end it with: hutch close " + row.uid)

    # damaged batches

    def _repair_batch(self, batch: Batch, segment: Segment) -> None:
        schema = schema_of(segment)
        if schema is None:
            return
        try:
            body = read_body(self._store, batch)
        except CorruptBatchError as error:
            if batch.file is not None and os.path.lexists(self._store.files / batch.file):
                self._did(Kind.NO_BATCH, f"{place_of(batch, segment.stream)}: left as it is: {error}", False)
                return
            self._give_up(batch, segment, None, Salvaged([], [(batch.first_arrival, batch.rows)]))
            return
        if checksum(body) == batch.crc32:
            self._correct(batch, segment, body)
            return
        is_file = batch.file is not None
        found = salvage(body, schema, rows=batch.rows, first_arrival=batch.first_arrival, is_file=is_file)
        if found.kept and not found.lost and _is_whole(body, schema, found, is_file=is_file):
            self._keep(batch, segment, body, found)
        else:
            self._give_up(batch, segment, body, found)

    def _correct(self, batch: Batch, segment: Segment, body: pa.Buffer) -> None:
        """Write down the numbers that a sound batch has."""
        parts = sound_parts(self._store, batch, segment)
        rows = sum(part.num_rows for part in parts)
        if not rows or any(part.schema != schema_of(segment) for part in parts):
            return
        first = int(inner_columns(parts[0])[0][0])
        if (rows, first, body.size) == (batch.rows, batch.first_arrival, batch.size):
            return
        new = self._same(batch, body, rows, first)
        if self._replace(batch, segment, [new]):
            text = f"{place_of(batch, segment.stream)}: its row says now what it holds, {rows:,} events"
            self._did(Kind.FACTS, text)

    def _keep(self, batch: Batch, segment: Segment, body: pa.Buffer, found: Salvaged) -> None:
        """Take a damaged batch as it is now, as all of it can be read."""
        new = self._same(batch, body, found.rows, int(found.kept[0].column("arrival")[0].as_py()))
        mark = Mark(segment.stream, _from_arrival(new.first_arrival), DOUBTFUL, new.rows, new.first_arrival)
        if self._replace(batch, segment, [new], lambda writer: writer.add_marks(self._row.id, [mark])):
            text = (
                f"{place_of(batch, segment.stream)}: all {new.rows:,} events can be read; marked as doubtful"
            )
            self._did(Kind.CHECKSUM, text)

    def _same(self, batch: Batch, body: pa.Buffer, rows: int, first_arrival: int) -> NewBatch:
        """Return a batch of the same bytes."""
        crc32 = checksum(body)
        kept = None if batch.file else body.to_pybytes()
        return NewBatch(batch.segment, first_arrival, rows, body.size, crc32, kept, batch.file)

    def _give_up(self, batch: Batch, segment: Segment, body: pa.Buffer | None, found: Salvaged) -> None:
        """Keep the rows that can be read, and put the damaged bytes away."""
        run, files = self._row.id, self._store.files
        try:
            kept = self._put_away(batch, segment, body)
        except FileNotFoundError:  # another repair has put it away
            return
        new = [
            new_batch(files, run, int(part.column("arrival")[0].as_py()), part).in_segment(segment.id)
            for part in _joined(found.kept)
        ]
        lost = sum(count for _, count in found.lost)
        marks = [Mark(segment.stream, _from_arrival(at), LOST, count, at) for at, count in found.lost]
        marks += [
            Mark(segment.stream, _from_arrival(part.first_arrival), DOUBTFUL, part.rows, part.first_arrival)
            for part in new
        ]

        def mark(writer: Writer) -> None:
            writer.add_marks(run, marks)
            writer.quarantine(run, "batch", f"{lost:,} of its events are lost: it is damaged", kept)

        kind = Kind.NO_BATCH if body is None else Kind.CHECKSUM
        if self._replace(batch, segment, new, mark):
            said = [f"{lost:,} events are lost, and marked so"] if lost else []
            said += [f"{found.rows:,} can be read, and are marked as doubtful"] if found.rows else []
            self._did(kind, f"{place_of(batch, segment.stream)}: {'; '.join(said)}")

    def _put_away(self, batch: Batch, segment: Segment, body: pa.Buffer | None) -> bytes:
        """Return all that is known of a damaged batch as a document; a file is kept beside it."""
        about = {
            "stream": segment.stream,
            "descriptor": segment.descriptor,
            "first_arrival": batch.first_arrival,
            "rows": batch.rows,
            "size": batch.size,
            "crc32": batch.crc32,
            "file": batch.file,
            "schema": base64.b64encode(segment.schema).decode(),
        }
        if body is not None and batch.file is not None:
            about["kept"] = keep_copy(self._store, batch.file).relative_to(self._store.files).as_posix()
        elif body is not None:
            about["body"] = base64.b64encode(body).decode()
        return encode(about)

    def _replace(
        self,
        batch: Batch,
        segment: Segment,
        new: Sequence[NewBatch],
        more: Callable[[Writer], None] = lambda writer: None,
    ) -> bool:
        """Put batches in the place of one; tell whether it was still there."""
        run = self._row.id
        try:
            with self._store.transaction() as writer:
                writer.lock(f"run/{run}")
                writer.replace_batches(run, segment.stream, [batch], new)
                if batch.file is not None:
                    # It stays a batch's, or has a copy, or is gone and may be put back from a backup.
                    writer.forget_files([batch.file])
                more(writer)
        except CorruptBatchError:  # merged meanwhile
            for other in new:
                if other.file is not None and other.file != batch.file:
                    (self._store.files / other.file).unlink(missing_ok=True)
            return False
        if batch.file is not None and all(other.file != batch.file for other in new):
            self._store.sync()
            (self._store.files / batch.file).unlink(missing_ok=True)
        return True

    # events that are there twice

    def _remove_duplicates(self) -> None:
        """Remove events that are there twice and the same, all but the first."""
        batches = [batch for batch in self._store.batches(self._row.id) if batch.segment in self._segments]
        twice = self._twice(batches)
        seen: dict[str, bytes] = {}
        removed = 0
        for batch in batches:
            segment = self._segments[batch.segment]
            parts = sound_parts(self._store, batch, segment)
            masks = [[*_wanted(part, segment, twice, seen)] for part in parts]
            count = sum(mask.count(False) for mask in masks)
            if count and self._replace(batch, segment, self._filtered(segment, parts, masks)):
                removed += count
        if removed:
            self._did(Kind.DUPLICATES, f"{removed:,} events that were there twice are there once")

    def _twice(self, batches: Sequence[Batch]) -> set[int]:
        """Return digests of uids that several events have."""
        found = [np.empty(0, np.int64)]
        for batch in batches:
            parts = sound_parts(self._store, batch, self._segments[batch.segment])
            found += [inner_columns(part)[2] for part in parts]
        digests, counts = np.unique(np.concatenate(found), return_counts=True)
        return set(digests[counts > 1].tolist())

    def _filtered(
        self, segment: Segment, parts: Sequence[pa.RecordBatch], masks: Sequence[list[bool]]
    ) -> list[NewBatch]:
        left = [part.filter(pa.array(mask)) for part, mask in zip(parts, masks, strict=True)]
        rows = [part for part in left if part.num_rows]
        if not rows:
            return []
        joined = pa.concat_batches(rows)
        first = int(joined.column("arrival")[0].as_py())
        return [new_batch(self._store.files, self._row.id, first, joined).in_segment(segment.id)]

    def _did(self, kind: Kind, text: str, is_done: bool = True) -> None:
        self.repairs.append(Repair(kind, text, self._row.uid, self._row.scan_id, is_done))


def _joined(pieces: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield pieces that follow each other as few and long ones."""
    some: list[pa.RecordBatch] = []
    for piece in pieces:
        some.append(piece)
        if sum(part.nbytes for part in some) >= _BYTES_AT_ONCE:
            yield pa.concat_batches(some)
            some = []
    if some:
        yield pa.concat_batches(some)


def _is_whole(body: pa.Buffer, schema: pa.Schema, found: Salvaged, *, is_file: bool) -> bool:
    """Tell whether whoever reads the bytes gets all that could be saved of them."""
    try:
        parts = read_parts(body, schema, is_file=is_file)
    except UNREADABLE:
        return False
    rows = sum(int(part.num_rows) for part in parts)
    return rows == found.rows and all(part.schema == schema for part in parts)


def _wanted(
    part: pa.RecordBatch, segment: Segment, twice: set[int], seen: dict[str, bytes]
) -> Iterator[bool]:
    """Tell row by row whether an event is to stay: the first of its uid, or one that differs from it."""
    layout = Layout.from_schema(part.schema)
    for row, uid in enumerate(part.column("uid").to_pylist()):
        if hash(uid) not in twice:
            yield True
            continue
        ((_, event),) = events(part.slice(row, 1), layout, segment.descriptor)
        text = digest("event", event)
        yield uid not in seen or seen[uid] != text
        seen.setdefault(uid, text)


def _from_arrival(number: int) -> str:
    return f"from arrival {number:,} on"
