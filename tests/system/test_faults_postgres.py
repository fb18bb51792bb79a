"""A site's store in trouble: the server dies and returns, runs out of connections, owners die, clocks lie."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.errors import StoreError, StoreFullError, StoreUnavailableError
from hutch.recording import Recorder, finish
from hutch.recording.committing import leftovers
from hutch.recording.spooling import spool
from hutch.store import open_store
from hutch.store.locks import lock_number

from ..postgres import PostgresServer, Proxy
from . import killed_worker as worker
from .test_faults_kill import Life, Nursery, check_runs

LONGEST_WAIT_S = 60.0
EVENT_S = 0.001


@pytest.fixture(autouse=True)
def spool_folder(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "spool"
    monkeypatch.setenv("HUTCH_SPOOL", str(folder))
    return folder


@pytest.fixture
def store(postgres_address):
    found = open_store(postgres_address)
    yield found
    finish(found)
    found.close()


@pytest.fixture
def catalog(store):
    return hutch.catalogs.Catalog(store)


class Detector:
    """A thread that records one event after the other until it is told to stop."""

    def __init__(self, recorder: Recorder, uid: str) -> None:
        self._recorder, self.uid, self.count = recorder, uid, 0
        self._is_over = threading.Event()
        recorder("start", worker.start_of(uid))
        recorder("descriptor", worker.descriptor_of(uid))
        self._thread = threading.Thread(target=self._record)
        self._thread.start()

    def _record(self) -> None:
        while not self._is_over.wait(EVENT_S):
            self.count += 1
            self._recorder("event", worker.event_of(self.uid, self.count))

    def goes_on(self, more: int = 100) -> None:
        """Wait until there are more events."""
        wanted = self.count + more
        wait_for(lambda: self.count >= wanted)

    def end(self) -> int:
        """Stop; return the number of events, of which the run is told at its end."""
        self._is_over.set()
        self._thread.join(timeout=LONGEST_WAIT_S)
        self._recorder("stop", worker.stop_of(self.uid, self.count))
        return self.count


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while True:
        with contextlib.suppress(StoreUnavailableError):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def check(catalog, uid: str, count: int) -> None:
    """See that a run is there whole and once."""
    check_events(catalog, uid, count)
    assert list(catalog[uid].documents(fill="no"))[-1] == ("stop", worker.stop_of(uid, count))
    assert catalog[uid].status == "success"


def check_events(catalog, uid: str, count: int) -> None:
    """See that the events of a run are there, each once."""
    documents = catalog[uid].documents(fill="no")
    events = [document for name, document in documents if name == "event"]
    assert events == [worker.event_of(uid, number) for number in range(1, count + 1)]
    assert catalog.store.quarantined() == []
    found = verify(catalog.store)
    assert found.is_sound, found.errors


def spooled(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


# the server


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_events_while_the_server_is_away_are_stored_once_when_it_is_back(
    catalog, store, postgres_server: PostgresServer, spool_folder, end
):
    detector = Detector(Recorder(store), "run-1-1")
    for _ in range(3):
        detector.goes_on()
        getattr(postgres_server, end)()
        detector.goes_on()
        postgres_server.start()
        wait_for(lambda: not spooled(spool_folder) and store.batches(store.runs()[0].id) != [])
    count = detector.end()

    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", count)
    wait_for(lambda: not spooled(spool_folder))


def test_a_run_that_ends_while_the_server_is_away_is_stored_when_it_is_back(
    catalog, store, postgres_server, spool_folder
):
    detector = Detector(Recorder(store), "run-1-1")
    detector.goes_on()
    postgres_server.kill()
    try:
        count = detector.end()
        assert spooled(spool_folder)
    finally:
        postgres_server.start()

    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", count)
    wait_for(lambda: not spooled(spool_folder))


def test_commits_that_are_cut_at_any_point_count_once(postgres_server, postgres_address):
    """A detector records through a line that breaks again and again, before, in and after commits."""
    proxy = Proxy(postgres_server)
    database = postgres_address.partition("?")[0].rpartition("/")[2]
    store = open_store(postgres_server.address(database, host="127.0.0.1", port=proxy.port))
    catalog = hutch.catalogs.Catalog(store)
    detector = Detector(Recorder(store), "run-1-1")
    chance = random.Random(1)
    for number in range(12):
        proxy.is_delivered = chance.random() < 0.6
        proxy.cut = chance.choice((b"COMMIT", b"COMMIT", b"hutch_"))
        wait_for(lambda number=number: proxy.cuts > number)
        detector.goes_on(20)
    proxy.cut = None
    count = detector.end()

    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", count)
    assert proxy.cuts >= 12
    finish(store)
    store.close()
    proxy.close()


def test_a_run_engine_does_not_notice_that_the_server_was_killed(
    postgres_server, postgres_address, make_run_engine_on
):
    import bluesky.plan_stubs as bps
    from bluesky.preprocessors import run_decorator
    from ophyd.sim import det

    catalog, engine = make_run_engine_on(postgres_address)
    outages = {50: postgres_server.kill, 90: postgres_server.start, 130: postgres_server.stop}

    @run_decorator(md={"plan_name": "patient"})
    def plan():
        for number in range(200):
            if number in outages:
                outages[number]()
            yield from bps.trigger_and_read([det])
            yield from bps.sleep(0.005)
        postgres_server.start()

    (uid,) = engine(plan())

    wait_for(lambda: catalog[uid].stop is not None)
    run = catalog[uid]
    assert run.status == "success"
    events = [document for name, document in run.documents(fill="no") if name == "event"]
    assert [event["seq_num"] for event in events] == list(range(1, 201))
    assert verify(catalog.store).is_sound


@pytest.fixture
def make_run_engine_on() -> Iterator[Callable]:
    """Return what makes a catalog and a RunEngine on it."""
    from hutch.bluesky import run_engine

    made = []

    def make(place):
        catalog = hutch.open_catalog(place)
        made.append((catalog, run_engine(catalog)))
        return made[-1]

    yield make
    for catalog, engine in made:
        engine.loop.call_soon_threadsafe(engine.loop.stop)
        engine._th.join(timeout=10)
        engine.loop.close()
        catalog.close()


# connections


@pytest.fixture
def crowded(postgres_server, postgres_address, store, catalog):
    """A store that is being recorded into by a server that has no connection left; return the others."""
    recorder = Recorder(store)
    detector = Detector(recorder, "run-1-1")
    detector.goes_on()
    limit = int(postgres_server.execute("SHOW max_connections")[0][0])
    others: list[psycopg.Connection] = []
    with contextlib.suppress(psycopg.OperationalError):
        while len(others) <= limit:
            others.append(psycopg.connect(postgres_address))
    yield detector, others
    for other in others:
        other.close()


@pytest.fixture
def few_connections(postgres_server):
    postgres_server.stop()
    postgres_server.start(max_connections=12, superuser_reserved_connections=0)
    yield
    postgres_server.stop()
    postgres_server.start()


def test_who_records_goes_on_when_the_server_has_no_connection_left(
    few_connections, crowded, catalog, postgres_address
):
    detector, others = crowded
    detector.goes_on(500)
    with pytest.raises(StoreUnavailableError, match="has no connection left: .*max_connections"):
        open_store(postgres_address)
    for other in others:
        other.close()
    count = detector.end()

    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", count)


def test_who_comes_when_there_is_no_connection_waits_for_one(few_connections, crowded, postgres_address):
    detector, others = crowded
    timer = threading.Timer(0.5, lambda: [other.close() for other in others])
    timer.start()
    late = open_store(postgres_address)
    assert late.run_uids() == ["run-1-1"]
    late.close()
    timer.join()
    detector.end()


# the shared folder


def test_a_shared_folder_that_is_full_costs_nothing(needs_tmpfs, postgres_server, spool_folder):
    disk = needs_tmpfs(8 * 2**20)
    store = open_store(postgres_server.address(postgres_server.make_database()), files=disk / "shared")
    catalog = hutch.catalogs.Catalog(store)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(7 * 2**20))
    recorder = Recorder(store)
    recorder("start", worker.start_of("run-1-1"))
    recorder("descriptor", worker.descriptor_of("run-1-1"))
    recorder("event_page", worker.page_of("run-1-1", 1, worker.LARGE_PAGE))
    recorder("stop", worker.stop_of("run-1-1", worker.LARGE_PAGE))

    assert catalog["run-1-1"].stop is None
    assert spooled(spool_folder)
    # What fits into rows of the database is still taken.
    recorder("start", worker.start_of("run-2-1"))
    recorder("descriptor", worker.descriptor_of("run-2-1"))
    recorder("event", worker.event_of("run-2-1", 1))
    recorder("stop", worker.stop_of("run-2-1", 1))
    assert catalog["run-2-1"].status == "success"

    ballast.unlink()
    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", worker.LARGE_PAGE)
    wait_for(lambda: not spooled(spool_folder))
    finish(store)
    store.close()


def test_a_shared_folder_that_is_gone_costs_nothing(postgres_address, store, catalog, tmp_path, spool_folder):
    recorder = Recorder(store)
    recorder("start", worker.start_of("run-1-1"))
    recorder("descriptor", worker.descriptor_of("run-1-1"))
    (tmp_path / "shared").rename(tmp_path / "unmounted")
    recorder("event_page", worker.page_of("run-1-1", 1, worker.LARGE_PAGE))
    recorder("stop", worker.stop_of("run-1-1", worker.LARGE_PAGE))

    assert catalog["run-1-1"].stop is None
    assert not (tmp_path / "shared").exists()
    with pytest.raises(StoreError, match="HUTCH_FILES"):
        open_store(postgres_address)
    (tmp_path / "unmounted").rename(tmp_path / "shared")
    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", worker.LARGE_PAGE)


# processes


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


def is_told_dead(catalog, life: Life) -> bool:
    """Tell whether the server has noticed the death of who recorded the last run."""
    return not life.started or catalog[life.started[-1]].status in ("interrupted", "success")


@pytest.mark.timeout(180)
def test_what_a_process_recorded_survives_its_death_at_any_moment(
    postgres_address, store, catalog, nursery: Nursery
):
    chance = random.Random(20261120)
    late = runs = 0
    for kill in range(40):
        life = nursery.live(postgres_address, kill, chance.uniform(0.05, 0.5))
        runs += len(life.started)
        wait_for(lambda life=life: is_told_dead(catalog, life))
        late += not check_runs(catalog, life)

    found = verify(store)
    assert found.is_sound, found.errors
    assert store.quarantined() == []
    assert late <= 6
    assert runs > 10


def test_a_killed_run_is_taken_over_by_who_has_its_documents(postgres_address, store, catalog, nursery):
    life = Life()
    for seed in range(50):
        life = nursery.live(postgres_address, seed, 0.4)
        if life.started and life.started[-1] not in life.stopped:
            break
    uid = life.started[-1]
    wait_for(lambda: is_told_dead(catalog, life))
    before = sum(name == "event" for name, _ in catalog[uid].documents(fill="no"))
    recorder = Recorder(store)
    recorder("start", worker.start_of(uid))
    recorder("descriptor", worker.descriptor_of(uid))
    for number in range(1, before + 11):
        recorder("event", worker.event_of(uid, number))
    recorder("stop", worker.stop_of(uid, before + 10))

    check(catalog, uid, before + 10)


def test_a_process_that_forks_while_it_records_keeps_its_runs(postgres_address, catalog):
    program = """
