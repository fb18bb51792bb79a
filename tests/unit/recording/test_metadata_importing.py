"""Metadata that bluesky kept until now: what is recognised, taken, and left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky.utils import PersistentDict
from click.testing import CliRunner
from historydict import HistoryDict

from hutch.cli.group import hutch as program
from hutch.errors import ImportFileError
from hutch.recording.importing.metadata_importing import import_metadata, is_metadata
from hutch.recording.stash import Stash


@pytest.fixture
def persistent(tmp_path: Path) -> Path:
    """The folder of a real PersistentDict."""
    kept = PersistentDict(tmp_path / "persistent")
    kept.update(scan_id=42, sample={"name": "LaB6", "offsets": np.array([1.5, 2.5])}, operator="Dan")
    kept.flush()
    return tmp_path / "persistent"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The file of a real HistoryDict."""
    kept = HistoryDict(str(tmp_path / "history.db"))
    kept.update(scan_id=7, beamline="X")
    kept["scan_id"] = 8
    connection = kept._conn  # which it never closes itself
    del kept
    connection.close()
    return tmp_path / "history.db"


def test_a_folder_and_a_file_are_recognised(persistent: Path, history: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text('["start", {}]\n')
    assert is_metadata(persistent)
    assert is_metadata(history)
    assert not is_metadata(tmp_path / "runs.jsonl")
    assert not is_metadata(tmp_path / "missing")


def test_a_persistent_dict_is_taken_over(store: Any, persistent: Path) -> None:
    imported = import_metadata(store, persistent)
    assert sorted(imported.taken) == ["operator", "sample", "scan_id"]
    assert Stash(store) == {
        "scan_id": 42,
        "sample": {"name": "LaB6", "offsets": [1.5, 2.5]},
        "operator": "Dan",
    }


def test_a_history_dict_is_taken_over(store: Any, history: Path) -> None:
    import_metadata(store, history)
    assert Stash(store) == {"scan_id": 8, "beamline": "X"}


def test_values_that_the_store_has_stay(store: Any, persistent: Path) -> None:
    Stash(store).update(scan_id=100, operator="Eve")
    imported = import_metadata(store, persistent)
    assert (imported.taken, sorted(imported.known)) == (["sample"], ["operator", "scan_id"])
    assert (Stash(store)["scan_id"], Stash(store)["operator"]) == (100, "Eve")
    assert import_metadata(store, persistent).taken == []


def test_keys_that_can_be_no_metadata_are_left_out_and_named(
    persistent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = PersistentDict(persistent)
    kept["motor.velocity"] = 3
    kept.flush()
    done = CliRunner().invoke(program, ["import", "persistent", "--store", "new"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "persistent: 3 new keys of metadata for every run",
        "  left out: 'motor.velocity' can't be a key of metadata: give text that holds neither '.' nor '/'.",
    ]


def test_runs_are_numbered_on_from_what_was_taken(cat: Any, persistent: Path) -> None:
    import_metadata(cat.store, persistent)
    with cat.start_run() as run:
        assert run.scan_id == 43
    assert cat[-1].start["sample"]["name"] == "LaB6"


def test_the_command_takes_metadata_beside_runs(
    persistent: Path, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.jsonl").write_text('["start", {"uid": "u", "time": 1.0}]\n')
    done = CliRunner().invoke(program, ["import", "persistent", "runs.jsonl", "history.db", "--store", "new"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "persistent: 3 new keys of metadata for every run"
    assert lines[1].startswith("runs.jsonl: 1 new run")
    assert lines[-2:] == [
        "history.db: 1 new key of metadata for every run",
        "  skipped: 1 key with a value already (scan_id)",
    ]


def test_the_command_refuses_other_folders_and_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    invoke = CliRunner().invoke
    invoke(program, ["init", "beamtime"])
    for other in ("beamtime", "beamtime/hutch.db"):
        done = invoke(program, ["import", other, "--store", "new"])
        assert done.exit_code == 1
        assert "is no file of a " in done.stderr
        assert "Errno" not in done.stderr


def test_a_folder_with_something_else_is_refused_and_nothing_taken(store: Any, persistent: Path) -> None:
    (persistent / "notes.txt").write_text("remember the shutter")
    with pytest.raises(ImportFileError, match=r"notes\.txt' is no file of a PersistentDict"):
        import_metadata(store, persistent)
    assert Stash(store) == {}
