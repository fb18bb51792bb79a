"""Lock files of processes that record."""

import os
import socket
import subprocess
import sys

import pytest

from hutch.store import owners
from hutch.store.owners import Owner


@pytest.fixture
def owner(tmp_path):
    found = Owner.claim(tmp_path / "owners")
    yield found
    found.release()


def test_an_owner_says_who_it_is(owner, tmp_path):
    assert (owner.pid, owner.host, owner.is_mine) == (os.getpid(), socket.gethostname(), True)
    assert owner.path == tmp_path / "owners" / owner.uid
    assert [path.name for path in (tmp_path / "owners").iterdir()] == [owner.uid]


def test_an_owner_lives_until_it_lets_go(owner, tmp_path):
    folder = tmp_path / "owners"
    assert owners.is_live(folder, owner.uid)

    owner.release()
    owner.release()

    assert not owners.is_live(folder, owner.uid)
    assert list(folder.iterdir()) == []


def test_two_owners_of_one_process_live_apart(owner, tmp_path):
    folder = tmp_path / "owners"
    other = Owner.claim(folder)
    other.release()

    assert owners.is_live(folder, owner.uid)
    assert not owners.is_live(folder, other.uid)


def test_a_lock_file_that_is_left_over_is_of_nobody(tmp_path):
    (tmp_path / "left").touch()

    assert not owners.is_live(tmp_path, "left")
    assert not owners.is_live(tmp_path, "none")
    assert not owners.is_live(tmp_path / "nowhere", "none")


def test_a_claim_clears_away_the_files_of_the_dead_and_of_nobody_else(owner, tmp_path):
    folder = tmp_path / "owners"
    program = (
        "import os, sys; from pathlib import Path; from hutch.store.owners import Owner;"
        "Owner.claim(Path(sys.argv[1])); print(flush=True); input(); os._exit(0)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (folder / "dead").touch()
        Owner.claim(folder).release()
        assert len(list(folder.iterdir())) == 2
        assert all(owners.is_live(folder, path.name) for path in folder.iterdir())
        process.communicate(b"\n", timeout=60)
    assert len(list(folder.iterdir())) == 2

    Owner.claim(folder).release()
    assert [path.name for path in folder.iterdir()] == [owner.uid]


def test_looking_from_another_process_takes_nothing(owner, tmp_path):
    program = (
        "import sys; from pathlib import Path; from hutch.store.owners import is_live;"
        "print(is_live(Path(sys.argv[1]), sys.argv[2]), is_live(Path(sys.argv[1]), sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "owners"), owner.uid]
    for _ in range(2):
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert found.stdout == "True True\n"
