"""Amendments and deletions that are stopped at any moment: each run is whole, or gone with its tombstone."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import hutch
from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.recording import Recorder
from hutch.store import Store, open_store
from hutch.store.batches.compacting import sweep

from . import care_worker
from . import killed_worker as recorded
from .test_faults_kill import Life, Nursery

RUNS = 60
LARGE = (0, 1, 2)
"""Runs, one of each fate, that have a batch in a file."""
KILLS = 16
LONGEST_LIFE_S = 0.06
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass
class Place:
    """A store, and what was recorded into it."""

    address: str
    documents: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    """By uid."""

    def restore(self, store: Store) -> None:
        """Record again what was deleted."""
        recorder = Recorder(store)
        for uid in self.documents.keys() - set(store.run_uids()):
            for name, document in self.documents[uid]:
                recorder(name, document)
        recorder.close()

    @contextlib.contextmanager
    def open(self) -> Iterator[Store]:
        """Open the store once more."""
        with contextlib.closing(open_store(self.address, create=False)) as store:
            yield store


def record(store: Store, number: int) -> str:
    """Record one of the runs."""
    uid = f"run-{number}-x"
    fate = ("keep", "delete", "retain")[number % 3]
    recorder = Recorder(store)
    more = {"fate": fate, "typo": 1, "sample": {"name": "S", "tags": ["a", number]}}
    recorder("start", {**recorded.start_of(uid), **more})
    recorder("descriptor", recorded.descriptor_of(uid))
    count = recorded.LARGE_PAGE if number in LARGE else number
    if count:
        recorder("event_page", recorded.page_of(uid, 1, count))
    recorder("stop", recorded.stop_of(uid, count))
    recorder.close()
    return uid


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path) -> Place:
    address = str(tmp_path / "store")
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres_address")
    found = Place(address)
    with contextlib.closing(open_store(address)) as store:
        catalog = Catalog(store)
        for number in range(RUNS):
            uid = record(store, number)
            found.documents[uid] = list(catalog[uid].documents(fill="no"))
        catalog.retention.set("old", older_than_days=1, where={"fate": "retain"})
    return found


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    found = Nursery(care_worker.__file__)
    yield found
    found.close()


def check(place: Place, store: Store) -> None:
    """Check that every run is whole, or gone and told of."""
    catalog = Catalog(store)
    stones = {stone.uid: stone for stone in catalog.deleted}
    for uid, documents in place.documents.items():
        count = sum(name == "event" for name, _ in documents)
        if uid not in catalog:
            assert (stones[uid].events, stones[uid].documents) == (count, len(documents) - count)
        elif count < recorded.LARGE_PAGE:
            assert list(catalog[uid].documents(fill="no")) == documents
        else:
            assert catalog[uid].count_rows() == {"primary": count}
    found = verify(store)
    assert found.errors == []
    named = {batch.file for row in store.runs() for batch in store.batches(row.id)} - {None}
    on_disk = {path.relative_to(store.files).as_posix() for path in store.files.rglob("*.arrow")}
    assert named <= on_disk
    assert on_disk - named == set(store.discarded(2.0**40))


def kill_again_and_again(
    nursery: Nursery, place: Place, task: Callable[[int], str], look: Callable[[Store, Life], None]
) -> list[Life]:
    """Kill a worker at random moments; check the store after each."""
    chance = random.Random(20240229)
    lives = []
    for number in range(KILLS):
        kill = SIGNALS[number % len(SIGNALS)]
        life = nursery.live(place.address, task(number), chance.uniform(0, LONGEST_LIFE_S), kill)
        lives.append(life)
        with place.open() as store:
            check(place, store)
            look(store, life)
            if "complete" in life.lines:
                place.restore(store)
    return lives


def told(life: Life, word: str) -> list[str]:
    return [line.split()[1] for line in life.lines if line.startswith(f"{word} ")]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("word", ["delete", "retain"])
def test_a_deletion_that_is_killed_leaves_whole_runs_and_tombstones(place, nursery, word):
    def look(store: Store, life: Life) -> None:
        catalog = Catalog(store)
        assert not [uid for uid in told(life, "deleted") if uid in catalog]
        assert {run.start["fate"] for run in catalog.values()} >= {"delete", "retain", "keep"} - {word}

    lives = kill_again_and_again(nursery, place, lambda _: word, look)
    # The lives were long enough to mean something.
    assert sum(0 < len(told(life, "deleted")) for life in lives) >= 3

    with place.open() as store:
        catalog = Catalog(store)
        fated = [run for run in catalog.values() if run.start["fate"] == word]
        plan = catalog.plan_deletion(fated) if word == "delete" else catalog.retention.plan()
        result = plan.execute("a test")
        assert (len(result.deleted), result.gone, result.spared) == (len(fated), [], {})
        assert len(catalog) == RUNS * 2 // 3
        sweep(store, grace_s=-1.0)
        check(place, store)
        assert store.discarded(2.0**40) == []


@pytest.mark.timeout(180)
def test_an_amendment_that_is_killed_is_made_or_not(place, nursery):
    def look(store: Store, life: Life) -> None:
        for run in Catalog(store).values():
            history = run.amendments
            value = run.start.get("value")
            assert history == [] if value is None else history[-1].reason == f"value {value}"
            expected = dict(run.original_start)
            if value is not None:
                del expected["typo"]
                expected |= {"value": value, "sample": {**expected["sample"], "name": f"S{value}"}}
            assert run.start == expected
            if run.uid in told(life, "amended"):
                assert f"amend-{value}" == tasks[-1]

    tasks = []

    def task(number: int) -> str:
        tasks.append(f"amend-{number}")
        return tasks[-1]

    lives = kill_again_and_again(nursery, place, task, look)
    assert sum(0 < len(told(life, "amended")) < RUNS for life in lives) >= 3


def test_a_run_is_recorded_while_others_are_deleted(place, nursery):
    with hutch.open_catalog(place.address) as catalog:
        nursery._process.stdin.write(f"{place.address} delete\n".encode())
        nursery._process.stdin.flush()
        word, pid = next(nursery._lines(10.0)).split()
        assert word == "pid"
        lines = []
        with catalog.start_run(plan_name="meanwhile", fate="keep") as run:
            while "complete" not in lines:
                run.add("primary", {"x": float(len(lines))})
                lines += list(nursery._lines(0.01))
        os.kill(int(pid), signal.SIGKILL)
        assert catalog[-1].status == "success"
        assert len(catalog) == RUNS - RUNS // 3 + 1
        assert verify(catalog.store).errors == []
