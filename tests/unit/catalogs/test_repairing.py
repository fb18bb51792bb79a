"""Each kind of damage: a repair does what it says, changes nothing else, and names what is lost."""

from __future__ import annotations

import base64
import random
import shutil
import zlib

import numpy as np
import pyarrow as pa
import pytest

from hutch.catalogs.care import loose_files
from hutch.catalogs.care.findings import Kind
from hutch.catalogs.care.loose_files import LOST_AND_FOUND
from hutch.catalogs.repairing import repair
from hutch.documents import decode, encode, is_same

from .damage import DESCRIPTOR, START, Damaged, event, flip, make_old


@pytest.fixture
def small(place):
    """A store with a run of three small batches, and another run that nobody damages."""
    place.record_small()
    with place.open() as cat, cat.start_run(sample="other") as run:
        run.add("primary", {"x": 0.5})
    return place


def others(place) -> list:
    """Return the documents of the runs that are not damaged."""
    with place.open() as cat:
        return [list(run.documents(fill="no")) for run in cat.values() if run.uid not in ("run-1", "large")]


def events_of(place, uid="run-1") -> list[int]:
    return [document["seq_num"] for name, document in place.documents(uid) if name == "event"]


def repaired(place) -> list[str]:
    """Repair; return what was done, and check that nothing else was and that it is done once."""
    before = others(place)
    found = place.repair()
    assert is_same(others(place), before)
    again = place.repair()
    assert again.repairs == []
    assert again.findings == found.findings == place.verify().findings
    return [repair.text for repair in found.repairs]


def test_a_sound_store_is_left_as_it_is(small) -> None:
    with small.open() as cat:
        last = cat.store.last_change()
    found = small.repair()

    assert (found.repairs, found.findings) == ([], [])
    with small.open() as cat:
        assert cat.store.last_change() == last


# the index


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM leaves",
        "DELETE FROM leaves WHERE key = 'scan_id'",
        "UPDATE leaves SET number = 4 WHERE key = 'scan_id'",
        "UPDATE leaves SET time = 4 WHERE key = 'scan_id'",
        "UPDATE leaves SET run = 99 WHERE key = 'sample'",
    ],
)
def test_the_index_follows_the_documents_again(small, statement) -> None:
    before = small.say("SELECT * FROM leaves ORDER BY key, run, text")
    small.change(statement)

    (text,) = repaired(small)
    assert "runs were made again from their documents" in text
    assert small.kinds() == {}
    assert small.say("SELECT * FROM leaves ORDER BY key, run, text") == before


def test_a_document_that_was_edited_is_searched_as_it_is(small) -> None:
    small.change("UPDATE runs SET start = ? WHERE uid = 'run-1'", encode({**START, "sample": "Si"}))
    repaired(small)

    assert small.kinds() == {}
    assert {text for (text,) in small.say("SELECT text FROM leaves WHERE key = 'sample'")} == {"Si", "other"}


def test_documents_that_cannot_be_read_stay_an_error_and_keep_their_index_rows(small) -> None:
    small.change("UPDATE runs SET start = ? WHERE uid = 'run-1'", b"{")
    found = small.repair()

    assert {finding.kind for finding in found.errors} == {Kind.UNREADABLE}
    assert small.say("SELECT text FROM leaves WHERE key = 'sample' AND text = 'LaB6'")


# batches in rows


def test_the_numbers_of_a_batch_are_taken_from_it(small) -> None:
    small.change("UPDATE batches SET rows = 7, size = 1 WHERE first_arrival = 4")
    small.change("UPDATE batches SET first_arrival = 1, rows = 0 WHERE first_arrival = 6")
    assert small.kinds() == {"batch-facts": 4}

    assert len(repaired(small)) == 2
    assert small.kinds() == {}
    assert events_of(small) == [1, 2, 3, 4, 5, 6]


def test_swapped_checksums_leave_all_events_and_call_them_doubtful(small) -> None:
    recorded = small.documents()
    first, second = (row[0] for row in small.say("SELECT crc32 FROM batches ORDER BY id LIMIT 2"))
    small.change("UPDATE batches SET crc32 = ? WHERE first_arrival = 2 AND rows = 2", second)
    small.change("UPDATE batches SET crc32 = ? WHERE first_arrival = 4", first)

    assert all("all 2 events can be read; marked as doubtful" in text for text in repaired(small))
    assert small.documents() == recorded
    assert small.kinds() == {"doubtful-events": 2}
    (mark, _) = [note.text for note in small.verify().notes]
    assert "2 events of stream 'primary', from arrival 2 on, are doubtful" in mark


