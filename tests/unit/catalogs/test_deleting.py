"""Deletion: what a plan says, what goes, what stays, and what those are told who come too late."""

import json
import time
from itertools import count

import pyarrow as pa
import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.documents import encode, leaves
from hutch.errors import (
    ConfigurationError,
    CorruptBatchError,
    RunDeletedError,
    RunHeldError,
    RunNotFoundError,
    RunOwnedError,
    StoreError,
)
from hutch.store import Topic
from hutch.store.batches.arrow_files import new_batch
from hutch.store.batches.columns import Column, Kind, Layout


@pytest.fixture
def three(catalog, record):
    """Three runs with the scan ids 1, 2 and 3."""
    for number in (1, 2, 3):
        record(
            scan_id=number,
            plan_name="scan",
            sample="A",
            streams={"primary": [{"x": 0.5}, {"x": 1.5}], "baseline": [{"b": 1}]},
        )
    return catalog


def delete(catalog, *keys):
    return catalog.plan_deletion(keys).execute("a test", author="alice")


def assert_sound(catalog):
    assert verify(catalog.store).errors == []


def test_a_plan_says_what_would_go_and_does_nothing(three):
    plan = three.plan_deletion([1, three[3]])

    assert [run.scan_id for run in plan.runs] == [1, 3]
    assert [run.streams for run in plan.runs] == [{"primary": 2, "baseline": 1}] * 2
    assert (plan.events, plan.runs[0].documents, plan.runs[0].status) == (6, 4, "success")
    assert plan.size_bytes > 1000
    assert "2 runs, 6 events" in repr(plan)
    assert json.loads(json.dumps(plan.runs[0].to_json()))["plan"] == "scan"
    assert len(three) == 3


def test_a_plan_takes_a_part_of_a_catalog_and_each_run_once(three):
    assert [run.scan_id for run in three.plan_deletion(three[-2:]).runs] == [2, 3]
    assert len(three.plan_deletion([1, 1, three[1].uid]).runs) == 1


def test_a_plan_takes_a_single_run_too(three):
    for key in (2, three[2].uid, three[2]):
        assert [run.scan_id for run in three.plan_deletion(key).runs] == [2]


def test_a_deleted_run_is_gone_and_the_others_are_whole(three):
    kept = [list(three[number].documents(fill="no")) for number in (1, 3)]
    result = delete(three, 2)

    assert (len(result.deleted), result.gone, result.spared) == (1, [], {})
    assert [run.scan_id for run in three.values()] == [1, 3]
    assert [list(three[number].documents(fill="no")) for number in (1, 3)] == kept
    assert_sound(three)


def test_a_tombstone_says_what_there_was(three):
    run = three[2]
    delete(three, 2)

    (stone,) = three.deleted
    assert (stone.uid, stone.scan_id, stone.time) == (run.uid, 2, run.start["time"])
    assert (stone.author, stone.reason, stone.plan, stone.status) == ("alice", "a test", "scan", "success")
    assert (stone.streams, stone.events, stone.documents) == ({"primary": 2, "baseline": 1}, 3, 4)
    assert stone.size_bytes > 500
    assert stone.deleted > 1_700_000_000


def test_who_looks_for_a_deleted_run_is_told_when_by_whom_and_why(three):
    uid = three[2].uid
    delete(three, 2)

    for key in (uid, uid[:7], 2):
        with pytest.raises(
            RunDeletedError, match=r"^Run 2 .* was deleted on 20.* by alice: a test"
        ) as caught:
            three[key]
        assert caught.value.uid == uid
        assert key not in three
    with pytest.raises(RunNotFoundError, match="No run 'nobody'"):
        three["nobody"]
    with pytest.raises(RunNotFoundError, match="No run with scan_id 99"):
        three[99]


def test_a_key_of_several_deleted_runs_tells_the_last_and_how_many_more(catalog, record):
    for number in range(3):
        record(uid=f"abc-{number}", scan_id=5)
    delete(catalog, "abc-0", "abc-2", "abc-1")

    with pytest.raises(RunDeletedError, match=r"'abc-1'.*and 2 more that 5 fits"):
        catalog[5]


def test_readers_that_have_the_run_open_are_told(three):
    run = three[2]
    primary, column, replay = run.primary, run.primary["x"], run.documents(fill="no")
    with hutch.open_catalog(three.store.location) as other:
        delete(other, 2)

    for read in (
        lambda: list(run),
        lambda: run.primary,
        lambda: run.count_rows(),
        lambda: primary.read(),
        lambda: column[:],
        lambda: next(replay),
        lambda: list(run.documents(fill="yes")),
        lambda: list(run.follow()),
        lambda: run.amend({"sample": "B"}, reason="late"),
        lambda: three.plan_deletion([run]),
    ):
        with pytest.raises(RunDeletedError, match="was deleted on .* by alice: a test"):
            read()
    assert run.start["sample"] == "A"  # what was read before stays with who read it


