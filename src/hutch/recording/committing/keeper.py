"""The thread that puts aside what the store cannot take, so that it survives the death of the process.

It writes nothing as long as the store works. Each run that the store does not take has a file in the
spool, to which is appended what arrives, as punctually as it would be committed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from hutch.errors import StoreError
from hutch.recording.committing.run_writer import RunWriter

__all__ = ["Keeper"]

logger = logging.getLogger("hutch.recording")

_APPEND_S = 0.05
"""Seconds that documents wait for others to be appended with."""

_SYNC_S = 0.5
"""Seconds after which what is in the spool is put onto the disk."""

_OVERDUE_S = 1.0
"""Seconds after which what waits for a commit that does not end is put aside."""

_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Keeper:
    """Keeps the runs of one store.

    :param mark: of the store, see :func:`hutch.recording.spooling.spool.mark_of`.
    :param runs: the open ones; somebody else changes them, and calls :meth:`look`.
    :param on_trouble: called when a run fails.
    :ivar failing: runs that the store does not take, or not all of it yet.
    """

    def __init__(self, mark: str, runs: Mapping[str, RunWriter], on_trouble: Callable[[], None]) -> None:
        self.failing: dict[RunWriter, _Aside] = {}
        self._mark = mark
        self._runs = runs
        self._on_trouble = on_trouble
        self._news = threading.Condition()
        self._stopping = False

    def look(self) -> None:
        """See whether there is something to do."""
        with self._news:
            self._news.notify()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self.look()

    def keep_forever(self) -> None:
        """Work until :meth:`stop`."""
        synced_at = 0.0
        while not self._stopping:
            with self._news:
                while not self._stopping and not self.failing and not self._overdue():
                    self._news.wait(_OVERDUE_S if self._runs else None)
            time.sleep(_APPEND_S)
            is_due = time.monotonic() >= synced_at + _SYNC_S
            for run in {*self.failing, *self._overdue()}:
                self.put_aside(run, run.failure, sync=is_due)
            if is_due:
                synced_at = time.monotonic()

    def put_aside(self, run: RunWriter, error: StoreError | None, *, sync: bool = False) -> None:
        """Append to the spool what a run has and the store did not take.

        :param error: why; None if a commit is still going on.
        :param sync: put it onto the disk as well.
        """
        with self._news:
            aside = self.failing.get(run) or _Aside()
            is_new = error is not None and run not in self.failing
            if is_new:
                run.failure = run.failure or error
                self.failing[run] = aside
                self._news.notify()
        if is_new:
            self._on_trouble()
        if run.pace is not None or time.monotonic() < aside.due:
            return
        try:
            run.put_aside(self._mark)
            if sync:
                run.sync_spool()
        except OSError as second:
            aside.failed(run, error, second)
            return
        aside.succeeded(run, error)

    def forget(self, run: RunWriter) -> bool:
        """Note that the store has taken a run, if it has; tell whether it failed to before."""
        with self._news:
            was_failing = run.failure is None and self.failing.pop(run, None) is not None
        if was_failing:
            logger.warning("Run %s is stored now", run.row.uid)
        return was_failing

    def _overdue(self) -> list[RunWriter]:
        """Return the open runs if a commit takes so long that it may never end."""
        limit = time.monotonic() - _OVERDUE_S
        runs = list(self._runs.values())
        is_stuck = any(run.trying_since is not None and run.trying_since < limit for run in runs)
        return runs if is_stuck else []


class _Aside:
    """How the spool takes what a run has, and what was said of it.

    :ivar due: when to try it again after it failed, by ``time.monotonic()``.
    """

    def __init__(self) -> None:
        self.due = 0.0
        self._pause_s = _PAUSE_S
        self._said = ""

    def failed(self, run: RunWriter, error: StoreError | None, second: OSError) -> None:
        """Note that it took nothing; it is tried seldomer and seldomer."""
        self.due = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if self._said != "failed":
            self._said = "failed"
            logger.critical(
                "Run %s is only in the memory of this process (%s; %s). Make room before you leave it.",
                run.row.uid,
                error or "a commit does not end",
                second,
            )

    def succeeded(self, run: RunWriter, error: StoreError | None) -> None:
        """Note that it took what there was."""
        self.due, self._pause_s = 0.0, _PAUSE_S
        if self._said != "succeeded" and run.spooled is not None:
            self._said = "succeeded"
            logger.error(
                "%s What arrives of run %s waits in %s until it can be stored.",
                error or f"The store {run.store.location!r} has not answered for {_OVERDUE_S:g} s.",
                run.row.uid,
                run.spooled,
            )