def test_a_changed_value_is_kept_as_it_is_and_called_doubtful(small) -> None:
    body = bytes(small.batches()[1][3])
    place = body.rindex(np.float64(3.0).tobytes())
    small.change("UPDATE batches SET body = ? WHERE first_arrival = 4", flip(body, place))

    repaired(small)
    assert events_of(small) == [1, 2, 3, 4, 5, 6]
    assert small.kinds() == {"doubtful-events": 1}
    with small.open() as cat:
        assert len(cat["run-1"].primary.read()["a"]) == 6


def test_bytes_that_are_no_batch_any_more_go_into_quarantine_and_the_rest_can_be_read(small) -> None:
    damaged = bytes(100)
    small.change("UPDATE batches SET body = ? WHERE first_arrival = 4", damaged)
    (text,) = repaired(small)

    assert "2 events are lost, and marked so" in text
    assert events_of(small) == [1, 2, 5, 6]
    assert small.kinds() == {"lost-events": 1, "quarantine": 1}
    found = small.verify()
    assert found.is_sound
    assert "2 events of stream 'primary', from arrival 4 on, are lost" in found.losses[0].text
    with small.open() as cat:
        (row,) = cat["run-1"].quarantined
        assert list(cat["run-1"].primary.read()["a"]) == [1.0, 2.0, 5.0, 6.0]
    about = decode(row.body)
    assert (row.kind, about["rows"], about["first_arrival"], about["stream"]) == ("batch", 2, 4, "primary")
    assert base64.b64decode(about["body"]) == damaged
    assert pa.ipc.read_schema(pa.py_buffer(base64.b64decode(about["schema"])))


@pytest.mark.parametrize("first", [2, 4, 6])
def test_any_batch_may_be_lost(small, first) -> None:
    small.change("UPDATE batches SET body = ? WHERE first_arrival = ? AND rows = 2", b"", first)
    repaired(small)

    assert small.kinds() == {"lost-events": 1, "quarantine": 1}
    assert len(events_of(small)) == 4


KEPT = {Kind.LOST, Kind.DOUBTFUL, Kind.QUARANTINE, Kind.SKIPPED}


def test_whatever_byte_is_changed_a_repair_makes_the_run_readable(tmp_path) -> None:
    place = Damaged(str(tmp_path / "store"), tmp_path / "store" / "files")
    place.record_small()
    whole = tmp_path / "whole"
    shutil.copytree(place.address, whole)
    body = bytes(place.batches()[1][3])
    chance = random.Random(5)
    for _ in range(60):
        shutil.rmtree(place.address)
        shutil.copytree(whole, place.address)
        damaged = flip(body, chance.randrange(len(body)))
        place.change("UPDATE batches SET body = ? WHERE first_arrival = 4", damaged)
        found = place.repair()
        assert found.is_sound, found.errors
        assert {finding.kind for finding in found.findings} <= KEPT
        seen = events_of(place)
        assert {1, 2, 5, 6} <= set(seen)
        lost = sum(int(loss.text.split()[0]) for loss in found.losses)
        assert len(seen) + lost == 6


def test_a_row_without_its_bytes_is_lost(small) -> None:
    small.change("UPDATE batches SET body = NULL WHERE first_arrival = 4")
    assert small.kinds() == {"missing-batch": 1}
    repaired(small)

    assert small.kinds() == {"lost-events": 1, "quarantine": 1}
    assert events_of(small) == [1, 2, 5, 6]


def test_events_that_are_there_twice_are_there_once(small) -> None:
    recorded = small.documents()
    columns = "run, segment, first_arrival, rows, size, crc32, body"
    small.change(f"INSERT INTO batches ({columns}) SELECT {columns} FROM batches WHERE first_arrival = 4")  # noqa: S608

    (text,) = repaired(small)
    assert text == "2 events that were there twice are there once"
    assert small.kinds() == {}
    assert small.documents() == recorded


def test_events_of_one_uid_that_differ_are_all_kept(place) -> None:
    with place.open() as cat:
        for uid in ("e1", "e2"):
            recorder = cat.recorder()
            recorder("start", START)
            recorder("descriptor", DESCRIPTOR)
            recorder("event", event(int(uid[1]), uid=uid))
            recorder.close()
    other = place.batches()[0][3]
    uid_before, uid_after = b"e1", b"e2"
    body = bytes(other).replace(uid_before, uid_after)
    place.change("UPDATE batches SET body = ?, crc32 = ? WHERE first_arrival = 2", body, zlib.crc32(body))
    assert place.kinds() == {"duplicates": 1, "interrupted": 1}

    found = place.repair()
    assert (found.repairs, [error.kind for error in found.errors]) == ([], [Kind.DUPLICATES])
    assert events_of(place, "run-1") == [1, 2]


