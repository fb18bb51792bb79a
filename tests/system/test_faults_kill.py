"""``kill -9`` of a recording process at any moment: what it was told is safe is safe."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.recording import Recorder
from hutch.store import open_store

from . import killed_worker as worker

KILLS = 200
KILLS_A_STORE = 25
LONGEST_LIFE_S = 0.25
PROMISED_S = 0.15
"""An event of this age has been committed: the promise is 0.1 s, the rest is for pipes and clocks."""
STARVED = 6
"""Kills of all at which a busy machine may have kept the committing thread waiting for longer."""


@dataclass
class Life:
    """What a process said until it was killed."""

    lines: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    counts: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Number of events at a time."""
    stopped: dict[str, int] = field(default_factory=dict)
    killed_at: float = 0.0

    def take(self, line: str) -> None:
        """Note a line of the worker."""
        self.lines.append(line)
        match line.split():
            case ["start", uid]:
                self.started.append(uid)
            case ["event" | "page", uid, number, when]:
                self.counts.setdefault(uid, []).append((int(number), float(when)))
            case ["stop", uid, number]:
                self.stopped[uid] = int(number)

    def safe_count(self, uid: str, age_s: float) -> int:
        """Return how many events of a run were older than an age when the process was killed."""
        if uid in self.stopped:
            return self.stopped[uid]
        old = [number for number, when in self.counts.get(uid, []) if when < self.killed_at - age_s]
        return max(old, default=0)


class Nursery:
    """A program that bears recording processes, to be killed one after the other."""

    def __init__(self, program: str = worker.__file__) -> None:
        self._process = subprocess.Popen(
            [sys.executable, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._rest = b""

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def live(
        self, place: Path | str, task: object, life_s: float, kill: signal.Signals = signal.SIGKILL
    ) -> Life:
        """Let a process work for a while, kill it, and return what it said."""
        self._process.stdin.write(f"{place} {task}\n".encode())
        self._process.stdin.flush()
        word, pid = next(self._lines(10.0)).split()
        assert word == "pid"
        life = Life()
        for line in self._lines(life_s):
            life.take(line)
        os.kill(int(pid), kill)
        life.killed_at = time.monotonic()
        for line in self._lines(10.0):
            if line == "gone":
                return life
            life.take(line)
        pytest.fail("the killed process did not end")

    def _lines(self, for_s: float) -> Iterator[str]:
        """Yield lines until a time is over."""
        deadline = time.monotonic() + for_s
        while True:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                yield line.decode()
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return
            self._rest += os.read(self._process.stdout.fileno(), 65536)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


def check_runs(catalog: hutch.catalogs.Catalog, life: Life) -> bool:
    """Check what is there of a life; tell whether all events of the promised age are."""
    is_punctual = True
    for uid in life.started:
        run = catalog[uid]
        documents = list(run.documents(fill="no"))
        events = [document for name, document in documents if name == "event"]
        count = len(events)

        assert documents[0] == ("start", worker.start_of(uid))
        assert events == [worker.event_of(uid, number) for number in range(1, count + 1)]
        if uid in life.stopped:
            assert documents[-1] == ("stop", worker.stop_of(uid, count))
            assert count == life.stopped[uid]
            assert run.status == "success"
        elif documents[-1][0] != "stop":  # it may have been committed and not yet told
            assert run.status == "interrupted"
            is_punctual &= count >= life.safe_count(uid, PROMISED_S)
    return is_punctual


@pytest.mark.timeout(180)
def test_what_a_process_recorded_survives_its_death_at_any_moment(tmp_path, nursery):
    chance = random.Random(20240229)  # noqa: S311 - no secret
    late = runs = stops = 0
    for store in range(KILLS // KILLS_A_STORE):
        folder = tmp_path / f"store-{store}"
        lives = []
        for kill in range(KILLS_A_STORE):
            life = nursery.live(folder, kill, chance.uniform(0, LONGEST_LIFE_S))
            lives.append(life)
            if life.started:
                with contextlib.closing(open_store(folder, create=False)) as found:
                    late += not check_runs(hutch.catalogs.Catalog(found), life)

        with contextlib.closing(open_store(folder)) as found:
            verification = verify(found)
            assert verification.is_sound, verification.errors
            assert found.quarantined() == []
            recorder = Recorder(found)
            recorder("start", worker.start_of("run-1-last"))
            recorder("stop", worker.stop_of("run-1-last", 0))
            assert hutch.catalogs.Catalog(found)["run-1-last"].status == "success"
        with contextlib.closing(sqlite3.connect(folder / "hutch.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        runs += sum(len(life.started) for life in lives)
        stops += sum(len(life.stopped) for life in lives)

    assert late <= STARVED
    # The lives were long enough to mean something.
    assert runs > KILLS // 10
    assert stops > KILLS // 10


def test_a_killed_run_is_taken_over_by_who_has_its_documents(tmp_path, nursery):
    folder = tmp_path / "store"
    life = Life()
    for seed in range(50):
        life = nursery.live(folder, seed, 0.2)
        with contextlib.closing(open_store(folder)) as found:
            # Its stop may be there and not have been told.
            if life.started and hutch.catalogs.Catalog(found)[life.started[-1]].stop is None:
                break
    uid = life.started[-1]
    with contextlib.closing(open_store(folder)) as found:
        catalog = hutch.catalogs.Catalog(found)
        before = [document for name, document in catalog[uid].documents(fill="no") if name == "event"]
        recorder = Recorder(found)
        recorder("start", worker.start_of(uid))
        recorder("descriptor", worker.descriptor_of(uid))
        for number in range(1, len(before) + 11):
            recorder("event", worker.event_of(uid, number))
        recorder("stop", worker.stop_of(uid, len(before) + 10))

        events = [document for name, document in catalog[uid].documents(fill="no") if name == "event"]
        assert events == [worker.event_of(uid, number) for number in range(1, len(before) + 11)]
        assert catalog[uid].status == "success"
        assert verify(found).is_sound


def test_a_forked_child_records_runs_of_its_own(tmp_path):
    program = """
import os, sys
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker

def begin(uid):
    recorder("start", worker.start_of(uid))
    recorder("descriptor", worker.descriptor_of(uid))
    cursor = store.last_change()
    recorder("event", worker.event_of(uid, 1))
    while not any(change.topic == "data" for change in store.changes(cursor)):
        assert store.wait(cursor, 10.0)

store = worker.open_store(sys.argv[1])
recorder = worker.Recorder(store)
begin("run-1-parent")
child = os.fork()
if not child:
    begin("run-2-child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
recorder("stop", worker.stop_of("run-1-parent", 1))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "store"), str(Path(__file__).parents[2])]
    subprocess.run(command, check=True, timeout=60)

    with hutch.open_catalog(tmp_path / "store") as catalog:
        assert [run.status for run in catalog.values()] == ["success", "interrupted"]
        assert [len(list(run.documents(fill="no"))) for run in catalog.values()] == [4, 3]
