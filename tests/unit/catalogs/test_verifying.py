"""A sound store verifies; whatever is taken from it, or changed in it, is found."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

import hutch
from hutch.catalogs.verifying import verify

START = {"uid": "run-1", "time": 1.0, "scan_id": 3}
KEY = {"dtype": "number", "shape": [], "source": "sim"}
DESCRIPTOR = {"uid": "d", "run_start": "run-1", "time": 1.0, "name": "primary", "data_keys": {"a": KEY},
              "hints": {}, "configuration": {}, "object_keys": {"a": ["a"]}}  # fmt: skip
STOP = {"uid": "s", "run_start": "run-1", "time": 2.0, "exit_status": "success", "num_events": {"primary": 6}}


def event(number: int, **other) -> dict:
    found = {"uid": f"e{number}", "descriptor": "d", "time": 1.0 + number, "seq_num": number}
    return {**found, "data": {"a": float(number)}, "timestamps": {"a": 1.0}, **other}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with one run of three batches with two events each."""
    folder = tmp_path / "store"
    with hutch.open_catalog(folder) as cat:
        for first in (1, 3, 5):
            recorder = cat.recorder()
            recorder("start", START)
            if first == 1:
                recorder("descriptor", DESCRIPTOR)
            for number in (first, first + 1):
                recorder("event", event(number))
            if first == 5:
                recorder("stop", STOP)
            recorder.close()
    return folder


def change(folder: Path, statement: str, *values) -> None:
    connection = sqlite3.connect(folder / "hutch.db")
    with connection:
        assert connection.execute(statement, values).rowcount > 0
    connection.close()


def findings(folder: Path) -> tuple[list[str], list[str]]:
    """Return the errors and the notes about a store."""
    with hutch.open_catalog(folder) as cat:
        found = verify(cat.store)
    assert found.is_sound is not bool(found.errors)
    return [str(error) for error in found.errors], [str(note) for note in found.notes]


def test_a_sound_store_has_nothing_to_say(folder) -> None:
    with hutch.open_catalog(folder) as cat:
        steps: list[tuple[int, int]] = []
        found = verify(cat.store, lambda done, total: steps.append((done, total)))

    assert found.findings == []
    assert (found.runs, found.documents, found.events, found.batches) == (1, 3, 6, 3)
    assert steps == [(1, 1)]


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE batches SET body = zeroblob(size) WHERE first_arrival = 4", "does not match its checksum"),
        (
            "DELETE FROM batches WHERE first_arrival = 4",
            "2 events of stream 'primary' are missing: seq_num 3",
        ),
        ("DELETE FROM batches WHERE first_arrival = 6", "has 4 events, its stop document says 6"),
        ("UPDATE batches SET rows = 3 WHERE first_arrival = 4", "has 2 rows, recorded are 3"),
        ("UPDATE batches SET first_arrival = 5 WHERE first_arrival = 4", "another arrival number"),
        ("UPDATE documents SET uid = 'other'", "the descriptor 'd' of its stream 'primary' is gone"),
        ("UPDATE documents SET body = x'00'", "its descriptor 'd' cannot be read"),
        ("UPDATE documents SET number = 4", "1 arrival numbers are there twice"),
        ("UPDATE runs SET stop = x'7b'", "its stop document cannot be read"),
        ("UPDATE runs SET uid = 'run-2'", "its start document has the uid 'run-1'"),
        ("DELETE FROM leaves WHERE key = 'scan_id'", "the index lacks 1 rows: scan_id"),
        ("UPDATE leaves SET number = 4 WHERE key = 'scan_id'", "the index has in excess 1 rows: scan_id"),
    ],
)
def test_damage_is_an_error(folder, statement, text) -> None:
    change(folder, statement)

    assert any(text in error for error in findings(folder)[0])


def test_events_with_one_uid_are_an_error(folder) -> None:
    columns = "run, segment, first_arrival, rows, size, crc32, body"
    change(folder, f"INSERT INTO batches ({columns}) SELECT {columns} FROM batches LIMIT 1")  # noqa: S608

    errors = findings(folder)[0]
    assert any("2 events have a uid that another event of the run has" in error for error in errors)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A store with a run whose batch is in a file."""
    folder = tmp_path / "large"
    with hutch.open_catalog(folder) as cat, cat.start_run() as run:
        run.add("primary", {"image": np.zeros((500, 600))})
    return folder


def test_a_missing_and_a_cut_file_are_errors(large) -> None:
    assert findings(large) == ([], [])
    (file,) = large.glob("files/**/*.arrow")
    file.write_bytes(file.read_bytes()[:-8])
    assert any("does not match its checksum" in error for error in findings(large)[0])
    file.unlink()
    assert any("cannot be read" in error for error in findings(large)[0])


def test_a_file_without_a_batch_is_a_note(large) -> None:
    (large / "files" / "left.arrow").write_bytes(b"1234")

    errors, notes = findings(large)
    assert errors == []
    assert any("left.arrow' of 4 bytes belongs to no batch" in note for note in notes)


def test_interrupted_nonconforming_and_refused_are_notes(tmp_path) -> None:
    with hutch.open_catalog(tmp_path) as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        recorder("event", event(1, data={"a": "text"}))
        recorder("event", event(3))
        recorder("event", event(4, descriptor="nobody's"))
        recorder.close()

    errors, notes = findings(tmp_path)
    assert errors == []
    for text in ("interrupted", "nonconforming: primary a is str", "without 1 of its", "no known run"):
        assert any(text in note for note in notes), text


def test_points_that_were_taken_again_are_no_error(tmp_path) -> None:
    with hutch.open_catalog(tmp_path) as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        for number in (1, 2, 3):
            recorder("event", event(number))
        for number in (2, 3, 4, 5, 6):
            recorder("event", event(number, uid=f"again-{number}"))
        recorder("stop", STOP)

    errors, notes = findings(tmp_path)
    assert errors == []
    assert any("has 8 events, its stop document says 6" in note for note in notes)


def test_a_run_that_is_being_recorded_is_sound(tmp_path) -> None:
    with hutch.open_catalog(tmp_path) as cat, cat.start_run() as run:
        run.add("primary", {"a": 1.0})

        assert verify(cat.store).findings == []


def test_index_rows_that_follow_from_no_document_are_an_error(folder) -> None:
    change(folder, "INSERT INTO leaves SELECT 'more', type, number, text, time, run FROM leaves LIMIT 1")
    change(folder, "INSERT INTO leaves SELECT key, type, number, text, time, 99 FROM leaves LIMIT 1")

    errors = findings(folder)[0]
    assert any("the index has in excess 1 rows: more" in error for error in errors)
    assert any("1 rows of a run that is not there" in error for error in errors)
