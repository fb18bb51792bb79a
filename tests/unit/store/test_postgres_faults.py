"""What becomes of a store in a database when its server, or the way there, fails."""

from __future__ import annotations

import signal
import threading

import pytest

from hutch.errors import StoreError, StoreUnavailableError
from hutch.store import open_store
from hutch.store.postgres import doubts as postgres_doubts

from ...postgres import Proxy
from .conftest import add_run


@pytest.fixture
def proxy(postgres_server):
    found = Proxy(postgres_server)
    yield found
    found.close()


@pytest.fixture
def by_proxy(postgres_server, postgres_address, proxy):
    """A store that is reached through the proxy."""
    database = postgres_address.partition("?")[0].rpartition("/")[2]
    found = open_store(postgres_server.address(database, host="127.0.0.1", port=proxy.port))
    add_run(found, "first")
    yield found
    found.close()


def test_a_commit_whose_answer_is_lost_counts_once(by_proxy, proxy):
    proxy.cut = b"COMMIT"
    with by_proxy.transaction() as writer:
        writer.add_run("second", 1.0, None, b"{}")

    assert proxy.cuts == 1
    assert by_proxy.run_uids() == ["first", "second"]
    assert [change.reference for change in by_proxy.changes(0)] == ["first", "second"]


def test_a_commit_that_does_not_reach_the_server_did_not_happen(by_proxy, proxy):
    proxy.cut, proxy.is_delivered = b"COMMIT", False
    with pytest.raises(StoreUnavailableError, match="does not answer"), by_proxy.transaction() as writer:
        writer.add_run("second", 1.0, None, b"{}")

    assert proxy.cuts == 1
    assert by_proxy.run_uids() == ["first"]
    add_run(by_proxy, "second")
    assert [change.number for change in by_proxy.changes(0)] == [1, 2]


def test_a_connection_that_is_lost_within_a_transaction_takes_it_back(by_proxy, proxy):
    proxy.cut, proxy.is_delivered = b"INSERT INTO stash", False
    with pytest.raises(StoreError, match="does not answer"), by_proxy.transaction() as writer:
        writer.add_run("second", 1.0, None, b"{}")
        writer.set_stash("key", b"1")

    assert by_proxy.run_uids() == ["first"]
    add_run(by_proxy, "second")


def test_a_question_whose_connection_is_lost_is_asked_again(by_proxy, proxy):
    proxy.cut, proxy.is_delivered = b"SELECT", False

    assert by_proxy.run_uids() == ["first"]
    assert proxy.cuts == 1


def test_waiting_outlasts_a_restart_of_the_server(postgres_server, postgres_address):
    store, writer = open_store(postgres_address), open_store(postgres_address)
    add_run(writer, "before")
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(store.wait(store.last_change(), 60)))
    thread.start()
    assert not store.wait(store.last_change(), 0.2)
    postgres_server.stop()
    postgres_server.start()

    add_run(writer, "after")

    thread.join(timeout=60)
    assert found == [True]
    writer.close()
    store.close()


def test_a_store_whose_server_is_away_says_so_and_comes_back_with_it(postgres_server, postgres_address):
    store = open_store(postgres_address)
    add_run(store, "before")
    postgres_server.kill()
    try:
        for use in (store.runs, lambda: store.wait(0, 1), lambda: add_run(store, "meanwhile")):
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                use()
    finally:
        postgres_server.start()

    add_run(store, "after")
    assert store.run_uids() == ["before", "after"]
    assert [change.number for change in store.changes(0)] == [1, 2]
    store.close()


def test_an_unknown_outcome_is_found_out_before_anything_else_is_written(by_proxy, proxy, monkeypatch):
    monkeypatch.setattr(postgres_doubts, "_PATIENCE_S", 0.0)
    proxy.cut = b"COMMIT"
    proxy.refuses = True
    with pytest.raises(StoreUnavailableError, match="does not tell yet whether it was done"):
        add_run(by_proxy, "second")
    with pytest.raises(StoreUnavailableError, match="does not tell yet whether it was done"):
        add_run(by_proxy, "third")

    proxy.refuses = False
    add_run(by_proxy, "third")
    assert by_proxy.run_uids() == ["first", "second", "third"]


def test_ctrl_c_during_a_commit_leaves_no_doubt_behind(by_proxy, proxy, monkeypatch):
    """The answer takes as long as somebody needs to lose patience; what was written is found out later."""
    proxy.cut, proxy.is_held_back = b"COMMIT", True
    interrupt = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        add_run(by_proxy, "second")

    add_run(by_proxy, "third")
    assert by_proxy.run_uids() in (["first", "third"], ["first", "second", "third"])
    numbers = [change.number for change in by_proxy.changes(0)]
    assert numbers == list(range(1, len(by_proxy.run_uids()) + 1))
    interrupt.join()
