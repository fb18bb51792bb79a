"""SIGTERM in commands: what was begun is put in order first, as after Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["heed_sigterm", "is_termination"]


class _Terminated(KeyboardInterrupt):
    """The process was told to end."""


@contextmanager
def heed_sigterm() -> Iterator[None]:
    """Have SIGTERM do within this what Ctrl-C does, unless it is ignored altogether."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_termination(error: BaseException | None) -> bool:
    """Tell whether an error, or what it came from, is SIGTERM and not Ctrl-C."""
    return isinstance(error, _Terminated) or (error is not None and is_termination(error.__cause__))


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated
