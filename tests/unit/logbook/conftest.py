"""A logbook in a store of each database, with an experiment and a clock that tests set."""

from __future__ import annotations

import pytest

import hutch.catalogs
import hutch.logbook


class Clock:
    """A time that goes on by one second whenever somebody looks."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def book(store, clock) -> hutch.logbook.Logbook:
    """A logbook whose experiment ``xpp1`` is active at XPP."""
    found = hutch.logbook.Logbook(store, clock=clock)
    found.access.experiments.create("xpp1", instrument="XPP")
    found.access.experiments.activate("xpp1")
    for path in ("/bin/true", "/bin/false"):
        found.access.executables.allow(path)
    return found


@pytest.fixture
def catalog(store) -> hutch.catalogs.Catalog:
    return hutch.catalogs.Catalog(store)
