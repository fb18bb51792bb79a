"""One run on its way into the store: what has arrived, and what is committed.

Arrival (any thread, some microseconds) and commit (the committer's thread, or the caller's at the
stop) meet at one lock that is held only to swap buffers. A commit takes everything that has arrived,
makes batches of it, and writes them in one transaction. If that fails, what it had is kept, and the
next commit begins with it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.documents import decode, encode_lossy, leaves
from hutch.errors import StoreError
from hutch.recording.lots import Lot, Refused, Trouble, added_up
from hutch.recording.seen import SeenEvents
from hutch.store import DocumentRow, Mark, RunRow, Store, Writer

if TYPE_CHECKING:
    from hutch.recording.stream_buffer import Rows, StreamBuffer
    from hutch.store.columns import Layout

__all__ = ["RunWriter"]

logger = logging.getLogger("hutch.recording")

_LARGEST_BATCH_ROWS = 16_384


class RunWriter:
    """An open run of this process.

    :ivar stop: the stop document once the run has ended, as bytes.
    :ivar failure: the error that keeps the run from being committed, or None.
    :ivar spooled: the file that keeps meanwhile what can't be committed, or None.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self.store = store
        self.row = row
        self.stop = row.stop
        self.failure: StoreError | None = None
        self.spooled: Path | None = None
        self.buffers: dict[str, StreamBuffer] = {}
        self.descriptors: dict[str, bytes] = {}
        self._seen = SeenEvents()
        self._lock = threading.Lock()
        self._commit_lock = threading.RLock()
        self._arrivals = 1
        self._arrived = Lot()
        self._late: list[Lot] = []
        self._segments: dict[tuple[str, Layout], int] = {}

    # arrival

    def add_descriptor(self, buffer: StreamBuffer, body: bytes) -> None:
        """Take a descriptor; its events go into the buffer."""
        self.descriptors[buffer.uid] = body
        self.add_document("descriptor", buffer.uid, body)
        self.buffers[buffer.uid] = buffer

    def add_event(self, buffer: StreamBuffer, event: dict[str, Any]) -> int:
        """Take an event; return how many are pending in its stream."""
        with self._lock:
            buffer.add(event, self._arrivals)
            self._arrivals += 1
            return buffer.pending

    def add_page(self, buffer: StreamBuffer, page: dict[str, Any]) -> int | None:
        """Take a regular page; return how many events are pending, or None if it is not regular."""
        with self._lock:
            count = buffer.add_page(page, self._arrivals)
            if count is None:
                return None
            self._arrivals += count
            return buffer.pending

    def add_document(self, kind: str, uid: str, body: bytes) -> None:
        """Take a document that is no event."""
        with self._lock:
            self._arrived.documents.append(DocumentRow(self._arrivals, kind, uid, body))
            self._arrivals += 1

    def mark(self, place: str, reason: str, stream: str = "") -> None:
        """Note that something contradicts its schema."""
        with self._lock:
            self._arrived.marks.append(Mark(stream, place, reason, 1, self._arrivals))

    def refuse(self, kind: str, reason: str, body: bytes) -> None:
        """Put a document away that can't be placed."""
        with self._lock:
            self._arrived.refused.append(Refused(kind, reason, body))

    def go_on(self) -> None:
        """Continue a run that the store has: its count of arrivals, its descriptors, its events."""
        from hutch.recording.duplicates import known_uids
        from hutch.recording.stream_buffer import StreamBuffer

        run = self.row.id
        known = self.store.documents(run)
        for document in known:
            if document.kind == "descriptor":
                self.descriptors[document.uid] = document.body
                self.buffers[document.uid] = StreamBuffer(decode(document.body))
        arrivals = [document.number + 1 for document in known]
        arrivals += [batch.first_arrival + batch.rows for batch in self.store.batches(run)]
        self._arrivals = max(arrivals, default=1)
        self._seen.know_all(known_uids(self.store, run, []))

    # commit

    def commit(self, stop: dict[str, Any] | None = None) -> list[Trouble]:
        """Write all that has arrived, and the stop document if it is given, in one transaction.

        :returns: what was wrong with what was written.
        :raises StoreError: if the store cannot take it; it is kept for the next commit.
        """
        with self._commit_lock:
            self._take(stop)
            if not self._late:
                return []
            segments = dict(self._segments)
            try:
                for lot in self._late:
                    self._serialize(lot)
                with self.store.transaction() as writer:
                    for lot in self._late:
                        self._write(writer, lot, segments)
            except StoreError as error:
                self.failure = error
                raise
            troubles = [trouble for lot in self._late for trouble in lot.troubles()]
            self._segments, self._late, self.failure = segments, [], None
            return troubles

    def uncommitted(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what could not be committed, after the start and the descriptors it belongs to."""
        with self._commit_lock:
            self._take(None)
            yield "start", decode(self.row.start)
            for body in self.descriptors.values():
                yield "descriptor", decode(body)
            for lot in self._late:
                yield from lot.contents()

    def _take(self, stop: dict[str, Any] | None) -> None:
        """Swap the buffers, and make batches of what they had."""
        with self._lock:
            lot, self._arrived = self._arrived, Lot()
            arrived = [(buffer, buffer.take(), buffer.take_oddities()) for buffer in self.buffers.values()]
        lot.stop = stop
        for buffer, pages, oddities in arrived:
            lot.marks += [Mark(buffer.stream, key, reason, 1, first) for key, reason, first in oddities]
            for rows in _in_lots(pages):
                self._pack(buffer, rows, lot)
        lot.marks = added_up(lot.marks)
        if lot:
            self._late.append(lot)

    def _pack(self, buffer: StreamBuffer, rows: Rows, lot: Lot) -> None:
        try:
            rows = self._without_duplicates(buffer, rows, lot)
            if not len(rows[0]):
                return
            packed = buffer.pack(rows)
        except StoreError:
            raise
        except Exception as error:  # whatever is wrong with hutch must not cost data
            logger.exception("Events of run %s are put into quarantine: no batch can be made", self.row.uid)
            for row in zip(*rows, strict=True):
                body = encode_lossy(buffer.event_of(row))[0]
                lot.refused.append(Refused("event", f"no batch can be made of it: {error!r}", body))
            return
        lot.events.append((buffer, packed))
        lot.marks += [
            Mark(buffer.stream, key, reason, count, first) for key, reason, count, first in packed.breaches
        ]

    def _without_duplicates(self, buffer: StreamBuffer, rows: Rows, lot: Lot) -> Rows:
        """Return rows less those of events that are there already."""
        uids = rows[2]
        if not self._seen.is_fresh(uids, rows[0], buffer.last_seq_num):
            from hutch.recording.duplicates import known_uids, without_duplicates

            lots = [*self._late, lot]
            if not self._seen.is_exact:
                self._seen.know_all(known_uids(self.store, self.row.id, lots))
            suspects = self._seen.suspects(uids)
            if suspects:
                rows, refused = without_duplicates(buffer, rows, suspects, self.store, self.row.id, lots)
                lot.refused += refused
        self._seen.add(rows[2])
        return rows

    def _serialize(self, lot: Lot) -> None:
        """Make bytes of a lot's events; large ones go into files, before the transaction."""
        from hutch.store.arrow_files import new_batch

        for buffer, packed in lot.events[len(lot.batches) :]:
            batch = new_batch(self.store.files, self.row.id, packed.first_arrival, packed.batch)
            lot.batches.append((buffer, packed.layout, batch))

    def _write(self, writer: Writer, lot: Lot, segments: dict[tuple[str, Layout], int]) -> None:
        run = self.row.id
        if lot.documents:
            self._settle(writer, writer.add_documents(run, lot.documents))
        for buffer, layout, batch in lot.batches:
            key = (buffer.uid, layout)
            if key not in segments:
                segments[key] = writer.add_segment(run, buffer.stream, buffer.uid, layout.schema_bytes)
            writer.add_batches(run, buffer.stream, [batch.in_segment(segments[key])])
        if lot.marks:
            writer.add_marks(run, lot.marks)
        for refused in lot.refused:
            writer.quarantine(run, *refused)
        if lot.stop is not None:
            body = encode_lossy(lot.stop)[0]
            writer.add_leaves(run, self.row.time, leaves(decode(body), "stop"))
            writer.end_run(run, body, str(lot.stop.get("exit_status", "")))

    def _settle(self, writer: Writer, present: Iterable[DocumentRow]) -> None:
        """Decide about documents whose uids the run has: the same is accepted, another put away."""
        for document in present:
            known = self.store.find_document(document.kind, document.uid)
            if known is None or known[0] != self.row.id or known[1].body != document.body:
                reason = f"the run has another {document.kind} of the uid {document.uid!r}"
                writer.quarantine(self.row.id, document.kind, reason, document.body)


def _in_lots(pages: list[Rows]) -> Iterator[Rows]:
    """Yield rows in lots of bounded length."""
    from hutch.recording.stream_buffer import join

    some: list[Rows] = []
    count = 0
    for page in pages:
        some.append(page)
        count += len(page[0])
        if count >= _LARGEST_BATCH_ROWS:
            yield join(some)
            some, count = [], 0
    if some:
        yield join(some)
