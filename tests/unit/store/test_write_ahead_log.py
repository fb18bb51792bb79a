"""What is in SQLite's write-ahead log, beside what SQLite says of it."""

import contextlib
import os
import sqlite3

from hutch.store.sqlite.write_ahead_log import has_frames


def pages_in_log(connection):
    """Return what SQLite says when it is asked to move nothing more than it has moved."""
    return connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]


def count(descriptor):
    return next(number for number in range(1, 10_000) if not has_frames(descriptor, number)) - 1


def test_the_pages_in_a_log_are_counted_as_sqlite_does(tmp_path):
    path = tmp_path / "some.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE some (value BLOB)")
        descriptor = os.open(tmp_path / "some.db-wal", os.O_RDONLY)
        for size in (10, 100_000, 10):
            connection.execute("INSERT INTO some VALUES (?)", (bytes(size),))
            found = count(descriptor)
            assert found == pages_in_log(connection)
            # Everything has been moved, so the log begins anew; its file is as long as before.
        os.close(descriptor)


def test_an_empty_log_has_no_pages(tmp_path):
    path = tmp_path / "log"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    assert not has_frames(descriptor, 1)
    os.close(descriptor)


def test_a_store_moves_its_log_at_leisure(backend, store):
    if "://" in store.location:
        store.tidy()
        return
    for number in range(50):
        with store.transaction() as writer:
            writer.set_stash(f"key {number}", bytes(200_000))
    store.sync()
    descriptor = os.open(os.path.join(store.location, "hutch.db-wal"), os.O_RDONLY)
    assert has_frames(descriptor, 1000)

    store.tidy()

    with store.transaction() as writer:
        writer.set_stash("some", b"1")
    assert not has_frames(descriptor, 1000)
    os.close(descriptor)


def test_a_closed_store_is_left_as_it_is(store):
    with store.transaction() as writer:
        writer.set_stash("some", b"1")
    store.sync()
    store.close()
    store.tidy()
