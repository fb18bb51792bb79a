"""The threads that commit what has arrived, and put it onto the disk.

One of each for a store in a process, however many recorders and runs. They sleep while nothing comes.
An event is committed at most ``commit_s`` after it arrived, plus the time of the commit itself, and is
on the disk at most ``sync_s`` after that. What the store cannot take is the business of a third thread
(:mod:`hutch.recording.committing.keeper`), and is committed in pieces when the store can.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hutch.config import patience_s, spool_folder, spool_memory_bytes
from hutch.errors import StoreError, StoreUnavailableError
from hutch.recording.committing import leftovers
from hutch.recording.committing.compactor import Compactor
from hutch.recording.committing.keeper import Keeper
from hutch.recording.committing.quarantine import Quarantine
from hutch.recording.committing.run_writer import RunWriter
from hutch.recording.spooling import spool
from hutch.store import Store

__all__ = ["COMMIT_S", "SYNC_S", "Committer", "finish"]

logger = logging.getLogger("hutch.recording")

COMMIT_S = 0.05
"""Seconds that events wait for others to be committed with; half of what is promised."""

SYNC_S = 0.5
"""Seconds after which what is committed is put onto the disk; half of what is promised."""

_RETRY_S = 1.0
_CATCH_UP_S = 0.2
"""Seconds in one pass for what waits from before."""

_PATIENCE_S = 5.0
"""Seconds that the end waits for a thread."""


class Committer:
    """Commits the open runs of a store in the background; get it with :meth:`of`.

    :ivar runs: open runs of this process, and others until the store has them, by uid.
    :ivar quarantine: for documents that have no place.
    :ivar taking_over: held by who goes on with a run of the store until it is among the open ones: what was
        left in the spool may be of a run that somebody is about to go on with, too.
    """

    _all: weakref.WeakKeyDictionary[Any, Committer] = weakref.WeakKeyDictionary()
    _guard = threading.Lock()

    def __init__(self, store: Store) -> None:
        self._store = weakref.ref(store, lambda _: self._end())
        # Now, as the store may be away when it is needed, and nobody there to be told what is wrong.
        self._mark = spool.mark_of(store)
        spool_memory_bytes()
        spool_folder()
        patience_s()
        self._dirty: set[RunWriter] = set()
        self._wake = threading.Condition()
        self._unsynced = threading.Event()
        self._pid = os.getpid()
        self._stopping = False
        self._taking_in: threading.Thread | None = None
        self._left: set[Path] = set()
        """Files that could not be taken in."""
        self.runs: dict[str, RunWriter] = {}
        self._keeper = Keeper(self._mark, self.runs, self._wake_up)
        self.quarantine = Quarantine(self._mark)
        self.taking_over = threading.Lock()
        self._compactor = Compactor(store)
        # Before the first event, which would have to wait for it.
        _warm_up()
        for work in (self._commit_forever, self._sync_forever, self._keeper.keep_forever):
            threading.Thread(target=work, name=f"hutch {work.__name__}", daemon=True).start()

    @classmethod
    def of(cls, store: Store) -> Committer:
        """Return the committer of a store in this process."""
        with cls._guard:
            found = cls._all.get(store)
            if found is None or not found.is_working:
                found = cls._all[store] = cls(store)
            return found

    @classmethod
    def working(cls) -> list[Committer]:
        """Return all that work in this process."""
        return [committer for committer in list(cls._all.values()) if committer.is_working]

    @classmethod
    def after_fork(cls) -> None:
        """In a child process: forget the parent's, whose threads are not here."""
        cls._guard = threading.Lock()
        cls._all = weakref.WeakKeyDictionary()

    @property
    def is_working(self) -> bool:
        """False once it was stopped, and in a forked child, as threads do not survive a fork."""
        return self._pid == os.getpid() and not self._stopping

    @property
    def store(self) -> Store | None:
        """The store, as long as somebody uses it."""
        return self._store()

    # what recorders do

    def find(self, uid: str) -> RunWriter | None:
        """Return a run that this process has open, or that the store has not got yet.

        :raises StoreError: if it is to be let go first, and that fails.
        """
        run = self.runs.get(uid)
        if run is None or not run.is_abandoned:
            return run
        run.commit()
        self._settle(run)
        return None

    def open(self, run: RunWriter, recorder: object) -> None:
        """Note that a recorder has a run open."""
        with self._wake:
            run.holders.add(recorder)
            run.let_go(False)
            self.runs[run.row.uid] = run
        self._keeper.look()

    def close(self, run: RunWriter, recorder: object) -> None:
        """Commit what a recorder gave to a run; let the run go if no other has it open.

        :raises StoreError: if that fails; the run is tried again in the background.
        """
        with self._wake:
            run.holders.discard(recorder)
            is_last = not run.holders and run.stop is None
            if is_last:
                run.let_go()
        try:
            self.commit_now(run)
        except StoreError:
            if run.pace is not None:
                run.abandon(lets_go=is_last)
            raise

    def has_news(self, run: RunWriter) -> None:
        """Note that something of a run waits for its commit."""
        run.is_waiting = True
        with self._wake:
            self._dirty.add(run)
            self._wake.notify()

    def commit_now(self, run: RunWriter, stop: dict[str, Any] | None = None) -> list[Any]:
        """Commit a run in the caller's thread, and put it onto the disk if it ends.

        :raises StoreError: if that fails; the run is tried again in the background.
        """
        if run.failure is not None:
            # Nobody waits for a store that is away, or for what it has missed meanwhile.
            error = run.failure
            run.take(stop)
            self._keeper.put_aside(run, error, sync=True)
            raise error
        try:
            troubles = run.commit(stop)
        except StoreError as error:
            self._keeper.put_aside(run, error, sync=True)
            raise
        except KeyboardInterrupt:
            # Of somebody at a prompt, maybe, who goes on: it is committed in the background.
            self.has_news(run)
            raise
        self._unsynced.set()
        if run.is_over:
            self._dirty.discard(run)
            self._guarded(run.store.sync)
        self._settle(run)
        return troubles

    def refuse(
        self, store: Store, run: int | None, kind: str, reason: str, doc: Any, *, retried: bool = False
    ) -> None:
        """Put a document away that has no place.

        :param run: that it is known to belong to.
        :param retried: the caller has it still.
        :raises StoreError: if ``retried`` and the store cannot take it.
        """
        is_away = bool(self._keeper.failing)
        self.quarantine.put(store, run, kind, reason, doc, is_away=is_away, retried=retried)

    # ending

    def finish(self) -> list[RunWriter]:
        """Commit everything now; return the runs for which that failed."""
        with self._wake:
            runs = {*self._dirty, *self._keeper.failing, *self.runs.values()}
            self._dirty.clear()
        failed: list[RunWriter] = []
        for run in runs:
            away = _unavailable(failed)
            if away is not None:
                self._keeper.put_aside(run, away)
            if away is not None or not self._try(run):
                failed.append(run)
        store = self._store()
        if store is not None and runs:
            self._guarded(store.sync)
        return failed

    def stop(self) -> None:
        """Commit everything and end the threads; what the store does not take remains in the spool."""
        failed = self.finish()
        self._end()
        if self._taking_in is not None:
            self._taking_in.join(_PATIENCE_S)
        for run in failed:
            self._keeper.put_aside(run, run.failure, sync=True)
            path = run.leave_spool()
            if path is not None:
                logger.error(
                    "%s What the store lacks of run %s is kept in %s. The next one to record there takes it "
                    "in when there is room; or do it by hand: hutch import %s --store %s",
                    run.failure,
                    run.row.uid,
                    path,
                    path,
                    run.store.location,
                )
        self.quarantine.leave()
        self._compactor.stop()

    def _end(self) -> None:
        self._stopping = True
        self._wake_up()
        self._keeper.stop()
        self._unsynced.set()

    def _wake_up(self) -> None:
        with self._wake:
            self._wake.notify()

    # committing

    def _commit_forever(self) -> None:
        retry_at = 0.0
        while not self._stopping:
            with self._wake:
                while not self._dirty and not self._stopping:
                    if not self._wake.wait(_RETRY_S if self._keeper.failing or self.quarantine else None):
                        break
            time.sleep(COMMIT_S)
            with self._wake:
                runs, self._dirty = self._dirty, set()
            self._commit_some(runs)
            if time.monotonic() >= retry_at:
                self._try_again()
                retry_at = time.monotonic() + _RETRY_S

    def _commit_some(self, runs: Iterable[RunWriter]) -> None:
        """Commit what has arrived, and what waits from before as far as there is time."""
        away = _unavailable(self._keeper.failing)
        late = []
        for run in runs:
            if run in self._keeper.failing:
                late += [run] if run.is_recovering else []
            elif away is not None:
                self._keeper.put_aside(run, away)
            else:
                self._try(run)
        deadline = time.monotonic() + _CATCH_UP_S
        for run in late:
            left_s = deadline - time.monotonic()
            if left_s > 0:
                self._try(run, left_s)
            else:
                self.has_news(run)

    def _try(self, run: RunWriter, for_s: float | None = None) -> bool:
        try:
            run.commit(for_s=for_s)
        except StoreError as error:
            self._keeper.put_aside(run, error)
            return False
        self._unsynced.set()
        self._settle(run)
        return True

    def _try_again(self) -> None:
        """See whether the store takes what it did not take before."""
        for run in list(self._keeper.failing):
            if not self._try(run, _CATCH_UP_S) and isinstance(run.failure, StoreUnavailableError):
                return
        store = self._store()
        if self.quarantine and store is not None and self.quarantine.commit(store):
            self.take_in_leftovers()

    def _settle(self, run: RunWriter) -> None:
        """After a commit: the spool's file is needed no longer, and the run neither if it has ended."""
        if run.spooled is not None and not run.has_backlog and self._guarded(run.store.sync):
            run.drop_spool()
        self._compactor.committed(run.row.id, is_over=run.is_over)
        if self._keeper.forget(run):
            # What was left by others may have been left because the store was away.
            self.take_in_leftovers(again=True)
        with self._wake:
            if run.is_over and (run.stop is not None or not run.holders):
                self.runs.pop(run.row.uid, None)
            elif run.has_backlog:
                self._dirty.add(run)
                self._wake.notify()

    def take_in_leftovers(self, *, again: bool = False) -> None:
        """Begin to store what processes that died have left in the spool, if there is something.

        :param again: also what could not be stored before.
        """
        store = self._store()
        if store is None or (self._taking_in is not None and self._taking_in.is_alive()):
            return
        if again:
            self._left.clear()
        paths = [path for path in spool.abandoned_files(self._mark) if path not in self._left]
        if paths:
            self._taking_in = threading.Thread(
                target=self._take_in, args=(store, paths), name="hutch leftovers", daemon=True
            )
            self._taking_in.start()

    def _take_in(self, store: Store, paths: list[Path]) -> None:
        self._left.update(leftovers.take_in(store, self._mark, lambda: self._stopping, paths))

    # the disk

    def _sync_forever(self) -> None:
        while not self._stopping:
            self._unsynced.wait()
            time.sleep(SYNC_S)
            self._unsynced.clear()
            store = self._store()
            if store is not None and not self._stopping and self._guarded(store.sync):
                self._guarded(store.tidy)
            del store

    def _guarded(self, action: Callable[[], None]) -> bool:
        """Do something that may fail with an error of the store or the system; tell whether it did not."""
        try:
            action()
        except (OSError, ValueError):
            logger.exception("What was recorded could not be put onto the disk")
            return False
        return True


def _unavailable(runs: Iterable[RunWriter]) -> StoreUnavailableError | None:
    """Return why the store does not answer, if one of some runs has found that."""
    errors = [run.failure for run in list(runs)]
    return next((error for error in errors if isinstance(error, StoreUnavailableError)), None)


def _warm_up() -> None:
    """Load what the first commit, and the first trouble, need before there is something to commit.

    The first array that pyarrow makes of Python values costs 0.2 s: it imports pandas, if it can.
    """
    import pyarrow as pa

    import hutch.recording.events.stream_buffer
    import hutch.recording.spooling.spool_lines
    import hutch.store.batches.arrow_files  # noqa: F401

    pa.array([0.0])


def finish(store: Store) -> None:
    """Commit everything that waits for a store, put it onto the disk, and end its threads."""
    for committer in Committer.working():
        if committer.store is store:
            committer.stop()


def _finish_all() -> None:
    for committer in Committer.working():
        committer.stop()


atexit.register(_finish_all)
os.register_at_fork(after_in_child=Committer.after_fork)