def test_events_that_are_gone_stay_an_error(small) -> None:
    small.change("DELETE FROM batches WHERE first_arrival = 4")
    found = small.repair()

    assert (found.repairs, [error.kind for error in found.errors]) == ([], [Kind.GAP])


# batches in files


@pytest.fixture
def large(place):
    """A store with a run of three batches in files, and another run."""
    place.record_large(batches=3)
    with place.open() as cat, cat.start_run(sample="other") as run:
        run.add("primary", {"x": 0.5})
    return place


def test_a_missing_file_is_a_gap_that_is_marked(large) -> None:
    large.arrow_files()[1].unlink()
    with large.open() as cat, pytest.raises(OSError, match="gone"):
        cat["large"].primary.read()

    (text,) = repaired(large)
    assert "3 events are lost, and marked so" in text
    assert len(events_of(large, "large")) == 6
    assert large.kinds() == {"lost-events": 1, "quarantine": 1}
    with large.open() as cat:
        assert cat["large"].primary.read()["image"].shape == (6, 220, 220)


def test_a_missing_file_that_comes_back_is_taken_in(large) -> None:
    recorded = large.documents("large")
    file = large.arrow_files()[1]
    file.rename(large.files / "away")
    repaired(large)
    (large.files / "away").rename(file)
    make_old(file)

    (text,) = repaired(large)
    assert "was not committed: 3 events that the run lacked come from it" in text
    assert is_same(large.documents("large"), recorded)
    assert large.kinds() == {"quarantine": 1}


def test_nothing_is_given_up_while_the_folder_of_files_is_not_there(large) -> None:
    recorded = large.documents("large")
    large.files.rename(large.files.with_name("elsewhere"))
    large.files.mkdir()
    found = large.repair()
    assert "Nothing is repaired, as it may not be mounted" in found.repairs[0].text
    assert not found.repairs[0].is_done
    assert [error.kind for error in found.errors] == [Kind.NO_BATCH] * 3

    large.files.rmdir()
    large.files.with_name("elsewhere").rename(large.files)
    assert large.kinds() == {}
    assert is_same(large.documents("large"), recorded)


def test_a_file_that_cannot_be_read_and_is_there_is_left(large) -> None:
    file = large.arrow_files()[1]
    file.rename(large.files / "away")
    file.mkdir()
    found = large.repair()

    assert [(done.is_done, "left as it is" in done.text) for done in found.repairs] == [(False, True)]
    assert [error.kind for error in found.errors] == [Kind.NO_BATCH]


def rewrite_row_by_row(place, file) -> bytes:
    """Let a file have a record batch for each event, as merged ones have several; return its bytes."""
    events = pa.ipc.open_file(pa.py_buffer(file.read_bytes())).read_all().combine_chunks().to_batches()[0]
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, events.schema) as out:
        for row in range(3):
            out.write_batch(events.slice(row, 1))
    body = file.read_bytes()
    place.change("UPDATE batches SET crc32 = ?, size = ?", zlib.crc32(body), len(body))
    assert place.kinds() == {}
    return body


