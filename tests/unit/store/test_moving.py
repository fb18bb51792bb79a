"""Moving stores: from folder to folder, into a database and out of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from hutch.errors import NoStoreError, RunOwnedError, StoreError, StoreMovedError
from hutch.store import open_store
from hutch.store.copies import moving
from hutch.store.copies.backups import back_up, restore
from hutch.store.copies.moving import delete_old

from .conftest import add_run
from .whole_stores import (
    LARGE,
    batch_files,
    begin,
    contents,
    delete,
    end,
    files_of,
    fill,
    make_whole,
    named_files,
)


def move(where, to, files=None, check=lambda store: []):
    return moving.move(where, to, files, check=check)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request, tmp_path):
    """An address for a new store, and the folder of its files if it needs one."""
    if request.param == "sqlite":
        return str(tmp_path / "new"), None
    server = request.getfixturevalue("postgres_server")
    return server.address(server.make_database()), tmp_path / "new files"


@pytest.fixture
def whole(store):
    """A store with something in every table, whose runs nobody records."""
    make_whole(store)
    with store.transaction() as writer:
        for run in store.owned_runs():
            writer.disown_run(run.id)
    return store


@contextlib.contextmanager
def opened(where):
    with contextlib.closing(open_store(where, create=False)) as store:
        yield store


def test_a_moved_store_is_the_same_in_another_place(backend, whole, new_place):
    expected, uid = contents(whole), whole.uid
    done = move(backend.address, *new_place)

    assert (done.runs, done.damaged) == (6, [])
    with opened(new_place[0]) as new:
        assert contents(new) == expected
        assert new.uid == uid
        assert files_of(new) == named_files(new)
        run = begin(new, "later")
        fill(new, run, count=LARGE)
        assert run == 8


def test_a_store_that_has_moved_says_where_to(backend, whole, new_place):
    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        location = new.location

    with pytest.raises(StoreMovedError, match="has moved to .*Use that one: hutch runs --store") as caught:
        open_store(backend.address)
    assert caught.value.to == location
    with pytest.raises(StoreMovedError, match="has moved to"):
        back_up(backend.address, Path("backup"))


def test_who_has_a_store_open_that_has_moved_is_told(backend, whole, new_place):
    run = whole.runs()[0].id
    move(backend.address, *new_place)

    with pytest.raises(StoreMovedError, match="has moved to"):
        add_run(whole, "uid")
    for write in (
        lambda writer: writer.set_stash("key", b"1"),
        lambda writer: writer.set_cursor("name", b"1"),
        lambda writer: writer.own_run(run),
        lambda writer: writer.quarantine(None, "event", "why", b"{}"),
    ):
        with pytest.raises(StoreMovedError, match="has moved to"), whole.transaction() as writer:
            write(writer)
    # Reading goes on.
    assert whole.count_runs() == 6


def test_an_odd_name_is_told_as_it_is(store, tmp_path, backend):
    name = 'it\'s a "100%" {new} $$ place; DROP TABLE runs'
    move(backend.address, tmp_path / name)
    with pytest.raises(StoreMovedError, match="has moved to") as caught:
        add_run(store, "uid")
    assert caught.value.to == str(tmp_path / name)


def test_a_store_is_not_moved_while_somebody_records(backend, store, new_place):
    run = begin(store, "busy")
    with pytest.raises(RunOwnedError, match=rf"run 7 \(busy\) by '.*' \(pid {os.getpid()} on .*Wait for"):
        move(backend.address, *new_place)
    end(store, run)

    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        assert new.run_uids() == ["busy"]


def test_runs_of_dead_processes_do_not_hinder(backend, new_place):
    backend.run_program(
        """
        import os
        with store.transaction() as writer:
            writer.add_run("left", 1.0, None, b'{"uid": "left", "time": 1.0}')
        os._exit(0)
        """
    )
    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        (row,) = new.runs()
        assert (row.uid, row.owner) == ("left", None)


def test_a_run_that_begins_at_the_last_moment_stops_the_move(backend, whole, new_place, monkeypatch):
    from hutch.store.copies.copying import Copier

    finish = Copier.finish
    runs = []

    def begin_first(copier, *arguments, **options):
        runs.append(begin(whole, "late"))
        finish(copier, *arguments, **options)

    monkeypatch.setattr(Copier, "finish", begin_first)
    with pytest.raises(RunOwnedError, match="run 7 .late. by"):
        move(backend.address, *new_place)
    monkeypatch.undo()
    fill(whole, runs[0])
    end(whole, runs[0])
    with pytest.raises(StoreError, match="is an unfinished move of .*Run it again.*: hutch move"):
        open_store(new_place[0])

    expected = contents(whole)
    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        assert contents(new) == expected


def test_a_store_that_is_not_sound_is_not_moved(backend, whole, new_place):
    expected = contents(whole)
    with pytest.raises(StoreError, match="is not moved, as not all of it is sound: this; that"):
        move(backend.address, *new_place, check=lambda store: ["this", "that"])

    with opened(backend.address) as old:
        assert contents(old) == expected
    checked = []
    move(backend.address, *new_place, check=lambda store: checked.append(contents(store)) or [])
    assert checked[0]["runs"] == expected["runs"]
    assert checked[0]["in a file"] == expected["in a file"]


def test_the_same_command_again_does_no_harm(backend, whole, new_place):
    expected = contents(whole)
    move(backend.address, *new_place)
    done = move(backend.address, *new_place)

    assert (done.runs, done.copied_runs) == (6, 0)
    with opened(new_place[0]) as new:
        assert contents(new) == expected


def test_a_store_moves_only_once(backend, whole, new_place, tmp_path):
    move(backend.address, *new_place)
    with pytest.raises(StoreMovedError, match="has moved to"):
        move(backend.address, tmp_path / "elsewhere")
    with pytest.raises(StoreMovedError, match="has moved to"):
        delete_old(backend.address, tmp_path / "elsewhere")


@pytest.mark.parametrize("step", ["catch_up", "finish"])
def test_a_move_that_is_interrupted_leaves_the_old_store_in_use(backend, whole, new_place, monkeypatch, step):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"hutch.store.copies.copying.Copier.{step}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        move(backend.address, *new_place)
    monkeypatch.undo()

    run = begin(whole, "meanwhile")
    end(whole, run)
    expected = contents(whole)
    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        assert contents(new) == expected


def test_a_move_that_is_interrupted_at_its_very_end_is_completed(backend, whole, new_place, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    expected = contents(whole)
    monkeypatch.setattr("hutch.store.copies.moving._open_for_all", interrupt)
    with pytest.raises(KeyboardInterrupt):
        move(backend.address, *new_place)
    monkeypatch.undo()

    with pytest.raises(StoreMovedError, match="has moved to"):
        open_store(backend.address)
    with pytest.raises(StoreError, match="is an unfinished move"):
        open_store(new_place[0])
    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        assert contents(new) == expected


def test_an_unfinished_move_may_be_given_up(backend, whole, new_place, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("hutch.store.copies.copying.Copier.finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        move(backend.address, *new_place)
    monkeypatch.undo()
    expected = contents(whole)
    move(backend.address, tmp_path / "elsewhere")

    with opened(tmp_path / "elsewhere") as new:
        assert contents(new) == expected


def test_the_old_store_is_deleted_only_when_asked(backend, whole, new_place, tmp_path):
    with pytest.raises(StoreError, match="has not moved, so it is not deleted"):
        delete_old(backend.address, new_place[0])
    expected, files = contents(whole), whole.files
    move(backend.address, *new_place)
    assert files_of(whole)
    delete_old(backend.address, new_place[0])

    with opened(new_place[0]) as new:
        assert contents(new) == expected
    with pytest.raises(NoStoreError, match="There is no"):
        open_store(backend.address, create=False)
    assert not files.exists()
    delete_old(backend.address, new_place[0])


def test_what_else_is_in_the_folder_of_the_old_store_stays(tmp_path):
    with contextlib.closing(open_store(tmp_path / "old")) as store:
        make_whole(store)
    (tmp_path / "old" / "notes.txt").write_text("mine")
    (tmp_path / "old" / "files" / "notes.txt").write_text("mine as well")
    move(tmp_path / "old", tmp_path / "new")
    delete_old(tmp_path / "old", tmp_path / "new")

    found = sorted(path.relative_to(tmp_path / "old").as_posix() for path in (tmp_path / "old").rglob("*"))
    assert found == ["files", "files/notes.txt", "notes.txt"]


def test_files_that_no_batch_names_are_not_deleted_with_the_old_store(backend, whole, new_place):
    loose = [whole.files / "0" / "9-2-0123abcd.arrow", whole.files / "lost+found" / "9-2-0123abcd.arrow"]
    for path in loose:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"who knows")
    gone = whole.files / next(iter(batch_files(whole)))
    move(backend.address, *new_place)
    delete_old(backend.address, new_place[0])

    assert [path.read_bytes() for path in loose] == [b"who knows"] * 2
    assert not gone.exists()


def test_an_old_store_is_not_deleted_when_the_new_one_is_gone(backend, whole, new_place, tmp_path):
    move(backend.address, tmp_path / "new")
    (tmp_path / "new").rename(tmp_path / "aside")

    with pytest.raises(StoreError, match="has moved to .*new.*, and the store is not there any more"):
        delete_old(backend.address, tmp_path / "new")
    with pytest.raises(StoreError, match="and the store is not there any more"):
        move(backend.address, tmp_path / "new")


def test_on_one_file_system_large_files_are_not_copied(tmp_path):
    with contextlib.closing(open_store(tmp_path / "old")) as store:
        make_whole(store)
        (name,) = batch_files(store)
    move(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "old" / "files" / name).samefile(tmp_path / "new" / "files" / name)

    delete_old(tmp_path / "old", tmp_path / "new")
    with opened(tmp_path / "new") as new:
        assert [new.read_bytes(batch) for row in new.runs() for batch in new.batches(row.id)]


def test_to_another_file_system_they_are(tmp_path, needs_tmpfs):
    disk = needs_tmpfs(2**24)
    with contextlib.closing(open_store(tmp_path / "old")) as store:
        make_whole(store)
        for run in store.owned_runs():
            end(store, run.id)
        expected = contents(store)
    assert move(tmp_path / "old", disk / "new").files == 2
    delete_old(tmp_path / "old", disk / "new")

    with opened(disk / "new") as new:
        assert contents(new) == expected


def test_there_and_back_again(backend, whole, new_place):
    expected = contents(whole)
    move(backend.address, *new_place)
    delete_old(backend.address, new_place[0])
    files = None if "://" not in backend.address else Path(whole.files.parent)
    move(new_place[0], backend.address, files)

    with opened(backend.address) as old:
        assert contents(old) == expected
        delete(old, old.runs()[0].id)


def test_backups_go_on_after_a_move(backend, whole, new_place, tmp_path):
    back_up(backend.address, tmp_path / "backup")
    move(backend.address, *new_place)
    with opened(new_place[0]) as new:
        end(new, begin(new, "later"))
        assert back_up(new_place[0], tmp_path / "backup").copied_runs == 1
        with opened(tmp_path / "backup") as copy:
            assert contents(copy) == contents(new)


def test_a_backup_is_restored_and_not_moved(backend, whole, tmp_path):
    back_up(backend.address, tmp_path / "backup")
    with pytest.raises(StoreError, match="is a backup. Make a store of it with: hutch restore"):
        move(tmp_path / "backup", tmp_path / "new")
    restore(tmp_path / "backup", tmp_path / "new")


def test_a_store_is_not_moved_into_itself_or_over_another(backend, whole, tmp_path):
    with pytest.raises(StoreError, match="is within the store"):
        move(backend.address, whole.files.parent / "deeper")
    with contextlib.closing(open_store(tmp_path / "other")) as other:
        add_run(other, "precious")
    with pytest.raises(StoreError, match="is not empty, it has 1 run"):
        move(backend.address, tmp_path / "other")
    with opened(tmp_path / "other") as other:
        assert other.run_uids() == ["precious"]
