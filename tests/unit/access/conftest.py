"""Who may do what, in a store of each database, with a clock that tests set."""

from __future__ import annotations

import pytest

import hutch.access


class Clock:
    """A time that stands still until somebody moves it."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def access(store, clock) -> hutch.access.Access:
    return hutch.access.Access(store, clock=clock)
