"""The monitor at work: cycle after cycle until somebody says stop, or once over one source."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from hutch.errors import ConfigurationError
from hutch.monitor.sources import Sighting
from hutch.monitor.working.cycle import Monitor, Report

__all__ = ["alone_in", "check_writable", "make_once", "run", "wait_for"]

_LEAST_S = 0.5
"""When watchers say at once that there is something, cycles begin at least so far apart."""
_TURN_S = 0.25
"""Of several watchers each is asked for so long, in turn."""
_MOST_ONCE = 5
"""What fails for a reason that may pass is tried so often when plots are made once."""


def run(
    monitor: Monitor,
    interval_s: float,
    *,
    wait: Callable[[float], None] = time.sleep,
    told: Callable[[Report], None] = lambda report: None,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Do cycles, each ``interval_s`` after the one before began, or at once if it is behind.

    :param wait: waits for so many seconds, or until there is something to do.
    :param told: called with what each cycle did.
    :param is_over: asked after each cycle whether it was the last.
    """
    while True:
        report = monitor.cycle()
        told(report)
        if is_over():
            return
        if not report.is_behind:
            wait(max(interval_s - report.seconds, 0.0))


def wait_for(watchers: Sequence[Any]) -> Callable[[float], None]:
    """Return what waits until one of the watchers says that there is something, if any can say so.

    :param watchers: those that can have ``wait(timeout_s)``, which returns whether there is something.
    """
    waiters = [watcher.wait for watcher in watchers if hasattr(watcher, "wait")]

    def wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        time.sleep(seconds if not waiters else min(_LEAST_S, seconds))
        for waiter in cycle(waiters):
            left = end - time.monotonic()
            if left <= 0 or waiter(left if len(waiters) == 1 else min(_TURN_S, left)):
                return

    return wait


def make_once(monitor: Monitor, sighting: Sighting) -> Report:
    """Make the plots of one source as it is now, and return what came of it.

    What fails for a reason that may pass is tried again a few times.
    """
    report = monitor.cycle([sighting])
    tried = 1
    while True:
        passing = any(failure.is_passing for failure in report.failures.values())
        if not report.is_behind and (not passing or tried == _MOST_ONCE):
            return report
        tried += not report.is_behind
        report = monitor.cycle()


def check_writable(out: Path) -> None:
    """Refuse a folder that cannot be written to; it is made.

    :raises ConfigurationError: saying why.
    """
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Be the only monitor that writes into a folder, which is made.

    :raises ConfigurationError: if there is another, or the folder cannot be written to.
    """
    folder = out / ".hutch-monitor"
    with _writing(out):
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"Another monitor writes into {str(out)!r}. Stop it first, or name another folder with -o."
            raise ConfigurationError(msg) from error
        yield
    finally:
        os.close(number)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"Pictures cannot be written into {str(out)!r}: {error.strerror}. Name another folder with -o."
        raise ConfigurationError(msg) from error
