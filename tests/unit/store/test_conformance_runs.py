"""What every backend must do: runs, documents, events, marks, quarantine, the index."""

from __future__ import annotations

import math
import zlib

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.documents import leaves
from hutch.errors import CorruptBatchError, RunNotFoundError
from hutch.store import DocumentRow, Mark

from .conftest import add_batch, add_run, add_segment, numbers

# runs


def test_an_empty_store_has_nothing(store):
    assert store.count_runs() == 0
    assert store.runs() == []
    assert store.run_uids() == []
    assert store.runs_by_uid(["a"]) == []
    assert store.runs_by_prefix("", 10) == []
    assert store.run_by_scan_id(1) is None
    assert store.find_document("descriptor", "d") is None
    assert store.changes(0) == []
    assert store.last_change() == 0
    assert store.stash() == {}
    assert store.quarantined() == []


def test_a_run_has_what_was_given(store):
    with store.transaction() as writer:
        run = writer.add_run("uid", 12.5, 7, b'{"uid":"uid"}')

    (row,) = store.runs()
    assert (row.id, row.uid, row.time, row.scan_id, row.start, row.stop) == (
        run, "uid", 12.5, 7, b'{"uid":"uid"}', None,
    )  # fmt: skip
    assert row.owner
    assert store.run_by_id(run) == row
    assert store.runs_by_uid(["uid", "none"]) == [row]


def test_runs_are_in_order_of_time_then_of_arrival(store):
    for uid, time in [("b", 2.0), ("a", 1.0), ("c", 2.0), ("d", -1.0), ("e", math.inf)]:
        add_run(store, uid, time)

    assert store.run_uids() == ["d", "a", "b", "c", "e"]
    assert [row.uid for row in store.runs()] == ["d", "a", "b", "c", "e"]
    assert [row.uid for row in store.runs(newest_first=True)] == ["e", "c", "b", "a", "d"]
    assert store.count_runs() == 5


