"""The thread that commits what has arrived, and the one that puts it onto the disk.

One of each for a store in a process, however many recorders and runs. They sleep while nothing comes.
An event is committed at most ``commit_s`` after it arrived, plus the time of the commit itself, and is
on the disk at most ``sync_s`` after that.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from hutch.errors import StoreError
from hutch.recording.run_writer import RunWriter
from hutch.recording.spool import rescue
from hutch.store import Store

__all__ = ["COMMIT_S", "SYNC_S", "Committer", "finish"]

logger = logging.getLogger("hutch.recording")

COMMIT_S = 0.05
"""Seconds that events wait for others to be committed with; half of what is promised."""

SYNC_S = 0.5
"""Seconds after which what is committed is put onto the disk; half of what is promised."""

_RETRY_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Committer:
    """Commits the open runs of a store in the background; get it with :meth:`of`."""

    _all: weakref.WeakKeyDictionary[Any, Committer] = weakref.WeakKeyDictionary()
    _guard = threading.Lock()

    def __init__(self, store: Store) -> None:
        self._store = weakref.ref(store, lambda _: self._end())
        self._dirty: set[RunWriter] = set()
        self._failing: set[RunWriter] = set()
        self._aside: dict[RunWriter, tuple[float, float]] = {}
        """Of failing runs: when their file is due to be written anew, and the pause after that, in s."""
        self._wake = threading.Condition()
        self._unsynced = threading.Event()
        self._pid = os.getpid()
        self._stopping = False
        self.runs: dict[str, RunWriter] = {}
        """Open runs of this process, by uid."""
        # Before the first event, which would have to wait for it.
        _warm_up()
        for work in (self._commit_forever, self._sync_forever):
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

    @property
    def is_working(self) -> bool:
        """False once it was stopped, and in a forked child, as threads do not survive a fork."""
        return self._pid == os.getpid() and not self._stopping

    @property
    def store(self) -> Store | None:
        """The store, as long as somebody uses it."""
        return self._store()

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
        try:
            troubles = run.commit(stop)
        except StoreError:
            with self._wake:
                self._failing.add(run)
                self._wake.notify()
            raise
        if stop is None:
            self._unsynced.set()
        else:
            self._dirty.discard(run)
            self._guarded(run.store.sync)
        return troubles

    def finish(self) -> list[RunWriter]:
        """Commit everything now; return the runs for which that failed."""
        with self._wake:
            runs = {*self._dirty, *self._failing, *self.runs.values()}
            self._dirty.clear()
        failed = [run for run in runs if not self._try(run)]
        store = self._store()
        if store is not None and runs:
            self._guarded(store.sync)
        return failed

    def stop(self) -> list[RunWriter]:
        """Commit everything and end the threads; return the runs for which the commit failed."""
        failed = self.finish()
        self._end()
        return failed

    def _end(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._unsynced.set()

    def _commit_forever(self) -> None:
        while not self._stopping:
            with self._wake:
                while not self._dirty and not self._stopping:
                    if not self._wake.wait(_RETRY_S if self._failing else None):
                        break
            time.sleep(COMMIT_S)
            with self._wake:
                runs, self._dirty = self._dirty, set()
                runs |= self._failing
            for run in runs:
                self._try(run)

    def _try(self, run: RunWriter) -> bool:
        was_failing = run.failure is not None
        try:
            run.commit()
        except StoreError as error:
            self._put_aside(run, error)
            return False
        except Exception as error:
            logger.exception("Run %s could not be committed", run.row.uid)
            self._put_aside(run, error)
            return False
        if was_failing:
            logger.warning("Run %s is stored now", run.row.uid)
        if run.spooled is not None:
            run.spooled.unlink(missing_ok=True)
            run.spooled = None
        self._failing.discard(run)
        self._aside.pop(run, None)
        self._unsynced.set()
        return True

    def _put_aside(self, run: RunWriter, error: Exception) -> None:
        """Try a run again later, and keep what it has in a file until then; seldomer as it grows."""
        self._failing.add(run)
        due, pause_s = self._aside.get(run, (0.0, _RETRY_S))
        is_complete = run.stop is not None and run.spooled is not None
        if time.monotonic() >= due and not is_complete:
            rescue(run, error, say=run not in self._aside)
            self._aside[run] = (time.monotonic() + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S))

    def _sync_forever(self) -> None:
        while not self._stopping:
            self._unsynced.wait()
            time.sleep(SYNC_S)
            self._unsynced.clear()
            store = self._store()
            if store is not None and not self._stopping:
                self._guarded(store.sync)
            del store

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, ValueError):
            logger.exception("The store could not be put onto the disk")


def _warm_up() -> None:
    """Load what the first commit needs before there is something to commit.

    The first array that pyarrow makes of Python values costs 0.2 s: it imports pandas, if it can.
    """
    import pyarrow as pa

    import hutch.recording.stream_buffer
    import hutch.store.arrow_files  # noqa: F401

    pa.array([0.0])


def finish(store: Store) -> None:
    """Commit everything that waits for a store, put it onto the disk, and end its threads."""
    for committer in Committer.working():
        if committer.store is store:
            _stop(committer)


def _stop(committer: Committer) -> None:
    for run in committer.stop():
        rescue(run, run.failure)


def _finish_all() -> None:
    for committer in Committer.working():
        _stop(committer)


atexit.register(_finish_all)
