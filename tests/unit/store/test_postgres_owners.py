"""Who records into a database, and whether it lives, whatever happens to the server and to clocks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from hutch.errors import StoreUnavailableError
from hutch.store import open_store
from hutch.store.postgres import keeper as postgres_keeper

from .conftest import add_run


@pytest.fixture
def store(postgres_address):
    found = open_store(postgres_address)
    yield found
    found.close()


@pytest.fixture
def start_owner(postgres_address) -> Iterator[Callable[..., subprocess.Popen]]:
    """Return what starts a process that owns a run, and lives until it is killed."""
    started: list[subprocess.Popen] = []

    def start(uid: str = "uid", first: str = "") -> subprocess.Popen:
        program = textwrap.dedent(first) + textwrap.dedent(
            """
            import sys
            from hutch.store import open_store
            store = open_store(sys.argv[1])
            with store.transaction() as writer:
                writer.add_run(sys.argv[2], 1.0, None, b"{}")
            print("ready", flush=True)
            sys.stdin.readline()
            """
        )
        command = [sys.executable, "-c", program, postgres_address, uid]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def owner_of(store, uid: str = "uid") -> str:
    (row,) = store.runs_by_uid([uid])
    return row.owner


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Tell whether something becomes true in some time; a server that is away is asked again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(StoreUnavailableError, psycopg.OperationalError):
            if condition():
                return True
        time.sleep(0.01)
    return False


def sessions(server, database: str) -> list[int]:
    """Return the server's processes that hold advisory locks in a database."""
    statement = "SELECT pid, datname FROM pg_locks JOIN pg_database ON oid = database"
    rows = server.execute(f"{statement} WHERE locktype = 'advisory'")
    return [pid for pid, name in rows if name == database]


@pytest.fixture
def database(postgres_address) -> str:
    return postgres_address.partition("?")[0].rpartition("/")[2]


def test_an_owner_says_who_it_is_in_the_time_of_the_database(store, postgres_server, database, start_owner):
    start_owner(first="import time; time.time = lambda: 1e9")

    ((host, program, age),) = postgres_server.execute(
        "SELECT host, program, extract(epoch FROM now()) - heartbeat FROM owners", database
    )
    assert (bool(host), program) == (True, "-c")
    assert -1 < age < 60
    assert store.is_live(owner_of(store))


@pytest.mark.parametrize("clock", ["1e9", "4e9"])
def test_a_host_whose_clock_is_wrong_sees_who_lives(store, postgres_address, start_owner, clock):
    process = start_owner()
    program = (
        f"import sys, time; time.time = lambda: {clock}\n"
        "from hutch.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "print(store.is_live(store.runs()[0].owner))\n"
        "store.close()\n"
    )
    ask = [sys.executable, "-c", program, postgres_address]
    assert subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout == "True\n"

    process.kill()
    assert within(10, lambda: not store.is_live(owner_of(store)))
    assert subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout == "False\n"


def test_two_owners_of_one_process_id_live_apart(postgres_address):
    first, second = open_store(postgres_address), open_store(postgres_address)
    add_run(first, "first")
    add_run(second, "second")
    owners = owner_of(first, "first"), owner_of(first, "second")
    second.close()

    assert [first.is_live(owner) for owner in owners] == [True, False]
    first.close()


def test_an_owner_that_is_not_needed_holds_nothing(store, postgres_server, database):
    store.runs()
    assert sessions(postgres_server, database) == []
    add_run(store, "uid")
    assert len(sessions(postgres_server, database)) == 1
    store.close()
    assert sessions(postgres_server, database) == []
    assert postgres_server.execute("SELECT count(*) FROM owners", database) == [(0,)]


def test_an_owner_whose_session_is_ended_takes_its_lock_again(store, postgres_server, database, start_owner):
    start_owner()
    owner = owner_of(store)
    (session,) = sessions(postgres_server, database)

    postgres_server.execute(f"SELECT pg_terminate_backend({session})")

    assert within(10, lambda: session not in sessions(postgres_server, database))
    assert within(10, lambda: store.is_live(owner))
    assert within(10, lambda: len(sessions(postgres_server, database)) == 1)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_owner_lives_through_a_restart_of_the_server(store, postgres_server, start_owner, end):
    start_owner()
    owner = owner_of(store)
    getattr(postgres_server, end)()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        store.is_live(owner)
    postgres_server.start()

    # From the first moment on, before it can have come back.
    assert store.is_live(owner)
    restarted = postgres_server.execute("SELECT extract(epoch FROM pg_postmaster_start_time())")[0][0]
    name = store.location.partition("?")[0].rpartition("/")[2]
    assert within(
        15, lambda: postgres_server.execute("SELECT heartbeat FROM owners", name)[0][0] > float(restarted)
    )
    assert store.is_live(owner)


def test_an_owner_that_died_with_the_server_has_some_time_to_come_back(
    store, postgres_server, start_owner, monkeypatch
):
    process = start_owner()
    owner = owner_of(store)
    postgres_server.stop()
    process.kill()
    process.wait(timeout=30)
    postgres_server.start()

    assert store.is_live(owner)
    monkeypatch.setattr(postgres_keeper, "_RETURN_S", 0.01)
    assert within(10, lambda: not store.is_live(owner))


def test_an_owner_that_died_before_the_server_does_not_rise_with_it(
    store, postgres_server, database, start_owner
):
    start_owner("dead").kill()
    start_owner("alive")
    dead, alive = owner_of(store, "dead"), owner_of(store, "alive")
    assert within(10, lambda: not store.is_live(dead))
    postgres_server.execute(f"UPDATE owners SET heartbeat = heartbeat - 60 WHERE uid = '{dead}'", database)  # noqa: S608
    postgres_server.stop()
    postgres_server.start()

    assert store.is_live(alive)
    assert not store.is_live(dead)


def test_an_owner_lives_through_a_crash_of_one_of_the_servers_processes(
    store, postgres_server, start_owner, database
):
    start_owner()
    owner = owner_of(store)
    (session,) = sessions(postgres_server, database)
    postgres_server.kill_process(session)

    seen: list[bool] = []

    def is_back() -> bool:
        seen.append(store.is_live(owner))
        return session not in sessions(postgres_server, database) != []

    assert within(20, is_back)
    assert all(seen)


def test_a_process_that_cannot_become_an_owner_is_told(store, postgres_server):
    postgres_server.stop()
    try:
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            add_run(store, "uid")
    finally:
        postgres_server.start()
    add_run(store, "uid")
    assert store.is_live(owner_of(store))
