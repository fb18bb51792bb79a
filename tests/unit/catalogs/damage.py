"""A store that tests damage behind its back, and the runs in it."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

import hutch
from hutch.catalogs import Catalog
from hutch.catalogs.care.findings import Verification
from hutch.catalogs.repairing import repair
from hutch.catalogs.verifying import verify

START = {"uid": "run-1", "time": 1.0, "scan_id": 3, "sample": "LaB6"}
KEY = {"dtype": "number", "shape": [], "source": "sim"}
DESCRIPTOR = {"uid": "d", "run_start": "run-1", "time": 1.0, "name": "primary", "data_keys": {"a": KEY},
              "hints": {}, "configuration": {}, "object_keys": {"a": ["a"]}}  # fmt: skip
STOP = {"uid": "s", "run_start": "run-1", "time": 2.0, "exit_status": "success", "num_events": {"primary": 6}}

Documents = list[tuple[str, dict[str, Any]]]


def event(number: int, **other: Any) -> dict[str, Any]:
    """Return an event of the run ``run-1``."""
    found = {"uid": f"e{number}", "descriptor": "d", "time": 1.0 + number, "seq_num": number, "filled": {}}
    return {**found, "data": {"a": float(number)}, "timestamps": {"a": 1.0}, **other}


@dataclass
class Damaged:
    """A store at an address; what a test does to it goes past hutch."""

    address: str
    files: Path

    def open(self) -> Catalog:
        """Open the store."""
        return hutch.open_catalog(self.address)

    def say(self, statement: str, *values: Any) -> list[Any]:
        """Say something to the database, values in the place of question marks; return its rows."""
        if "://" in self.address:
            with psycopg.connect(self.address) as connection:
                cursor = connection.execute(statement.replace("?", "%s"), values)
                return cursor.fetchall() if cursor.description else [cursor.rowcount]
        connection = sqlite3.connect(Path(self.address) / "hutch.db")
        with connection:
            cursor = connection.execute(statement, values)
            found = cursor.fetchall() if cursor.description else [cursor.rowcount]
        connection.close()
        return found

    def change(self, statement: str, *values: Any) -> None:
        """Change rows, at least one."""
        assert self.say(statement, *values)[0] > 0

    def batches(self, uid: str = "run-1") -> list[Any]:
        """Return the id, first arrival, file and body of the batches of a run."""
        return self.say(
            "SELECT b.id, b.first_arrival, b.file, b.body FROM batches b JOIN runs r ON b.run = r.id "
            "WHERE r.uid = ? ORDER BY b.first_arrival",
            uid,
        )

    def arrow_files(self) -> list[Path]:
        """Return the Arrow files that batches may name."""
        found = [path for path in self.files.rglob("*.arrow") if "lost+found" not in path.parts]
        return sorted(path for path in found if not path.name.startswith("."))

    def verify(self) -> Verification:
        """Check the store."""
        with self.open() as catalog:
            return verify(catalog.store)

    def repair(self) -> Verification:
        """Repair the store."""
        with self.open() as catalog:
            return repair(catalog.store)

    def documents(self, uid: str = "run-1") -> Documents:
        """Return the documents of a run."""
        with self.open() as catalog:
            return list(catalog[uid].documents(fill="no"))

    def kinds(self) -> dict[str, int]:
        """Return how often each kind of thing is found."""
        found = [finding.kind.value for finding in self.verify().findings]
        return {kind: found.count(kind) for kind in found}

    def record_small(self) -> None:
        """Record a run of three batches with two events each: arrivals 2, 3 | 4, 5 | 6, 7."""
        with self.open() as catalog:
            for first in (1, 3, 5):
                recorder = catalog.recorder()
                recorder("start", START)
                if first == 1:
                    recorder("descriptor", DESCRIPTOR)
                for number in (first, first + 1):
                    recorder("event", event(number))
                if first == 5:
                    recorder("stop", STOP)
                recorder.close()

    def record_large(self, uid: str = "large", batches: int = 1) -> Path:
        """Record a run of batches of three events with an image each; return the last one's file."""
        before = set(self.arrow_files())
        with self.open() as catalog:
            recorder = catalog.recorder()
            recorder("start", {"uid": uid, "time": 10.0, "scan_id": 10})
            image = {"dtype": "array", "shape": [220, 220], "source": "sim"}
            about = {"uid": f"{uid}/d", "run_start": uid, "time": 10.0, "name": "primary"}
            recorder("descriptor", {**about, "data_keys": {"image": image}})
            for number in range(batches):
                recorder("event_page", page(uid, 3 * number))
                recorder.close()
                recorder("start", {"uid": uid, "time": 10.0, "scan_id": 10})
            counts = {"primary": 3 * batches}
            stop = {"uid": f"{uid}/s", "run_start": uid, "time": 20.0, "exit_status": "success"}
            recorder("stop", {**stop, "num_events": counts})
        (*_, last) = sorted(set(self.arrow_files()) - before, key=lambda path: int(path.name.split("-")[1]))
        return last


def page(uid: str, first: int) -> dict[str, Any]:
    """Return three events that are too large for a row of the database."""
    numbers = range(first + 1, first + 4)
    times = [10.0 + number for number in numbers]
    return {
        "uid": [f"{uid}/{number}" for number in numbers],
        "descriptor": f"{uid}/d",
        "time": times,
        "seq_num": list(numbers),
        "data": {"image": [np.full((220, 220), float(number)) for number in numbers]},
        "timestamps": {"image": times},
        "filled": {},
    }


def flip(body: bytes, place: int) -> bytes:
    """Return bytes, all bits of one of them the other way round."""
    return body[:place] + bytes([body[place] ^ 0xFF]) + body[place + 1 :]


def make_old(path: Path) -> None:
    """Let a file be older than what a process may be about to name."""
    then = time.time() - 7200
    os.utime(path, (then, then))
