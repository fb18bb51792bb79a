"""A position is held by one listener at a time, and moves as a whole."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from hutch.documents import decode
from hutch.errors import ListeningError
from hutch.listening.positions import Bookmark, KeptPosition, Remark
from hutch.store import open_store

STOP = threading.Event()
OTHER = """
import sys, threading
from hutch.listening.positions import Bookmark, KeptPosition
from hutch.store import open_store
position = KeptPosition(open_store(sys.argv[1]), "kafka x t", "t")
position.claim(0.0, threading.Event())
position.move(Bookmark({0: 5, 1: 7}, ["run"], 3))
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """A store of either kind."""
    sqlite = request.param == "sqlite"
    address = str(tmp_path / "store") if sqlite else request.getfixturevalue("postgres_address")
    with closing(open_store(address)) as found:
        found.address = address
        yield found


@pytest.fixture
def other(store) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the position."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, store.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


@pytest.fixture
def position(store) -> KeptPosition:
    return KeptPosition(store, "kafka x t", "topic t")


def test_a_position_that_was_never_kept_is_none(position):
    assert position.claim(0.0, STOP) is None
    assert position.claim(0.0, STOP) is None


def test_a_position_is_found_where_it_was_left(store, position):
    position.claim(0.0, STOP)
    position.move(Bookmark({0: 5, 1: 2**40}, ["a", "b"], 7))
    position.release()

    assert KeptPosition(store, "kafka x t", "t").claim(0.0, STOP) == Bookmark({0: 5, 1: 2**40}, ["a", "b"], 7)


def test_what_is_remarked_is_stored_with_the_move(store, position):
    position.claim(0.0, STOP)
    position.move(Bookmark({0: 1}), [Remark(None, "message", "why", b'{"a":1}')])

    assert [(row.kind, row.reason, decode(row.body)) for row in store.quarantined()] == [
        ("message", "why", {"a": 1})
    ]


def test_nothing_is_kept_of_a_move_that_fails(store, position):
    position.claim(0.0, STOP)
    position.move(Bookmark({0: 1}))
    with pytest.raises(Exception, match=r".*"):  # noqa: B017, PT011 - of the database
        position.move(
            Bookmark({0: 2}), [Remark(None, "message", "why", b"{}"), Remark(99, "gap", "no run", b"")]
        )

    assert position.claim(0.0, STOP) == Bookmark({0: 1})
    assert store.quarantined() == []


def test_a_position_that_a_living_process_holds_is_refused_and_free_after_its_death(position, other):
    with pytest.raises(ListeningError, match=f"topic t is listened to by process {other.pid} on"):
        position.claim(0.3, STOP)
    other.kill()
    other.wait(10)

    assert position.claim(10.0, STOP) == Bookmark({0: 5, 1: 7}, ["run"], 3)


def test_waiting_for_a_position_ends_when_it_is_told_to(position, other):
    stop = threading.Event()
    stop.set()
    with pytest.raises(ListeningError, match=str(other.pid)):
        position.claim(60.0, stop)


def test_who_has_lost_the_position_does_not_move_it(store, position, other):
    loser = KeptPosition(store, "kafka x t", "t")
    with pytest.raises(ListeningError, match=str(other.pid)):
        loser.move(Bookmark({0: 99}))
    loser.release()

    assert decode(store.cursor("kafka x t"))["offsets"] == {"0": 5, "1": 7}
    with pytest.raises(ListeningError, match=str(other.pid)):
        position.claim(0.0, STOP)
