"""Opening a store: what may be there, and what is said about what may not."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections import namedtuple

import psutil
import pytest

from hutch.errors import (
    ConfigurationError,
    NetworkFilesystemError,
    NoStoreError,
    ReadOnlyStoreError,
    StoreError,
    StoreFullError,
    StoreVersionError,
)
from hutch.store import open_store
from hutch.store.copies.backups import back_up
from hutch.store.places import network_filesystem

from .conftest import add_run, numbers


def add_one(folder, uid="uid"):
    store = open_store(folder)
    add_run(store, uid)
    store.close()


def test_a_store_is_made_with_all_folders_above_it(tmp_path):
    store = open_store(tmp_path / "a" / "b")

    assert store.location == str(tmp_path / "a" / "b")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["files", "hutch.db", "owners"]
    store.close()


@pytest.mark.parametrize("name", ["with space", "100%", "a?b", "a#b", "å;'\"", "[x]"])
def test_a_folder_may_have_any_name(tmp_path, name):
    add_one(tmp_path / name)

    store = open_store(tmp_path / name, create=False)
    assert store.run_uids() == ["uid"]
    store.close()


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    add_one(tmp_path)

    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_paths_may_be_relative_and_of_the_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    add_one("here")
    add_one("~/there")

    assert (tmp_path / "here" / "hutch.db").exists()
    assert (tmp_path / "home" / "there" / "hutch.db").exists()


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_is_none_makes_no_store(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="can't be in .* name a folder, such as '.' for this one"):
        open_store(name)
    with contextlib.closing(open_store("store")), pytest.raises(ConfigurationError, match="name a folder"):
        back_up("store", name)
    assert [file.name for file in tmp_path.iterdir()] == ["store"]


def test_no_store_is_made_unless_it_may(tmp_path):
    with pytest.raises(NoStoreError, match="There is no store in .* Make one with: hutch init"):
        open_store(tmp_path / "none", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("text")

    with pytest.raises(NoStoreError, match="is a file; a store is a folder"):
        open_store(tmp_path / "file")
    with pytest.raises(StoreError, match="No store can be made in .*Not a directory"):
        open_store(tmp_path / "file" / "store")


def _not_a_database(path):
    path.write_bytes(b"This is no database. " * 100)


def _empty(path):
    path.write_bytes(b"")


def _folder(path):
    path.mkdir()


def _something_else(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()


def _something_else_with_alembic(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    connection.close()


@pytest.mark.parametrize(
    "make", [_not_a_database, _empty, _folder, _something_else, _something_else_with_alembic]
)
def test_what_is_no_database_of_hutch_is_refused_and_left_alone(tmp_path, make):
    path = tmp_path / "hutch.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None

    for create in (True, False):
        with pytest.raises(NoStoreError, match="hutch.db|no store that can be opened"):
            open_store(tmp_path, create=create)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    add_one(tmp_path)
    with sqlite3.connect(tmp_path / "hutch.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StoreVersionError, match="'9999'.* written by a newer one. Upgrade with: pip install"):
        open_store(tmp_path)


def test_a_store_that_two_processes_make_together_is_one(tmp_path):
    program = (
        "import sys\n"
        "from hutch.store import open_store\n"
        "sys.stdin.readline()\n"
        "store = open_store(sys.argv[1])\n"
        "with store.transaction() as writer:\n"
        "    writer.add_run(sys.argv[2], 1.0, None, b'{}')\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    processes = [
        subprocess.Popen([*command, f"{number}"], stdin=subprocess.PIPE, text=True) for number in range(3)
    ]
    for process in processes:
        process.stdin.write("now\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    store = open_store(tmp_path / "store", create=False)
    assert sorted(store.run_uids()) == ["0", "1", "2"]
    store.close()
    assert not list((tmp_path / "store").glob(".*"))


Partition = namedtuple("Partition", "mountpoint fstype")  # noqa: PYI024


@pytest.fixture
def mounts(monkeypatch):
    """Let the machine have other file systems: called with (folder, type) of each."""

    def pretend(*partitions):
        found = [Partition(str(place), kind) for place, kind in partitions]
        monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)  # noqa: A002

    return pretend


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "NFS4", "gpfs", "lustre", "cifs", "fuse.sshfs"])
def test_network_file_systems_are_refused(tmp_path, mounts, kind):
    mounts(("/", "ext4"), (tmp_path, kind))

    with pytest.raises(NetworkFilesystemError, match=rf"network file system \({kind.lower()}\).*PostgreSQL"):
        open_store(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_the_mount_nearest_to_the_folder_decides(tmp_path, mounts):
    near = tmp_path / "near"
    near.mkdir()
    mounts(("/", "ext4"), (tmp_path, "nfs"), (near, "xfs"))

    assert network_filesystem(near / "store") is None
    assert network_filesystem(tmp_path / "nearby") == "nfs"


def test_the_latest_of_two_mounts_on_one_place_decides(tmp_path, mounts):
    mounts(("/", "ext4"), (tmp_path, "nfs"), (tmp_path, "tmpfs"))

    assert network_filesystem(tmp_path) is None


def test_links_are_followed_to_where_they_lead(tmp_path, mounts):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far")
    mounts(("/", "ext4"), (tmp_path / "far", "nfs"))

    assert network_filesystem(tmp_path / "link" / "store") == "nfs"


def test_a_read_only_store_is_read_and_not_written(tmp_path, read_only):
    folder = tmp_path / "store"
    add_one(folder)
    read_only(folder)

    store = open_store(folder)
    assert store.run_uids() == ["uid"]
    assert not store.is_live(store.runs()[0].owner)
    assert not store.wait(store.last_change(), timeout_s=0.0)
    with pytest.raises(ReadOnlyStoreError, match="can only be read: its folder is not writable"):
        add_run(store, "other")
    store.sync()
    store.close()


def test_a_read_only_store_that_was_not_closed_is_read(tmp_path, read_only):
    folder = tmp_path / "store"
    program = (
        "import os, sys\n"
        "from hutch.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "with store.transaction() as writer:\n"
        "    writer.add_run('uid', 1.0, None, b'{}')\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=60)
    assert (folder / "hutch.db-wal").stat().st_size
    read_only(folder)

    store = open_store(folder, create=False)
    assert store.run_uids() == ["uid"]
    store.close()


def test_a_reader_without_the_right_to_write_sees_what_others_write(tmp_path, monkeypatch):
    add_one(tmp_path, "before")
    monkeypatch.setattr("hutch.store.sqlite.store.is_writable", lambda folder: False)
    monkeypatch.setattr("hutch.store.opening.is_writable", lambda folder: False)
    reader = open_store(tmp_path)
    assert reader.run_uids() == ["before"]
    monkeypatch.undo()
    writer = open_store(tmp_path)

    add_run(writer, "after")

    assert reader.run_uids() == ["before", "after"]
    reader.close()
    writer.close()


def test_no_store_is_made_where_nothing_can_be_written(tmp_path, read_only):
    folder = tmp_path / "folder"
    folder.mkdir()
    read_only(folder)

    with pytest.raises(ReadOnlyStoreError, match="No store can be made"):
        open_store(folder / "store")


def test_no_store_is_made_on_a_full_disk(needs_tmpfs):
    disk = needs_tmpfs(65536)
    (disk / "ballast").write_bytes(bytes(40000))

    with pytest.raises(StoreFullError, match="full|No space"):
        open_store(disk / "store")
    assert not list((disk / "store").glob("*.db*"))
    assert not list((disk / "store").glob(".*"))


def test_a_store_that_was_removed_is_not_written_and_not_made_again(tmp_path):
    store = open_store(tmp_path / "store")
    add_run(store, "uid")
    (tmp_path / "store" / "hutch.db").unlink()

    with pytest.raises(NoStoreError, match="removed or replaced while it was open"):
        add_run(store, "other")
    assert not (tmp_path / "store" / "hutch.db").exists()
    store.close()


def test_a_store_that_was_removed_before_it_was_read_is_not_made_again(tmp_path):
    store = open_store(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "moved")
    (tmp_path / "store").mkdir()

    with pytest.raises(NoStoreError, match="removed or replaced while it was open"):
        store.runs()
    assert list((tmp_path / "store").iterdir()) == []
    store.close()


def test_a_store_that_was_replaced_is_not_mixed_with_the_new_one(tmp_path):
    store = open_store(tmp_path / "store")
    add_run(store, "old")
    (tmp_path / "store").rename(tmp_path / "moved")
    add_one(tmp_path / "store", "new")

    with pytest.raises(NoStoreError, match="removed or replaced while it was open"):
        add_run(store, "other")
    store.close()
    again = open_store(tmp_path / "store")
    assert again.run_uids() == ["new"]
    again.close()


def test_runs_stay_owned_when_the_store_is_opened_by_another_path(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "store")
    store = open_store(tmp_path / "store")
    add_run(store, "uid")
    by_link = open_store(tmp_path / "link")
    (row,) = by_link.runs()

    assert by_link.is_live(row.owner)
    program = (
        "import sys\n"
        "from hutch.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "print(store.is_live(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store"), row.owner]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "True\n"
    by_link.close()
    store.close()


def test_a_large_batch_that_finds_no_room_leaves_nothing_behind(needs_tmpfs):
    from hutch.store.batches.arrow_files import new_batch

    disk = needs_tmpfs(2**21)
    store = open_store(disk / "store")
    run = add_run(store, "uid")

    with pytest.raises(StoreFullError, match="is full: nothing more can be recorded until there is room"):
        new_batch(store.files, run, 1, numbers(400_000))
    assert not [path for path in store.files.rglob("*") if path.is_file()]
    store.close()
