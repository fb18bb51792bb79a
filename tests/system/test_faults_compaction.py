"""Compaction that is killed, watched, doubled, or has no room: no event is lost, doubled or changed."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import subprocess
import sys
import threading
import time

import pytest

from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.errors import StoreFullError
from hutch.recording import Recorder, finish
from hutch.store import open_store
from hutch.store.batches.compacting import Compaction, sweep

from . import compacting_worker as worker
from .test_faults_kill import Nursery

ON_EACH_DATABASE = True

KILLS = 25
MOST_KILLS = 75
LONGEST_LIFE_S = 0.5
LONGEST_WAIT_S = 30.0
LOOKS = 12


def events_of(store, uid="run"):
    return [document for name, document in Catalog(store)[uid].documents(fill="no") if name == "event"]


def expected(count, uid="run"):
    return [worker.event_of(uid, number) for number in range(1, count + 1)]


def assert_sound(store):
    """See that nothing is wrong but files that no batch names."""
    verification = verify(store)
    assert verification.is_sound, verification.errors
    names = {path.relative_to(store.files).as_posix() for path in store.files.rglob("*.arrow")}
    named = {batch.file for row in store.runs() for batch in store.batches(row.id)} - {None}
    assert named <= names


def files_of(store):
    return sorted(path for path in store.files.rglob("*") if path.is_file())


def wait_for(condition):
    """Wait until something has happened in the background."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        os.sched_yield()


@pytest.fixture
def nursery():
    found = Nursery(worker.__file__)
    yield found
    found.close()


