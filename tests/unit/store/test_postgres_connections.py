"""Connections to a server: few, replaced when they have ended, closed when nobody needs them."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from hutch.errors import StoreError
from hutch.store import open_store
from hutch.store.postgres import connections as postgres_connections

from .conftest import add_run


@pytest.fixture
def store(postgres_address):
    found = open_store(postgres_address)
    yield found
    found.close()


@pytest.fixture
def sessions(postgres_server, postgres_address):
    """Return what lists the sessions of programs in the database."""
    database = postgres_address.partition("?")[0].rpartition("/")[2]

    def find() -> list[int]:
        rows = postgres_server.execute(
            "SELECT pid, datname FROM pg_stat_activity WHERE pid != pg_backend_pid()"
        )
        return [pid for pid, name in rows if name == database]

    return find


def settles(condition) -> bool:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_one_connection_reads_and_writes_and_one_keeps(store, sessions):
    assert settles(lambda: sessions() == [])
    store.runs()
    assert len(sessions()) == 1
    for number in range(3):
        add_run(store, f"run {number}")
        store.runs()
    assert len(sessions()) == 2
    store.close()
    assert settles(lambda: sessions() == [])


def test_threads_that_read_at_once_have_a_connection_each_for_a_while(store, sessions, monkeypatch):
    monkeypatch.setattr(postgres_connections, "_IDLE_S", 0.3)
    together = threading.Barrier(4)

    def read() -> None:
        together.wait(timeout=30)
        for _ in range(50):
            store.runs()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(sessions()) <= 4
    assert settles(lambda: sessions() == [])
    assert store.count_runs() == 0


def test_connections_that_the_server_has_ended_are_replaced_unnoticed(store, sessions, postgres_server):
    add_run(store, "before")
    for _ in range(3):
        for pid in sessions():
            postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
        add_run(store, f"after {time.monotonic()}")
        for pid in sessions():
            postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
        assert store.runs()
    assert store.count_runs() == 4


def test_a_store_that_nobody_holds_any_more_ends_its_connections(postgres_address, sessions):
    store = open_store(postgres_address)
    add_run(store, "uid")
    gone = weakref.ref(store)
    del store
    gc.collect()

    assert gone() is None
    assert settles(lambda: sessions() == [])


def test_a_server_that_is_too_old_is_refused(postgres_address, monkeypatch):
    monkeypatch.setattr(postgres_connections, "_OLDEST_SERVER", 99_00_00)

    with pytest.raises(StoreError, match="is PostgreSQL .*; hutch needs"):
        open_store(postgres_address)
