"""What becomes of a store in a database when its server, or the way there, fails."""

from __future__ import annotations

import pytest

from hutch.errors import StoreError, StoreUnavailableError
from hutch.store import open_store

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
