"""A sound store verifies; whatever is taken from it, or changed in it, is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hutch.catalogs import verifying
from hutch.catalogs.care.findings import Kind
from hutch.catalogs.care.loose_files import LOST_AND_FOUND
from hutch.catalogs.verifying import Done, verify
from hutch.documents import encode
from hutch.errors import CorruptBatchError, CorruptDocumentError
from hutch.store.protocols.store import TombstoneRow

from .damage import DESCRIPTOR, START, STOP, event, flip, make_old


@pytest.fixture
def small(place):
    """A store with one run of three batches with two events each."""
    place.record_small()
    return place


def errors(place) -> list[str]:
    return [str(error) for error in place.verify().errors]


def test_a_sound_store_has_nothing_to_say(small) -> None:
    with small.open() as cat:
        steps: list[Done] = []
        found = verify(cat.store, steps.append)

    assert found.findings == []
    assert found.is_sound
    assert (found.runs, found.documents, found.events, found.batches) == (1, 3, 6, 3)
    assert steps[-1] == Done(1, 1, found.size_bytes, found.size_bytes)
    assert steps[-1].share == 1


def test_an_empty_store_is_sound(place) -> None:
    with place.open() as cat:
        steps: list[Done] = []
        assert verify(cat.store, steps.append).is_sound
    assert steps[-1].share == 1


@pytest.mark.parametrize(
    ("kind", "statement", "text"),
    [
        ("missing-events", "DELETE FROM batches WHERE first_arrival = 4", "are missing: seq_num 3 to 4"),
        ("count", "DELETE FROM batches WHERE first_arrival = 6", "has 4 events, its stop document says 6"),
        ("batch-facts", "UPDATE batches SET rows = 3 WHERE first_arrival = 4", "2 rows, recorded are 3"),
        ("batch-facts", "UPDATE batches SET rows = 0 WHERE first_arrival = 6", "2 rows, recorded are 0"),
        ("batch-facts", "UPDATE batches SET size = 3 WHERE first_arrival = 4", "bytes, recorded are 3"),
        ("batch-facts", "UPDATE batches SET first_arrival = 5 WHERE first_arrival = 4", "another arrival"),
        ("missing-descriptor", "UPDATE documents SET uid = 'other'", "'d' of its stream 'primary' is gone"),
        ("wrong-uid", "UPDATE documents SET uid = 'other'", "the descriptor 'other' has the uid 'd'"),
        ("arrivals", "UPDATE documents SET number = 4", "1 arrival numbers are there twice"),
        ("wrong-uid", "UPDATE runs SET uid = 'run-2'", "its start document has the uid 'run-1'"),
        ("missing-index", "DELETE FROM leaves WHERE key = 'scan_id'", "the index lacks 1 rows: scan_id"),
        ("excess-index", "UPDATE leaves SET number = 4 WHERE key = 'scan_id'", "in excess 1 rows: scan_id"),
        ("excess-index", "UPDATE leaves SET time = 4 WHERE key = 'scan_id'", "in excess 1 rows: scan_id"),
        ("missing-index", "DELETE FROM leaves", "the index lacks"),
    ],
)
def test_damage_is_an_error(small, kind, statement, text) -> None:
    small.change(statement)

    found = small.verify().errors
    assert any(error.kind == kind and text in error.text for error in found), found
    assert {error.run for error in found} <= {"run-1", "run-2"}


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE documents SET body = ?", "its descriptor 'd' cannot be read"),
        ("UPDATE runs SET stop = ?", "its stop document cannot be read"),
        ("UPDATE runs SET start = ?", "its start document cannot be read"),
        ("UPDATE runs SET amended = ?", "its amended start document cannot be read"),
    ],
)
def test_a_document_that_cannot_be_read_is_an_error(small, statement, text) -> None:
    small.change(statement, b"{")

    found = small.verify().errors
    assert any(error.kind is Kind.UNREADABLE and text in error.text for error in found), found
    # Its index rows are all that is left of it: they are not held to be in excess.
    assert Kind.STRANGE_LEAVES not in {error.kind for error in found}


def test_metadata_for_every_run_that_cannot_be_read_is_an_error(small) -> None:
    with small.open() as cat:
        cat.md["sample"] = "LaB6"
    small.change("UPDATE stash SET value = ? WHERE key = 'sample'", b"{")

    (error,) = errors(small)
    assert error.startswith("The metadata 'sample' for every run cannot be read: ")


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(small) -> None:
    small.change("UPDATE runs SET stop = ? WHERE uid = 'run-1'", b"{")
    with small.open() as cat:
        with cat.start_run(plan_name="other"):
            pass
        run = cat["run-1"]
        assert (run.summary().status, cat[-1].summary().status) == ("damaged", "success")
        assert "damaged" in repr(run)
        assert "damaged" in repr(cat)
        with pytest.raises(CorruptDocumentError, match="is told by: hutch verify"):
            run.stop  # noqa: B018 - it is read when it is asked for


def test_a_changed_byte_anywhere_in_a_batch_is_an_error_and_is_told_once(small) -> None:
    _, first, _, body = small.batches()[1]
    for place in range(0, len(body), 97):
        small.change("UPDATE batches SET body = ? WHERE first_arrival = ?", flip(bytes(body), place), first)
        (error,) = errors(small)
        assert "batch 2 of stream 'primary' does not match its checksum: 2 events are damaged" in error


def test_the_columns_of_a_segment_that_cannot_be_read_are_an_error(small) -> None:
    small.change("UPDATE segments SET schema = ?", b"no schema")

    assert any(
        "the columns of segment 1 of stream 'primary' cannot be read" in text for text in errors(small)
    )
    with small.open() as cat:
        for read in (cat[-1].primary.read, cat[-1].primary.plot, lambda: list(cat[-1].documents(fill="no"))):
            with pytest.raises(CorruptBatchError, match="columns of stream 'primary' .* are damaged.*verify"):
                read()


def test_a_document_that_was_edited_is_found_through_its_index(small) -> None:
    small.change("UPDATE runs SET start = ?", encode({**START, "sample": "Si"}))

    assert small.kinds() == {"missing-index": 1, "excess-index": 1}


@pytest.mark.parametrize("damaged", [b"\0", b"5", b"[5]", b"[{}]"])
def test_what_an_amendment_changed_that_cannot_be_read_is_an_error(small, damaged) -> None:
    with small.open() as cat:
        cat["run-1"].amend({"sample": "Si"}, reason="wrong label")
    small.change("UPDATE amendments SET edits = ?", damaged)

    (error,) = errors(small)
    assert "what its amendment 1 changed cannot be read" in error
    with small.open() as cat:
        assert cat["run-1"].start["sample"] == "Si"
        with pytest.raises(CorruptDocumentError, match="is damaged.* is told by: hutch verify"):
            cat["run-1"].amendments  # noqa: B018 - they are read when they are asked for


def test_an_amended_run_is_sound_and_its_index_follows_the_amended_document(small) -> None:
    with small.open() as cat:
        cat["run-1"].amend({"sample": "Si"}, reason="wrong label")
    assert small.kinds() == {}

    small.change("UPDATE runs SET amended = NULL")
    assert small.kinds() == {"missing-index": 1, "excess-index": 1}


def test_events_with_one_uid_are_an_error(small) -> None:
    columns = "run, segment, first_arrival, rows, size, crc32, body"
    small.change(f"INSERT INTO batches ({columns}) SELECT {columns} FROM batches LIMIT 1")  # noqa: S608

    assert any("2 events have a uid that another event of the run has" in text for text in errors(small))


def test_index_rows_that_follow_from_no_document_are_an_error(small) -> None:
    leaf = "type, number, text, time"
    small.change(f"INSERT INTO leaves (key, {leaf}, run) SELECT 'more', {leaf}, run FROM leaves LIMIT 1")  # noqa: S608
    for run in (99, -1, 2**40):
        one = f"INSERT INTO leaves (key, {leaf}, run) SELECT 'x', {leaf}, {run} FROM leaves LIMIT 1"  # noqa: S608
        small.change(one)

    found = errors(small)
    assert any("the index has in excess 1 rows: more" in text for text in found)
    for run in (99, -1, 2**40):
        assert any(f"1 rows of a run that is not there (its internal number is {run})" in t for t in found)


def test_index_rows_of_many_runs_are_compared_in_as_many_passes_as_it_takes(place, monkeypatch) -> None:
    from hutch.catalogs.care import index_verifying

    with place.open() as cat:
        for number in range(9):
            with cat.start_run(number=number):
                pass
    place.change("DELETE FROM leaves WHERE key = 'number'")
    monkeypatch.setattr(index_verifying, "_ROWS_AT_ONCE", 60)
    monkeypatch.setattr(index_verifying, "_MOST_PASSES", 2)

    found = place.verify().errors
    assert [error.kind for error in found] == [Kind.NO_LEAVES] * 9
    assert sum("lacks 1 rows: number" in error.text for error in found) in (2, 4)
    assert sum("has other rows than follow from its documents" in error.text for error in found) in (5, 7)


def test_rows_of_a_run_that_is_not_there_are_an_error(small) -> None:
    if "://" in small.address:
        pytest.skip("the server does not let anybody do this")
    small.change("DELETE FROM runs")

    found = small.verify().errors
    for table in ("batches", "segments", "documents"):
        text = f"rows of table '{table}' name a row of table 'runs' that is not there"
        assert any(error.kind is Kind.DATABASE and text in error.text for error in found)
    assert any(error.kind is Kind.STRANGE_LEAVES for error in found)


# files


def test_a_missing_and_a_cut_file_are_errors(place) -> None:
    file = place.record_large()
    assert place.kinds() == {}
    file.write_bytes(file.read_bytes()[:-8])
    assert place.kinds() == {"checksum": 1}
    file.write_bytes(b"")
    assert place.kinds() == {"checksum": 1}
    file.unlink()
    assert place.kinds() == {"missing-batch": 1}
    (error,) = place.verify().errors
    assert (error.run, error.file) == ("large", file.relative_to(place.files).as_posix())
    assert "with 3 events is gone" in error.text


def test_a_file_that_is_no_file_of_a_run_is_a_note(place) -> None:
    place.record_large()
    (place.files / "left.arrow").write_bytes(b"1234")
    (note,) = place.verify().findings
    assert (note.kind, "of 4 bytes belongs to no batch; it is less" in note.text) == (Kind.YOUNG, True)

    make_old(place.files / "left.arrow")
    (note,) = place.verify().findings
    assert (note.kind, note.is_error) == (Kind.STRANGE, False)
    assert "left.arrow' of 4 bytes belongs to no batch and no run" in note.text


def test_a_file_with_events_that_its_run_lacks_is_an_error_once_it_is_old(place) -> None:
    file = place.record_large(batches=2)
    place.change("DELETE FROM batches WHERE file = ?", file.relative_to(place.files).as_posix())
    assert place.kinds() == {"count": 1, "young-file": 1}

    make_old(file)
    found = {error.kind: error for error in place.verify().errors}
    assert "its run lacks 3 events that are in it" in found[Kind.UNCOMMITTED].text
    assert found[Kind.UNCOMMITTED].run == "large"


def test_a_file_that_was_written_twice_is_a_note(place) -> None:
    file = place.record_large()
    copy = file.with_name(f"{file.name[:-14]}{'0' * 8}.arrow")
    copy.write_bytes(file.read_bytes())
    make_old(copy)

    (note,) = place.verify().findings
    assert (note.kind, "its run has all that is in it" in note.text) == (Kind.LOOSE, True)


def test_a_file_of_a_run_that_was_deleted_is_a_note(place) -> None:
    file = place.record_large()
    with place.open() as cat:
        row = cat["large"].row
        with cat.store.transaction() as writer:
            stone = TombstoneRow(row.uid, row.id, row.time, row.scan_id, 30.0, "me", "why not", encode({}))
            writer.remove_strange_leaves(row.id)
            writer.delete_run(row.id, stone)
    assert place.kinds() == {}  # it waits to be deleted

    place.change("DELETE FROM discarded")
    make_old(file)
    assert place.kinds() == {"loose-file": 1}


def test_a_file_of_a_run_that_is_being_recorded_is_left_to_it(place) -> None:
    with place.open() as cat, cat.start_run() as run:
        number = cat[run.uid].row.id
        path = place.files / "0" / f"{number}-2-0a1b2c3d.arrow"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"about to be committed")
        make_old(path)

        (note,) = verify(cat.store).findings
    assert (note.kind, "its run is being recorded" in note.text) == (Kind.YOUNG, True)


def test_a_file_that_is_noted_to_be_deleted_and_named_is_an_error(place) -> None:
    file = place.record_large()
    name = file.relative_to(place.files).as_posix()
    with place.open() as cat, cat.store.transaction() as writer:
        writer.discard_files([name])

    (error,) = place.verify().errors
    assert (error.kind, error.file) == (Kind.DISCARDED, name)


def test_what_was_put_away_is_a_note(small) -> None:
    (small.files / LOST_AND_FOUND).mkdir()
    (small.files / LOST_AND_FOUND / "x").touch()

    (note,) = small.verify().findings
    assert (note.kind, "1 files that a repair could not place" in note.text) == (Kind.PUT_AWAY, True)


# what is as it came


def test_interrupted_nonconforming_and_refused_are_notes(place) -> None:
    with place.open() as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        recorder("event", event(1, data={"a": "text"}))
        recorder("event", event(3))
        recorder("event", event(4, descriptor="nobody's"))
        recorder("event", event(5, descriptor="nobody's"))
        recorder.close()

    found = place.verify()
    assert found.errors == []
    texts = {note.kind.value: str(note) for note in found.notes}
    assert "nobody records it" in texts["interrupted"]
    assert "nonconforming: primary a is str" in texts["nonconforming"]
    assert "without 1 of its" in texts["skipped-numbers"]
    assert texts["quarantine"] == "2 documents of no known run are in quarantine"


def test_events_that_are_in_quarantine_are_no_loss(place) -> None:
    with place.open() as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        for number in (1, 2, 3, 4, 5):
            recorder("event", event(number))
        recorder("event", event(6, uid="e5"))
        recorder("stop", STOP)

    found = place.verify()
    assert found.errors == []
    assert {note.kind.value for note in found.notes} == {"refused-events", "quarantine"}


def test_points_that_were_taken_again_are_no_error(place) -> None:
    with place.open() as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        for number in (1, 2, 3):
            recorder("event", event(number))
        for number in (2, 3, 4, 5, 6):
            recorder("event", event(number, uid=f"again-{number}"))
        recorder("stop", STOP)

    found = place.verify()
    assert found.errors == []
    assert any("has 8 events, its stop document says 6" in note.text for note in found.notes)


def test_a_run_that_is_being_recorded_is_sound(place) -> None:
    with place.open() as cat, cat.start_run() as run:
        run.add("primary", {"a": 1.0})

        assert verify(cat.store).findings == []


def test_a_run_whose_process_died_names_it(small) -> None:
    small.change("UPDATE runs SET stop = NULL, owner = ?", "0" * 32)
    for key in ("stop.%", ".stop"):
        small.change("DELETE FROM leaves WHERE key LIKE ?", key)
    for uid, beat in (("0" * 32, 1.0), ("of another", 1000.0)):
        small.change("INSERT INTO owners VALUES (?, 'b4', 77, 'scans.py', 1, ?)", uid, beat)

    (note,) = small.verify().findings
    assert note.kind is Kind.DEAD_OWNER
    assert "'scans.py' (process 77 on b4), which recorded it, has died" in note.text
    assert "hutch close run-1" in note.remedy


def test_documents_that_wait_in_the_spool_are_a_note(small, tmp_path, monkeypatch) -> None:
    from hutch.recording.spooling.spool import SpoolName, mark_of

    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    with small.open() as cat:
        path = tmp_path / "spool" / str(SpoolName.fresh("run-2", mark_of(cat.store), "free", 0))
    path.write_bytes(b'["start",{"uid":"run-2","time":2.0}]\n')

    (note,) = small.verify().findings
    assert (note.kind, str(path) in note.text) == (Kind.SPOOLED, True)


# many runs, large runs, and JSON


def test_runs_are_checked_whatever_fits_into_memory_at_once(place, monkeypatch) -> None:
    monkeypatch.setattr(verifying, "_RUNS_AT_ONCE", 3)
    monkeypatch.setattr(verifying, "_BYTES_AT_ONCE", 10_000)
    with place.open() as cat:
        for number in range(8):
            with cat.start_run() as run:
                run.extend("primary", {"x": np.arange(10.0 if number % 3 else 2000.0)})
    found = place.verify()
    assert (found.runs, found.events, found.findings) == (8, 5 * 10 + 3 * 2000, [])

    for (uid,) in place.say("SELECT uid FROM runs"):
        (identity, _, _, body), *_ = place.batches(uid)
        place.change("UPDATE batches SET body = ? WHERE id = ?", flip(bytes(body), len(body) // 2), identity)
    assert place.kinds() == {"checksum": 8}


def test_json_has_all_of_it(small) -> None:
    small.change("DELETE FROM leaves WHERE key = 'scan_id'")
    small.change("DELETE FROM batches WHERE first_arrival = 4")

    found = json.loads(json.dumps(small.verify().to_json()))
    assert {key: found[key] for key in ("is_sound", "runs", "documents", "events", "batches")} == {
        "is_sound": False,
        "runs": 1,
        "documents": 3,
        "events": 4,
        "batches": 2,
    }
    gap, lacking = found["findings"]
    assert gap == {
        "kind": "missing-events",
        "severity": "error",
        "text": "2 events of stream 'primary' are missing: seq_num 3 to 4",
        "run": "run-1",
        "scan_id": 3,
        "file": None,
        "repairable": False,
        "remedy": "No repair can: restore it from a backup",
    }
    assert (lacking["kind"], lacking["repairable"]) == ("missing-index", True)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_severity_and_a_remedy(kind) -> None:
    from hutch.catalogs.care.findings import Finding

    found = Finding(kind, "text", "run-1").to_json()
    assert found["severity"] in ("error", "note")
    assert found["remedy"]
    assert "{" not in found["remedy"]


def test_the_documentation_tells_of_every_kind() -> None:
    page = Path(__file__).parents[3] / "docs/how-to/verify.md"
    told = re.findall(
        r"^\| `([a-z+-]+)` \| (error|note) \| (yes|no) \| .+ \|$", page.read_text(), re.MULTILINE
    )

    assert sorted(told) == sorted(
        (kind.value, kind.severity.value, "yes" if kind.is_repairable else "no") for kind in Kind
    )
