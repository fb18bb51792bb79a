"""One run on its way into the store: what has arrived, and what is committed.

Arrival (any thread, some microseconds) and commit (the committer's thread, or the caller's at the
stop) meet at one lock that is held only to swap buffers. A commit takes everything that has arrived,
makes batches of it, and writes them in one transaction. If that fails, what it had is kept in the
backlog, which may be put aside into a file, and the next commit begins with it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.documents import decode, encode, encode_lossy, leaves
from hutch.errors import StoreError, StoreUnavailableError
from hutch.recording.committing.uninterrupted import uninterrupted
from hutch.recording.events.arrivals import Arrivals
from hutch.recording.events.duplicates import (
    batches_of,
    known_uids,
    settle,
    without_duplicates,
    without_stored,
)
from hutch.recording.events.lots import Lot, Refused, Trouble
from hutch.recording.events.seen import SeenEvents
from hutch.recording.spooling.backlog import Backlog
from hutch.recording.spooling.spool import SpoolFile, line_of
from hutch.store import Mark, RunRow, Store, Writer
from hutch.store.pacing import Pace

if TYPE_CHECKING:
    from hutch.recording.events.stream_buffer import Rows, StreamBuffer
    from hutch.store.batches.columns import Layout

__all__ = ["RunWriter"]

logger = logging.getLogger("hutch.recording")

_LONGEST_WAIT_S = 5.0
"""Seconds that a caller waits for a commit of another thread that does not end."""


class RunWriter(Arrivals):
    """An open run of this process.

    :param pace: of a bulk writer, whose documents are kept elsewhere.
    :ivar stop: the stop document once the run has ended, as bytes.
    :ivar failure: the error that keeps the run from being committed, or None.
    :ivar holders: the recorders that have it open.
    :ivar is_abandoned: True when some of it has been forgotten, and is to be given again.
    :ivar is_recovering: True while the store takes what waited for it.
    :ivar trying_since: when the store was asked last by a commit that goes on, by ``time.monotonic()``,
        or None.
    """

    def __init__(self, store: Store, row: RunRow, pace: Pace | None = None) -> None:
        super().__init__()
        self.store = store
        self.row = row
        self.pace = pace
        self.stop = row.stop
        self.failure: StoreError | None = None
        self.holders: weakref.WeakSet[Any] = weakref.WeakSet()
        self.is_abandoned = self.is_recovering = False
        self.trying_since: float | None = None
        self._seen = SeenEvents()
        # Held for lots and the backlog (packing, appending to the spool), and for a commit, which may
        # hang as long as a server does not answer.
        self._lots_lock = threading.RLock()
        self._commit_lock = threading.RLock()
        self._backlog = Backlog()
        self._segments: dict[tuple[str, Layout], int] = {}
        self._catching_up = Pace()
        self._is_doubtful = False
        """The last transaction failed, and its commit may have been done all the same."""
        self._refused_before: set[bytes] = set()
        self._lets_go = False
        self._is_let_go = False
        self._is_left = False

    def go_on(self) -> None:
        """Continue a run that the store has: its count of arrivals, its descriptors, its events."""
        from hutch.recording.events.stream_buffer import StreamBuffer

        run = self.row.id
        known = self.store.documents(run)
        for document in known:
            if document.kind == "descriptor":
                self.descriptors[document.uid] = document.body
                self.buffers[document.uid] = StreamBuffer(decode(document.body))
            elif document.kind in ("resource", "stream_resource"):
                self.resources.add(document.uid)
        self._refused_before = {row.body for row in self.store.quarantined(run)}
        arrivals = [document.number + 1 for document in known]
        self._seen.know_all([])
        for batch, _, _ in batches_of(self.store, run, []):
            self._seen.add(batch.column("uid").to_pylist())
            arrivals.append(batch.column("arrival")[-1].as_py() + 1)
        self._count_from(max(arrivals, default=1))

    # commit

    def commit(self, stop: dict[str, Any] | None = None, for_s: float | None = None) -> list[Trouble]:
        """Write all that has arrived, and the stop document if it is given.

        Normally that is one transaction; after the store was away there may be several.

        :param for_s: begin no other transaction after this time; the rest is for the next commit.
        :returns: what was wrong with what was written.
        :raises StoreError: if the store cannot take it; it is kept for the next commit.
        """
        try:
            is_acquired = self._acquired()
        except KeyboardInterrupt:
            self.take(stop)
            raise
        if not is_acquired:
            self.take(stop)
            msg = f"The store {self.store.location!r} has not answered for {_LONGEST_WAIT_S:g} s."
            raise StoreUnavailableError(msg)
        try:
            self.take(stop)
            return self._commit_groups(math.inf if for_s is None else time.monotonic() + for_s)
        finally:
            self.trying_since = None
            self._commit_lock.release()

    def _acquired(self) -> bool:
        """Wait for the commit of another thread; give up if the store does not answer that one."""
        while not self._commit_lock.acquire(timeout=_LONGEST_WAIT_S):
            since = self.trying_since
            if since is not None and time.monotonic() - since >= _LONGEST_WAIT_S:
                return False
        return True

    def take(self, stop: dict[str, Any] | None = None) -> None:
        """Put all that has arrived into the backlog, with the stop document if it is given."""
        with uninterrupted(), self._lots_lock:
            lot = self.swap(stop)
            if lot:
                self._backlog.add(lot)

    def let_go(self, wanted: bool = True) -> None:
        """Have the commit after which nothing waits let the run go, or not if it is not ``wanted``."""
        self._lets_go = wanted

    @property
    def is_over(self) -> bool:
        """True when the store has its stop document, or it was let go."""
        return not self._backlog and (self.stop is not None or self._is_let_go)

    @property
    def has_backlog(self) -> bool:
        """True while something waits besides what has just arrived."""
        return bool(self._backlog)

    def _commit_groups(self, deadline: float) -> list[Trouble]:
        troubles: list[Trouble] = []
        group: list[Lot] = []
        try:
            while (group := self._next_group()) or self._must_let_go:
                troubles += self._commit_group(group)
                self.is_recovering = True
                if time.monotonic() > deadline:
                    break
        except BaseException as error:
            self._note_failure(error, group)
            raise
        return troubles

    def _next_group(self) -> list[Lot]:
        with self._lots_lock:
            group = self._backlog.next_group(self.buffers)
            if not group and not self._must_let_go:
                self.failure, self.is_recovering = None, False
            return group

    @property
    def _must_let_go(self) -> bool:
        return self._lets_go and not self._is_let_go and self.stop is None

    def _note_failure(self, error: BaseException, group: list[Lot]) -> None:
        with self._lots_lock:
            self._backlog.put_back(group)
        self.is_recovering = False
        if isinstance(error, StoreError):
            self.failure = error
        elif isinstance(error, Exception):  # whatever is wrong with hutch must not cost data
            msg = f"Run {self.row.uid!r} could not be committed: {error!r}"
            self.failure = StoreError(msg)
            raise self.failure from error

    def _commit_group(self, group: list[Lot]) -> list[Trouble]:
        """Write lots in one transaction."""
        segments = dict(self._segments)
        for lot in group:
            # Packing is work of this process, however long it takes.
            self.trying_since = None
            with uninterrupted(), self._lots_lock:
                self._pack(lot)
            self._serialize(lot)
        was_doubtful, self._is_doubtful = self._is_doubtful, True
        self.trying_since = time.monotonic()
        with self._transaction() as writer:
            for lot in without_stored(writer, self.store, self.row.id, group) if was_doubtful else group:
                self._write(writer, lot, segments, group)
            with self._lots_lock:
                is_end = self._must_let_go and self._backlog.ends_with(group)
            if is_end:
                writer.disown_run(self.row.id)
        with uninterrupted(), self._lots_lock:
            self._segments, self._is_doubtful = segments, False
            self._backlog.done(group)
            self._is_let_go = is_end
        return [trouble for lot in group for trouble in lot.troubles()]

    def _transaction(self) -> AbstractContextManager[Writer]:
        pace = self.pace or (self._catching_up if self.failure else None)
        return pace.transaction(self.store) if pace else self.store.transaction()

    # the spool

    @property
    def spooled(self) -> Path | None:
        """The file that keeps meanwhile what can't be committed, or None."""
        file = self._backlog.file
        return None if file is None else file.path

    def put_aside(self, mark: str) -> bool:
        """Append to the spool what has arrived and is not committed; tell whether there was anything.

        :param mark: of the store.
        :raises OSError: if the spool cannot be written; all stays in memory.
        """
        with self._lots_lock:
            if self._is_left:
                return False
            self.take()
            return self._backlog.put_aside(
                lambda first: SpoolFile.create(self.row.uid, mark, first), self._beginning_of_file
            )

    def sync_spool(self) -> None:
        """Put what is in the spool onto the disk, or raise an ``OSError``."""
        if (file := self._backlog.file) is not None:
            file.sync()

    def drop_spool(self) -> None:
        """Remove the spool's file if the store has all of it, on its disk."""
        with self._lots_lock:
            if self._backlog.file is not None and not self._backlog:
                self._backlog.file.discard()
                self._backlog.file = None

    def leave_spool(self) -> Path | None:
        """Leave the spool's file to whoever comes, and forget the rest; return where it is."""
        with self._lots_lock:
            self._is_left = True
            file, self._backlog.file = self._backlog.file, None
            self._backlog.clear()
            return None if file is None else file.let_go()

    def abandon(self, *, lets_go: bool) -> None:
        """Forget what is not committed, and let the run go later if it ``lets_go``."""
        with self._lots_lock:
            self.take()
            self._backlog.clear()
            self._lets_go, self.is_abandoned = lets_go, True

    def _beginning_of_file(self) -> Iterator[bytes]:
        """Yield the start and the descriptors that what is not committed belongs to."""
        yield line_of("start", self.row.start)
        for body in self.descriptors_before(self._backlog.packed):
            yield line_of("descriptor", body)

    # lots

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
            if not self._seen.is_exact:
                self._seen.know_all(known_uids(self.store, self.row.id, self._backlog.packed))
            suspects = self._seen.suspects(uids)
            if suspects:
                known = (self.store, self.row.id, self._backlog.packed)
                rows, refused = without_duplicates(buffer, rows, suspects, *known)
                lot.refused += refused
        self._seen.add(rows[2])
        return rows

    def _serialize(self, lot: Lot) -> None:
        """Make bytes of a lot's events; large ones go into files, before the transaction."""
        from hutch.store.batches.arrow_files import new_batch

        for buffer, packed in lot.events[len(lot.batches) :]:
            self.trying_since = time.monotonic()
            batch = new_batch(self.store.files, self.row.id, packed.first_arrival, packed.batch)
            lot.batches.append((buffer, packed.layout, batch))

    def _write(
        self, writer: Writer, lot: Lot, segments: dict[tuple[str, Layout], int], group: list[Lot]
    ) -> None:
        run = self.row.id
        if self._is_let_go and lot.stop is None:
            writer.own_run(run)
        if lot.documents:
            present = writer.add_documents(run, lot.documents)
            settle(writer, self.store, run, present, group)
        for buffer, layout, batch in lot.batches:
            key = (buffer.uid, layout)
            if key not in segments:
                segments[key] = writer.add_segment(run, buffer.stream, buffer.uid, layout.schema_bytes)
            writer.add_batches(run, buffer.stream, [batch.in_segment(segments[key])])
        if lot.marks:
            writer.add_marks(run, lot.marks)
        for refused in lot.refused:
            if refused.body not in self._refused_before:
                writer.quarantine(run, *refused)
        if lot.stop is not None:
            writer.add_leaves(run, self.row.time, leaves(lot.stop, "stop"))
            writer.end_run(run, encode(lot.stop), str(lot.stop.get("exit_status", "")))
