"""Waiting for a store that is away for a moment, where somebody has to have an answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from hutch.errors import StoreUnavailableError

__all__ = ["PATIENCE_S", "patiently"]

PATIENCE_S = float(os.environ.get("HUTCH_PATIENCE_S") or 5.0)
"""Seconds that the beginning of a run waits for a store that does not answer."""

_PAUSE_S = 0.1

_Answer = TypeVar("_Answer")


def patiently(ask: Callable[[], _Answer], patience_s: float = PATIENCE_S) -> _Answer:
    """Do something with a store that may be away for a moment.

    :returns: what that returns.
    :raises StoreUnavailableError: if the store does not answer for longer.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return ask()
        except StoreUnavailableError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)