def test_a_replay_does_not_end_early_as_if_the_run_were_complete(catalog, compose):
    recorder = catalog.recorder()
    # Without a stop document batches are not merged soon.
    documents = compose(streams={"primary": [{"text": "x" * 20_000} for _ in range(200)]}, stop=None)
    for number, (name, document) in enumerate(documents):
        recorder(name, document)
        if number % 40 == 0:
            recorder.flush()  # batches of 0.8 MB, which stand in the database
    recorder.close()
    assert not list(catalog.store.files.rglob("*.arrow"))
    replay = catalog[-1].documents(fill="no")
    seen = [next(replay) for _ in range(3)]
    delete(catalog, catalog[-1].uid)

    with pytest.raises(RunDeletedError):
        seen.extend(replay)
    assert 3 < len(seen) < len(documents)


def test_an_interrupted_run_can_be_deleted_and_is_told(catalog, record):
    record(stop=None)
    run = catalog[-1]
    assert run.status == "interrupted"
    delete(catalog, run.uid)

    with pytest.raises(RunDeletedError):
        run.status  # noqa: B018
    assert [stone.status for stone in catalog.deleted] == ["interrupted"]
    assert_sound(catalog)


def test_a_run_that_is_being_recorded_is_not_deleted_nor_are_those_beside_it(three, compose):
    recorder = three.recorder()
    documents = compose(scan_id=9)
    for name, document in documents[:3]:
        recorder(name, document)
    plan = three.plan_deletion([1, 9])

    assert [type(error) for error in plan.obstacles] == [RunOwnedError]
    with pytest.raises(RunOwnedError, match=r"Nothing was deleted.\nRun 9 .* is being recorded"):
        plan.execute("a test")
    assert len(three) == 4
    recorder(*documents[3])
    recorder(*documents[-1])
    assert three[9].status == "success"


def test_a_run_that_changed_since_it_was_looked_at_is_spared(three):
    plan = three.plan_deletion([1, 2, 3])
    three[2].amend({"sample": "B"}, reason="it is worth something")
    delete(three, 3)
    result = plan.execute("a test")

    assert (len(result.deleted), result.gone) == (1, [plan.runs[2].uid])
    assert result.spared == {plan.runs[1].uid: "it has changed since it was looked at; look again"}
    assert [run.scan_id for run in three.values()] == [2]
    assert len(delete(three, 2).deleted) == 1


def test_an_amended_run_goes_with_its_amended_index(three):
    three[2].amend({"sample": {"name": "B", "beam": [1, 2]}, "scan_id": 20}, reason="wrong label")
    delete(three, 20)

    assert three.deleted[0].scan_id == 20
    assert_sound(three)


def test_a_run_with_a_damaged_document_can_be_deleted(three):
    import sqlite3
    from contextlib import closing
    from pathlib import Path

    with closing(sqlite3.connect(Path(three.store.location) / "hutch.db")) as connection, connection:
        connection.execute("UPDATE runs SET start = ? WHERE scan_id = 2", (b"{damaged",))
    assert verify(three.store).errors
    delete(three, 2)

    assert_sound(three)


def test_detectors_files_are_named_and_never_touched(catalog, record, compose, tmp_path):
    image = tmp_path / "image.h5"
    image.write_bytes(b"not mine")
    documents = compose()
    uid = documents[0][1]["uid"]
    resource = {"uid": "r", "run_start": uid, "spec": "X", "root": str(tmp_path), "resource_path": "image.h5"}
    stream = {"uid": "s", "run_start": uid, "uri": "file://localhost/data/frames.h5", "data_key": "x"}
    more = {"mimetype": "application/x-hdf5", "parameters": {}}
    documents[1:1] = [
        ("resource", {**resource, "path_semantics": "posix", "resource_kwargs": {}}),
        ("stream_resource", {**stream, **more}),
    ]
    record(documents)
    plan = catalog.plan_deletion([uid])

    assert plan.external == [str(image), "file://localhost/data/frames.h5"]
    plan.execute("a test")
    assert image.read_bytes() == b"not mine"


def test_large_batches_are_left_to_be_swept_later(catalog, record):
    record(streams={"primary": [{"text": "x" * 1_500_000}]})
    files = list(catalog.store.files.rglob("*.arrow"))
    delete(catalog, catalog[-1].uid)

    assert len(files) > 0
    assert sorted(catalog.store.discarded(2.0**40)) == sorted(
        path.relative_to(catalog.store.files).as_posix() for path in files
    )
    assert_sound(catalog)


def test_a_deletion_sweeps_what_earlier_ones_have_left(catalog, record, monkeypatch):
    for _ in range(2):
        record(streams={"primary": [{"text": "x" * 1_500_000}]})
    delete(catalog, catalog[0].uid)
    assert len(list(catalog.store.files.rglob("*.arrow"))) == 2
    monkeypatch.setattr("time.time", lambda now=time.time: now() + 700.0)
    delete(catalog, catalog[0].uid)

    assert len(catalog.store.discarded(2.0**40)) == 1
    assert len(list(catalog.store.files.rglob("*.arrow"))) == 1