import os, sys
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker

store = worker.open_store(sys.argv[1])
recorder = worker.Recorder(store)
recorder("start", worker.start_of("run-1-parent"))
recorder("descriptor", worker.descriptor_of("run-1-parent"))
for number in range(1, 301):
    recorder("event", worker.event_of("run-1-parent", number))
    if not number % 100:
        child = os.fork()
        if not child:
            own = worker.Recorder(store)
            uid = f"run-2-child{number}"
            own("start", worker.start_of(uid))
            own("descriptor", worker.descriptor_of(uid))
            own("event", worker.event_of(uid, 1))
            own("stop", worker.stop_of(uid, 1))
            assert store.is_live(store.runs_by_uid(["run-1-parent"])[0].owner)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert store.is_live(store.runs_by_uid(["run-1-parent"])[0].owner)
recorder("stop", worker.stop_of("run-1-parent", 300))
"""
    command = [sys.executable, "-c", program, postgres_address, str(Path(__file__).parents[2])]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "PYTHONWARNINGS": "error"})

    check(catalog, "run-1-parent", 300)
    for number in (100, 200, 300):
        check(catalog, f"run-2-child{number}", 1)


def test_a_child_does_not_keep_the_runs_of_a_parent_that_was_killed(postgres_address, catalog):
    program = """
