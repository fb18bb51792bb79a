"""Files of the spool: whole lines or none, known by their names, taken by one process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from hutch.recording.spooling import spool
from hutch.recording.spooling.spool import SpoolFile, SpoolName


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def test_lines_are_there_when_append_returns(folder):
    file = SpoolFile.create("run", "store")
    file.append(b"one\n")
    file.append(b"two\n")

    assert file.path.parent == folder
    assert file.path.read_bytes() == b"one\ntwo\n"
    assert (file.size, file.read(0, 8), file.read(4, 8)) == (8, b"one\ntwo\n", b"two\n")
    file.sync()
    file.discard()
    assert list(folder.glob("*.jsonl")) == []
    assert list((folder / "owners").iterdir()) == []


def test_what_does_not_fit_is_not_there_in_part(needs_tmpfs, monkeypatch):
    disk = needs_tmpfs(2**20)
    monkeypatch.setenv("HUTCH_SPOOL", str(disk))
    file = SpoolFile.create("run", "store")
    file.append(b"first\n")
    with pytest.raises(OSError, match="No space left"):
        file.append(bytes(2**21))

    assert file.path.read_bytes() == b"first\n"
    file.append(b"second\n")
    assert file.read(0, file.size) == b"first\nsecond\n"
    file.discard()


@pytest.mark.parametrize("uid", ["17531ace-0", "../../etc/passwd", "a.b.c", "", "ä" * 300, "a/b", "\ud800"])
def test_any_uid_gives_a_name_that_can_be_read_again(folder, uid):
    file = SpoolFile.create(uid, "0" * 32 + "-site")
    other = SpoolFile.create(uid, "0" * 32 + "-site")
    name = SpoolName.parse(file.path)

    assert file.path.parent == other.path.parent == folder
    assert file.path != other.path
    assert name is not None
    assert name.mark == "0" * 32 + "-site"
    assert str(name) == file.path.name
    file.discard()
    other.discard()


@pytest.mark.parametrize("name", ["run.jsonl", "a.b.c.d.e.f.jsonl", "a.b.c.d.e.json", "owners"])
def test_other_files_are_left_alone(folder, name):
    folder.mkdir()
    (folder / name).touch()
    assert SpoolName.parse(folder / name) is None
    assert spool.abandoned_files("e") == []


def test_a_file_that_somebody_takes_while_it_is_looked_at_is_no_fault(folder, monkeypatch):
    for run in ("one", "two"):
        left = SpoolFile.create(run, "store").let_go()
    is_free = spool._is_free

    def taken(place, name, is_shared):
        found = is_free(place, name, is_shared)
        left.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(spool, "_is_free", taken)
    assert len(spool.abandoned_files("store")) == 1


def test_a_file_is_abandoned_when_it_is_let_go(folder):
    file = SpoolFile.create("run", "store")
    file.append(b"one\n")
    assert spool.abandoned_files("store") == []

    left = file.let_go()

    assert spool.abandoned_files("store") == [left]
    assert spool.abandoned_files("other") == []
    assert left.read_bytes() == b"one\n"


def test_a_file_is_abandoned_when_its_process_is_dead(folder):
    program = (
        "import sys; from hutch.recording.spooling.spool import SpoolFile\n"
        "SpoolFile.create('run', 'store').append(b'one\\n'); print('there', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "there\n"
        assert spool.abandoned_files("store") == []
        process.send_signal(signal.SIGKILL)
    (left,) = spool.abandoned_files("store")
    assert left.read_bytes() == b"one\n"


def test_only_one_gets_an_abandoned_file(folder):
    left = SpoolFile.create("run", "store").let_go()
    mine = spool.claim(left)

    assert mine is not None
    assert spool.claim(left) is None
    assert spool.abandoned_files("store") == []
    again = spool.release(mine)
    assert spool.abandoned_files("store") == [again]
    assert list((folder / "owners").iterdir()) == []


def test_a_file_is_found_again_after_it_was_let_go(folder):
    file = SpoolFile.create("run", "store-1")
    path = file.path
    assert spool.whereabouts(path) == path
    left = file.let_go()
    assert spool.whereabouts(path) == left
    left.unlink()
    assert spool.whereabouts(path) == path


def test_a_store_that_has_moved_is_known_by_its_uid(folder):
    left = SpoolFile.create("run", "store-1").let_go()
    assert spool.abandoned_files("store-2") == []
    assert spool.abandoned_files("store-2", anywhere=True) == [left]
    assert spool.abandoned_files("another-1", anywhere=True) == []


def test_a_forked_child_owns_no_file_of_its_parent(folder):
    file = SpoolFile.create("run", "store")
    child = os.fork()
    if not child:
        os._exit(len(spool.abandoned_files("store")))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    file.discard()


def test_files_of_another_host_on_a_shared_disk_are_left_to_it(folder, monkeypatch):
    monkeypatch.setattr(spool, "network_filesystem", lambda path: "nfs")
    folder.mkdir()
    far = folder / str(SpoolName("run", "far-away", "0" * 32, "1", "store"))
    near = folder / str(SpoolName("run", spool._host(), "0" * 32, "2", "store"))
    far.touch()
    near.touch()
    assert spool.abandoned_files("store") == [near]


def test_a_store_is_known_by_its_uid_and_its_place(store, tmp_path):
    from hutch.store import open_store

    mark = spool.mark_of(store)
    assert mark.startswith(store.uid)
    assert "." not in mark
    (tmp_path / "link").symlink_to(tmp_path / "store")
    same, other = open_store(tmp_path / "link"), open_store(tmp_path / "other")
    assert spool.mark_of(same) == mark
    assert spool.mark_of(other) != mark
    same.close()
    other.close()
