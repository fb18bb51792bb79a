"""A disk that is full: nothing raises into a scan, nothing is lost, and it goes on when there is room."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hutch
from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.errors import DocumentError, StoreError, StoreFullError
from hutch.recording import Recorder, finish
from hutch.recording.events.paging import page_events
from hutch.recording.importing.document_files import read_documents
from hutch.recording.importing.importer import import_file
from hutch.store import open_store

from . import killed_worker as worker

DISK_BYTES = 2 * 2**20
LONGEST_WAIT_S = 30.0


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """The folder of rescued documents, on another disk than the store."""
    folder = tmp_path / "spool"
    monkeypatch.setenv("HUTCH_SPOOL", str(folder))
    return folder


@pytest.fixture
def disk(needs_tmpfs):
    return needs_tmpfs(DISK_BYTES)


@pytest.fixture
def store(disk, spool):
    found = open_store(disk / "store")
    yield found
    finish(found)
    found.close()


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


def begin(recorder, uid="run-1-1"):
    recorder("start", worker.start_of(uid))
    recorder("descriptor", worker.descriptor_of(uid))


def events_of(catalog, uid="run-1-1"):
    return [document for name, document in catalog[uid].documents(fill="no") if name == "event"]


def expected(count, uid="run-1-1"):
    return [worker.event_of(uid, number) for number in range(1, count + 1)]


def wait_for(condition):
    """Wait until something has happened in the background."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        os.sched_yield()


def record_on_a_full_disk(store, disk, large=False):
    """Record a run whose disk fills up after its start; return how many events it has, and the ballast."""
    recorder = Recorder(store)
    begin(recorder)
    recorder("event", worker.event_of("run-1-1", 1))
    wait_for(lambda: store.batches(store.runs()[0].id))
    ballast = fill(disk)
    if large:
        recorder("event_page", worker.page_of("run-1-1", 2, worker.LARGE_PAGE))
    count = 1 + (worker.LARGE_PAGE if large else 0)
    for number in range(count + 1, count + 2001):
        recorder("event", worker.event_of("run-1-1", number))
    recorder("stop", worker.stop_of("run-1-1", count + 2000))
    return count + 2000, ballast


@pytest.mark.parametrize("large", [False, True], ids=["in the database", "in files"])
def test_the_same_process_goes_on_when_there_is_room(disk, store, spool, caplog, large):
    with caplog.at_level(logging.CRITICAL):
        count, ballast = record_on_a_full_disk(store, disk, large)
        assert len(files_in(spool)) == 1
        assert Catalog(store)["run-1-1"].stop is None
        ballast.unlink()
        disk_has_room(disk)
        wait_for(lambda: store.runs()[0].stop is not None)

    wait_for(lambda: not files_in(spool))
    assert events_of(Catalog(store)) == expected(count)
    assert verify(store).is_sound
    assert not [record for record in caplog.records if "only in the memory" in record.message]


def test_what_waits_for_room_is_in_a_file_long_before_the_run_ends(disk, store, spool, caplog):
    with caplog.at_level(logging.CRITICAL):
        recorder = Recorder(store)
        begin(recorder)
        recorder("event", worker.event_of("run-1-1", 1))
        wait_for(lambda: store.batches(store.runs()[0].id))
        ballast = fill(disk)
        for number in range(2, 2002):
            recorder("event", worker.event_of("run-1-1", number))
        wait_for(lambda: rescued_events(spool) == expected(2001)[1:])
        ballast.unlink()
        wait_for(lambda: not files_in(spool))
        recorder("stop", worker.stop_of("run-1-1", 2001))
    assert events_of(Catalog(store)) == expected(2001)


def files_in(spool):
    return sorted(spool.glob("*.jsonl"))


def rescued_events(spool):
    """Return the events that are in files of the spool."""
    documents = [item for path in files_in(spool) for item in read_documents(path, spooled=True)]
    events = [
        page_events(document) if name == "event_page" else [document]
        for name, document in documents
        if name in ("event", "event_page")
    ]
    return [event for page in events for event in page]


def disk_has_room(disk):
    """Let a small disk hold what the tests with large pages record."""
    subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True, timeout=10)


