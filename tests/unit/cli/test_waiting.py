"""What is said of documents that wait to be taken into a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hutch.recording.spooling import spool
from hutch.recording.spooling.spool import SpoolFile, line_of
from hutch.store import open_store


@pytest.fixture
def waiting(place, tmp_path, monkeypatch) -> Path:
    """A file that waits for the store."""
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "a spool"))
    store = open_store(place)
    file = SpoolFile.create("run", spool.mark_of(store))
    file.append(line_of("start", b'{"uid":"run","time":1.0}'))
    store.close()
    return file.let_go()


def test_it_is_said_that_documents_wait(invoke, waiting):
    found = invoke("runs")
    assert "Not here yet: 1 file of documents" in found.stderr
    assert "Not here yet" not in found.stdout

    waiting.unlink()
    assert "Not here yet" not in invoke("runs").stderr


def test_the_command_that_is_named_takes_them_in(invoke, waiting, place):
    said = next(line for line in invoke("runs").stderr.splitlines() if line.startswith("Not here yet"))
    command = said.partition("or: ")[2].replace("hutch ", f"{sys.executable} -m hutch.cli ", 1)
    subprocess.run(command, shell=True, check=True, capture_output=True, timeout=60)  # noqa: S602
    store = open_store(place)
    assert [row.uid for row in store.runs_by_uid(["run"])] == ["run"]
    store.close()


def test_what_was_taken_in_already_is_told_to_be(invoke, waiting):
    waiting.unlink()
    found = invoke("import", str(waiting))
    assert found.exit_code == 1
    assert "a recorder of its store has taken it in" in found.stderr