import os, sys, signal, time
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker

store = worker.open_store(sys.argv[1])
recorder = worker.Recorder(store)
recorder("start", worker.start_of("run-1-parent"))
if os.fork():
    os.kill(os.getpid(), signal.SIGKILL)
worker.say("child", os.getpid())
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, postgres_address, str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("child")
        wait_for(lambda: catalog["run-1-parent"].status == "interrupted")
        process.stdin.close()


@pytest.mark.parametrize("ends", [False, True])
def test_what_the_dead_were_committing_is_not_taken_in_twice(
    postgres_address, catalog, store, spool_folder, ends
):
    """The server may hold back a commit, and do it after the process that waited for it was killed."""
    program = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker

recorder = worker.Recorder(worker.open_store(sys.argv[1]))
recorder("start", worker.start_of("run-1-1"))
recorder("descriptor", worker.descriptor_of("run-1-1"))
print("there", flush=True)
sys.stdin.readline()
recorder("event", worker.event_of("run-1-1", 1))
if sys.argv[3] == "True":
    recorder("stop", worker.stop_of("run-1-1", 1))
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, postgres_address, str(Path(__file__).parents[2]), str(ends)]
    with (
        psycopg.connect(postgres_address, autocommit=True) as other,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout.readline() == "there\n"
        other.execute("SELECT pg_advisory_lock(%s)", [lock_number(store.uid, "changes")])
        process.stdin.write("\n")
        process.stdin.flush()
        wanted = '["stop"' if ends else '["event'
        wait_for(lambda: any(wanted in path.read_text() for path in spool_folder.glob("*.jsonl")))
        process.kill()
        owner = catalog["run-1-1"].row.owner
        wait_for(lambda: not store.is_live(owner))
        taking = threading.Thread(target=leftovers.take_in, args=(store, spool.mark_of(store), lambda: False))
        taking.start()
        taking.join(1.0)
        assert taking.is_alive()
        other.execute("SELECT pg_advisory_unlock_all()")
        taking.join(LONGEST_WAIT_S)

    assert not spooled(spool_folder)
    (check if ends else check_events)(catalog, "run-1-1", 1)


def test_hosts_whose_clocks_differ_agree_on_what_is_running(postgres_address, catalog):
    program = """
import sys, time
sys.path.insert(0, sys.argv[2])
offset = float(sys.argv[3])
real = time.time
time.time = lambda: real() + offset
from tests.system import killed_worker as worker

store = worker.open_store(sys.argv[1])
recorder = worker.Recorder(store)
uid = f"run-1-{sys.argv[3]}"
recorder("start", worker.start_of(uid))
worker.say("ready")
sys.stdin.readline()
import hutch.catalogs
for run in hutch.catalogs.Catalog(store).values():
    worker.say(run.uid, run.status)
worker.say("end")
sys.stdin.readline()
"""
    offsets = ["-86400", "0", "1e9"]
    command = [sys.executable, "-c", program, postgres_address, str(Path(__file__).parents[2])]
    processes = [
        subprocess.Popen([*command, offset], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for offset in offsets
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("look\n")
            process.stdin.flush()
            seen = dict(process.stdout.readline().split() for _ in offsets)
            assert seen == {f"run-1-{offset}": "running" for offset in offsets}
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=30)
    for offset in offsets:
        wait_for(lambda offset=offset: catalog[f"run-1-{offset}"].status == "interrupted")


# the server's disk


@pytest.fixture
def database_on_a_small_disk(needs_tmpfs, postgres_server, tmp_path) -> Iterator[tuple[str, Path]]:
    """The address of a store in a database whose disk has 32 MB, and the folder of that disk."""
    disk = needs_tmpfs(32 * 2**20)
    # Where the server may go, which it may not into the folders of tests.
    place = postgres_server.folder / "small"
    place.mkdir()
    subprocess.run(["mount", "--bind", str(disk), str(place)], check=True, timeout=10)
    postgres_server.own(place)
    postgres_server.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
    address = postgres_server.make_store(tmp_path / "small", tablespace="small")
    yield address, disk
    name = address.partition("?")[0].rpartition("/")[2]
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    postgres_server.execute("DROP TABLESPACE small")
    subprocess.run(["umount", str(place)], check=True, timeout=10)
    place.rmdir()


def test_a_full_disk_of_the_server_costs_nothing(database_on_a_small_disk, spool_folder):
    address, disk = database_on_a_small_disk
    store = open_store(address)
    catalog = hutch.catalogs.Catalog(store)
    recorder = Recorder(store)
    recorder("start", worker.start_of("run-1-1"))
    recorder("descriptor", worker.descriptor_of("run-1-1"))
    recorder("event", worker.event_of("run-1-1", 1))
    wait_for(lambda: len(store.batches(store.runs()[0].id)) == 1)
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(8192))
    with pytest.raises(StoreFullError, match="is full: nothing more can be recorded until there is room"):
        for number in range(100):
            with store.transaction() as writer:
                writer.set_stash(f"key{number}", os.urandom(100_000))

    for number in range(2, 2002):
        recorder("event", worker.event_of("run-1-1", number))
    recorder("stop", worker.stop_of("run-1-1", 2001))
    assert catalog["run-1-1"].stop is None
    assert spooled(spool_folder)

    ballast.unlink()
    wait_for(lambda: catalog["run-1-1"].stop is not None)
    check(catalog, "run-1-1", 2001)
    finish(store)
    store.close()


def test_who_follows_a_run_waits_for_a_server_that_restarts(postgres_server, store, catalog):
    with contextlib.closing(open_store(store.location)) as other:
        detector = Detector(Recorder(store), "followed-1")
        followed = hutch.catalogs.Catalog(other)["followed-1"].follow(timeout_s=LONGEST_WAIT_S)
        seen = list(itertools.islice(followed, 20))
        postgres_server.kill()
        postgres_server.start()
        seen += itertools.islice(followed, 200)
        detector.end()
        seen += followed
    assert [name for name, _ in seen[:2]] == ["start", "descriptor"]
    assert seen == list(catalog["followed-1"].documents(fill="no"))
