"""``hutch compact``: what it does, what it says, and what it leaves alone."""

from __future__ import annotations

import json
import shutil

import pytest

import hutch
from hutch.catalogs.care import compaction
from hutch.recording import Recorder, finish
from hutch.store import open_store


def record(place, uid, count, *, end=True):
    """Record a run whose every event is a batch, as a process that dies before it merges them."""
    store = open_store(place)
    recorder = Recorder(store, strict=True)
    recorder._committer._compactor._end()
    recorder("start", {"uid": uid, "time": 3e9})
    keys = {"x": {"dtype": "number", "shape": [], "source": "test"}}
    descriptor = {"uid": f"{uid}-d", "run_start": uid, "time": 3e9, "name": "primary", "data_keys": keys}
    recorder("descriptor", descriptor)
    for number in range(1, count + 1):
        event = {"uid": f"{uid}-{number}", "descriptor": f"{uid}-d", "time": 3e9, "seq_num": number}
        recorder("event", {**event, "data": {"x": number / 2}, "timestamps": {"x": 3e9}, "filled": {}})
    if end:
        recorder("stop", {"uid": f"{uid}-s", "run_start": uid, "time": 3e9, "exit_status": "success"})
    finish(store)
    return store, recorder


def batches(place):
    with hutch.open_catalog(place) as cat:
        return [len(cat.store.batches(run.row.id)) for run in cat.values()]


def test_runs_are_merged(invoke, place):
    record(place, "a" * 32, 30)[0].close()
    record(place, "b" * 32, 20)[0].close()
    assert batches(place)[-2:] == [30, 20]

    found = invoke("compact")

    assert (found.exit_code, found.stderr) == (0, "")
    assert "2 runs merged: 50 batches are 2 now, " in found.stdout
    assert batches(place)[-2:] == [1, 1]
    with hutch.open_catalog(place) as cat:
        assert cat["a" * 32].primary["x"].read().tolist() == [number / 2 for number in range(1, 31)]
    assert "nothing to merge" in invoke("compact", str(place)).stdout


def test_what_it_did_as_json(invoke, place):
    record(place, "a" * 32, 30)[0].close()

    found = json.loads(invoke("compact", "--json").stdout)

    assert found.pop("written_bytes") > 100
    assert found == {
        "store": str(place), "runs": 1, "replaced": 30, "made": 1, "deleted_files": 0,
        "waiting_files": 0, "left": [], "damaged": [],
    }  # fmt: skip


def test_a_run_that_is_being_recorded_is_left_to_its_process(invoke, place):
    store, recorder = record(place, "a" * 32, 30, end=False)

    found = invoke("compact")

    assert "nothing to merge" in found.stdout
    assert "1 run being recorded, left to their process" in found.stdout
    recorder.close()
    finish(store)
    store.close()
    assert "1 run merged" in invoke("compact").stdout


def test_damage_is_told_and_left(invoke, place):
    store, _ = record(place, "a" * 32, 30)
    run = store.run_by_id(store.runs()[-1].id)
    (first, *_) = store.batches(run.id)
    from hutch.store import NewBatch

    wrong = NewBatch(first.segment, first.first_arrival, 1, first.size, 0, store.read_bytes(first), None)
    with store.transaction() as writer:
        writer.replace_batches(run.id, "primary", [first], [wrong])
    store.close()

    found = invoke("compact")

    assert found.exit_code == 1
    assert "Run aaaaaaaa: Batch " in found.stdout
    assert "does not match its checksum" in found.stdout
    assert batches(place)[-1] == 30


@pytest.mark.parametrize("when", range(0, 12, 3))
def test_it_may_be_interrupted_at_any_moment_and_says_what_it_did(invoke, place, monkeypatch, when):
    for uid in "abc":
        record(place, uid * 32, 20)[0].close()
    steps = compaction.Compaction.steps
    left = [when]

    def interrupted(self):
        for step in steps(self):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            yield step

    monkeypatch.setattr(compaction.Compaction, "steps", interrupted)
    found = invoke("compact")
    monkeypatch.setattr(compaction.Compaction, "steps", steps)

    if found.exit_code:
        assert found.exit_code == 130
        assert "Interrupted. The same command goes on where it stopped." in found.stderr
        assert "nothing to merge" in found.stdout or " merged: " in found.stdout
    assert invoke("verify").exit_code == 0
    assert invoke("compact").exit_code == 0
    assert batches(place)[-3:] == [1, 1, 1]


def test_the_store_is_given_once(invoke, place):
    found = invoke("compact", str(place), "--store", str(place))
    assert found.exit_code == 2
    assert "Give the store once" in found.stderr


def test_a_store_that_is_not_there_is_an_error(invoke, place):
    shutil.rmtree(place)
    found = invoke("compact")
    assert found.exit_code == 1
    assert "There is no store" in found.stderr
