"""Migrating a store in a database: from the first schema on, with data, cut short, and by several at once."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.pool import NullPool

from hutch.documents import leaves
from hutch.errors import StoreError
from hutch.store import DocumentRow, Store, Topic, open_store
from hutch.store.postgres.opening import MARKER
from hutch.store.schema import migrating, tables

from .conftest import add_batch, add_run, add_segment, numbers


def engine_of(address: str) -> sa.Engine:
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(address), poolclass=NullPool
    )


@pytest.fixture
def empty(postgres_server) -> str:
    return postgres_server.address(postgres_server.make_database())


@pytest.fixture
def first(empty, tmp_path) -> str:
    """The address of a store of the first schema, with a run that goes on and one that ended."""
    migrating.upgrade(engine_of(empty), "0001")
    uid = uuid.uuid4().hex
    with psycopg.connect(empty) as connection:
        for row in (("store", uid), ("files", str(tmp_path / "shared"))):
            connection.execute("INSERT INTO properties VALUES (%s, %s)", row)
        for name, stop in (("open", None), ("ended", b"{}")):
            row = (name, 1.0, 7, b'{"uid":"%s"}' % name.encode(), stop)
            connection.execute(
                "INSERT INTO runs (uid, time, scan_id, start, stop) VALUES (%s, %s, %s, %s, %s)", row
            )
        connection.execute("INSERT INTO documents VALUES (1, 1, 'descriptor', 'd', '{}')")
        connection.execute("INSERT INTO leaves VALUES ('a', 2, 1.5, '', 1.0, 1)")
        connection.execute("INSERT INTO changes (topic, run, reference, time) VALUES ('start', 1, 'open', 1)")
    (tmp_path / "shared" / "files").mkdir(parents=True)
    (tmp_path / "shared" / MARKER).write_text(uid)
    return empty


def version_of(address: str) -> tuple[str, bool]:
    """Return the version of the tables, and whether ``runs`` has the column of the second one."""
    with psycopg.connect(address) as connection:
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        found = connection.execute("SELECT FROM pg_attribute WHERE attname = 'amended'").fetchone()
    return version, found is not None


@pytest.fixture
def opened() -> Iterator[list[Store]]:
    stores: list[Store] = []
    yield stores
    for store in stores:
        store.close()


def test_migrating_from_nothing_gives_the_described_schema(empty):
    engine = engine_of(empty)
    migrating.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == tables.HEAD
        assert compare_metadata(context, tables.metadata) == []


def test_a_new_store_has_the_same_tables_as_a_migrated_one(empty, postgres_address, postgres_server):
    migrating.upgrade(engine_of(empty))
    command = [postgres_server.program("pg_dump"), "--schema-only", "--no-owner", "--dbname"]
    dumps = [
        subprocess.run([*command, address], capture_output=True, text=True, check=True, timeout=60).stdout
        for address in (empty, postgres_address)
    ]

    migrated, new = (sorted(line.rstrip(",") for line in dump.splitlines()) for dump in dumps)
    # Recent versions of the program guard their output with a random word.
    assert [line for line in migrated if "restrict" not in line] == [
        line for line in new if "restrict" not in line
    ]


def test_what_an_old_store_holds_is_there_after_its_migration(first, opened):
    assert version_of(first) == ("0001", False)
    store = open_store(first, create=False)
    opened.append(store)

    assert version_of(first) == (tables.HEAD, True)
    going, ended = store.runs()
    assert (going.uid, going.start, going.stop, going.scan_id) == ("open", b'{"uid":"open"}', None, 7)
    assert (ended.uid, ended.stop) == ("ended", b"{}")
    assert store.documents(going.id) == [DocumentRow(1, "descriptor", "d", b"{}")]
    assert store.leaves(going.id) == leaves({"uid": "open"})
    # And it goes on.
    run = add_run(store, "new")
    add_batch(store, run, numbers(3), add_segment(store, run, numbers(3)))
    assert run == ended.id + 1
    assert [(change.number, change.topic) for change in store.changes(0)] == [
        (1, Topic.START), (2, Topic.START), (3, Topic.DATA),
    ]  # fmt: skip


def test_a_migration_that_fails_leaves_everything_as_it_was(first, opened):
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE discarded (mine TEXT)")

    with pytest.raises(StoreError, match='could not be used: relation "discarded" already exists'):
        open_store(first)
    assert version_of(first) == ("0001", False)

    with psycopg.connect(first) as connection:
        connection.execute("DROP TABLE discarded")
    opened.append(open_store(first))
    assert opened[0].run_uids() == ["open", "ended"]


_OPEN = (
    "import sys\n"
    "from hutch.store import open_store\n"
    "print('begin', flush=True)\n"
    "store = open_store(sys.argv[1])\n"
    "print(store.run_uids(), flush=True)\n"
    "store.close()\n"
)


def waits(server, count: int) -> bool:
    """Tell whether so many sessions wait for a lock, once they do."""
    for _ in range(3000):
        rows = server.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_sleep(0.01) IS NOT NULL"
        )
        if rows[0][0] >= count:
            return True
    return False


def test_a_migration_that_is_killed_in_the_middle_is_done_by_the_next_one(first, postgres_server, opened):
    # The migration has begun to change things when it comes to this table.
    with psycopg.connect(first) as blocker:
        blocker.execute("LOCK TABLE runs")
        process = subprocess.Popen([sys.executable, "-c", _OPEN, first], stdout=subprocess.PIPE, text=True)
        assert waits(postgres_server, 1)
        process.kill()
        process.communicate(timeout=30)
        blocker.rollback()

    opened.append(open_store(first))
    assert opened[0].run_uids() == ["open", "ended"]
    assert version_of(first) == (tables.HEAD, True)


def test_processes_that_migrate_at_once_do_it_one_after_the_other(first, postgres_server):
    with psycopg.connect(first) as blocker:
        blocker.execute("LOCK TABLE runs")
        processes = [
            subprocess.Popen([sys.executable, "-c", _OPEN, first], stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        assert waits(postgres_server, len(processes))
        blocker.rollback()
        printed = [process.communicate(timeout=60)[0] for process in processes]

    assert printed == ["begin\n['open', 'ended']\n"] * 3
    assert version_of(first) == (tables.HEAD, True)
