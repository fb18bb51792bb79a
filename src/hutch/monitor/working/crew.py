"""The worker processes, as the monitor sees them: it gives jobs and takes answers.

A worker that dies, or is killed because a call takes too long, is replaced at once; what it did when it died
tells whose fault that was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from hutch.errors import PluginError
from hutch.monitor.observing import Failure
from hutch.monitor.plugins.modules import Broken
from hutch.monitor.plugins.plot_finding import PlotInfo
from hutch.monitor.working.jobs import Call, Finished, Job, Ready, Setup
from hutch.monitor.working.worker import PRELOADED, run_worker

__all__ = ["BEGIN", "Crew", "Died", "default_workers"]

BEGIN = "begin"
"""What a worker is about that has not called anything yet."""

_MOST_BY_CHANCE = 2
"""So many workers may die while they load the same plug-in."""
_MOST_IN_A_ROW = 50
"""So many workers may die one after the other before they are ready."""


@dataclass(frozen=True, slots=True)
class Died:
    """A worker ended in the midst of a job.

    :ivar subject: the plot whose fault that was; empty if it was no plot's.
    """

    subject: str
    failure: Failure


class _Hand:
    """One worker process."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.job: Job | None = None
        self.call: Call | None = None
        self.since = time.monotonic()
        self.is_ready = False
        self.overdue_s: float | None = None

    @property
    def is_working(self) -> bool:
        return self.job is not None or not self.is_ready


class Crew:
    """Worker processes; they end when the context is left.

    :param count: how many.
    :param limit_s: how long one call of a plot may take, s.
    """

    def __init__(self, setup: Setup, count: int, limit_s: float) -> None:
        self.plots: dict[str, PlotInfo] = {}
        self.broken: list[Broken] = []
        self._setup = setup
        self._limit_s = limit_s
        self._hands: list[_Hand] = []
        self._deaths: list[str] = []
        """What workers were loading that died before they were ready, since one was."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        try:
            for _ in range(count):
                self._hands.append(self._start())
            while not all(hand.is_ready for hand in self._hands):
                for _ in self.answers(1.0):
                    pass
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._hands)

    def close(self) -> None:
        """End the workers, in the midst of what they do: what they keep, they keep in one step."""
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.connection.close()
        self._hands = []

    def is_free(self, number: int) -> bool:
        """Tell whether a worker has nothing to do."""
        return not self._hands[number].is_working

    def give(self, number: int, job: Job) -> None:
        """Give a job to a worker that is free."""
        hand = self._hands[number]
        hand.job, hand.call, hand.since = job, None, time.monotonic()
        # If it is dead, the next answer says so.
        with suppress(OSError):
            hand.connection.send(job)

    def answers(self, timeout_s: float) -> Iterator[tuple[int, Job, Any]]:
        """Wait for answers, and yield those that are there: which worker's, to which job, and what.

        :raises PluginError: if workers die again and again before they are ready.
        """
        by_connection = {hand.connection: number for number, hand in enumerate(self._hands)}
        limits = [self._limit_s - (time.monotonic() - hand.since) for hand in self._hands if hand.is_working]
        patience = max(min([timeout_s, *limits]), 0.0)
        for connection in wait(list(by_connection), patience):
            number = by_connection[connection]  # type: ignore[index]
            yield from self._receive(number)
        for hand in self._hands:
            took = time.monotonic() - hand.since
            if hand.is_working and took > self._limit_s and hand.overdue_s is None:
                hand.overdue_s = took
                hand.process.kill()

    def _receive(self, number: int) -> Iterator[tuple[int, Job, Any]]:
        hand = self._hands[number]
        try:
            while hand.connection.poll():
                answer = hand.connection.recv()
                hand.since = time.monotonic()
                job = hand.job
                if isinstance(answer, Call):
                    hand.call = answer
                elif isinstance(answer, Ready):
                    self._take_ready(hand, answer)
                elif job is not None:
                    if isinstance(answer, Finished):
                        hand.job = hand.call = None
                    yield number, job, answer
        except (EOFError, OSError):
            yield from self._bury(number)

    def _take_ready(self, hand: _Hand, ready: Ready) -> None:
        hand.is_ready, hand.call = True, None
        self._deaths = []
        self.plots = ready.plots
        self.broken = list(ready.broken)

    def _bury(self, number: int) -> Iterator[tuple[int, Job, Any]]:
        """Replace a worker that is dead, and yield whose fault it was."""
        hand = self._hands[number]
        hand.process.join()
        hand.connection.close()
        call = hand.call or Call("", BEGIN)
        failure = Failure(call.what, self._why(hand))
        if not hand.is_ready:
            self._leave_out(call, failure, is_overdue=hand.overdue_s is not None)
        self._hands[number] = self._start()
        if hand.job is not None:
            yield number, hand.job, Died(call.subject, failure)

    def _leave_out(self, call: Call, failure: Failure, *, is_overdue: bool) -> None:
        """Do without plug-ins that workers die of; once or twice it may be somebody else's deed."""
        self._deaths.append(call.subject)
        if len(self._deaths) > _MOST_IN_A_ROW:
            msg = f"A worker of the monitor cannot begin: {failure.sentence}"
            raise PluginError(msg)
        if call.subject and (is_overdue or self._deaths.count(call.subject) > _MOST_BY_CHANCE):
            sentence = f"The plug-ins in {call.subject!r} are left out: {failure.sentence}"
            left_out = (*self._setup.left_out, Broken(call.subject, sentence))
            self._setup = replace(self._setup, left_out=left_out)

    def _start(self) -> _Hand:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=run_worker, args=(theirs, self._setup), daemon=True)
        process.start()
        theirs.close()
        return _Hand(process, ours)

    def _why(self, hand: _Hand) -> str:
        """Say in one line how a worker ended."""
        if hand.overdue_s is not None:
            return (
                f"It took longer than {self._limit_s:g} s, and its process was killed; "
                "--limit-seconds sets how long it may."
            )
        code = hand.process.exitcode or 0
        if code >= 0:
            return f"Its process ended in the midst of it, with status {code}."
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        more = " (out of memory, or by somebody)" if -code == signal.SIGKILL else ""
        return f"Its process was killed by {name}{more}."


def default_workers() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
