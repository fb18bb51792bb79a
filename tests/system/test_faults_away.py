"""A store that is away for a while: the scan goes on, nothing is lost or doubled, memory stays bounded."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.errors import StoreError
from hutch.recording import Recorder, finish
from hutch.recording.committing.committer import Committer
from hutch.recording.events.paging import page_events
from hutch.recording.importing.document_files import read_documents
from hutch.store import open_store

from . import away_worker
from . import killed_worker as worker
from .test_faults_disk import disk_has_room
from .test_faults_round_trip import assert_same, events_apart

LONGEST_WAIT_S = 30.0
KILLS = 50
PROMISED_S = 0.15
"""A document of this age is in the store or in the spool: the promise is 0.1 s, the rest for pipes."""
STARVED = 3
"""Kills of all at which a busy machine may have kept the threads waiting for longer."""


@pytest.fixture(autouse=True)
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def store(tmp_path):
    found = open_store(tmp_path / "store")
    yield found
    finish(found)
    found.close()


@contextlib.contextmanager
def away(store):
    """Take a store away, and bring it back."""
    folder = Path(store.location)
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(folder)


def wait_for(condition):
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def files_in(spool):
    return sorted(spool.glob("*.jsonl"))


def spooled(spool):
    """Return the documents in the spool, pages as their events."""
    found = [item for path in files_in(spool) for item in read_documents(path, spooled=True)]
    return [
        ("event", event) if name == "event_page" else (name, document)
        for name, document in found
        for event in (page_events(document) if name == "event_page" else [None])
    ]


def take_in(store, spool):
    """Have a recorder take in what a dead process left."""
    Recorder(store)
    taking_in = Committer.of(store)._taking_in
    if taking_in is not None:
        taking_in.join(timeout=LONGEST_WAIT_S)
    assert not files_in(spool)


def begin(recorder, uid="run-1-1"):
    recorder("start", worker.start_of(uid))
    recorder("descriptor", worker.descriptor_of(uid))
    return recorder._runs[uid]


def events_of(store, uid="run-1-1"):
    return [document for name, document in Catalog(store)[uid].documents(fill="no") if name == "event"]


def expected(count, uid="run-1-1"):
    return [worker.event_of(uid, number) for number in range(1, count + 1)]


def in_memory(run):
    backlog = run._backlog
    return sum(lot.count for lot in (*backlog._lots, *backlog._newer))


def is_put_aside(run):
    backlog = run._backlog
    is_in_file = backlog._lots and all(lot.place and not lot.is_taken for lot in backlog._lots)
    return not run.is_waiting and is_in_file and not backlog._newer


def test_a_long_outage_needs_little_memory(store, spool, monkeypatch):
    monkeypatch.setenv("HUTCH_SPOOL_MEMORY_BYTES", "1000000")
    recorder = Recorder(store)
    run = begin(recorder)
    most = 0
    with away(store):
        for number in range(1, 60_001):
            recorder("event", worker.event_of("run-1-1", number))
            # The oldest lot stays in memory whatever its size, so it is to be a small one.
            if number == 100 or number % 10_000 == 0:
                wait_for(lambda: is_put_aside(run))
                most = max(most, in_memory(run))
        # Nearly all of it is in the file alone.
        assert len(spooled(spool)) == 60_002
        assert most < 10_000
    # It goes on while what was put aside comes back.
    for number in range(60_001, 62_001):
        recorder("event", worker.event_of("run-1-1", number))
    recorder("stop", worker.stop_of("run-1-1", 62_000))
    wait_for(lambda: store.runs()[0].stop is not None)

    wait_for(lambda: not files_in(spool))
    assert events_of(store) == expected(62_000)
    assert verify(store).is_sound
    assert in_memory(run) == 0


def test_a_slow_run_needs_little_memory_too(store, spool, monkeypatch):
    monkeypatch.setattr("hutch.recording.spooling.backlog._MOST_LOTS", 5)
    recorder = Recorder(store)
    run = begin(recorder)
    with away(store):
        for number in range(1, 41):
            recorder("event", worker.event_of("run-1-1", number))
            wait_for(lambda: not run.is_waiting)
        wait_for(lambda: len(spooled(spool)) == 42)
        assert in_memory(run) <= 12
    recorder("stop", worker.stop_of("run-1-1", 40))
    wait_for(lambda: store.runs()[0].stop is not None)
    assert events_of(store) == expected(40)
    wait_for(lambda: not files_in(spool))


def test_several_outages_in_one_run(store, spool):
    recorder = Recorder(store)
    begin(recorder)
    count = 0
    for outage in range(6):
        with away(store):
            for _ in range(200):
                count += 1
                recorder("event", worker.event_of("run-1-1", count))
            if outage % 2:
                wait_for(lambda: files_in(spool))
        for _ in range(200):
            count += 1
            recorder("event", worker.event_of("run-1-1", count))
        if outage > 3:
            wait_for(lambda: not files_in(spool))
    recorder("stop", worker.stop_of("run-1-1", count))
    wait_for(lambda: store.runs()[0].stop is not None)
    assert events_of(store) == expected(count)
    assert verify(store).is_sound


@pytest.fixture
def small_spool(needs_tmpfs, monkeypatch):
    """A spool on a disk that is soon full."""
    folder = needs_tmpfs(2**18) / "spool"
    monkeypatch.setenv("HUTCH_SPOOL", str(folder))
    monkeypatch.setenv("HUTCH_SPOOL_MEMORY_BYTES", "1")
    return folder


def record_until_the_spool_is_full(recorder, caplog):
    """Record into a store that is away; return how many events it has."""
    for number in itertools.count(1):
        recorder("event", worker.event_of("run-1-1", number))
        if number % 200 == 0:
            time.sleep(0.06)
            if number > 1000 and "is only in the memory of this process" in caplog.text:
                return number


def test_when_the_spool_is_full_too_the_rest_stays_in_memory(store, small_spool, caplog):
    recorder = Recorder(store)
    begin(recorder)
    with away(store):
        count = record_until_the_spool_is_full(recorder, caplog)
        for number in range(count + 1, count + 501):
            recorder("event", worker.event_of("run-1-1", number))
        recorder("stop", worker.stop_of("run-1-1", count + 500))
        there = len(spooled(small_spool))
        assert 0 < there < count + 500
    wait_for(lambda: store.runs()[0].stop is not None)

    wait_for(lambda: not files_in(small_spool))
    assert events_of(store) == expected(count + 500)
    assert caplog.text.count("is only in the memory of this process") == 1
    assert verify(store).is_sound


def test_a_spool_that_has_room_again_takes_what_is_in_memory(store, small_spool, caplog):
    recorder = Recorder(store)
    run = begin(recorder)
    with away(store):
        count = record_until_the_spool_is_full(recorder, caplog)
        disk_has_room(small_spool.parent)
        wait_for(lambda: len(spooled(small_spool)) == count + 2)
        wait_for(lambda: in_memory(run) < count // 2)
    recorder("stop", worker.stop_of("run-1-1", count))
    wait_for(lambda: not files_in(small_spool))
    assert events_of(store) == expected(count)


def test_one_run_ends_while_the_store_is_away_and_another_goes_on(store, spool):
    recorder = Recorder(store)
    begin(recorder, "run-1-1")
    begin(recorder, "run-1-2")
    with away(store):
        for number in range(1, 101):
            recorder("event", worker.event_of("run-1-1", number))
            recorder("event", worker.event_of("run-1-2", number))
        recorder("stop", worker.stop_of("run-1-1", 100))
        # The stop is there at once.
        assert ("stop", worker.stop_of("run-1-1", 100)) in spooled(spool)
        with pytest.raises(StoreError, match="removed or replaced"):
            recorder("start", worker.start_of("run-1-3"))
    wait_for(lambda: not files_in(spool))
    recorder("event", worker.event_of("run-1-2", 101))
    recorder("stop", worker.stop_of("run-1-2", 101))

    assert [run.status for run in Catalog(store).values()] == ["success", "success"]
    assert events_of(store, "run-1-1") == expected(100, "run-1-1")
    assert events_of(store, "run-1-2") == expected(101, "run-1-2")


def test_what_has_no_place_waits_for_the_quarantine(store, spool):
    recorder = Recorder(store)
    begin(recorder)
    odd = [{"uid": f"odd {number}", "descriptor": "nobody"} for number in range(700)]
    with away(store):
        for event in odd:
            recorder("event", event)
        recorder("event", None)
        recorder("gossip", {})
        assert store.location not in os.listdir(Path(store.location).parent)
        (file,) = spool.glob("quarantine.*")
        assert len(file.read_bytes().splitlines()) == 702
    wait_for(lambda: len(store.quarantined()) == 702)
    recorder("event", {"uid": "one more", "descriptor": "nobody"})

    wait_for(lambda: not list(spool.glob("quarantine.*")))
    rows = store.quarantined()
    assert [row.kind for row in rows] == ["event"] * 701 + ["gossip", "event"]
    assert rows[700].reason == "it is no dictionary"
    assert len(rows) == 703


def test_a_run_that_was_closed_meanwhile_is_let_go_when_the_store_is_back(store, spool):
    recorder = Recorder(store)
    begin(recorder)
    with away(store):
        recorder("event", worker.event_of("run-1-1", 1))
        recorder.close()
    assert Catalog(store)["run-1-1"].status in ("running", "interrupted")

    wait_for(lambda: Catalog(store)["run-1-1"].status == "interrupted")
    assert events_of(store) == expected(1)
    wait_for(lambda: not files_in(spool))


def test_a_run_that_was_closed_and_begun_again_meanwhile_is_not_let_go(store, spool):
    recorder = Recorder(store)
    begin(recorder)
    with away(store):
        recorder("event", worker.event_of("run-1-1", 1))
        recorder.close()
        begin(recorder)
        recorder("event", worker.event_of("run-1-1", 2))
    wait_for(lambda: not files_in(spool))
    assert Catalog(store)["run-1-1"].status == "running"
    recorder("event", worker.event_of("run-1-1", 3))
    recorder("stop", worker.stop_of("run-1-1", 3))
    assert Catalog(store)["run-1-1"].status == "success"
    assert events_of(store) == expected(3)


def test_a_process_that_ends_meanwhile_leaves_all_in_the_spool(tmp_path, spool):
    program = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.system import test_faults_away as tests
store = tests.open_store(sys.argv[1])
recorder = tests.Recorder(store)
tests.begin(recorder)
Path(store.location).rename(Path(store.location).with_name("elsewhere"))
for number in range(1, 1001):
    recorder("event", tests.worker.event_of("run-1-1", number))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "store"), str(Path(__file__).parents[2])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert "hutch import" in done.stderr
    (file,) = files_in(spool)
    assert ".free." in file.name
    (tmp_path / "elsewhere").rename(tmp_path / "store")

    with contextlib.closing(open_store(tmp_path / "store")) as store:
        take_in(store, spool)
        assert events_of(store) == expected(1000)
        assert Catalog(store)["run-1-1"].status == "interrupted"
        finish(store)


@contextlib.contextmanager
def stuck(store):
    """Keep everybody from writing, without any error, as a server that does not answer."""
    with contextlib.closing(
        sqlite3.connect(Path(store.location) / "hutch.db", isolation_level=None)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_what_waits_for_a_commit_that_does_not_end_is_put_aside(store, spool):
    recorder = Recorder(store)
    run = begin(recorder)
    wait_for(lambda: not run.has_backlog and not run.is_waiting)
    with stuck(store):
        for number in range(1, 301):
            recorder("event", worker.event_of("run-1-1", number))
            time.sleep(0.001)
        wait_for(lambda: len(spooled(spool)) == 302)
        for number in range(301, 401):
            recorder("event", worker.event_of("run-1-1", number))
        wait_for(lambda: len(spooled(spool)) == 402)
    wait_for(lambda: not files_in(spool))
    recorder("stop", worker.stop_of("run-1-1", 400))
    assert events_of(store) == expected(400)
    assert verify(store).is_sound


def test_the_end_of_a_run_does_not_wait_for_ever(store, spool):
    recorder = Recorder(store)
    run = begin(recorder)
    wait_for(lambda: not run.has_backlog and not run.is_waiting)
    with stuck(store):
        for number in range(1, 11):
            recorder("event", worker.event_of("run-1-1", number))
        wait_for(lambda: run.trying_since is not None)
        begun = time.monotonic()
        recorder("stop", worker.stop_of("run-1-1", 10))
        assert time.monotonic() - begun < 8
        assert spooled(spool)[-1] == ("stop", worker.stop_of("run-1-1", 10))
    wait_for(lambda: store.runs()[0].stop is not None)
    wait_for(lambda: not files_in(spool))
    assert events_of(store) == expected(10)


def test_a_commit_that_only_seemed_to_fail_is_not_done_twice(store, spool, monkeypatch):
    recorder = Recorder(store)
    run = begin(recorder)
    transaction = store.transaction
    failures = iter([True] * 3)

    @contextlib.contextmanager
    def doubtful():
        with transaction() as writer:
            yield writer
        if next(failures, False):
            raise StoreError("The connection was lost while it was committed.")

    monkeypatch.setattr(store, "transaction", doubtful)
    for number in range(1, 11):
        recorder("event", {**worker.event_of("run-1-1", number), "odd": True})
        wait_for(lambda: not run.is_waiting)
    recorder("stop", worker.stop_of("run-1-1", 10))
    wait_for(lambda: store.runs()[0].stop is not None)

    wait_for(lambda: not files_in(spool))
    assert [event["uid"] for event in events_of(store)] == [f"run-1-1/{number}" for number in range(1, 11)]
    assert {(mark.key, mark.count) for mark in store.marks(run.row.id)} == {("odd", 10)}
    assert verify(store).is_sound


class Nursery:
    """A program that bears recording processes, to be killed one after the other."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, away_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": root},
        )
        self._rest = b""

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def bear(self, *words: object) -> int:
        """Let a process record; return its id."""
        self._process.stdin.write(f"{' '.join(map(str, words))}\n".encode())
        self._process.stdin.flush()
        word, pid = next(self._lines(20.0)).split()
        assert word == "pid"
        return int(pid)

    def heard(self, for_s: float) -> list[tuple[int, float]]:
        """Return what it says for a while: how many documents it has given, and when."""
        pairs = (line.split() for line in self._lines(for_s))
        return [(int(number), float(when)) for number, when in pairs]

    def kill(self, pid: int) -> tuple[float, list[tuple[int, float]]]:
        """Kill it; return when, and what it said last."""
        os.kill(pid, signal.SIGKILL)
        when = time.monotonic()
        said = list(itertools.takewhile(lambda line: line != "gone", self._lines(20.0)))
        return when, [(int(line.split()[0]), float(line.split()[1])) for line in said]

    def _lines(self, for_s: float) -> Iterator[str]:
        deadline = time.monotonic() + for_s
        while True:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                yield line.decode()
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return
            self._rest += os.read(self._process.stdout.fileno(), 65536)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("memory_bytes", [20_000, 64_000_000], ids=["little memory", "enough memory"])
