"""``kill -9`` of a listener at any moment: every document is there, once."""

from __future__ import annotations

import base64
import os
import random
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.documents import decode
from hutch.listening import kafka_source
from hutch.recording.events.paging import page_events

from . import kafka_cluster, listening_worker
from . import killed_worker as worker
from .listeners import Listening, assert_recorded

KILLS = 20
LONGEST_LIFE_S = 1.2
RUNS_AT_ONCE = 4


class Nursery:
    """A program that bears listeners, to be killed one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, listening_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._rest = b""

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def live(self, bootstrap: str, address: str, topics: list[str], life_s: float) -> None:
        """Let a process listen for a while, and kill it."""
        self._process.stdin.write(f"{bootstrap} {address} {' '.join(topics)}\n".encode())
        self._process.stdin.flush()
        word, pid = self._line(20.0).split()
        assert word == "pid"
        assert self._line(life_s) == "", "the listener ended by itself"
        os.kill(int(pid), signal.SIGKILL)
        assert self._line(10.0) == "gone"

    def _line(self, timeout_s: float) -> str:
        """Return the next line, or nothing if none comes in time."""
        while b"\n" not in self._rest:
            if not select.select([self._process.stdout], [], [], timeout_s)[0]:
                return ""
            self._rest += os.read(self._process.stdout.fileno(), 4096)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


class Publisher:
    """Publishes interleaved runs, and things that are none, until it is told to end."""

    def __init__(self, cluster: kafka_cluster.Cluster, topic: str, partitions: int, seed: int) -> None:
        self.runs: dict[str, list[tuple[str, Any]]] = {}
        self.odd: list[tuple[str, bytes]] = []
        """What belongs into quarantine: kind, and what it is known by."""
        self._topic = topic
        self._partitions = partitions
        self._chance = random.Random(seed)
        self._producer = cluster.producer()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def end(self) -> None:
        """Finish the runs that are open."""
        self._end.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _publish(self) -> None:
        open_runs: list[tuple[int, str, Iterator[tuple[str, Any]]]] = []
        number = 0
        while open_runs or not self._end.is_set():
            while len(open_runs) < RUNS_AT_ONCE and not self._end.is_set():
                number += 1
                uid = f"run-{number}-{self._topic}"
                self.runs[uid] = []
                open_runs.append((number % self._partitions, uid, self._documents(uid)))
            place = self._chance.choice(open_runs)
            partition, uid, documents = place
            for name, document in documents:
                self.runs[uid].append((name, document))
                self._send(partition, msgpack.packb((name, document)))
                if name != "start":  # an old resource, which does not name its run, follows at once
                    break
            else:
                open_runs.remove(place)
            if self._chance.random() < 0.01:
                self._send_odd()
            # About a thousand a second, so that the listener keeps up.
            self._end.wait(0.001)
        assert self._producer.flush(10) == 0

    def _documents(self, uid: str) -> Iterator[tuple[str, Any]]:
        chance = self._chance
        yield "start", worker.start_of(uid)
        about = {"spec": "TIFF", "root": "/", "resource_path": "x", "resource_kwargs": {}}
        resource = {"uid": f"{uid}/r", **about}
        yield "resource", resource if self._partitions == 1 else {**resource, "run_start": uid}
        yield "descriptor", worker.descriptor_of(uid)
        count = 0
        for number in range(chance.choice((0, 3, 30, 100))):
            kind = chance.choices(("event", "event_page", "datum", "datum_page"), (80, 5, 10, 5))[0]
            if kind == "datum":
                yield "datum", {"datum_id": f"{uid}/{number}", "resource": f"{uid}/r", "datum_kwargs": {}}
            elif kind == "datum_page":
                page = {"datum_id": [f"{uid}/{number}"], "resource": f"{uid}/r"}
                yield "datum_page", {**page, "datum_kwargs": {"i": [number]}}
            elif kind == "event_page":
                yield "event_page", worker.page_of(uid, count + 1, 5)
                count += 5
            else:
                count += 1
                yield "event", worker.event_of(uid, count)
        yield "stop", worker.stop_of(uid, count)

    def _send(self, partition: int, value: bytes) -> None:
        self._producer.produce(self._topic, value=value, partition=partition)
        self._producer.poll(0)

    def _send_odd(self) -> None:
        number = len(self.odd)
        if number % 3 == 0:
            poison = b"\xc1" + f"{self._topic} {number}".encode()
            self.odd.append(("message", poison))
            self._send(0, poison)
        elif number % 3 == 1 and (self._partitions == 1 or number < 10):
            # Where there are several partitions it is waited for seconds what it may need, and the position
            # stays; that is longer than these lives.
            nobody = worker.event_of(f"nobody-1-{self._topic}-{number}", number)
            self.odd.append(("event", nobody["uid"].encode()))
            self._send(0, msgpack.packb(("event", nobody)))
        else:
            uid = f"odd-{self._topic}-{number}"
            self.odd.append(("note", uid.encode()))
            self._send(0, msgpack.packb(("note", {"uid": uid})))


def as_events(documents: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return documents with pages of events taken apart."""
    found = []
    for name, document in documents:
        found += (
            [("event", event) for event in page_events(document)]
            if name == "event_page"
            else [(name, document)]
        )
    return found


def known_by(row: Any) -> tuple[str, bytes]:
    """Return what a document in quarantine is known by."""
    body = decode(row.body)
    return row.kind, base64.b64decode(body["base64"]) if row.kind == "message" else body["uid"].encode()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path) -> str:
    """The address of a store of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return request.getfixturevalue("postgres_address")


@pytest.mark.timeout(240)
def test_every_document_is_there_once_however_often_the_listener_is_killed(address, nursery, require):
    require("librdkafka", kafka_cluster.missing())
    chance = random.Random(20240229)
    cluster = kafka_cluster.Cluster()
    topics = {"one": 1, "two": 2}
    for topic, partitions in topics.items():
        cluster.make_topic(topic, partitions)
    publishers = [
        Publisher(cluster, topic, count, seed) for seed, (topic, count) in enumerate(topics.items())
    ]
    for _ in range(KILLS):
        nursery.live(cluster.bootstrap, address, list(topics), chance.uniform(0, LONGEST_LIFE_S))
    for publisher in publishers:
        publisher.end()

    with hutch.open_catalog(address) as cat:
        interrupted = sum(run.status == "interrupted" for run in cat.values())
        recorded = cat.store.count_runs()
        source = kafka_source(cluster.bootstrap, list(topics), until_end=True)
        with Listening(cat.store, source) as listening:
            listening.wait_end()
        runs = {uid: sent for publisher in publishers for uid, sent in publisher.runs.items()}
        odd = [known for publisher in publishers for known in publisher.odd]

        assert {row.uid for row in cat.store.runs()} == runs.keys()
        for uid, sent in runs.items():
            assert_recorded(cat[uid], as_events(sent))
            assert cat[uid].status == "success"
        assert sorted(map(known_by, cat.store.quarantined())) == sorted(odd)
        assert verify(cat.store).is_sound
        # The lives were long enough to mean something, and short enough to be cut in the middle.
        assert recorded > KILLS
        assert interrupted > 0
        assert len(odd) > KILLS
    cluster.close()
