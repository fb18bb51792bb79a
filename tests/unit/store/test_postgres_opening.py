"""Opening a store in a database: what may be there, and what is said about what may not."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from hutch.errors import (
    NoStoreError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
    StoreVersionError,
)
from hutch.store import has_store, open_store
from hutch.store.postgres.opening import MARKER
from hutch.store.schema import tables

from ...postgres import GUARDED, PostgresServer
from .conftest import add_batch, add_run, add_segment, numbers


@pytest.fixture
def empty(postgres_server: PostgresServer) -> str:
    """The address of a database with nothing in it."""
    return postgres_server.address(postgres_server.make_database())


@pytest.fixture
def guarded(postgres_server: PostgresServer):
    """A user who may do nothing yet, and must give the password ``secret``."""
    postgres_server.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD 'secret'")
    yield GUARDED
    for (name,) in postgres_server.execute("SELECT datname FROM pg_database WHERE datallowconn"):
        postgres_server.execute(f"DROP OWNED BY {GUARDED}", name)
    postgres_server.execute(f"DROP ROLE {GUARDED}")


def execute(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def name_of(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2]


# making


def test_a_store_is_made_with_its_folder_and_once(empty, tmp_path):
    assert not has_store(empty)
    store = open_store(empty, files=tmp_path / "a" / "shared")
    add_run(store, "uid")
    store.close()

    assert has_store(empty)
    assert (tmp_path / "a" / "shared" / MARKER).read_text().splitlines()[0] == store.uid
    for again in (open_store(empty), open_store(empty, files=tmp_path / "a" / "shared")):
        assert (again.run_uids(), again.uid) == (["uid"], store.uid)
        assert again.files == tmp_path / "a" / "shared" / "files"
        again.close()


@pytest.mark.parametrize("create", [True, False])
def test_no_store_is_made_without_a_folder_of_files(empty, create):
    with pytest.raises(NoStoreError, match=r"no store in the database .* with: hutch init .* --files DIR"):
        open_store(empty, create=create)
    assert not has_store(empty)


def test_no_store_is_made_if_its_folder_cannot_be(empty, tmp_path):
    (tmp_path / "file").write_text("mine")

    with pytest.raises(
        StoreError, match="The folder of files .*file/shared' cannot be used: Not a directory"
    ):
        open_store(empty, files=tmp_path / "file" / "shared")
    assert not has_store(empty)


def test_a_store_that_several_processes_make_together_is_one(empty, tmp_path):
    program = (
        "import sys\n"
        "from hutch.store import open_store\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "store = open_store(sys.argv[1], files=sys.argv[2])\n"
        "with store.transaction() as writer:\n"
        "    writer.add_run(sys.argv[3], 1.0, None, b'{}')\n"
        "print(store.uid)\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", program, empty, str(tmp_path / "shared")]
    processes = [
        subprocess.Popen([*command, f"{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("now\n")
        process.stdin.flush()
    uids = {process.communicate(timeout=60)[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(uids) == 1
    store = open_store(empty)
    assert sorted(store.run_uids()) == ["0", "1", "2", "3"]
    store.close()
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == [MARKER, "files"]


def test_schemas_of_one_database_hold_a_store_each(empty, tmp_path):
    execute(empty, "CREATE SCHEMA one", "CREATE SCHEMA two")
    stores = [
        open_store(f"{empty}&options=-csearch_path%3D{name}", files=tmp_path / name)
        for name in ("one", "two")
    ]
    for store, uid in zip(stores, "ab", strict=True):
        add_run(store, uid)

    assert [store.run_uids() for store in stores] == [["a"], ["b"]]
    assert stores[0].location != stores[1].location
    for store in stores:
        store.close()


# what else may be there


def _tables(address: str) -> None:
    execute(address, "CREATE TABLE cats (name TEXT)", "CREATE TABLE dogs (name TEXT)")


def _alembic(address: str) -> None:
    execute(address, "CREATE TABLE alembic_version (version_num TEXT)")
    execute(address, "INSERT INTO alembic_version VALUES ('0001')")


def _properties(address: str) -> None:
    execute(address, "CREATE TABLE properties (key TEXT, value TEXT)")


@pytest.mark.parametrize(
    ("make", "named"), [(_tables, "'cats', 'dogs'"), (_alembic, "'alembic_version'"), (_properties, "'prop")]
)
def test_a_database_of_something_else_is_refused_and_left_alone(empty, tmp_path, make, named):
    make(empty)

    with pytest.raises(NoStoreError, match=f"in use by something else.*{named}.*of its own"):
        open_store(empty, files=tmp_path / "shared")
    with psycopg.connect(empty) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found[0] <= 2


def test_a_store_of_a_newer_version_is_refused(postgres_address):
    execute(postgres_address, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreVersionError, match="'9999'.* written by a newer one. Upgrade with: pip install"):
        open_store(postgres_address)


def test_a_database_that_is_not_there_is_named(postgres_server):
    address = postgres_server.address("nowhere")

    with pytest.raises(NoStoreError, match='database "nowhere" does not exist.* createdb.*hutch init'):
        open_store(address)


def test_a_server_that_is_not_there_is_said_to_be_away():
    address = "postgresql://postgres:secret@127.0.0.1:1/runs"

    with pytest.raises(StoreUnavailableError, match="postgres@127.0.0.1:1/runs' does not answer") as caught:
        open_store(address)
    assert "secret" not in str(caught.value)


# rights


def test_a_wrong_password_is_said_and_not_shown(postgres_server, postgres_address, guarded):
    place = f"127.0.0.1:{postgres_server.port}/{name_of(postgres_address)}"

    with pytest.raises(StoreError, match="does not let you in: .*pgpass") as caught:
        open_store(f"postgresql://{guarded}:wrong-one@{place}")
    assert "wrong-one" not in str(caught.value)
    with pytest.raises(StoreError, match="does not let you in: .*no password supplied"):
        open_store(f"postgresql://{guarded}@{place}")


def test_a_password_is_never_shown(postgres_server, postgres_address, guarded):
    execute(postgres_address, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {guarded}")
    execute(postgres_address, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {guarded}")
    place = f"127.0.0.1:{postgres_server.port}/{name_of(postgres_address)}"
    store = open_store(f"postgresql://{guarded}:secret@{place}")
    add_run(store, "uid")

    assert store.location == f"postgresql://{guarded}@{place}"
    assert "secret" not in repr(store)
    store.close()
    with pytest.raises(StoreError, match="has been closed") as caught:
        store.runs()
    assert "secret" not in str(caught.value)


def test_who_may_only_read_reads(postgres_server, postgres_address, guarded):
    owner = open_store(postgres_address)
    add_run(owner, "uid")
    execute(postgres_address, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {guarded}")
    place = f"127.0.0.1:{postgres_server.port}/{name_of(postgres_address)}"
    reader = open_store(f"postgresql://{guarded}:secret@{place}")

    assert reader.run_uids() == ["uid"]
    assert reader.is_live(reader.runs()[0].owner)
    assert not reader.wait(reader.last_change(), timeout_s=0.01)
    with pytest.raises(ReadOnlyStoreError, match="can only be read.*permission denied for table stash"):
        with reader.transaction() as writer:
            writer.set_stash("key", b"1")
    with pytest.raises(ReadOnlyStoreError, match="can only be read.*permission denied for table"):
        add_run(reader, "other")
    reader.close()
    owner.close()


# the folder of files


def test_a_host_may_see_the_folder_elsewhere(postgres_address, tmp_path, monkeypatch):
    store = open_store(postgres_address)
    run = add_run(store, "uid")
    add_batch(store, run, numbers(200_000), add_segment(store, run, numbers(1)))
    store.close()
    (tmp_path / "shared").rename(tmp_path / "elsewhere")

    with pytest.raises(NoStoreError, match=r"is not that of the store.*made with .*shared.*HUTCH_FILES=DIR"):
        open_store(postgres_address)
    given = open_store(postgres_address, files=tmp_path / "elsewhere")
    file = tmp_path / "hutch.toml"
    file.write_text(f"[catalogs.raw]\nstore = '{postgres_address}'\nfiles = 'elsewhere'\n")
    with monkeypatch.context() as patch:
        patch.setenv("HUTCH_CONFIG", str(file))
        configured = open_store(postgres_address, create=False)
    monkeypatch.setenv("HUTCH_FILES", str(tmp_path / "elsewhere"))
    for other in (given, configured, open_store(postgres_address, create=False)):
        assert other.files == tmp_path / "elsewhere" / "files"
        assert other.load(other.batches(run), numbers(1).schema) == [numbers(200_000)]
        other.close()


def test_the_folder_of_another_store_is_refused(postgres_server, postgres_address, tmp_path):
    other = postgres_server.make_store(tmp_path / "other")
    with pytest.raises(NoStoreError, match="belongs to another store than"):
        open_store(other, files=tmp_path / "shared")
    fresh = postgres_server.address(postgres_server.make_database())
    with pytest.raises(NoStoreError, match="belongs to another store, .*Give each store a folder of its own"):
        open_store(fresh, files=tmp_path / "shared")
    assert not has_store(fresh)


def test_a_folder_that_only_has_the_right_name_is_refused(postgres_address, tmp_path):
    store = open_store(postgres_address)
    add_run(store, "uid")
    store.close()
    (tmp_path / "shared").rename(tmp_path / "real")
    (tmp_path / "shared").mkdir()

    for files in (None, tmp_path / "shared"):
        with pytest.raises(NoStoreError, match=f"its file '{MARKER}' cannot be read"):
            open_store(postgres_address, files=files)
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_making_that_was_cut_short_before_the_folder_was_marked_is_finished(postgres_address, tmp_path):
    (tmp_path / "shared" / MARKER).unlink()
    with pytest.raises(NoStoreError, match="cannot be read"):
        open_store(postgres_address)

    open_store(postgres_address, files=tmp_path / "shared").close()
    open_store(postgres_address).close()


def test_what_is_in_the_schema_says_what_it_is_for(postgres_address):
    with psycopg.connect(postgres_address) as connection:
        (found,) = connection.execute("SELECT obj_description('leaves'::regclass)").fetchone()
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert (found, version) == (tables.index.comment, tables.HEAD)