@given(start=st.integers(0, 8), limit=st.none() | st.integers(0, 8), newest_first=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_of_runs_are_slices_of_all(store, start, limit, newest_first):
    if not store.count_runs():
        for number in range(6):
            add_run(store, f"run {number}", float(number % 3))
    everything = store.runs(newest_first=newest_first)

    page = store.runs(start=start, limit=limit, newest_first=newest_first)

    assert page == everything[start:][:limit]


def test_a_uid_is_taken_once(store):
    add_run(store, "uid")

    with store.transaction() as writer:
        assert writer.add_run("uid", 5.0, None, b"{}") is None
    assert [row.time for row in store.runs()] == [1.0]


def test_runs_are_found_by_the_beginning_of_their_uid(store):
    for number, uid in enumerate(["abc", "abd", "ab", "b", "aB", "ä", "a%", "a_"]):
        add_run(store, uid, float(number))

    assert [row.uid for row in store.runs_by_prefix("ab", 10)] == ["ab", "abd", "abc"]
    assert [row.uid for row in store.runs_by_prefix("ab", 2)] == ["ab", "abd"]
    assert [row.uid for row in store.runs_by_prefix("a%", 10)] == ["a%"]
    assert [row.uid for row in store.runs_by_prefix("ä", 10)] == ["ä"]
    assert store.runs_by_prefix("x", 10) == []
    assert len(store.runs_by_prefix("", 100)) == 8


@pytest.mark.parametrize("uid", ["a\udce9", "\0", "a\0b"])
def test_no_run_has_a_uid_that_no_database_takes(store, uid):
    add_run(store, "a")

    assert store.runs_by_uid([uid, "a"]) == store.runs_by_prefix("a", 10)
    assert (store.runs_by_prefix(uid, 10), store.tombstones(uid)) == ([], [])


def test_the_newest_run_of_a_scan_id_is_found(store):
    add_run(store, "old", 1.0, 7)
    add_run(store, "new", 3.0, 7)
    add_run(store, "middle", 2.0, 7)
    add_run(store, "none", 4.0)
    add_run(store, "largest", 5.0, 2**63 - 1)

    found = store.run_by_scan_id(7)
    assert found is not None
    assert found.uid == "new"
    assert store.run_by_scan_id(8) is None
    assert store.run_by_scan_id(2**63 - 1).uid == "largest"
    assert store.run_by_scan_id(2**63) is None


def test_a_run_that_is_not_there_is_named(store):
    with pytest.raises(RunNotFoundError, match="internal number 99"):
        store.run_by_id(99)


def test_a_run_that_ended_belongs_to_nobody(store):
    run = add_run(store, "uid")
    with store.transaction() as writer:
        writer.end_run(run, b'{"exit_status":"success"}', "success")

    row = store.run_by_id(run)
    assert (row.stop, row.owner) == (b'{"exit_status":"success"}', None)


# documents


def test_documents_come_in_order_of_arrival(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    rows = [DocumentRow(3, "resource", "r", b"{}"), DocumentRow(1, "descriptor", "d", bytes(range(256)))]
    with store.transaction() as writer:
        assert writer.add_documents(run, rows) == []
        assert writer.add_documents(other, [DocumentRow(1, "descriptor", "d", b"other")]) == []

    assert store.documents(run) == [rows[1], rows[0]]
    assert store.documents(run, ["resource", "datum"]) == [rows[0]]
    assert store.documents(run, []) == []


def test_the_newest_document_of_a_uid_is_found_in_any_run(store):
    first, second = add_run(store, "1"), add_run(store, "2")
    for run in (first, second):
        with store.transaction() as writer:
            writer.add_documents(run, [DocumentRow(1, "resource", "r", f"{run}".encode())])

    assert store.find_document("resource", "r") == (
        second,
        DocumentRow(1, "resource", "r", f"{second}".encode()),
    )
    assert store.find_document("datum", "r") is None


def test_documents_that_a_run_has_already_are_told(store):
    run = add_run(store, "uid")
    known = DocumentRow(1, "datum", "d", b"1")
    again, other_kind, fresh = (
        DocumentRow(2, "datum", "d", b"2"),
        DocumentRow(3, "resource", "d", b"3"),
        DocumentRow(4, "datum", "e", b"4"),
    )
    with store.transaction() as writer:
        writer.add_documents(run, [known])
        assert writer.add_documents(run, [again, other_kind, fresh]) == [again]

    assert store.documents(run) == [known, other_kind, fresh]


# events


def test_small_batches_lie_in_the_database_and_large_ones_in_files(store):
    run = add_run(store, "uid")
    small, large = numbers(3), numbers(200_000)
    segment = add_segment(store, run, small)
    add_batch(store, run, small, segment, 1)
    add_batch(store, run, large, segment, 4)

    first, second = store.batches(run)
    assert (first.file, first.rows, first.first_arrival) == (None, 3, 1)
    assert (second.rows, second.first_arrival) == (200_000, 4)
    assert second.file is not None
    assert (store.files / second.file).stat().st_size == second.size
    assert not [path for path in store.files.rglob("*") if path.name.startswith(".")]
    assert store.load([first, second], small.schema) == [small, large]
    with pa.memory_map(str(store.files / second.file)) as source:
        assert pa.ipc.open_file(source).read_all().num_rows == 200_000


def test_the_bytes_of_a_batch_have_the_checksum_that_was_committed(store):
    run = add_run(store, "uid")
    segment = add_segment(store, run, numbers(1))
    for first_arrival, count in ((1, 10), (11, 200_000)):
        add_batch(store, run, numbers(count), segment, first_arrival)

    for batch in store.batches(run):
        body = store.read_bytes(batch)
        assert (len(body), zlib.crc32(body)) == (batch.size, batch.crc32)


def test_batches_come_by_first_arrival_and_by_segment(store):
    run = add_run(store, "uid")
    first, second = add_segment(store, run, numbers(1)), add_segment(store, run, numbers(1), "baseline")
    for segment, arrival in ((second, 5), (first, 1), (first, 9)):
        add_batch(store, run, numbers(1), segment, arrival)

    assert [batch.first_arrival for batch in store.batches(run)] == [1, 5, 9]
    assert [batch.first_arrival for batch in store.batches(run, first)] == [1, 9]
    assert [(found.id, found.stream, found.descriptor) for found in store.segments(run)] == [
        (first, "primary", "descriptor"),
        (second, "baseline", "descriptor"),
    ]
    schema = pa.ipc.read_schema(pa.py_buffer(store.segments(run)[0].schema))
    assert store.load(store.batches(run, second), schema) == [numbers(1)]
    assert store.load([], schema) == []


def _damage_file(path):
    path.write_bytes(path.read_bytes()[:-8] + b"damaged!")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.write_bytes(b""), "hutch verify"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, recorded are"),
        (_damage_file, "is not a whole Arrow file"),
    ],
    ids=["gone", "empty", "cut short", "overwritten"],
)
def test_damaged_files_are_told(store, damage, message):
    run = add_run(store, "uid")
    segment = add_segment(store, run, numbers(1))
    add_batch(store, run, numbers(200_000), segment)
    (batch,) = store.batches(run)

    damage(store.files / batch.file)

    with pytest.raises(CorruptBatchError, match=message):
        store.load([batch], numbers(1).schema)


# marks, quarantine, the index


def test_marks_are_counted_together(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    with store.transaction() as writer:
        writer.add_marks(run, [Mark("primary", "x", "is text", 2, 5), Mark("primary", "a", "is text", 1, 9)])
        writer.add_marks(run, [Mark("primary", "x", "is text", 3, 7)])
        writer.add_marks(other, [Mark("", "start: \0\ud800", "odd", 1, 0)])

    assert store.marks(run) == [Mark("primary", "x", "is text", 5, 5), Mark("primary", "a", "is text", 1, 9)]
    assert [mark.count for mark in store.marks(other)] == [1]


def test_documents_in_quarantine_are_kept_whole(store):
    run = add_run(store, "uid")
    with store.transaction() as writer:
        writer.quarantine(None, "event", "no descriptor", bytes(range(256)))
        writer.quarantine(run, "odd \ud800 kind", "of \0 run", b"2")

    first, second = store.quarantined()
    assert (first.run, first.kind, first.reason, first.body) == (
        None,
        "event",
        "no descriptor",
        bytes(range(256)),
    )
    assert store.quarantined(run) == [second]
    assert first.time <= second.time


def test_rows_of_the_index_come_back_and_count_once(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    document = {"a": [1, 2.5, None, True], "b": {"c": math.inf, "\0\ud800": "\ud800" * 300}, "d": [], "e": {}}
    rows = leaves(document)
    with store.transaction() as writer:
        writer.add_leaves(run, 1.0, rows)
        writer.add_leaves(run, 1.0, rows)
        writer.add_leaves(other, 1.0, leaves({"z": 1}))

    assert store.leaves(run) == rows
