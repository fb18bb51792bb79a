"""The thread that merges batches in the background."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest

from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.errors import StoreError
from hutch.recording import Recorder, finish
from hutch.recording.committing import compactor
from hutch.recording.committing.committer import Committer
from hutch.store import open_store
from hutch.store.batches import compacting

LONGEST_WAIT_S = 30.0

PROGRAM = """
import os, sys
from hutch.recording import Recorder
from hutch.store import open_store
recorder = Recorder(open_store(sys.argv[1]), strict=True)
recorder("start", {"uid": "theirs", "time": 1.0})
recorder("descriptor", {"uid": "e", "run_start": "theirs", "time": 1.0, "name": "primary",
                        "data_keys": {"x": {"dtype": "number", "shape": [], "source": "s"}}})
for number in range(1, 101):
    recorder("event", {"uid": f"theirs-{number}", "descriptor": "e", "time": 1.0, "seq_num": number,
                       "filled": {}, "data": {"x": 0.5}, "timestamps": {"x": 1.0}})
print("recorded", flush=True)
sys.stdin.read()
os._exit(1)
"""


def begin(recorder, uid="run"):
    recorder("start", {"uid": uid, "time": 1.0})
    data_keys = {"x": {"dtype": "number", "shape": [], "source": "test"}}
    recorder(
        "descriptor",
        {"uid": f"{uid}-d", "run_start": uid, "time": 1.0, "name": "primary", "data_keys": data_keys},
    )


def add(recorder, numbers, uid="run"):
    """Record events, each of which is committed at once if the recorder is strict."""
    for number in numbers:
        recorder("event", event(number, uid))


def event(number, uid="run"):
    return {
        "uid": f"{uid}-{number}",
        "descriptor": f"{uid}-d",
        "time": float(number),
        "seq_num": number,
        "data": {"x": number + 0.5},
        "timestamps": {"x": float(number)},
        "filled": {},
    }


def end(recorder, uid="run"):
    recorder("stop", {"uid": f"{uid}-stop", "run_start": uid, "time": 2.0, "exit_status": "success"})


def wait_for(condition):
    """Wait until something has happened in the background."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        os.sched_yield()


def rows_of(store, run=0):
    return [batch.rows for batch in store.batches(store.runs()[run].id)]


@pytest.fixture
def recorder(store):
    found = Recorder(store, strict=True)
    yield found
    found.close()
    finish(store)


def test_a_run_is_merged_while_it_goes_on_and_when_it_is_over(store, recorder):
    begin(recorder)
    add(recorder, range(1, 257))
    add(recorder, range(257, 321))
    wait_for(lambda: rows_of(store)[0] >= 256)
    assert len(rows_of(store)) <= 65
    assert sum(rows_of(store)) == 320

    add(recorder, range(321, 401))
    end(recorder)
    wait_for(lambda: rows_of(store) == [400])
    run = Catalog(store)[-1]
    assert [document for name, document in run.documents(fill="no") if name == "event"] == [
        event(number) for number in range(1, 401)
    ]
    assert verify(store).is_sound


def test_a_short_run_is_left_alone(store, recorder, monkeypatch):
    seen = []
    monkeypatch.setattr(compactor.Compactor, "_add", lambda self, run, is_open: seen.append(run))
    fast = Recorder(store)
    begin(fast)
    end(fast)
    begin(fast, "other")
    add(fast, range(1, 30), "other")
    add(recorder, [])
    assert seen == []


def test_a_run_that_is_let_go_is_merged(store, recorder):
    begin(recorder)
    add(recorder, range(1, 11))
    recorder.close()
    wait_for(lambda: rows_of(store) == [10])
    assert Catalog(store)[-1].status == "interrupted"


def test_runs_that_a_dead_process_has_left_are_merged_and_those_of_a_live_one_are_not(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(compactor, "_FIRST_LOOK_S", 0.0)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "recorded\n"
        looked = Committer.of(store)
        wait_for(lambda: looked._compactor._look_at > time.monotonic() + 1.0)
        wait_for(lambda: not looked._compactor._waiting)
        assert len(rows_of(store)) == 100
        finish(store)
        process.stdin.close()

    assert process.returncode == 1
    Recorder(store)
    wait_for(lambda: rows_of(store) == [100])
    finish(store)


def test_failures_cost_nothing_are_told_once_and_are_tried_again(store, monkeypatch, caplog):
    monkeypatch.setattr(compactor, "_PAUSE_S", 0.05)
    recorder = Recorder(store, strict=True)
    steps = compacting.Compaction.steps
    fails = [StoreError("no room")] * 3

    def failing(self):
        if fails:
            raise fails.pop()
        return (yield from steps(self))

    monkeypatch.setattr(compacting.Compaction, "steps", failing)
    with caplog.at_level(logging.WARNING):
        begin(recorder)
        add(recorder, range(1, 400))
        end(recorder)
        wait_for(lambda: rows_of(store) == [399])
    told = [record.getMessage() for record in caplog.records]
    assert told == ["Batches could not be merged, which is tried again later: no room"]
    assert verify(store).is_sound
    finish(store)


def test_what_is_wrong_with_hutch_itself_disturbs_nobody(store, recorder, monkeypatch, caplog):
    steps = compacting.Compaction.steps
    fails = [RuntimeError("a mistake")]

    def failing(self):
        if fails:
            raise fails.pop()
        return (yield from steps(self))

    monkeypatch.setattr(compacting.Compaction, "steps", failing)
    with caplog.at_level(logging.ERROR):
        for uid in ("run", "other"):
            begin(recorder, uid)
            add(recorder, range(1, 10), uid)
            end(recorder, uid)
        wait_for(lambda: rows_of(store, 1) == [9])
    assert "could not be merged; what was recorded is there" in caplog.text
    assert rows_of(store, 0) == [1] * 9


def test_damage_is_told_once(store, recorder, caplog):
    begin(recorder)
    add(recorder, range(1, 10))
    (batch, *_) = store.batches(store.runs()[0].id)
    with caplog.at_level(logging.WARNING):
        with store.transaction() as writer:
            from hutch.store import NewBatch

            wrong = NewBatch(batch.segment, 2, 1, batch.size, 0, store.read_bytes(batch), None)
            writer.replace_batches(store.runs()[0].id, "primary", [batch], [wrong])
        end(recorder)
        wait_for(lambda: "stay as they are" in caplog.text)
    assert "does not match its checksum" in caplog.text
    assert rows_of(store) == [1] * 9


def test_the_end_does_not_wait_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(compactor, "_PATIENCE_S", 0.1)
    store = open_store(tmp_path / "store")
    never = iter(lambda: time.sleep(0.001), 1)
    monkeypatch.setattr(compacting.Compaction, "steps", lambda self: (step for step in never))
    recorder = Recorder(store, strict=True)
    begin(recorder)
    add(recorder, range(1, 10))
    end(recorder)

    before = time.monotonic()
    finish(store)
    assert time.monotonic() - before < 5.0
    store.close()


def test_files_that_were_replaced_are_deleted_some_time_after(store, monkeypatch):
    monkeypatch.setattr(compactor, "_FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(compactor, "_LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(compacting.sweep, "__defaults__", (0.0,))
    path = store.files / "0" / "1-2-00000000.arrow"
    path.parent.mkdir()
    path.write_bytes(b"")
    with store.transaction() as writer:
        writer.discard_files(["0/1-2-00000000.arrow"])

    Recorder(store)

    wait_for(lambda: not path.exists())
    wait_for(lambda: not store.discarded(time.time() + 1))
    finish(store)
