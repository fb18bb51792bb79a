"""A program that records runs until it is killed, and says what it was told is safe.

It waits for lines ``<folder> <seed>`` and forks a child for each, so that a child costs milliseconds. The
child records into the store in the folder and writes a line for everything that returned:

    ``pid <process id>``, ``start <uid>``, ``event <uid> <number> <when, CLOCK_MONOTONIC in s>``,
    ``page <uid> <last number> <when>``, ``stop <uid> <number of events>``, and in the end ``gone``.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from typing import Any

import pyarrow as pa

import hutch.recording.committing.committer
import hutch.recording.events.duplicates
import hutch.recording.events.stream_buffer
import hutch.store.batches.arrow_files
import hutch.store.batches.unpacking  # noqa: F401 - loaded before the fork, which is what this program is for
from hutch.recording import Recorder
from hutch.store import open_store

KEYS = [f"x{number}" for number in range(8)]
LARGE_PAGE = 20_000
"""Events of a page that is too large for a row of the database."""


def start_of(uid: str) -> dict[str, Any]:
    """Return the start document of a run."""
    return {"uid": uid, "time": 1_700_000_000.0 + int(uid.split("-")[1]), "scan_id": 7, "sample": uid}


def descriptor_of(uid: str) -> dict[str, Any]:
    """Return the descriptor of a run's only stream."""
    data_keys = {key: {"source": "test", "dtype": "number", "shape": []} for key in KEYS}
    return {"uid": f"{uid}/d", "run_start": uid, "time": 1.0, "name": "primary", "data_keys": data_keys}


def event_of(uid: str, number: int) -> dict[str, Any]:
    """Return one event of a run."""
    return {
        "uid": f"{uid}/{number}",
        "descriptor": f"{uid}/d",
        "time": float(number),
        "seq_num": number,
        "data": {key: number * 0.5 + place for place, key in enumerate(KEYS)},
        "timestamps": dict.fromkeys(KEYS, float(number)),
        "filled": {},
    }


def page_of(uid: str, first: int, count: int) -> dict[str, Any]:
    """Return events of a run as a page."""
    numbers = range(first, first + count)
    times = [float(number) for number in numbers]
    return {
        "uid": [f"{uid}/{number}" for number in numbers],
        "descriptor": f"{uid}/d",
        "time": times,
        "seq_num": list(numbers),
        "data": {key: [number * 0.5 + place for number in numbers] for place, key in enumerate(KEYS)},
        "timestamps": dict.fromkeys(KEYS, times),
        "filled": {},
    }


def stop_of(uid: str, count: int) -> dict[str, Any]:
    """Return the stop document of a run."""
    return {
        "uid": f"{uid}/stop",
        "run_start": uid,
        "time": 2.0,
        "exit_status": "success",
        "num_events": {"primary": count},
    }


def say(*words: object) -> None:
    """Write a line that is there at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def record(recorder: Recorder, uid: str, chance: random.Random) -> None:
    """Record one run of random length."""
    recorder("start", start_of(uid))
    say("start", uid)
    recorder("descriptor", descriptor_of(uid))
    count = 0
    if chance.random() < 0.1:
        recorder("event_page", page_of(uid, 1, LARGE_PAGE))
        count = LARGE_PAGE
        say("page", uid, count, time.monotonic())
    for _ in range(chance.choice((0, 1, 5, 50, 500))):
        count += 1
        recorder("event", event_of(uid, count))
        say("event", uid, count, time.monotonic())
        if chance.random() < 0.3:
            time.sleep(0.001)
    recorder("stop", stop_of(uid, count))
    say("stop", uid, count)


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    pa.array([0.0])  # the first one imports pandas
    gc.freeze()  # or each child spends its short life on looking through what it inherits
    for line in sys.stdin:
        folder, seed = line.split()
        child = os.fork()
        if not child:
            say("pid", os.getpid())
            recorder = Recorder(open_store(folder))
            chance = random.Random(int(seed))  # noqa: S311 - no secret
            for number in range(1_000_000):
                record(recorder, f"run-{seed}-{number}", chance)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