def test_kill_at_any_moment_while_the_store_is_away_costs_nothing(tmp_path, spool, monkeypatch, memory_bytes):
    monkeypatch.setenv("HUTCH_SPOOL_MEMORY_BYTES", str(memory_bytes))
    chance = random.Random(memory_bytes)
    nursery = Nursery()
    late = outside = 0
    store = open_store(tmp_path / "store")
    try:
        for kill in range(KILLS // 2):
            uid = f"run-1-{kill}"
            pid = nursery.bear(store.location, uid, kill)
            while not (said := nursery.heard(0.01)):
                pass
            with away(store):
                said += nursery.heard(chance.uniform(0, 0.3))
                if is_back := chance.random() < 0.25:
                    pass
                else:
                    killed_at, last = nursery.kill(pid)
            if is_back:  # and what was put aside is on its way into the store
                said += nursery.heard(chance.uniform(0.8, 1.4))
                killed_at, last = nursery.kill(pid)
            said += last
            outside += bool(files_in(spool))
            take_in(store, spool)

            found = list(Catalog(store)[uid].documents(fill="no"))
            given = list(itertools.islice(away_worker.documents_of(uid), said[-1][0] + 1))
            assert_same(found, events_apart(given)[: len(found)])
            safe = max((number for number, when in said if when < killed_at - PROMISED_S), default=0)
            late += len(found) < len(events_apart(given[:safe]))
            assert Catalog(store)[uid].status == "interrupted"
        assert store.quarantined() == []
        assert verify(store).is_sound
    finally:
        nursery.close()
        finish(store)
        store.close()
    assert late <= STARVED
    assert outside > KILLS // 5


def test_no_thread_is_left_when_it_is_over(tmp_path, spool):
    before = set(threading.enumerate())
    store = open_store(tmp_path / "store")
    recorder = Recorder(store)
    begin(recorder)
    with away(store):
        recorder("event", worker.event_of("run-1-1", 1))
        wait_for(lambda: files_in(spool))
    finish(store)
    store.close()
    assert Committer.working() == [] or all(found.store is not store for found in Committer.working())
    wait_for(lambda: not [one for one in set(threading.enumerate()) - before if one.name.startswith("hutch")])
