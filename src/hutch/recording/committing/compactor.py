"""The thread that merges the batches of runs, so that reading them is fast.

One for a store in a process, beside the committer, which tells it of every commit. It looks at a run
that goes on when many batches have come, and once more when it is over; some time after the process
began it also looks for runs that others have left unmerged, and now and then it deletes files that were
replaced. It works in steps of milliseconds and rests in between, so that a scan has the interpreter, and
the store, nearly for itself. What goes wrong here costs no data and disturbs nobody: it is told once,
and tried again later.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Generator

from hutch.errors import StoreError
from hutch.store import Store

__all__ = ["Compactor"]

logger = logging.getLogger("hutch.recording")

_LOOK_EVERY = 64
"""Commits of an open run after which its batches are looked at."""

_REST_SHARE = 4.0
"""A rest is so many times as long as the step before it."""

_SHORTEST_REST_S = 0.002
_LONGEST_REST_S = 1.0

_FIRST_LOOK_S = 30.0
"""Seconds after the start when runs are looked for that others have left."""

_LOOK_AGAIN_S = 600.0
"""Seconds between looks for files that may be deleted."""

_CROWDED = 64
"""A run that nobody records is worth a look if it has so many batches."""

_PATIENCE_S = 1.0
"""Seconds that the end of the process waits for runs that are over; the rest is left to others."""

_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 600.0
"""Pauses after a failure, each twice as long as the last."""


class Compactor:
    """Merges batches of runs of a store in the background."""

    def __init__(self, store: Store) -> None:
        self._store = weakref.ref(store, lambda _: self._end())
        self._wake = threading.Condition()
        self._waiting: dict[int, bool] = {}
        """Runs to be looked at, and whether each is open."""
        self._commits: dict[int, int] = {}
        """How many commits open runs had."""
        self._damaged: set[int] = set()
        self._look_at = time.monotonic() + _FIRST_LOOK_S
        self._has_looked = False
        self._not_before = 0.0
        self._pause_s = _PAUSE_S
        self._deadline: float | None = None
        """When to end, once it was told to."""
        self._thread = threading.Thread(target=self._work_forever, name="hutch compactor", daemon=True)
        self._thread.start()

    def committed(self, run: int, *, is_over: bool) -> None:
        """Note a commit of a run, or its last; it costs next to nothing."""
        count = self._commits.pop(run, 0) + 1
        if not is_over:
            self._commits[run] = count
            if count % _LOOK_EVERY == 0:
                self._add(run, is_open=True)
        elif count > 1:
            self._add(run, is_open=False)

    def stop(self) -> None:
        """Finish what can be finished quickly, and end."""
        self._end(_PATIENCE_S)
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * _PATIENCE_S)

    def _end(self, patience_s: float = 0.0) -> None:
        with self._wake:
            self._deadline = time.monotonic() + patience_s
            self._wake.notify_all()

    def _add(self, run: int, *, is_open: bool) -> None:
        with self._wake:
            self._waiting[run] = is_open
            self._wake.notify_all()

    # the thread

    def _work_forever(self) -> None:
        while self._wait():
            store = self._store()
            if store is None:
                return
            run, is_open = self._next()
            try:
                if run is None:
                    self._look_around(store)
                else:
                    self._compact(store, run, is_open=is_open)
                self._pause_s = _PAUSE_S
            except StoreError as error:
                self._put_off(run, error, is_open=is_open)
            except Exception:
                logger.exception("Batches could not be merged; what was recorded is there all the same")
            del store

    def _wait(self) -> bool:
        """Wait until there is something to do; tell whether to do it, and not to end."""
        with self._wake:
            while True:
                now = time.monotonic()
                if self._deadline is not None:
                    return bool(self._waiting) and self._not_before <= now < self._deadline
                due = max(self._not_before, now if self._waiting else self._look_at)
                if due <= now:
                    return True
                self._wake.wait(due - now)

    def _next(self) -> tuple[int | None, bool]:
        """Return the run that waits longest, and whether it is open; None if it is time to look around."""
        with self._wake:
            if not self._waiting:
                self._look_at = time.monotonic() + _LOOK_AGAIN_S
                return None, False
            run = next(iter(self._waiting))
            return run, self._waiting.pop(run)

    def _put_off(self, run: int | None, error: StoreError, *, is_open: bool) -> None:
        """Try a run again later, seldomer each time."""
        if self._pause_s == _PAUSE_S and self._deadline is None:
            # Not the error itself, which holds on to what was being merged.
            logger.warning("Batches could not be merged, which is tried again later: %s", str(error))
        with self._wake:
            if run is None:
                self._look_at = 0.0
            else:
                # It may have ended meanwhile.
                self._waiting.setdefault(run, is_open)
        self._not_before = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _compact(self, store: Store, run: int, *, is_open: bool) -> None:
        from hutch.store.batches.compacting import Compaction

        compaction = Compaction(store, run, is_open=is_open)
        steps = compaction.steps()
        try:
            self._take(steps)
        finally:
            steps.close()
        if compaction.damaged and run not in self._damaged:
            self._damaged.add(run)
            logger.warning("Batches of run number %d stay as they are: %s", run, compaction.damaged[0])

    def _take(self, steps: Generator[None, None, None]) -> None:
        """Take steps, and rest after each, as long as there is time."""
        begin = time.monotonic()
        for _ in steps:
            rest_s = _REST_SHARE * (time.monotonic() - begin)
            with self._wake:
                self._wake.wait_for(
                    lambda: self._deadline is not None, min(max(rest_s, _SHORTEST_REST_S), _LONGEST_REST_S)
                )
            begin = time.monotonic()
            if self._deadline is not None and begin >= self._deadline:
                return

    def _look_around(self, store: Store) -> None:
        """Find what other processes have left: runs with many batches, and files that were replaced."""
        from hutch.store.batches.compacting import sweep, unmerged_runs

        sweep(store)
        if not self._has_looked:
            self._has_looked = True
            for run in unmerged_runs(store, _CROWDED)[0]:
                self._add(run, is_open=False)
