"""What ``hutch backup``, ``restore`` and ``move`` print, and with which status they end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hutch


def record_large(place: Path) -> Path:
    """Record a run whose event lies in a file; return it."""
    with hutch.open_catalog(place) as cat:
        with cat.start_run(plan_name="large") as run:
            run.add("primary", {"frame": np.zeros(200_000)})
        (batch,) = cat.store.batches(4)
    return place / "files" / str(batch.file)


def test_backup_says_what_it_did(invoke, place) -> None:
    found = invoke("backup", "copy")

    assert found.exit_code == 0
    first, second = found.stdout.splitlines()
    assert first.startswith(f"Backup of {place} in {place.parent / 'copy'}: 3 runs as of 20")
    assert second.startswith("  3 runs copied, ")
    assert found.stderr == ""
    assert invoke("backup", "copy").stdout.splitlines()[1].startswith("  0 runs copied, 0 B in ")


@pytest.mark.parametrize("arguments", [["{place}", "copy"], ["copy", "--store", "{place}"]])
def test_backup_takes_the_store_as_an_argument_or_an_option(invoke, place, monkeypatch, arguments) -> None:
    monkeypatch.delenv("HUTCH_STORE")
    assert invoke("backup", *(text.format(place=place) for text in arguments)).exit_code == 0


@pytest.mark.parametrize("arguments", [["a", "b", "--store", "c"], ["a", "b", "c"], []])
def test_backup_refuses_too_many_places_and_none(invoke, arguments) -> None:
    assert invoke("backup", *arguments).exit_code == 2


def test_backup_as_json(invoke, place) -> None:
    found = json.loads(invoke("backup", "copy", "--json").stdout)

    assert found["source"] == str(place)
    assert found["target"] == str(place.parent / "copy")
    assert (found["runs"], found["copied_runs"], found["deleted_runs"], found["files"]) == (3, 3, 0, 0)
    assert found["damaged"] == []
    assert found["moment"] > found["duration_s"] > 0


@pytest.mark.parametrize("command", [["restore", "copy"], ["move", "{place}"]])
def test_a_folder_takes_no_other_folder_of_files(invoke, place, command) -> None:
    invoke("backup", "copy")
    found = invoke(*(text.format(place=place) for text in command), "new", "--files", "elsewhere")
    assert found.exit_code == 1
    assert "A folder of files is given with a database; the store 'new' has its own." in found.stderr
    assert not Path("new").exists()


def test_backup_verifies_when_asked(invoke) -> None:
    found = invoke("backup", "copy", "--verify")
    assert found.exit_code == 0
    assert "Verified: 3 runs, 6 events, all of it sound." in found.stderr


def test_backup_ends_with_1_if_something_is_damaged(invoke, place) -> None:
    path = record_large(place)
    path.write_bytes(path.read_bytes()[:-1] + b"#")
    found = invoke("backup", "copy")

    assert found.exit_code == 1
    assert "4 runs as of" in found.stdout
    assert f"File {str(path)!r} does not match its checksum." in found.stdout
    assert "hutch verify" in found.stdout
    assert json.loads(invoke("backup", "copy", "--json").stdout)["damaged"] != []


def test_backup_compares_everything_when_asked(invoke, place) -> None:
    path = record_large(place)
    invoke("backup", "copy")
    (place.parent / "copy" / "files" / path.relative_to(place / "files")).unlink()

    assert invoke("backup", "copy", "--verify").exit_code == 1
    assert invoke("backup", "copy", "--full", "--verify").exit_code == 0


def test_a_backup_is_listed_like_a_store_and_takes_no_runs(invoke, place) -> None:
    invoke("backup", "copy")
    assert invoke("runs", "--store", "copy").stdout == invoke("runs").stdout
    refused = invoke("delete", "2", "--reason", "a test", "--yes", "--store", "copy")
    assert refused.exit_code == 1
    assert "can only be read: it is a backup of" in refused.stderr


def test_what_is_refused_is_one_line(invoke, place) -> None:
    for arguments, text in (
        (("backup", str(place)), "is within the store"),
        (("backup", "nowhere", "copy"), "There is no store in"),
        (("restore", "nowhere", "new"), "There is no backup in"),
        (("restore", str(place), "new"), "is a store and no backup"),
        (("move", "nowhere", "new"), "There is no store in"),
        (("move", str(place), str(place)), "is within the store"),
    ):
        found = invoke(*arguments)
        assert (found.exit_code, found.stdout) == (1, "")
        assert found.stderr.startswith("hutch: ")
        assert text in found.stderr
        assert len(found.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_to_is_named(invoke, place) -> None:
    place.with_name("file").write_text("in the way")
    found = invoke("backup", "file/copy")
    assert found.exit_code == 1
    wanted = str(place.parent / "file" / "copy")
    assert found.stderr == (
        f"hutch: The folder {wanted!r} cannot be written to: Not a directory. Give another folder.\n"
    )


def test_restore_makes_a_store_and_tells_how_to_check_it(invoke, place) -> None:
    invoke("backup", "copy")
    found = invoke("restore", "copy", "new")

    assert found.exit_code == 0
    assert found.stdout.startswith(
        f"Store of {place.parent / 'copy'} in {place.parent / 'new'}: 3 runs as of"
    )
    assert found.stderr == f"Check it with: hutch verify {place.parent / 'new'}\n"
    assert invoke("verify", "new").exit_code == 0
    assert invoke("restore", "copy", "other", "--verify").stderr.startswith("Verified: 3 runs")
    assert json.loads(invoke("restore", "copy", "third", "--json").stdout)["runs"] == 3


def test_move_tells_where_the_store_was_and_deletes_it_when_asked(invoke, place) -> None:
    found = invoke("move", str(place), "new")
    assert found.exit_code == 0
    assert found.stdout.startswith(f"Store in {place.parent / 'new'}: 3 runs as of")
    said = f"hutch move {place} {place.parent / 'new'} --delete-old"
    assert f"The old store is still there. Delete it with: {said}" in found.stderr

    refused = invoke("runs")
    assert refused.exit_code == 1
    assert f"has moved to {str(place.parent / 'new')!r}. Use that one: hutch runs --store" in refused.stderr
    assert invoke("runs", "--store", "new").exit_code == 0

    again = invoke("move", str(place), "new", "--delete-old", "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["is_old_deleted"] is True
    assert not place.exists()


def test_move_does_not_take_what_is_damaged(invoke, place) -> None:
    path = record_large(place)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"#")

    found = invoke("move", str(place), "new")
    assert found.exit_code == 1
    assert "The store is not moved, as not all of it is sound: Run " in found.stderr
    assert invoke("runs").exit_code == 0
    path.unlink()  # it may have a second name by now
    path.write_bytes(whole)
    assert invoke("move", str(place), "new").exit_code == 0
