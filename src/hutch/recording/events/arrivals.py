"""What has arrived of one run and is in no lot yet."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hutch.recording.events.lots import Lot, added_up, in_lots
from hutch.store import DocumentRow, Mark

if TYPE_CHECKING:
    from hutch.recording.events.stream_buffer import StreamBuffer

__all__ = ["Arrivals"]


class Arrivals:
    """Takes documents in some microseconds, from any thread, and gives each its arrival number.

    :ivar is_waiting: True while something has arrived and the committer knows it.
    :ivar buffers: for the events of each descriptor, by its uid.
    :ivar descriptors: as they are kept, by their uids.
    :ivar resources: uids of the documents that tell of external files.
    """

    def __init__(self) -> None:
        self.is_waiting = False
        self.buffers: dict[str, StreamBuffer] = {}
        self.descriptors: dict[str, bytes] = {}
        self.resources: set[str] = set()
        # Held only to append or to swap buffers.
        self._lock = threading.Lock()
        self._count_from(1)

    def _count_from(self, number: int) -> None:
        self._arrivals = number
        self._arrived = Lot(number)

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

    def swap(self, stop: dict[str, Any] | None) -> Lot:
        """Return what has arrived as a lot that waits to be packed, and go on with empty buffers."""
        with self._lock:
            self.is_waiting = False
            lot, self._arrived = self._arrived, Lot(self._arrivals)
            arrived = [(buffer, buffer.take(), buffer.take_oddities()) for buffer in self.buffers.values()]
        lot.stop = stop
        for buffer, pages, oddities in arrived:
            lot.marks += [Mark(buffer.stream, key, reason, 1, first) for key, reason, first in oddities]
            lot.waiting += [(buffer, rows) for rows in in_lots(pages)]
        lot.marks = added_up(lot.marks)
        return lot

    def descriptors_before(self, lots: Iterable[Lot]) -> list[bytes]:
        """Return the descriptors that are neither in some lots nor newer than these."""
        with self._lock:
            late = {document.uid for lot in [*lots, self._arrived] for document in lot.documents}
            return [body for uid, body in self.descriptors.items() if uid not in late]

    def _append(self, kind: str, uid: str, body: bytes) -> None:
        self._arrived.documents.append(DocumentRow(self._arrivals, kind, uid, body))
        self._arrivals += 1