@pytest.mark.timeout(180)
def test_events_survive_the_death_of_a_compacting_process_at_any_moment(store_address, nursery):
    chance = random.Random(20240301)  # noqa: S311 - no secret
    merged = 0
    kill = 0
    # Lives are to be long enough to mean something, on a busy machine too.
    while kill < KILLS or merged <= KILLS // 10:
        assert kill < MOST_KILLS
        longest_s = LONGEST_LIFE_S * (1 + kill // KILLS)
        life = nursery.live(store_address, kill, chance.uniform(0.1, longest_s))
        kill += 1
        if not life.started:
            continue
        with contextlib.closing(open_store(store_address, create=False)) as found:
            (uid,) = life.started
            events = events_of(found, uid)
            assert events == expected(len(events), uid)
            # A strict recorder returns when an event is committed.
            assert len(events) >= life.safe_count(uid, 0.0)
            run = Catalog(found)[uid].row.id
            merged += len(found.batches(run)) < len(events) // 2
    with contextlib.closing(open_store(store_address)) as found:
        assert_sound(found)
        before = {row.uid: events_of(found, row.uid) for row in found.runs()}
        for row in found.runs():
            worker.compact(found, row.id)
            assert len(found.batches(row.id)) <= 10
        assert_sound(found)
        assert {uid: events_of(found, uid) for uid in before} == before


class Reader:
    """A program that reads a run again and again until it has ended."""

    def __init__(self, address):
        self._process = subprocess.Popen(
            [sys.executable, worker.__file__, "read", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.rows: list[int] = []
        """How many it has seen at each look."""
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self):
        self.rows.extend(map(int, self._process.stdout))

    def end(self, timeout_s):
        """Wait until it has seen the end; return what it complained of."""
        try:
            self._listening.join(timeout_s)
            return self._process.communicate(timeout=1)[1]
        finally:
            self._process.kill()


@pytest.mark.timeout(120)
def test_who_reads_meanwhile_sees_all_events_in_order(store, store_address):
    chance = random.Random(20240302)  # noqa: S311 - no secret
    recorder = Recorder(store, strict=True)
    recorder("start", worker.start_of("run"))
    recorder("descriptor", worker.descriptor_of("run"))
    run = store.runs()[0].id
    readers = [Reader(store_address) for _ in range(2)]
    count, deadline = 0, time.monotonic() + LONGEST_WAIT_S
    while min(len(reader.rows) for reader in readers) < LOOKS and time.monotonic() < deadline:
        for _ in range(chance.choice((5, 20, 80))):
            count += 1
            recorder("event", worker.event_of("run", count))
        if chance.random() < 0.3 and count < 15 * worker.PAGE:
            recorder("event_page", worker.page_of("run", count + 1, worker.PAGE))
            count += worker.PAGE
        worker.compact(store, run)
        sweep(store, grace_s=0.0)
    recorder("stop", worker.stop_of("run", count))

    assert [reader.end(60) for reader in readers] == ["", ""]
    assert [reader.rows[-1] for reader in readers] == [count, count]
    assert min(len(reader.rows) for reader in readers) > LOOKS
    finish(store)
    assert_sound(store)


def test_processes_that_compact_the_same_run_leave_each_event_once(store, store_address):
    count = record_unmerged(store, 800, pages=5)
    programs = [
        subprocess.Popen(
            [sys.executable, worker.__file__, "compact", store_address],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    errors = [program.communicate(timeout=60)[1] for program in programs]

    assert errors == [""] * 3
    assert [program.returncode for program in programs] == [0] * 3
    worker.compact(store, 1)
    assert len(store.batches(1)) <= 10
    assert events_of(store) == expected(count)
    assert_sound(store)


def record_unmerged(store, count, pages=0):
    """Record a run whose batches nobody merges; return how many events it has."""
    recorder = Recorder(store, strict=True)
    recorder._committer._compactor._end()
    recorder("start", worker.start_of("run"))
    recorder("descriptor", worker.descriptor_of("run"))
    for number in range(1, count + 1):
        recorder("event", worker.event_of("run", number))
    for _ in range(pages):
        recorder("event_page", worker.page_of("run", count + 1, worker.PAGE))
        count += worker.PAGE
    recorder("stop", worker.stop_of("run", count))
    finish(store)
    return count


# a full disk

DISK_BYTES = 16 * 2**20


@pytest.mark.parametrize(("single", "pages"), [(600, 0), (0, 6)], ids=["in the database", "in files"])
def test_a_full_disk_leaves_all_as_it_was(needs_tmpfs, single, pages):
    disk = needs_tmpfs(DISK_BYTES)
    store = open_store(disk / "store")
    count = record_unmerged(store, single, pages)
    before = store.batches(1)
    ballast = fill(disk)

    with pytest.raises(StoreFullError, match="is full"):
        worker.compact(store, 1)

    assert store.batches(1) == before
    assert len(files_of(store)) == pages
    assert events_of(store) == expected(count)
    ballast.unlink()
    worker.compact(store, 1)
    assert len(store.batches(1)) == 1
    assert events_of(store) == expected(count)
    assert_sound(store)
    store.close()


def test_recording_goes_on_though_there_is_no_room_to_compact(needs_tmpfs, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    disk = needs_tmpfs(DISK_BYTES)
    store = open_store(disk / "store")
    recorder = Recorder(store)
    recorder("start", worker.start_of("run"))
    recorder("descriptor", worker.descriptor_of("run"))
    # Some room, but not for all of it twice.
    for page in range(8):
        recorder("event_page", worker.page_of("run", 1 + page * worker.PAGE, worker.PAGE))
        recorder.flush()
    count = 8 * worker.PAGE
    with caplog.at_level(logging.WARNING):
        recorder("stop", worker.stop_of("run", count))
        wait_for(lambda: "Batches could not be merged, which is tried again later" in caplog.text)
        recorder("start", worker.start_of("other"))
        recorder("descriptor", worker.descriptor_of("other"))
        for number in range(1, 101):
            recorder("event", worker.event_of("other", number))
        recorder("stop", worker.stop_of("other", 100))

    assert len(caplog.records) == 1
    assert events_of(store) == expected(count)
    assert events_of(store, "other") == expected(100, "other")
    assert_sound(store)
    finish(store)
    store.close()


def fill(disk):
    """Leave no room on a disk; return the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def test_a_power_cut_does_not_bring_back_rows_of_deleted_files(tmp_path, monkeypatch):
    """What was replaced is on the disk before old files go: they are deleted after a sync only."""
    store = open_store(tmp_path / "store")
    record_unmerged(store, 0, pages=4)
    worker.compact(store, 1)
    files = len(files_of(store))
    order = []
    monkeypatch.setattr(type(store), "sync", lambda self: order.append(len(files_of(self))))

    sweep(store, grace_s=0.0)

    assert order == [files]
    assert len(files_of(store)) == 1
    store.close()


def test_an_interrupted_compaction_leaves_nothing_behind(tmp_path):
    store = open_store(tmp_path / "store")
    count = record_unmerged(store, 0, pages=4)
    before = files_of(store)
    working = Compaction(store, 1, is_open=False).steps()
    next(working)
    working.close()
    assert files_of(store) == before
    assert events_of(store) == expected(count)
    store.close()


def test_who_verifies_meanwhile_finds_nothing_wrong(store, store_address):
    other = open_store(store_address)
    recorder = Recorder(store, strict=True)
    recorder("start", worker.start_of("run"))
    recorder("descriptor", worker.descriptor_of("run"))
    is_over = threading.Event()

    def record():
        count = 0
        while not is_over.is_set():
            for _ in range(40):
                count += 1
                recorder("event", worker.event_of("run", count))
            if count < 20 * worker.PAGE:
                recorder("event_page", worker.page_of("run", count + 1, worker.PAGE))
                count += worker.PAGE
            worker.compact(store, 1)
            sweep(store, grace_s=0.0)

    recording = threading.Thread(target=record)
    recording.start()
    try:
        found = [verify(other) for _ in range(60)]
    finally:
        is_over.set()
        recording.join(timeout=60)
    assert [error for verification in found for error in verification.errors] == []
    assert found[-1].events > found[0].events
    finish(store)
    other.close()
