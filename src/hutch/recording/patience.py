"""Waiting for a store that is away for a moment, where somebody has to have an answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from hutch.config import patience_s
from hutch.errors import StoreUnavailableError

__all__ = ["patiently"]

_PAUSE_S = 0.1

_Answer = TypeVar("_Answer")


def patiently(ask: Callable[[], _Answer], for_s: float | None = None) -> _Answer:
    """Do something with a store that may be away for a moment.

    :param for_s: how long to wait; else what is configured.
    :returns: what that returns.
    :raises StoreUnavailableError: if the store does not answer for longer.
    """
    deadline = time.monotonic() + (patience_s() if for_s is None else for_s)
    while True:
        try:
            return ask()
        except StoreUnavailableError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)
