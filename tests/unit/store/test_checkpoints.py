"""The log is moved into the database by one at a time, and never when a commit could begin it anew."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from hutch.store import open_store
from hutch.store.sqlite.store import _MOST_PAGES, checkpoints
from hutch.store.sqlite.write_ahead_log import has_frames

PROGRAM = """
import sys
from hutch.store import open_store
store = open_store(sys.argv[1])
for number in range(int(sys.argv[2])):
    with store.transaction() as writer:
        writer.set_stash(f"{sys.argv[3]} {number}", bytes(40_000))
    if number % 10 == 0:
        store.sync()
        store.tidy()
"""


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(open_store(tmp_path / "store")) as found:
        yield found


def in_log(store, count):
    descriptor = os.open(os.path.join(store.location, "hutch.db-wal"), os.O_RDONLY)
    try:
        return has_frames(descriptor, count)
    finally:
        os.close(descriptor)


def fill(store, kilobytes):
    for number in range(kilobytes // 200):
        with store.transaction() as writer:
            writer.set_stash(f"key {number}", bytes(200_000))


def test_one_at_a_time_checkpoints(tmp_path):
    with checkpoints.sole(tmp_path) as first:
        with checkpoints.sole(tmp_path) as second:
            assert (first, second) == (True, False)
    with checkpoints.sole(tmp_path) as third:
        assert third


def test_who_checkpoints_commits_just_before(store):
    fill(store, 10_000)
    store.sync()
    store.tidy()
    with contextlib.closing(sqlite3.connect(os.path.join(store.location, "hutch.db"))) as other:
        before = other.execute("PRAGMA user_version").fetchone()
        fill(store, 10_000)
        store.tidy()
        seen = other.execute("PRAGMA user_version").fetchone()
    assert seen != before


def test_a_store_that_another_checkpoints_is_left_to_it(store):
    fill(store, 10_000)
    store.sync()
    with checkpoints.sole(store._folder):
        store.tidy()
        with store.transaction() as writer:
            writer.set_stash("some", b"1")
        assert in_log(store, 1000)
    store.tidy()
    with store.transaction() as writer:
        writer.set_stash("some", b"2")
    assert not in_log(store, 1000)


def test_a_log_that_nobody_tidies_does_not_grow_without_end(store):
    fill(store, 150_000)
    assert not in_log(store, 2 * _MOST_PAGES)


def test_many_that_commit_and_tidy_at_once_lose_nothing(store):
    programs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, store.location, "150", name]) for name in "ab"
    ]
    is_over = threading.Event()

    def tidy():
        while not is_over.is_set():
            store.sync()
            store.tidy()

    tidying = threading.Thread(target=tidy)
    tidying.start()
    assert [program.wait(timeout=60) for program in programs] == [0, 0]
    is_over.set()
    tidying.join()
    assert len(store.stash()) == 300
    assert store.check_database() == []
