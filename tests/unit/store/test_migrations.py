"""The migrations lead to the schema that the code describes, and old stores to it with all they have."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import hutch
from hutch.catalogs.care.findings import Kind
from hutch.catalogs.care.reindexing import reindex
from hutch.catalogs.verifying import verify
from hutch.errors import ReadOnlyStoreError, StoreFullError
from hutch.recording import Recorder
from hutch.store import open_store
from hutch.store.postgres.opening import MARKER
from hutch.store.schema import migrating, tables

from . import migrating_worker
from .old_stores import DOCUMENTS, copy_of, make_folder, old_store, replayed, version_of

__all__ = ["old_store"]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request, tmp_path):
    """The address of a database without tables, as SQLAlchemy has it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hutch.db'}"
    server = request.getfixturevalue("postgres_server")
    return server.address(server.make_database()).replace("postgresql://", "postgresql+psycopg://")


def test_migrating_from_nothing_gives_the_described_schema(empty_database):
    migrating.upgrade(empty_database)
    assert_described(empty_database)


def assert_described(url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == tables.HEAD
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_a_new_store_has_the_same_statements_as_a_migrated_one(tmp_path):
    migrated = tmp_path / "migrated.db"
    migrating.upgrade(f"sqlite:///{migrated}")
    open_store(tmp_path / "store").close()

    assert _statements(tmp_path / "store" / "hutch.db") == _statements(migrated)


def _statements(path):
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name != 'alembic_version'"
        )
        found = {name: " ".join(sorted(statement.replace(",", " ").split())) for name, statement in rows}
    engine.dispose()
    return found


# stores of the first schema


def test_an_old_store_reads_as_it_did(old_store):
    assert version_of(old_store) == "0001"
    assert replayed(old_store) == DOCUMENTS
    assert version_of(old_store) == tables.HEAD

    with hutch.open_catalog(old_store) as catalog:
        assert catalog["plain"].primary.read()["x"].values.tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]
        assert catalog["large"].primary.read()["frame"].shape == (9, 20_000)
        assert catalog["left"].status == "interrupted"
        assert catalog["odd"].metadata["start"]["big"] == 2**70
        assert dict(catalog.md) == {
            "scan_id": 2,
            "user": {"name": "ö", "numbers": [1, 2.5, None], "array": [0, 1, 2]},
        }
        found = verify(catalog.store)
        assert found.errors == []
        assert (found.runs, found.events) == (7, 29)
        assert len(catalog.store.quarantined()) == 2
        assert [run.uid for run in catalog.search({"uid": "plain"}).runs()] == ["plain"]
        assert catalog.store.posted(1) == []
        assert catalog.store.tombstones() == catalog.store.amendments(1) == catalog.store.retention() == []


def test_an_old_store_goes_on(old_store):
    with contextlib.closing(open_store(old_store)) as store:
        last = store.last_change()
        catalog = hutch.catalogs.Catalog(store)
        with catalog.start_run(plan_name="new") as run:
            run.add("primary", {"x": 1.0})
        assert catalog[-1].row.id == 8
        assert [change.number for change in store.changes(last)][0] == last + 1
        recorder = Recorder(store)
        recorder("start", catalog["left"].metadata["start"])
        recorder("stop", {"uid": "s", "run_start": "left", "time": 1.0, "exit_status": "success"})
        assert catalog["left"].status == "success"
        assert verify(store).errors == []


def test_the_schema_of_an_old_store_is_the_described_one(old_store):
    open_store(old_store).close()
    is_server = "://" in old_store
    url = old_store.replace("postgresql://", "postgresql+psycopg://")
    assert_described(url if is_server else f"sqlite:///{old_store}/hutch.db")


