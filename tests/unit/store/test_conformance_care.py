"""What every backend must do: amendments, deletion with tombstones, discarded files, rules of retention."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from hutch.documents import encode, leaves
from hutch.errors import RunNotFoundError
from hutch.store import DocumentRow, Mark, Topic
from hutch.store.protocols.store import TombstoneRow

from .conftest import add_batch, add_run, add_segment, numbers


def tombstone(uid, run, time=1.0, scan_id=None, deleted=5.0, summary=b"{}"):
    return TombstoneRow(uid, run, time, scan_id, deleted, "alice", "a test", summary)


def full_run(store, uid):
    """Add a run that has something in every table; return its id."""
    run = add_run(store, uid, scan_id=7)
    segment = add_segment(store, run, numbers(1))
    add_batch(store, run, numbers(3), segment)
    add_batch(store, run, numbers(200_000), segment, 4)
    with store.transaction() as writer:
        writer.add_documents(run, [DocumentRow(1, "descriptor", f"{uid}-d", b"{}")])
        writer.add_marks(run, [Mark("primary", "x", "is text", 2, 5)])
        writer.quarantine(run, "event", "no descriptor", b"{}")
        writer.add_leaves(run, 1.0, leaves({"sample": uid}))
        writer.amend_run(store.run_by_id(run), b'{"a":1}', "alice", "a test", b"[]")
        writer.end_run(run, b"{}", "success")
    return run


# amendments


def test_an_amendment_leaves_the_recorded_document_alone(store):
    run = add_run(store, "uid", scan_id=7)
    row = store.run_by_id(run)
    with store.transaction() as writer:
        writer.lock(f"run/{run}")
        writer.amend_run(replace(row, scan_id=8), b'{"a":2}', "alice \0\ud800", "wrong", bytes(range(256)))

    found = store.run_by_id(run)
    assert (found.start, found.amended, found.current, found.scan_id) == (
        row.start,
        b'{"a":2}',
        b'{"a":2}',
        8,
    )
    assert (found.uid, found.time, found.owner) == (row.uid, row.time, row.owner)
    assert store.run_by_scan_id(8) == found
    assert store.run_by_scan_id(7) is None
    (amendment,) = store.amendments(run)
    assert (amendment.run, amendment.reason, amendment.edits) == (run, "wrong", bytes(range(256)))
    assert amendment.author == "alice \ufffd?"
    assert amendment.time > 1_700_000_000


def test_amendments_come_in_order_and_only_of_their_run(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    for number, name in enumerate((run, other, run)):
        with store.transaction() as writer:
            writer.amend_run(store.run_by_id(name), encode({"n": number}), "alice", f"reason {number}", b"[]")

    assert [row.reason for row in store.amendments(run)] == ["reason 0", "reason 2"]
    assert store.run_by_id(run).amended == encode({"n": 2})
    assert store.amendments(99) == []


def test_a_run_that_is_amended_can_end(store):
    run = add_run(store, "uid")
    with store.transaction() as writer:
        writer.amend_run(store.run_by_id(run), b'{"a":2}', "alice", "wrong", b"[]")
    with store.transaction() as writer:
        writer.end_run(run, b"{}", "success")

    found = store.run_by_id(run)
    assert (found.amended, found.stop, found.owner) == (b'{"a":2}', b"{}", None)


def test_an_amendment_and_a_deletion_are_told_in_the_feed(store):
    run = add_run(store, "uid")
    cursor = store.last_change()
    with store.transaction() as writer:
        writer.amend_run(store.run_by_id(run), b"{}", "alice", "wrong", b"[]")
    with store.transaction() as writer:
        writer.delete_run(run, tombstone("uid", run))

    told = [(change.topic, change.run, change.reference) for change in store.changes(cursor)]
    assert told == [(Topic.AMEND, run, "uid"), (Topic.DELETE, run, "uid")]


def test_index_rows_are_removed_and_others_stay(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    before, after = leaves({"time": 1.0, "a": [1, 2], "b": "x" * 300}), leaves({"time": 1.0, "a": [2, 3]})
    with store.transaction() as writer:
        for name in (run, other):
            writer.add_leaves(name, 1.0, before)
        writer.remove_leaves(run, 1.0, before - after)
        writer.add_leaves(run, 1.0, after - before)
        writer.remove_leaves(run, 1.0, leaves({"never": "there"}, "stop"))

    assert store.leaves(run) == after
    assert store.leaves(other) == before


def test_all_index_rows_of_a_run_can_be_removed(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    with store.transaction() as writer:
        for name in (run, other):
            writer.add_leaves(name, 1.0, leaves({"a": 1}))
        writer.add_leaves(run, 77.0, leaves({"b": 1}))
        writer.remove_strange_leaves(run)

    assert store.count_leaves() == {other: len(leaves({"a": 1}))}


def test_who_gets_a_lock_sees_what_the_one_before_has_written(backend):
    stores = [backend.open() for _ in range(3)]
    run = add_run(stores[0], "uid")

    def count_up(store):
        for _ in range(20):
            with store.transaction() as writer:
                writer.lock(f"run/{run}")
                row = store.run_by_id(run)
                number = int(row.amended or b"0") + 1
                writer.amend_run(row, str(number).encode(), "alice", f"number {number}", b"[]")

    threads = [threading.Thread(target=count_up, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert stores[0].run_by_id(run).amended == b"60"
    assert [row.reason for row in stores[0].amendments(run)] == [f"number {n}" for n in range(1, 61)]


# deletion


def test_a_deleted_run_is_gone_from_everywhere(store):
    other = full_run(store, "other")
    run = full_run(store, "uid")
    kept = (store.documents(other), store.batches(other), store.marks(other), store.amendments(other))
    with store.transaction() as writer:
        writer.remove_leaves(run, 1.0, leaves({"sample": "uid"}))
        writer.delete_run(run, tombstone("uid", run, scan_id=7))

    assert store.run_uids() == ["other"]
    assert store.runs_by_uid(["uid"]) == []
    assert store.run_by_scan_id(7).uid == "other"
    assert (store.documents(run), store.segments(run), store.batches(run)) == ([], [], [])
    assert (store.marks(run), store.quarantined(run), store.amendments(run)) == ([], [], [])
    assert store.find_document("descriptor", "uid-d") is None
    assert set(store.count_leaves()) == {other}
    assert (store.documents(other), store.batches(other), store.marks(other), store.amendments(other)) == kept
    with pytest.raises(RunNotFoundError):
        store.run_by_id(run)


def test_a_deletion_leaves_a_tombstone(store):
    run = full_run(store, "uid")
    row = tombstone("uid", run, scan_id=2**62, time=12.5, deleted=20.25, summary=bytes(range(256)))
    with store.transaction() as writer:
        writer.delete_run(run, replace(row, author="al\0ice", reason="\ud800"))

    assert store.tombstones() == [replace(row, author="al\ufffdice", reason="?")]
    assert store.tombstones("ui") == store.tombstones("uid") == store.tombstones()
    assert store.tombstones("uidx") == store.tombstones("x") == []


def test_files_of_a_deleted_run_are_discarded_and_stay_for_readers(store):
    run = full_run(store, "uid")
    before = store.batches(run)
    (file,) = [batch.file for batch in before if batch.file]
    with store.transaction() as writer:
        writer.delete_run(run, tombstone("uid", run))

    assert store.discarded(2.0**40) == [file]
    assert store.discarded(0.0) == []
    assert (store.files / file).exists()
    with store.transaction() as writer:
        writer.forget_files([file])
    assert store.discarded(2.0**40) == []


def test_a_deletion_that_is_rolled_back_changes_nothing(store):
    run = full_run(store, "uid")
    before = (store.run_by_id(run), store.batches(run), store.leaves(run), store.last_change())
    with pytest.raises(RuntimeError, match="stop"), store.transaction() as writer:
        writer.remove_leaves(run, 1.0, leaves({"sample": "uid"}))
        writer.delete_run(run, tombstone("uid", run))
        raise RuntimeError("stop")

    assert (store.run_by_id(run), store.batches(run), store.leaves(run), store.last_change()) == before
    assert store.tombstones() == []
    assert store.discarded(2.0**40) == []


def test_a_uid_that_was_deleted_can_be_taken_again_and_deleted_again(store):
    for number in range(3):
        run = add_run(store, "uid")
        with store.transaction() as writer:
            writer.delete_run(run, tombstone("uid", run, deleted=float(number)))

    assert [row.deleted for row in store.tombstones("uid")] == [2.0, 1.0, 0.0]
    assert len({row.run for row in store.tombstones()}) == 3


# rules of retention


def test_rules_of_retention_are_set_replaced_and_removed(store):
    with store.transaction() as writer:
        writer.set_retention("b", b"1", "alice")
        writer.set_retention("a", bytes(range(256)), "bob")
    with store.transaction() as writer:
        writer.set_retention("b", b"2", "carol")
        writer.set_retention("nothing", None, "carol")

    assert [(row.name, row.rule, row.author) for row in store.retention()] == [
        ("a", bytes(range(256)), "bob"), ("b", b"2", "carol"),
    ]  # fmt: skip
    assert store.retention()[1].time > 1_700_000_000
    with store.transaction() as writer:
        writer.set_retention("a", None, "alice")
    assert [row.name for row in store.retention()] == ["b"]
