"""A program that records one run of many kinds of documents until it is killed, and says what it gave.

It waits for lines ``<folder> <uid> <seed>`` and forks a child for each. The child records into the store in
the folder, whatever becomes of that, and writes ``<number of documents> <when, CLOCK_MONOTONIC in s>``
after each that it gave; before that ``pid <process id>``, and in the end ``gone``.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from tests.system import killed_worker as worker

import hutch.recording.committing.committer
import hutch.recording.events.stream_buffer  # noqa: F401 - loaded before the fork, as the others
from hutch.recording import Recorder
from hutch.store import open_store


def documents_of(uid: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the documents of a run without end: two streams, pages, assets."""
    yield "start", worker.start_of(uid)
    yield "descriptor", worker.descriptor_of(uid)
    yield "descriptor", {**worker.descriptor_of(uid), "uid": f"{uid}/e", "name": "monitor"}
    resource = {"uid": f"{uid}/r", "run_start": uid, "data_key": "img", "mimetype": "application/x-hdf5"}
    yield "stream_resource", {**resource, "uri": "file://localhost/a.h5", "parameters": {}}
    count = 0
    for number in itertools.count(1):
        if number % 7 == 0:
            yield "event_page", worker.page_of(uid, count + 1, 5)
            count += 5
        elif number % 5 == 0:
            monitored = {**worker.event_of(uid, number), "uid": f"{uid}/e/{number}", "descriptor": f"{uid}/e"}
            yield "event", monitored
        elif number % 11 == 0:
            span = {"start": number, "stop": number + 1}
            datum = {"uid": f"{uid}/s/{number}", "stream_resource": f"{uid}/r", "descriptor": f"{uid}/d"}
            yield "stream_datum", {**datum, "indices": span, "seq_nums": span}
        else:
            count += 1
            yield "event", worker.event_of(uid, count)


def record(folder: str, uid: str, chance: random.Random) -> None:
    """Record a run for ever."""
    recorder = Recorder(open_store(folder))
    for number, (name, document) in enumerate(documents_of(uid), 1):
        recorder(name, document)
        worker.say(number, time.monotonic())
        if chance.random() < 0.5:
            time.sleep(0.001)


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    logging.disable(logging.CRITICAL)
    pa.array([0.0])  # the first one imports pandas
    for line in sys.stdin:
        folder, uid, seed = line.split()
        child = os.fork()
        if not child:
            worker.say("pid", os.getpid())
            record(folder, uid, random.Random(int(seed)))  # noqa: S311 - no secret
        os.waitpid(child, 0)
        worker.say("gone")


if __name__ == "__main__":
    main()
