"""A program that compacts while it records, until it is killed; or reads what another one compacts.

Without arguments it waits for lines ``<folder> <seed>`` and forks a child for each, so that a child costs
milliseconds. The child records one run, each event a batch of its own, merges what there is again and
again, deletes at once what was replaced, and writes a line for everything that is committed (see
:mod:`tests.system.killed_worker`). ``read <folder>`` reads the only run of a store again and again until it
has ended; ``compact <folder>`` merges it once.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from typing import Any

import numpy as np
import pyarrow as pa

import hutch
import hutch.recording.committing.committer
import hutch.recording.events.duplicates
import hutch.recording.events.stream_buffer
import hutch.store.batches.unpacking  # noqa: F401 - loaded before the fork, which is what this program is for
from hutch.recording import Recorder
from hutch.store import Store, open_store
from hutch.store.batches.compacting import Compaction, sweep

KEYS = ("x", "text")
PAGE = 1500
"""Events of a page that is too large for a row of the database."""


def start_of(uid: str) -> dict[str, Any]:
    """Return the start document of a run."""
    return {"uid": uid, "time": 1_700_000_000.0, "scan_id": 7}


def descriptor_of(uid: str) -> dict[str, Any]:
    """Return the descriptor of a run's only stream."""
    data_keys = {
        "x": {"source": "test", "dtype": "number", "shape": []},
        "text": {"source": "test", "dtype": "string", "shape": []},
    }
    return {"uid": f"{uid}/d", "run_start": uid, "time": 1.0, "name": "primary", "data_keys": data_keys}


def event_of(uid: str, number: int) -> dict[str, Any]:
    """Return one event of a run."""
    return {
        "uid": f"{uid}/{number}",
        "descriptor": f"{uid}/d",
        "time": float(number),
        "seq_num": number,
        "data": {"x": number * 0.5, "text": f"{number:0800}"},
        "timestamps": dict.fromkeys(KEYS, float(number)),
        "filled": {},
    }


def page_of(uid: str, first: int, count: int) -> dict[str, Any]:
    """Return events of a run as a page."""
    events = [event_of(uid, number) for number in range(first, first + count)]
    page: dict[str, Any] = {key: [event[key] for event in events] for key in ("uid", "time", "seq_num")}
    for table in ("data", "timestamps"):
        page[table] = {key: [event[table][key] for event in events] for key in KEYS}
    return {**page, "descriptor": f"{uid}/d", "filled": {}}


def stop_of(uid: str, count: int) -> dict[str, Any]:
    """Return the stop document of a run."""
    counts = {"primary": count}
    return {
        "uid": f"{uid}/stop", "run_start": uid, "time": 2.0, "exit_status": "success", "num_events": counts,
    }  # fmt: skip


def say(*words: object) -> None:
    """Write a line that is there at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def record(recorder: Recorder, uid: str, count: int, chance: random.Random) -> int:
    """Record some more events of a run, and tell of each; return how many there are."""
    for _ in range(chance.choice((5, 20, 80))):
        count += 1
        recorder("event", event_of(uid, count))
        say("event", uid, count, time.monotonic())
    if chance.random() < 0.3:
        recorder("event_page", page_of(uid, count + 1, PAGE))
        count += PAGE
        say("page", uid, count, time.monotonic())
    return count


def compact(store: Store, run: int) -> None:
    """Merge all that can be merged."""
    for _ in Compaction(store, run, is_open=False).steps():
        pass


def _live(folder: str, seed: str) -> None:
    store = open_store(folder)
    recorder = Recorder(store, strict=True)
    chance = random.Random(int(seed))  # noqa: S311 - no secret
    uid = f"run-{seed}"
    recorder("start", start_of(uid))
    recorder("descriptor", descriptor_of(uid))
    (row,) = store.runs_by_uid([uid])
    say("start", uid)
    count = 0
    for _ in range(1_000_000):
        count = record(recorder, uid, count, chance)
        compact(store, row.id)
        sweep(store, grace_s=0.0)


def _read(folder: str) -> None:
    """Read the run in every way until it has ended; say each time how many rows it has."""
    looks = rows = 0
    with hutch.open_catalog(folder) as catalog:
        run = catalog[-1]
        for ended in iter(lambda: run.stop is not None, None):
            found = run.primary.read()
            count = found.sizes["time"]
            assert count >= rows
            rows = count
            assert np.array_equal(found["x"].values, np.arange(1, rows + 1) * 0.5)
            assert np.array_equal(found["time"].values, np.arange(1, rows + 1))
            column = run.primary["x"]
            assert column[rows - 1] == rows * 0.5
            assert column[rows // 2 : rows // 2 + 9].tolist()[0] == (rows // 2 + 1) * 0.5
            if looks % 5 == 0:
                events = [document for name, document in run.documents(fill="no") if name == "event"]
                assert [event["seq_num"] for event in events] == list(range(1, len(events) + 1))
                assert len(events) >= rows
            looks += 1
            say(rows)
            if ended:
                break


def main() -> None:
    """Do what was asked for; else fork a child for every line, and wait for its end."""
    if sys.argv[1:2] == ["read"]:
        _read(sys.argv[2])
        return
    if sys.argv[1:2] == ["compact"]:
        store = open_store(sys.argv[2])
        compact(store, store.runs()[0].id)
        store.close()
        return
    pa.array([0.0])  # the first one imports pandas
    gc.freeze()  # or each child spends its short life on looking through what it inherits
    for line in sys.stdin:
        folder, seed = line.split()
        child = os.fork()
        if not child:
            say("pid", os.getpid())
            _live(folder, seed)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