@pytest.fixture
def worker():
    """Return what opens a store in a process that dies after some statements; it returns how it ended."""
    process = subprocess.Popen(
        [sys.executable, migrating_worker.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def open_and_die(address, statements):
        process.stdin.write(f"{statements} {address}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield open_and_die
    process.communicate(timeout=30)


def test_a_migration_that_is_killed_at_a_statement_is_completed_by_the_next(old_store, worker, request):
    versions: dict[int, str] = {}

    def is_killed(statements):
        address = copy_of(old_store, request, statements)
        ended = worker(address, statements)
        versions[statements] = version_of(address)
        assert replayed(address) == DOCUMENTS
        assert version_of(address) == tables.HEAD
        assert ended in (0, -9)
        return ended == -9

    # At each of the first, at some of the many that follow, and at each of the last around the commit.
    last, first_whole = -1, 0
    while is_killed(first_whole):
        last, first_whole = first_whole, first_whole + max(1, first_whole // 3)
    while first_whole - last > 1:
        middle = (last + first_whole) // 2
        last, first_whole = (middle, first_whole) if is_killed(middle) else (last, middle)
    for statements in range(max(0, first_whole - 4), first_whole):
        if statements not in versions:
            is_killed(statements)
    # All came before the kill was too late, and none in between.
    found = [versions[statements] for statements in sorted(versions)]
    assert set(found) == {"0001", tables.HEAD}
    assert found == sorted(found)
    assert len(found) > 10


def test_two_processes_that_open_an_old_store_together_both_do(old_store, request):
    program = (
        "import sys\n"
        "from hutch.store import open_store\n"
        "from hutch.store.schema import migrating\n"
        "print('ready', flush=True)\n"
        "for address in sys.stdin:\n"
        "    store = open_store(address.strip())\n"
        "    print(store.count_runs(), flush=True)\n"
        "    store.close()\n"
    )
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(3)
        ]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for number in range(15):
            address = copy_of(old_store, request, number)
            for process in processes:
                process.stdin.write(f"{address}\n")
                process.stdin.flush()
            assert [process.stdout.readline() for process in processes] == ["7\n"] * 3
            assert replayed(address) == DOCUMENTS
        for process in processes:
            process.communicate(timeout=30)
            assert process.returncode == 0


def test_an_old_store_that_can_only_be_read_says_so(needs_tmpfs):
    disk = needs_tmpfs(2**24)
    address = make_folder(disk / "old")
    os.system(f"mount -o remount,ro {disk}")  # noqa: S605 - a folder of the test's

    with pytest.raises(ReadOnlyStoreError, match="must be migrated first, and can only be read"):
        open_store(address)
    os.system(f"mount -o remount,rw {disk}")  # noqa: S605
    assert version_of(address) == "0001"
    assert replayed(address) == DOCUMENTS


def test_an_old_store_without_room_stays_what_it_was(needs_tmpfs):
    disk = needs_tmpfs(2**21)
    address = make_folder(disk / "old")
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))

    with pytest.raises(StoreFullError, match="is full"):
        open_store(address)
    ballast.unlink()
    assert version_of(address) == "0001"
    assert replayed(address) == DOCUMENTS


# programs of the old version


class OldProgram:
    """What a program of schema 0001 says, which had the store open before it was migrated."""

    def __init__(self, address: str) -> None:
        if "://" in address:
            self._connection = psycopg.connect(address, autocommit=True)
            self._mark = "%s"
        else:
            path = Path(address) / "hutch.db"
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._mark = "?"

    def say(self, statement: str, *values: object) -> list[tuple]:
        cursor = self._connection.execute(statement.replace("?", self._mark), values)
        return cursor.fetchall() if cursor.description else []

    def record(self, uid: str) -> None:
        """Record a run without events."""
        start = b'{"uid":"%s","time":1.0}' % uid.encode()
        self.say("BEGIN")
        ((run,),) = self.say(
            "INSERT INTO runs (uid, time, scan_id, owner, start) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING RETURNING runs.id",
            *(uid, 1.0, None, "an owner", start),
        )
        leaf = "INSERT INTO leaves (key, type, number, text, time, run) VALUES (?, ?, ?, ?, ?, ?)"
        self.say(f"{leaf} ON CONFLICT DO NOTHING", "uid", 4, 0.0, uid, 1.0, run)
        self.say(f"{leaf} ON CONFLICT DO NOTHING", "time", 2, 1.0, "", 1.0, run)
        ((number,),) = self.say("SELECT max(number) + 1 FROM changes")
        change = "INSERT INTO changes (number, topic, run, reference, time) VALUES (?, ?, ?, ?, ?)"
        self.say(change, number, "start", run, uid, 1.0)
        self.say("UPDATE runs SET stop = ?, owner = NULL WHERE runs.id = ?", b"{}", run)
        self.say("COMMIT")

    def read(self) -> list[tuple]:
        """Read all runs."""
        columns = "runs.id, runs.uid, runs.time, runs.scan_id, runs.owner, runs.start, runs.stop"
        return self.say(f"SELECT {columns} FROM runs ORDER BY runs.time, runs.id")  # noqa: S608

    def close(self) -> None:
        self._connection.close()


def test_a_program_of_the_old_version_goes_on_while_the_store_is_migrated(old_store):
    with contextlib.closing(OldProgram(old_store)) as old:
        old.record("before")
        known = old.read()
        with contextlib.closing(open_store(old_store)) as new:
            old.record("after")
            assert old.read()[: len(known)] != []
            assert {row[1] for row in old.read()} == {*new.run_uids()} >= {"before", "after"}
            (row,) = new.runs_by_uid(["after"])
            assert (row.amended, row.stop, row.id) == (None, b"{}", 9)
            assert new.changes(new.last_change() - 1)[0].reference == "after"
            # It knows nothing of the rows that came with the new version.
            assert {finding.kind for finding in verify(new).errors} == {Kind.NO_LEAVES}
            reindex(new)
            assert verify(new).errors == []


def test_the_migration_waits_for_who_is_writing(old_store):
    with contextlib.closing(OldProgram(old_store)) as old:
        old.say("BEGIN")
        old.say("UPDATE runs SET scan_id = 77 WHERE uid = 'plain'")
        program = (
            "import sys; from hutch.store import open_store; print('now', flush=True);"
            "print(open_store(sys.argv[1]).run_by_scan_id(77).uid)"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, old_store], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout.readline() == "now\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1.0)
            assert version_of(old_store) == "0001"
            old.say("COMMIT")
            assert process.communicate(timeout=60)[0] == "plain\n"
    assert version_of(old_store) == tables.HEAD


# stores without the monitor's tables


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_store_from_before_the_monitor_keeps_what_was_posted(database, tmp_path, request):
    if database == "sqlite":
        address = str(tmp_path / "store")
        (tmp_path / "store" / "files").mkdir(parents=True)
        (tmp_path / "store" / "owners").mkdir()
        migrating.upgrade(f"sqlite:///{address}/hutch.db", "0004")
        mark = "?"
        connection = sqlite3.connect(f"{address}/hutch.db")
    else:
        server = request.getfixturevalue("postgres_server")
        address = server.address(server.make_database())
        migrating.upgrade(address.replace("postgresql://", "postgresql+psycopg://"), "0004")
        (tmp_path / "shared" / "files").mkdir(parents=True)
        (tmp_path / "shared" / MARKER).write_text("5" * 32)
        mark = "%s"
        connection = psycopg.connect(address)
    with contextlib.closing(connection), connection:
        add = "INSERT INTO {} ({}) VALUES ({})".format
        for table, row in {
            "properties": {"key": "store", "value": "5" * 32},
            "runs": {"uid": "old", "time": 1.0, "start": b'{"uid":"old","time":1.0}', "stop": b"{}"},
            "posted": {
                "run": 1,
                "source": "dqm",
                "name": "rate",
                "value": b'"bad"',
                "time": 2.0,
                "author": "a",
            },
        }.items():
            said = add(table, ", ".join(row), ", ".join([mark] * len(row)))
            connection.execute(said, [*row.values()])
        if database == "postgresql":
            connection.execute("INSERT INTO properties VALUES ('files', %s)", [str(tmp_path / "shared")])
    assert version_of(address) == "0004"

    with contextlib.closing(open_store(address)) as store:
        assert version_of(address) == tables.HEAD
        assert [(row.name, row.value) for row in store.posted(1)] == [("rate", b'"bad"')]
        assert store.tiles() == store.saved_references() == store.plot_states_of_run(1, "Lines") == []
        with store.transaction() as writer:
            writer.freeze_figure(1, "rate", "bad", "Lines", b"png")
        assert store.frozen_figure(1).picture == b"png"
