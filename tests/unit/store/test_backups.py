"""Backups of stores in any database, and stores restored from them into any."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from dataclasses import replace

import pytest

from hutch.errors import NoStoreError, ReadOnlyStoreError, StoreError, StoreFullError
from hutch.store import open_store
from hutch.store.copies.backups import back_up, restore
from hutch.store.folder_lock import FolderLock

from .conftest import add_run
from .whole_stores import (
    LARGE,
    amend,
    batch_files,
    begin,
    compact,
    contents,
    delete,
    end,
    files_of,
    fill,
    make_whole,
    named_files,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backup"


@contextlib.contextmanager
def opened(where):
    with contextlib.closing(open_store(where, create=False)) as store:
        yield store


def assert_equal(store, where):
    """See that the store at a place is the same as another one, and that it has no file too many."""
    with opened(where) as copy:
        assert contents(copy) == contents(store)
        assert files_of(copy) == named_files(copy)


def run_of(store, uid):
    (row,) = store.runs_by_uid([uid])
    return row.id


def set_property(folder, key, change):
    """Change what a backup says about itself."""
    with contextlib.closing(sqlite3.connect(folder / "hutch.db")) as connection, connection:
        ((value,),) = connection.execute("SELECT value FROM properties WHERE key = ?", [key]).fetchall()
        connection.execute("UPDATE properties SET value = ? WHERE key = ?", [change(value), key])


# making one


def test_a_backup_has_all_that_the_store_has(backend, store, folder):
    make_whole(store)
    done = back_up(backend.address, folder)

    assert_equal(store, folder)
    assert (done.runs, done.copied_runs, done.files, done.damaged) == (6, 6, 2, [])
    assert done.source == store.location
    assert done.target == str(folder)


def test_a_backup_of_an_empty_store_is_one(backend, store, folder):
    assert back_up(backend.address, folder).runs == 0
    assert_equal(store, folder)


def test_a_backup_has_no_more_in_its_folder_than_it_needs(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)

    assert sorted(path.name for path in folder.iterdir()) == ["backup.txt", "copy.lock", "files", "hutch.db"]
    assert f"hutch restore {folder}" in (folder / "backup.txt").read_text()


def test_an_open_run_is_copied_as_far_as_it_is_and_later_completed(backend, store, folder):
    run = begin(store, "open")
    fill(store, run)
    back_up(backend.address, folder)
    with opened(folder) as copy:
        assert copy.run_by_id(run).owner is None
        assert not copy.is_live(copy.run_by_id(run).owner)
        assert copy.run_by_id(run).stop is None

    fill(store, run, 5, LARGE)
    end(store, run)
    back_up(backend.address, folder)
    assert_equal(store, folder)


def test_the_second_time_only_what_changed_is_copied(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)
    before = (folder / "files").stat().st_mtime_ns, (folder / "files" / "0").stat().st_mtime_ns

    done = back_up(backend.address, folder)
    assert (done.copied_runs, done.files, done.size_bytes) == (0, 0, 0)
    assert ((folder / "files").stat().st_mtime_ns, (folder / "files" / "0").stat().st_mtime_ns) == before

    amend(store, run_of(store, "whole"), "Si")
    end(store, run_of(store, "open"))
    fill(store, begin(store, "new"), count=LARGE)
    done = back_up(backend.address, folder)
    assert (done.copied_runs, done.files, done.runs) == (3, 1, 7)
    assert_equal(store, folder)


def test_what_was_deleted_is_deleted_from_the_backup(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)
    delete(store, run_of(store, "in a file"))
    delete(store, run_of(store, "amended"))
    with store.transaction() as writer:
        writer.set_stash("user", None)
        writer.set_cursor("listen/0mq", None)
        writer.set_retention("old", None, "bob")
        writer.drop_user("bob")
        writer.put_access(replace(store.experiment("xpp1"), locked=9.5))

    assert back_up(backend.address, folder).deleted_runs == 2
    assert_equal(store, folder)


def test_a_run_that_was_deleted_and_imported_again_is_there_once(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)
    delete(store, run_of(store, "whole"))
    fill(store, begin(store, "whole"), count=7)

    back_up(backend.address, folder)
    assert_equal(store, folder)


def test_batches_that_were_merged_take_the_place_of_the_old(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)
    compact(store, run_of(store, "in a file"), LARGE + 3)
    compact(store, run_of(store, "whole"), 7)

    done = back_up(backend.address, folder)
    assert (done.copied_runs, done.files) == (2, 1)
    with opened(folder) as copy:
        assert files_of(copy) == named_files(copy) == named_files(store)
    assert_equal(store, folder)


def test_the_changes_of_a_run_with_many_batches_are_copied_alone(backend, store, folder):
    run = begin(store, "long")
    for number in range(50):
        fill(store, run, 10 * number)
    first = back_up(backend.address, folder)
    fill(store, run, 1000)
    second = back_up(backend.address, folder)

    assert second.size_bytes == first.size_bytes / 50
    assert_equal(store, folder)


def test_when_the_feed_was_pruned_all_runs_are_compared(backend, store, folder, monkeypatch):
    monkeypatch.setattr("hutch.store.writing.runs.KEPT_CHANGES", 2)
    monkeypatch.setattr("hutch.store.writing.runs._PRUNE_EVERY", 1)
    make_whole(store)
    back_up(backend.address, folder)
    amend(store, run_of(store, "whole"), "Si")
    delete(store, run_of(store, "amended"))
    end(store, run_of(store, "open"))
    for number in range(5):
        begin(store, f"more {number}")
    assert len(store.changes(0)) <= 3

    done = back_up(backend.address, folder)
    assert (done.copied_runs, done.deleted_runs) == (7, 1)
    assert_equal(store, folder)


def test_portions_of_any_size_give_the_same(backend, store, folder, monkeypatch):
    monkeypatch.setattr("hutch.store.copies.copying._BYTES_OF_A_PORTION", 100)
    monkeypatch.setattr("hutch.store.copies.copying._RUNS_OF_A_PORTION", 2)
    monkeypatch.setattr("hutch.store.copies.copying._FEW_RUNS", 0)
    monkeypatch.setattr("hutch.store.copies.table_copying._AT_ONCE", 2)
    monkeypatch.setattr("hutch.store.copies.table_copying._ROWS_AT_ONCE", 1)
    monkeypatch.setattr("hutch.store.copies.table_copying._BODIES_AT_ONCE", 1)
    monkeypatch.setattr("hutch.store.copies.loose_copying._FEED_AT_ONCE", 3)
    make_whole(store)
    back_up(backend.address, folder)
    assert_equal(store, folder)
    compact(store, run_of(store, "whole"), 7)
    delete(store, run_of(store, "in a file"))
    end(store, run_of(store, "open"))
    back_up(backend.address, folder)
    assert_equal(store, folder)


def test_documents_that_cannot_be_read_are_copied_as_they_are(backend, store, folder):
    with store.transaction() as writer:
        for number, body in enumerate((b"not JSON", b"[]", b"", b'{"uid": "x"')):
            run = writer.add_run(f"uid {number}", 1.0, None, body)
            writer.end_run(run, body, "?")
    back_up(backend.address, folder)

    assert_equal(store, folder)


def test_progress_is_told(backend, store, folder, monkeypatch):
    monkeypatch.setattr("hutch.store.copies.copying._TELL_S", 0.0)
    make_whole(store)
    told = []
    back_up(backend.address, folder, lambda done: told.append((done.runs, done.size_bytes, done.share)))

    assert told == sorted(told)
    assert told[0] == (0, 0, 0.0)
    assert told[-1][0] == 6
    # The attachment that is in a file has five bytes.
    assert told[-1][1] == store.count_bytes() + 5
    assert told[-1][2] == 1.0


def test_a_backup_of_a_backup_is_one(backend, store, folder, tmp_path):
    make_whole(store)
    back_up(backend.address, folder)
    back_up(folder, tmp_path / "second")

    assert_equal(store, tmp_path / "second")


# what a backup is


def test_a_backup_is_only_read(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)
    before = sorted(path.stat().st_mtime_ns for path in folder.rglob("*"))

    with opened(folder) as copy:
        for _ in range(2):
            assert copy.count_runs() == 6
        with (
            pytest.raises(ReadOnlyStoreError, match="it is a backup of .* hutch restore"),
            copy.transaction(),
        ):
            pass
    assert sorted(path.stat().st_mtime_ns for path in folder.rglob("*")) == before


def test_a_backup_has_a_uid_of_its_own(backend, store, folder):
    back_up(backend.address, folder)
    with opened(folder) as copy:
        first = copy.uid
    back_up(backend.address, folder)
    with opened(folder) as copy:
        assert copy.uid == first != store.uid


def test_a_backup_may_be_read_from_a_folder_that_nobody_may_write(backend, store, folder, needs_tmpfs):
    make_whole(store)
    disk = needs_tmpfs(2**24)
    back_up(backend.address, disk / "backup")
    os.system(f"mount -o remount,ro {disk}")  # noqa: S605 - a folder of the test's

    assert_equal(store, disk / "backup")
    done = restore(disk / "backup", folder)
    assert done.runs == 6
    assert_equal(store, folder)
    with pytest.raises(ReadOnlyStoreError, match="Read-only file system"):
        back_up(backend.address, disk / "backup")


def test_an_unfinished_backup_says_so(backend, store, folder, caplog, tmp_path):
    make_whole(store)
    back_up(backend.address, folder)
    set_property(folder, "copy", lambda value: json.dumps({**json.loads(value), "is_complete": False}))

    with opened(folder) as copy:
        assert copy.count_runs() == 6
    assert f"unfinished backup: run it again: hutch backup {store.location} {folder}" in caplog.text
    with pytest.raises(StoreError, match="is an unfinished backup. Run it again: .*--unfinished"):
        restore(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    restore(folder, tmp_path / "new", unfinished=True)
    assert_equal(store, tmp_path / "new")
    back_up(backend.address, folder)
    caplog.clear()
    with opened(folder):
        assert caplog.text == ""


# what is refused


def test_a_folder_within_the_store_is_refused(backend, store, tmp_path):
    within = store.files / "backup"
    (tmp_path / "link").symlink_to(store.files.parent)
    for place in (store.files.parent, within, tmp_path / "link", tmp_path / "link" / "deeper"):
        with pytest.raises(StoreError, match="is within the store .* Give another folder"):
            back_up(backend.address, place)
    assert not within.exists()


def test_a_live_store_is_not_overwritten(backend, store, tmp_path):
    add_run(store, "uid")
    with contextlib.closing(open_store(tmp_path / "other")) as other:
        add_run(other, "precious")

        with pytest.raises(StoreError, match="is a live store. Give the backup of .* another place"):
            back_up(backend.address, tmp_path / "other")
        assert other.run_uids() == ["precious"]
        assert not (tmp_path / "other" / "copy.lock").exists()


def test_the_backup_of_another_store_is_not_overwritten(backend, store, tmp_path, folder):
    with contextlib.closing(open_store(tmp_path / "other")) as other:
        add_run(other, "precious")
    back_up(tmp_path / "other", folder)

    with pytest.raises(StoreError, match="is a backup of another store, .*other"):
        back_up(backend.address, folder)
    with opened(folder) as copy:
        assert copy.run_uids() == ["precious"]


def test_files_that_are_not_ours_are_left_alone(backend, store, folder):
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "thesis.tex").write_text("mine")

    with pytest.raises(StoreError, match="has a folder 'files' that belongs to no store"):
        back_up(backend.address, folder)
    assert (folder / "files" / "thesis.tex").read_text() == "mine"


def test_other_files_in_the_folder_stay(backend, store, folder):
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    make_whole(store)
    back_up(backend.address, folder)
    (folder / "files" / "notes.txt").write_text("mine as well")
    back_up(backend.address, folder)

    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "files" / "notes.txt").read_text() == "mine as well"


def test_a_file_in_place_of_the_folder_is_refused(backend, store, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="is a file"):
        back_up(backend.address, tmp_path / "file")


def test_no_store_is_no_backup(tmp_path, folder):
    with pytest.raises(NoStoreError, match="There is no store"):
        back_up(tmp_path / "nowhere", folder)
    assert not folder.exists()


def test_two_processes_do_not_write_into_one_backup(backend, store, folder):
    back_up(backend.address, folder)
    with FolderLock(folder), pytest.raises(StoreError, match="Another process copies into, or from"):
        back_up(backend.address, folder)
    back_up(backend.address, folder)


def test_without_room_nothing_is_begun(backend, store, needs_tmpfs):
    disk = needs_tmpfs(2**20)
    fill(store, begin(store, "large"), count=LARGE)

    with pytest.raises(StoreFullError, match="needs about .*B for .* has .*B left. Nothing has been copied"):
        back_up(backend.address, disk / "backup")


def test_a_store_that_was_set_back_is_not_copied_over_a_newer_backup(tmp_path, folder):
    place = tmp_path / "store"
    with contextlib.closing(open_store(place)) as store:
        add_run(store, "early")
    early = (place / "hutch.db").read_bytes()
    with contextlib.closing(open_store(place)) as store:
        add_run(store, "precious")
    back_up(place, folder)
    (place / "hutch.db").write_bytes(early)

    with pytest.raises(StoreError, match="has been set back to an earlier state"):
        back_up(place, folder)
    with contextlib.closing(open_store(place)) as store:
        add_run(store, "other")
        add_run(store, "more")
    with pytest.raises(StoreError, match="has been set back to an earlier state"):
        back_up(place, folder)
    with opened(folder) as copy:
        assert copy.run_uids() == ["early", "precious"]


# damage


def test_what_is_damaged_in_the_store_is_told_and_all_else_copied(backend, store, folder):
    make_whole(store)
    run = run_of(store, "in a file")
    large = next(batch for batch in store.batches(run) if batch.file)
    path = store.files / large.file
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + b"#" + whole[1001:])

    done = back_up(backend.address, folder)
    assert done.damaged == [f"File {str(path)!r} does not match its checksum."]
    assert done.runs == 6
    assert back_up(backend.address, folder).damaged == done.damaged

    path.write_bytes(whole[:-1])
    sizes = f"has {len(whole) - 1:,} bytes, recorded are {len(whole):,}"
    assert back_up(backend.address, folder).damaged == [f"File {str(path)!r} {sizes}."]

    path.unlink()
    assert back_up(backend.address, folder).damaged == [
        f"File {str(path)!r} cannot be read: No such file or directory."
    ]

    path.write_bytes(whole)
    done = back_up(backend.address, folder)
    assert (done.damaged, done.files) == ([], 1)
    assert_equal(store, folder)


def test_a_file_that_was_gone_is_not_forgotten_by_an_interruption(backend, store, folder, monkeypatch):
    make_whole(store)
    (name,) = batch_files(store)
    (store.files / name).rename(store.files / "aside")
    monkeypatch.setattr("hutch.store.copies.copying.Copier.finish", _fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        back_up(backend.address, folder)
    monkeypatch.undo()

    assert len(back_up(backend.address, folder).damaged) == 1
    (store.files / "aside").rename(store.files / name)
    assert back_up(backend.address, folder).damaged == []
    assert_equal(store, folder)


def test_a_body_that_is_damaged_is_told(tmp_path, folder):
    with contextlib.closing(open_store(tmp_path / "store")) as store:
        make_whole(store)
        batch = store.batches(run_of(store, "whole"))[0]
    with contextlib.closing(sqlite3.connect(tmp_path / "store" / "hutch.db")) as connection, connection:
        connection.execute("UPDATE batches SET body = zeroblob(size) WHERE id = ?", [batch.id])

    for _ in range(2):
        done = back_up(tmp_path / "store", folder)
        assert done.damaged == [f"Batch {batch.id} does not match its checksum: 3 events are damaged."]
        assert done.runs == 6
    with contextlib.closing(open_store(tmp_path / "store")) as store:
        delete(store, run_of(store, "whole"))
    assert back_up(tmp_path / "store", folder).damaged == []


def test_a_damaged_backup_is_made_whole_by_a_full_one(backend, store, folder):
    make_whole(store)
    back_up(backend.address, folder)
    (name,) = batch_files(store)
    path = folder / "files" / name
    for damage in (lambda: path.unlink(), lambda: path.write_bytes(bytes(path.stat().st_size))):
        damage()
        assert back_up(backend.address, folder).files == 0
        assert back_up(backend.address, folder, full=True).files == 1
        assert_equal(store, folder)


def test_files_that_compaction_takes_away_meanwhile_are_looked_up_again(backend, store, folder, monkeypatch):
    from hutch.store.copies.file_copying import FileCopier

    run = begin(store, "uid")
    fill(store, run, count=LARGE)
    bring = FileCopier.bring

    def compact_first(copier, files):
        monkeypatch.setattr(FileCopier, "bring", bring)
        old = store.batches(run)[0]
        compact(store, run, LARGE + 1)
        (store.files / old.file).unlink()
        return bring(copier, files)

    monkeypatch.setattr(FileCopier, "bring", compact_first)
    assert back_up(backend.address, folder).damaged == []
    assert_equal(store, folder)


def test_files_that_vanish_in_the_last_moment_are_looked_up_again(backend, store, folder, monkeypatch):
    from hutch.store.copies.file_copying import FileCopier

    run = begin(store, "uid")
    back_up(backend.address, folder)
    fill(store, run, count=LARGE)
    bring, old = FileCopier.bring, store.batches(run)[0]

    def vanish_first(copier, files):
        files = list(files)
        if files:
            monkeypatch.setattr(FileCopier, "bring", bring)
            compact(store, run, LARGE + 1)
            (store.files / old.file).unlink()
        return bring(copier, files)

    monkeypatch.setattr(FileCopier, "bring", vanish_first)
    assert back_up(backend.address, folder).damaged == []
    assert_equal(store, folder)


# restoring


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request, tmp_path):
    """An address for a new store, and what tells hutch where its files are."""
    if request.param == "sqlite":
        return str(tmp_path / "restored"), None
    server = request.getfixturevalue("postgres_server")
    return server.address(server.make_database()), tmp_path / "restored files"


def test_a_restored_store_is_what_the_store_was(backend, store, folder, new_place):
    make_whole(store)
    back_up(backend.address, folder)
    expected = contents(store)
    add_run(store, "later")
    done = restore(folder, *new_place)

    with opened(new_place[0]) as restored:
        assert contents(restored) == expected
        assert restored.uid not in (store.uid, "")
        assert done.target == restored.location
        assert files_of(restored) == named_files(restored)


def test_a_restored_store_goes_on(backend, store, folder, new_place):
    make_whole(store)
    delete(store, add_run(store, "the last"))
    back_up(backend.address, folder)
    restore(folder, *new_place)

    with opened(new_place[0]) as restored:
        last, newest = restored.last_change(), max(row.run for row in store.tombstones())
        run = begin(restored, "new")
        fill(restored, run, count=LARGE)
        end(restored, run)
        assert run == newest + 1
        assert [change.number for change in restored.changes(last)] == list(range(last + 1, last + 5))
        assert {batch.id for batch in restored.batches(run)}.isdisjoint(
            batch.id for row in store.runs() for batch in store.batches(row.id)
        )
    back_up(new_place[0], folder.with_name("another"))
    with pytest.raises(StoreError, match="is a backup of another store"):
        back_up(new_place[0], folder)


def test_a_restored_store_knows_what_it_was_made_of(backend, store, folder, tmp_path):
    back_up(backend.address, folder)
    restore(folder, tmp_path / "new")
    with contextlib.closing(sqlite3.connect(tmp_path / "new" / "hutch.db")) as connection:
        facts = dict(connection.execute("SELECT key, value FROM properties").fetchall())

    assert set(facts) == {"made", "made_by", "restored_from", "store"}
    assert json.loads(facts["restored_from"])["store"] == store.uid
    assert json.loads(facts["restored_from"])["backup"] == str(folder)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["files", "hutch.db", "owners"]


def test_an_empty_store_is_filled_and_another_is_not(backend, store, folder, new_place):
    make_whole(store)
    back_up(backend.address, folder)
    address, files = new_place
    with contextlib.closing(open_store(address, files=files)) as new, new.transaction() as writer:
        writer.set_stash("scan_id", b"1")
    with pytest.raises(StoreError, match="is not empty, it has 1 row of stash. Give the restore a new place"):
        restore(folder, address, files)
    with opened(address) as new, new.transaction() as writer:
        writer.set_stash("scan_id", None)

    restore(folder, address)
    with opened(address) as new:
        assert contents(new) == contents(store)
    with pytest.raises(StoreError, match="is not empty, it has 6 runs"):
        restore(folder, address)


def test_a_store_without_runs_that_has_files_is_not_filled(backend, store, folder, tmp_path):
    back_up(backend.address, folder)
    with contextlib.closing(open_store(tmp_path / "new")) as new:
        (new.files / "0").mkdir()
        (new.files / "0" / "1-2-0123abcd.arrow").write_bytes(b"who knows")

    with pytest.raises(StoreError, match="is not empty, it has Arrow files"):
        restore(folder, tmp_path / "new")
    assert (tmp_path / "new" / "files" / "0" / "1-2-0123abcd.arrow").read_bytes() == b"who knows"


def test_what_is_no_backup_is_not_restored(backend, store, tmp_path):
    with pytest.raises(NoStoreError, match="There is no backup in .*nowhere"):
        restore(tmp_path / "nowhere", tmp_path / "new")
    with contextlib.closing(open_store(tmp_path / "live")):
        pass
    with pytest.raises(StoreError, match="is a store and no backup. Make a backup of it with: hutch backup"):
        restore(tmp_path / "live", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_store_that_is_being_restored_cannot_be_used(backend, store, folder, new_place, monkeypatch):
    make_whole(store)
    back_up(backend.address, folder)
    monkeypatch.setattr("hutch.store.copies.copying.Copier.finish", _fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        restore(folder, *new_place)
    monkeypatch.undo()

    with pytest.raises(StoreError, match="is an unfinished restore of .* Run it again.*: hutch restore"):
        open_store(new_place[0])
    with pytest.raises(StoreError, match="is an unfinished restore"):
        back_up(new_place[0], folder.with_name("b"))
    assert restore(folder, new_place[0]).copied_runs == 0
    with opened(new_place[0]) as restored:
        assert contents(restored) == contents(store)


def _fail(*_, **__):
    raise RuntimeError("interrupted")


def test_another_backup_does_not_complete_a_restored_store(backend, store, folder, tmp_path, monkeypatch):
    back_up(backend.address, folder)
    back_up(backend.address, tmp_path / "other")
    monkeypatch.setattr("hutch.store.copies.copying.Copier.finish", _fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        restore(folder, tmp_path / "new")
    monkeypatch.undo()

    with pytest.raises(StoreError, match="is an unfinished restore of .*backup.* another place"):
        restore(tmp_path / "other", tmp_path / "new")


def test_a_backup_is_not_written_while_it_is_restored(backend, store, folder, tmp_path, monkeypatch):
    from hutch.store.copies.copying import Copier

    back_up(backend.address, folder)
    catch_up = Copier.catch_up
    refused = []

    def try_to_back_up(copier):
        with pytest.raises(StoreError, match="Another process copies into, or from"):
            back_up(backend.address, folder)
        refused.append(True)
        monkeypatch.undo()
        restore(folder, tmp_path / "second")
        catch_up(copier)

    monkeypatch.setattr(Copier, "catch_up", try_to_back_up)
    restore(folder, tmp_path / "first")
    assert refused
    assert_equal(store, tmp_path / "first")
    assert_equal(store, tmp_path / "second")


def test_runs_that_were_recorded_into_the_copy_are_not_deleted(backend, store, folder, tmp_path, monkeypatch):
    make_whole(store)
    back_up(backend.address, folder)
    place = tmp_path / "new"
    with contextlib.closing(open_store(place)) as early:
        monkeypatch.setattr("hutch.store.copies.copying.Copier.finish", _fail)
        with pytest.raises(RuntimeError, match="interrupted"):
            restore(folder, place)
        monkeypatch.undo()
        add_run(early, "recorded by one who had it open before")

    with pytest.raises(StoreError, match="or somebody has recorded into the copy"):
        restore(folder, place)
    for number in range(3):
        begin(store, f"more {number}")
    back_up(backend.address, folder)
    with pytest.raises(StoreError, match="neither has it nor says that it deleted it"):
        restore(folder, place)


def test_a_backup_within_the_new_place_is_no_hindrance(backend, store, tmp_path):
    make_whole(store)
    back_up(backend.address, tmp_path / "new" / "backup")
    restore(tmp_path / "new" / "backup", tmp_path / "new")

    assert_equal(store, tmp_path / "new")


def test_a_store_within_the_backup_is_refused(backend, store, folder):
    back_up(backend.address, folder)
    for place in (folder, folder / "new"):
        with pytest.raises(StoreError, match="is within the store|is a backup"):
            restore(folder, place)
