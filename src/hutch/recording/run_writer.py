"""One run on its way into the store: what has arrived, and what is committed.

Arrival (any thread, some microseconds) and commit (the committer's thread, or the caller's at the
stop) meet at one lock that is held only to swap buffers. A commit takes everything that has arrived,
makes batches of it, and writes them in one transaction. If that fails, what it had is kept, and the
next commit begins with it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.documents import decode, encode, encode_lossy, is_same_text, leaves
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
    :ivar is_waiting: True while something has arrived and the committer knows it.
    :ivar failure: the error that keeps the run from being committed, or None.
    :ivar resources: uids of the documents that tell of external files.
    :ivar spooled: the file that keeps meanwhile what can't be committed, or None.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self.store = store
        self.row = row
        self.stop = row.stop
        self.is_waiting = False
        self.failure: StoreError | None = None
        self.spooled: Path | None = None
        self.buffers: dict[str, StreamBuffer] = {}
        self.descriptors: dict[str, bytes] = {}
        self.resources: set[str] = set()
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
        with self._lock:
            self._append("descriptor", buffer.uid, body)
            self.descriptors[buffer.uid] = body
            self.buffers[buffer.uid] = buffer

    def add_event(self, buffer: StreamBuffer, event: dict[str, Any]) -> int:
        """Take an event; return its arrival number."""
        with self._lock:
            arrival = self._arrivals
            buffer.add(event, arrival)
            self._arrivals = arrival + 1
        return arrival

    def add_page(self, buffer: StreamBuffer, page: dict[str, Any]) -> bool:
        """Take a page of events if it is regular; tell whether it is."""
        with self._lock:
            count = buffer.add_page(page, self._arrivals)
            self._arrivals += count
        return count > 0

    def add_document(self, kind: str, uid: str, body: bytes) -> None:
        """Take a document that is no event."""
        with self._lock:
            self._append(kind, uid, body)

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
        from hutch.recording.duplicates import batches_of
        from hutch.recording.stream_buffer import StreamBuffer

        run = self.row.id
        known = self.store.documents(run)
        for document in known:
            if document.kind == "descriptor":
                self.descriptors[document.uid] = document.body
                self.buffers[document.uid] = StreamBuffer(decode(document.body))
            elif document.kind in ("resource", "stream_resource"):
                self.resources.add(document.uid)
        arrivals = [document.number + 1 for document in known]
        self._seen.know_all([])
        for batch, _, _ in batches_of(self.store, run, []):
            self._seen.add(batch.column("uid").to_pylist())
            arrivals.append(batch.column("arrival")[-1].as_py() + 1)
        self._arrivals = max(arrivals, default=1)

    def _append(self, kind: str, uid: str, body: bytes) -> None:
        self._arrived.documents.append(DocumentRow(self._arrivals, kind, uid, body))
        self._arrivals += 1

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
                    self._pack(lot)
                    self._serialize(lot)
                with self.store.transaction() as writer:
                    for lot in self._late:
                        self._write(writer, lot, segments)
            except StoreError as error:
                self.failure = error
                raise
            except Exception as error:  # whatever is wrong with hutch must not cost data
                msg = f"Run {self.row.uid!r} could not be committed: {error!r}"
                self.failure = StoreError(msg)
                raise self.failure from error
            troubles = [trouble for lot in self._late for trouble in lot.troubles()]
            self._segments, self._late, self.failure = segments, [], None
            return troubles

    def rescue(self, write: Callable[[Iterator[tuple[str, dict[str, Any]]]], Path]) -> Path | None:
        """Have what could not be committed written elsewhere; None if everything is committed.

        :param write: writes documents and returns where; the run's start comes first.
        """
        with self._commit_lock:
            self._take(None)
            self.spooled = write(self._uncommitted()) if self._late else None
            return self.spooled

    def _uncommitted(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what could not be committed, after the start and the descriptors it belongs to."""
        yield "start", decode(self.row.start)
        late = {document.uid for lot in self._late for document in lot.documents}
        for uid, body in self.descriptors.items():
            if uid not in late:
                yield "descriptor", decode(body)
        for lot in self._late:
            yield from lot.contents()

    def _take(self, stop: dict[str, Any] | None) -> None:
        """Swap the buffers; what they had waits in a lot to be packed."""
        with self._lock:
            self.is_waiting = False
            lot, self._arrived = self._arrived, Lot()
            arrived = [(buffer, buffer.take(), buffer.take_oddities()) for buffer in self.buffers.values()]
        lot.stop = stop
        for buffer, pages, oddities in arrived:
            lot.marks += [Mark(buffer.stream, key, reason, 1, first) for key, reason, first in oddities]
            lot.waiting += [(buffer, rows) for rows in _in_lots(pages)]
        lot.marks = added_up(lot.marks)
        if lot:
            self._late.append(lot)

    def _pack(self, lot: Lot) -> None:
        """Make batches of a lot's events."""
        while lot.waiting:
            buffer, rows = lot.waiting[0]
            rows = self._without_duplicates(buffer, rows, lot)
            # Not before: if the store could not be asked, they wait on.
            del lot.waiting[0]
            if len(rows[0]):
                self._pack_rows(buffer, rows, lot)

    def _pack_rows(self, buffer: StreamBuffer, rows: Rows, lot: Lot) -> None:
        try:
            packed = buffer.pack(rows)
        except Exception as error:  # whatever is wrong with hutch must not cost data
            half = len(rows[0]) // 2
            if half:  # the others may be good
                self._pack_rows(buffer, [column[:half] for column in rows], lot)
                self._pack_rows(buffer, [column[half:] for column in rows], lot)
                return
            logger.exception("An event of run %s is put into quarantine: it fits no batch", self.row.uid)
            body = encode_lossy(buffer.event_of([column[0] for column in rows]))[0]
            lot.refused.append(Refused("event", f"it fits no batch: {error!r}", body))
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

            if not self._seen.is_exact:
                self._seen.know_all(known_uids(self.store, self.row.id, self._late))
            suspects = self._seen.suspects(uids)
            if suspects:
                known = (self.store, self.row.id, self._late)
                rows, refused = without_duplicates(buffer, rows, suspects, *known)
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
            writer.add_leaves(run, self.row.time, leaves(lot.stop, "stop"))
            writer.end_run(run, encode(lot.stop), str(lot.stop.get("exit_status", "")))

    def _settle(self, writer: Writer, present: Iterable[DocumentRow]) -> None:
        """Decide about documents whose uids the run has: the same is accepted, another put away."""
        for document in present:
            if not is_same_text(self._known_document(document).body, document.body):
                reason = f"the run has another {document.kind} of the uid {document.uid!r}"
                writer.quarantine(self.row.id, document.kind, reason, document.body)

    def _known_document(self, document: DocumentRow) -> DocumentRow:
        """Return the document of the same kind and uid that came before, in this transaction or earlier."""
        name = (document.kind, document.uid)
        for lot in self._late:
            for other in lot.documents:
                if (other.kind, other.uid) == name and other is not document:
                    return other
        found = self.store.find_document(*name)
        if found is not None and found[0] == self.row.id:
            return found[1]
        # A later run uses the same uid.
        known = self.store.documents(self.row.id, [document.kind])
        return next((other for other in known if other.uid == document.uid), document)


def _in_lots(pages: list[Rows]) -> Iterator[Rows]:
    """Yield rows in lots of bounded length."""
    from hutch.recording.stream_buffer import join_rows

    some: list[Rows] = []
    count = 0
    for page in pages:
        some.append(page)
        count += len(page[0])
        if count >= _LARGEST_BATCH_ROWS:
            yield join_rows(some)
            some, count = [], 0
    if some:
        yield join_rows(some)