def test_a_cut_file_gives_its_first_record_batches(place) -> None:
    file = place.record_large()
    body = rewrite_row_by_row(place, file)
    file.write_bytes(body[: len(body) * 5 // 6])

    (text,) = repaired(place)
    assert "1 events are lost, and marked so; 2 can be read, and are marked as doubtful" in text
    assert events_of(place, "large") == [1, 2]
    assert place.kinds() == {"lost-events": 1, "doubtful-events": 1, "quarantine": 1, "lost+found": 1}
    (kept,) = (place.files / LOST_AND_FOUND).iterdir()
    assert kept.read_bytes() == body[: len(body) * 5 // 6]


def test_a_file_that_lacks_only_its_end_loses_no_event(place) -> None:
    file = place.record_large()
    recorded = place.documents("large")
    body = file.read_bytes()
    file.write_bytes(body[:-300])

    (text,) = repaired(place)
    assert text.endswith("3 can be read, and are marked as doubtful")
    assert is_same(place.documents("large"), recorded)
    assert place.kinds() == {"doubtful-events": 1, "quarantine": 1, "lost+found": 1}
    with place.open() as cat:
        assert cat["large"].primary.read()["image"].shape == (3, 220, 220)


def test_a_damaged_record_batch_costs_no_other(place) -> None:
    file = place.record_large()
    body = rewrite_row_by_row(place, file)
    # The head of the second record batch: what comes after the first one's data.
    second = body.index(b"\xff\xff\xff\xff", len(body) // 3)
    file.write_bytes(body[: second + 8] + b"\x7f" * 64 + body[second + 72 :])

    repaired(place)
    assert events_of(place, "large") == [1, 3]
    assert place.kinds() == {"lost-events": 1, "doubtful-events": 1, "quarantine": 1, "lost+found": 1}
    (loss,) = place.verify().losses
    assert "1 events of stream 'primary', from arrival 3 on, are lost" in loss.text


def test_a_changed_byte_in_a_file_leaves_the_file_where_it_is(large) -> None:
    file = large.arrow_files()[1]
    body = file.read_bytes()
    file.write_bytes(flip(body, len(body) // 2))
    repaired(large)

    assert large.kinds() == {"doubtful-events": 1}
    assert len(events_of(large, "large")) == 9
    assert file.exists()
    with large.open() as cat:
        assert cat.store.discarded(1e12) == []


def test_a_file_that_is_noted_to_be_deleted_is_kept(large) -> None:
    name = large.arrow_files()[0].relative_to(large.files).as_posix()
    with large.open() as cat, cat.store.transaction() as writer:
        writer.discard_files([name])

    assert len(repaired(large)) == 1
    assert large.kinds() == {}


# files that no batch names


def test_events_that_were_not_committed_come_into_their_run(large) -> None:
    recorded = large.documents("large")
    file = large.arrow_files()[1]
    large.change("DELETE FROM batches WHERE file = ?", file.relative_to(large.files).as_posix())
    make_old(file)

    (text,) = repaired(large)
    assert "3 events that the run lacked come from it" in text
    assert large.kinds() == {}
    assert is_same(large.documents("large"), recorded)
    assert file in large.arrow_files()  # it was whole: it is the batch now


def test_a_file_that_was_not_finished_gives_what_can_be_read(large) -> None:
    recorded = large.documents("large")
    file = large.arrow_files()[2]
    large.change("DELETE FROM batches WHERE file = ?", file.relative_to(large.files).as_posix())
    early = file.with_name(f".{file.name}")
    file.rename(early)
    body = early.read_bytes()
    early.write_bytes(body[:-300])  # without its end
    make_old(early)

    repaired(large)
    assert large.kinds() == {}
    assert is_same(large.documents("large"), recorded)
    assert not early.exists()


def test_events_without_a_segment_find_it_through_their_descriptor(place) -> None:
    file = place.record_large()
    recorded = place.documents("large")
    place.change("DELETE FROM batches")
    place.change("DELETE FROM segments")
    make_old(file)

    repaired(place)
    assert place.kinds() == {}
    assert is_same(place.documents("large"), recorded)


def test_events_without_a_descriptor_are_put_away(place) -> None:
    file = place.record_large()
    body = file.read_bytes()
    for table in ("batches", "segments", "documents"):
        place.change(f"DELETE FROM {table}")  # noqa: S608
    make_old(file)

    (text,) = repaired(place)
    assert "was moved to" in text
    (kept,) = (place.files / LOST_AND_FOUND).iterdir()
    assert kept.read_bytes() == body
    assert place.kinds() == {"count": 1, "lost+found": 1}


def test_events_of_a_run_that_went_on_without_them_come_last(large) -> None:
    """The arrival numbers of the file are those of other events by now."""
    file = large.arrow_files()[1]
    name = file.relative_to(large.files).as_posix()
    large.change("DELETE FROM batches WHERE file = ?", name)
    large.change(
        "INSERT INTO documents SELECT run, 6, 'resource', 'r', body FROM documents WHERE uid = 'large/d'"
    )
    make_old(file)

    repaired(large)
    assert large.kinds() == {}
    assert events_of(large, "large") == [1, 2, 3, 7, 8, 9, 4, 5, 6]


def test_of_two_streams_alike_events_go_where_their_numbers_go_on(place) -> None:
    image = {"dtype": "array", "shape": [220, 220], "source": "sim"}
    with place.open() as cat:
        recorder = cat.recorder()
        recorder("start", {"uid": "large", "time": 10.0})
        for name in ("primary", "dark"):
            about = {"uid": name, "run_start": "large", "time": 10.0, "name": name}
            recorder("descriptor", {**about, "data_keys": {"image": image}})
        for name, first, count in (("dark", 1, 4), ("primary", 1, 3), ("primary", 4, 3)):
            numbers = range(first, first + count)
            times = [float(number) for number in numbers]
            recorder(
                "event_page",
                {
                    "uid": [f"{name}/{number}" for number in numbers],
                    "descriptor": name,
                    "time": times,
                    "seq_num": list(numbers),
                    "data": {"image": [np.full((220, 220), number) for number in times]},
                    "timestamps": {"image": times},
                    "filled": {},
                },
            )
            recorder.flush()
    recorded = place.documents("large")
    file = max(place.arrow_files(), key=lambda path: int(path.name.split("-")[1]))
    place.change("DELETE FROM batches WHERE file = ?", file.relative_to(place.files).as_posix())
    make_old(file)

    repaired(place)
    assert is_same(place.documents("large"), recorded)


def test_a_copy_of_a_file_is_deleted_and_one_that_differs_is_put_away(large) -> None:
    first, second, _ = large.arrow_files()
    copy = first.with_name(f"{first.name[:-14]}{'0' * 8}.arrow")
    shutil.copy(first, copy)
    other = second.with_name(f"{second.name[:-14]}{'0' * 8}.arrow")
    body = second.read_bytes()
    other.write_bytes(flip(body, len(body) // 2))
    make_old(copy)
    make_old(other)

    texts = repaired(large)
    assert any("was deleted: it is not needed" in text for text in texts)
    assert any("was moved to" in text for text in texts)
    assert len(large.arrow_files()) == 3
    assert large.kinds() == {"lost+found": 1}


def test_files_of_nobody_are_put_away_under_names_of_their_own(large) -> None:
    for name, text in (("a/x.arrow", b"1"), ("b/x.arrow", b"2"), ("a_x.arrow", b"3"), (".hidden", b"4")):
        path = large.files / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
        make_old(path)

    assert len(repaired(large)) == 4
    kept = {path.read_bytes() for path in (large.files / LOST_AND_FOUND).iterdir()}
    assert kept == {b"1", b"2", b"3", b"4"}
    assert large.kinds() == {"lost+found": 1}


def test_a_young_file_is_left(large) -> None:
    path = large.files / "x.arrow"
    path.write_bytes(b"1")

    assert repaired(large) == []
    assert path.exists()


# runs that are recorded, and those that were


def test_runs_that_are_recorded_are_left_and_others_repaired(small) -> None:
    with small.open() as cat, cat.start_run() as run:
        run.add("primary", {"a": 1.0})
        number = cat[run.uid].row.id
        wait_for_events(cat, run.uid)
        small.change("UPDATE batches SET crc32 = 1 WHERE run = ?", number)
        small.change("DELETE FROM leaves WHERE key = 'sample'")
        found = repair(cat.store)

        left = [done for done in found.repairs if not done.is_done]
        assert [done.run for done in left] == [run.uid]
        assert "is being recorded by" in left[0].text
        assert "process" in left[0].text
        assert [error.run for error in found.errors] == [run.uid]
    assert {finding.kind for finding in small.repair().findings} == {Kind.DOUBTFUL}


def wait_for_events(cat, uid) -> None:
    cursor = 0
    while not cat[uid].count_rows().get("primary"):
        assert cat.store.wait(cursor, 10.0)
        cursor = cat.store.last_change()


def test_a_run_whose_process_died_is_let_go(small) -> None:
    small.change("UPDATE runs SET stop = NULL, owner = ? WHERE uid = 'run-1'", "0" * 32)
    small.change("DELETE FROM leaves WHERE key LIKE ?", "stop.%")

    texts = repaired(small)
    assert "it belongs to nobody now; end it with: hutch close run-1" in texts
    assert small.kinds() == {"interrupted": 1}
    with small.open() as cat:
        assert cat["run-1"].status == "interrupted"


def test_what_waits_in_the_spool_is_taken_in(small, tmp_path, monkeypatch) -> None:
    from hutch.recording.spooling.spool import SpoolName, mark_of

    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    with small.open() as cat:
        path = tmp_path / "spool" / str(SpoolName.fresh("run-2", mark_of(cat.store), "free", 0))
    stop = b'["stop",{"uid":"x","run_start":"run-2","time":3.0,"exit_status":"success"}]\n'
    path.write_bytes(b'["start",{"uid":"run-2","time":2.0}]\n' + stop)

    found = small.repair()
    assert [done.kind for done in found.repairs] == [Kind.SPOOLED]
    assert (found.findings, path.exists()) == ([], False)
    with small.open() as cat:
        assert cat["run-2"].status == "success"


def test_the_age_of_a_file_is_told_by_the_clock_of_its_file_system(large, monkeypatch) -> None:
    path = large.files / "x.arrow"
    path.write_bytes(b"1")
    monkeypatch.setattr(loose_files.time, "time", lambda: 1e12)

    assert large.verify().notes[0].kind is Kind.STRANGE
    assert large.repair().repairs == []
    assert path.exists()