@pytest.mark.parametrize("large", [False, True], ids=["in the database", "in files"])
def test_what_was_rescued_is_imported_by_another_process(disk, tmp_path, spool, caplog, large):
    program = """
import os, sys
sys.path.insert(0, os.environ["TESTS"])
from pathlib import Path
from tests.system import test_faults_disk as tests
from hutch.store import open_store
disk = Path(sys.argv[1])
count, _ = tests.record_on_a_full_disk(open_store(disk / "store"), disk, sys.argv[2] == "True")
print(count, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(disk), str(large)],
        env={**os.environ, "TESTS": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "or do it by hand: hutch import" in done.stderr
    assert "Traceback" not in done.stderr
    (rescued,) = files_in(spool)
    (disk / "ballast").unlink()
    disk_has_room(disk)

    store = open_store(disk / "store")
    assert Catalog(store)["run-1-1"].status == "interrupted"
    for _ in range(2):
        imported = import_file(store, rescued)
        assert imported.quarantined == 0
    catalog = Catalog(store)
    assert catalog["run-1-1"].status == "success"
    assert events_of(catalog) == expected(int(done.stdout))
    assert [name for name, _ in catalog["run-1-1"].documents(fill="no")][:2] == ["start", "descriptor"]
    assert verify(store).is_sound
    store.close()


def test_no_run_starts_on_a_full_disk(disk, store, spool):
    recorder = Recorder(store)
    begin(recorder, "run-1-0")
    recorder("stop", worker.stop_of("run-1-0", 0))
    ballast = fill(disk)

    with pytest.raises(StoreFullError, match="is full: nothing more can be recorded until there is room"):
        # Some starts may fit into what the database has left of its last page.
        for number in range(1, 2000):
            recorder("start", worker.start_of(f"run-1-{number}"))

    ballast.unlink()
    begin(recorder, "run-2-1")
    recorder("event", worker.event_of("run-2-1", 1))
    recorder("stop", worker.stop_of("run-2-1", 1))
    assert events_of(Catalog(store), "run-2-1") == expected(1, "run-2-1")
    assert verify(store).is_sound


def test_documents_without_a_place_are_kept_though_the_disk_is_full(disk, store, spool):
    recorder = Recorder(store)
    begin(recorder)
    fill(disk)
    odd = {**worker.event_of("run-1-1", 1), "descriptor": "nobody", "odd": float("nan"), "odder": 1j}
    for number in range(500):
        recorder("event", {**odd, "uid": str(number)})

    kept = len(store.quarantined())
    (file,) = spool.glob("quarantine.*")
    aside = len(file.read_bytes().splitlines())
    assert aside > 0
    assert kept + aside == 500


def test_a_run_that_can_be_kept_nowhere_stays_in_memory(disk, store, monkeypatch, caplog):
    monkeypatch.setenv("HUTCH_SPOOL", str(disk / "spool"))
    count, ballast = record_on_a_full_disk(store, disk)
    assert "is only in the memory of this process" in caplog.text
    ballast.unlink()
    disk_has_room(disk)

    wait_for(lambda: store.runs()[0].stop is not None)
    assert events_of(Catalog(store)) == expected(count)


def test_a_strict_recorder_tells_that_the_disk_is_full(disk, store, spool):
    recorder = Recorder(store, strict=True)
    begin(recorder)
    fill(disk)

    with pytest.raises(StoreFullError, match="is full"):
        for number in range(1, 3000):
            recorder("event", worker.event_of("run-1-1", number))


def test_a_store_that_is_removed_meanwhile_costs_no_data(tmp_path, spool):
    store = open_store(tmp_path / "store")
    recorder = Recorder(store)
    begin(recorder)
    (tmp_path / "store").rename(tmp_path / "moved")
    for number in range(1, 51):
        recorder("event", worker.event_of("run-1-1", number))
    recorder("event", {"uid": "odd", "descriptor": "nobody"})
    recorder("stop", worker.stop_of("run-1-1", 50))
    with pytest.raises(StoreError, match="removed or replaced"):
        recorder("start", worker.start_of("run-1-2"))
    finish(store)
    store.close()

    files = files_in(spool)
    assert len(files) == 2
    with hutch.open_catalog(tmp_path / "moved") as catalog:
        for file in files:
            import_file(catalog.store, file)
        assert events_of(catalog) == expected(50)
        assert catalog["run-1-1"].status == "success"
        assert [row.kind for row in catalog.store.quarantined()] == ["event"]
        with pytest.raises(DocumentError, match="nobody"):
            catalog.recorder(strict=True)("event", {"uid": "odd", "descriptor": "nobody"})
