"""Catalogs in every database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import hutch
from hutch.catalogs import Catalog
from hutch.monitor.reading.run_sources import know_catalog


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    if request.param == "sqlite":
        place = str(request.getfixturevalue("tmp_path") / "store")
    else:
        place = request.getfixturevalue("postgres_address")
    with hutch.open_catalog(place) as found:
        # What reads through its address in this process needs no connection of its own.
        know_catalog(found.store.location, found)
        yield found