def test_a_run_that_was_deleted_can_be_recorded_again_and_its_tombstone_stays(catalog, record, compose):
    documents = compose(scan_id=4)
    record(documents)
    old = catalog[4]
    delete(catalog, 4)
    record(documents)

    assert list(catalog[4].documents(fill="no")) == documents
    assert [stone.scan_id for stone in catalog.deleted] == [4]
    with pytest.raises(RunDeletedError):
        list(old)
    assert_sound(catalog)


def test_the_process_that_recorded_a_run_may_record_it_again_after_its_deletion(catalog, compose):
    documents = compose(scan_id=4)
    recorder = catalog.recorder()
    for _ in range(2):
        for name, document in documents:
            recorder(name, document)
        assert list(catalog[4].documents(fill="no")) == documents
        delete(catalog, 4)
    assert len(catalog) == 0
    assert_sound(catalog)


def test_a_deletion_needs_a_reason(three):
    with pytest.raises(ConfigurationError, match="Say in a few words why"):
        three.plan_deletion([1]).execute("")
    assert len(three) == 3


def test_progress_is_told_run_by_run(three):
    steps = []
    plan = three.plan_deletion([1, 2, 3], lambda *step: steps.append(step))
    plan.execute("a test", progress=lambda *step: steps.append(step))

    assert steps == [(1, 3), (2, 3), (3, 3)] * 2


def test_a_deletion_that_is_interrupted_goes_on_when_it_is_done_again(three):
    seen = count()

    def interrupt(done, total):
        if next(seen) == 1:
            raise KeyboardInterrupt

    plan = three.plan_deletion([1, 2, 3])
    with pytest.raises(KeyboardInterrupt):
        plan.execute("a test", progress=interrupt)
    assert [run.scan_id for run in three.values()] == [3]
    assert_sound(three)

    result = plan.execute("a test")
    assert (len(result.deleted), len(result.gone)) == (1, 2)
    assert [stone.scan_id for stone in three.deleted] == [3, 2, 1]


def test_who_is_still_writing_to_a_run_that_is_deleted_loses_nothing(catalog, compose, tmp_path, monkeypatch):
    """An importer goes on with a run that has ended; what it has then goes to a file."""
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    documents = compose(streams={"primary": [{"x": float(number)} for number in range(4)]})
    with hutch.open_catalog(catalog.store.location) as other:
        recorder = other.recorder()
        for name, document in [*documents[:4], documents[-1]]:
            recorder(name, document)
        late = other.recorder()
        late(*documents[0])
        late(*documents[1])
        delete(catalog, documents[0][1]["uid"])
        for name, document in documents[4:-1]:
            late(name, document)
        try:
            late.close()
        except (StoreError, CorruptBatchError):
            pass

    spooled = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert spooled, "what could not be committed is kept in a file"


def test_a_rule_that_keeps_a_run_keeps_it_from_being_deleted_by_hand(three):
    three.retention.set("thesis", keep=True, where={"scan_id": 2})
    plan = three.plan_deletion([1, 2])

    with pytest.raises(
        RunHeldError, match=r"Run 2 .* is kept by the rule 'thesis': keep runs where scan_id = 2"
    ):
        plan.execute("a test")
    assert len(three) == 3
    three.retention.remove("thesis")
    assert len(delete(three, 1, 2).deleted) == 2


def test_a_rule_that_is_set_after_a_plan_stops_it(three):
    plan = three.plan_deletion([1, 2])
    three.retention.set("thesis", keep=True, where={"scan_id": 2})
    result = plan.execute("a test")

    assert result.deleted == []
    assert set(result.spared.values()) == {
        "the rules of retention have changed since it was looked at; look again"
    }


def test_what_is_in_many_rows_goes_into_a_file_first_so_that_nobody_waits_long(catalog):
    store, start = catalog.store, {"uid": "many", "time": 1.0}
    layout = Layout((("n", Column(Kind.FLOAT)),), ())
    rows = [
        pa.record_batch([[number], [1.0], ["e"], [number], [number * 0.5]], schema=layout.schema)
        for number in range(1, 1201)
    ]
    with store.transaction() as writer:
        run = writer.add_run("many", 1.0, None, encode(start))
        writer.add_leaves(run, 1.0, leaves(start))
        segment = writer.add_segment(run, "primary", "d", layout.schema_bytes)
        new = [
            new_batch(store.files, run, number, row).in_segment(segment) for number, row in enumerate(rows, 1)
        ]
        writer.add_batches(run, "primary", new)
        writer.disown_run(run)
    assert len(store.batches(run)) == 1200
    cursor = store.last_change()
    delete(catalog, "many")

    topics = [change.topic for change in store.changes(cursor)]
    assert topics[-1] is Topic.DELETE
    assert Topic.COMPACT in topics
    assert catalog.deleted[0].events == 1200
    assert_sound(catalog)
