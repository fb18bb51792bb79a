"""Repairs that are killed, meet each other, or have no room; owners that die, and runs that others end."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalogs.damage import Damaged, flip, make_old

import hutch
from hutch.catalogs.care.findings import Kind
from hutch.documents import is_same
from hutch.errors import ReadOnlyStoreError

from . import repair_worker as worker

KILLS = {
    ("repair", "sqlite"): 20,
    ("reindex", "sqlite"): 12,
    ("repair", "server"): 5,
    ("reindex", "server"): 4,
}
RUNS = 25


class Hospital:
    """A program that bears repairing processes, to be killed one after the other."""

    def __init__(self) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, worker.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def begin(self, what: str, place: Damaged) -> int:
        """Let a process begin; return its id."""
        self._process.stdin.write(f"{what} {place.address}\n".encode())
        self._process.stdin.flush()
        word, pid = self._line(30.0).split()
        assert word == "pid"
        return int(pid)

    def has_ended(self, within_s: float) -> bool:
        """Wait for the end of the process for a while; tell whether it came."""
        return bool(select.select([self._process.stdout], [], [], within_s)[0])

    def end(self) -> str:
        """Return how it ended: ``done``, or ``gone`` if it was killed."""
        return self._line(60.0)

    def _line(self, within_s: float) -> str:
        assert self.has_ended(within_s)
        return self._process.stdout.readline().decode().strip()


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    found = Hospital()
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def patients(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Damaged]:
    """Return what gives copies of one store that has all that can be repaired, by name."""
    if request.param == "sqlite":
        original = Damaged(str(tmp_path / "store"), tmp_path / "store" / "files")
    else:
        server = request.getfixturevalue("postgres_server")
        address = request.getfixturevalue("postgres_address")
        with hutch.open_catalog(address) as cat:
            original = Damaged(address, cat.store.files)
    _damage(original)

    def copy(name: str) -> Damaged:
        if request.param == "sqlite":
            shutil.copytree(original.address, tmp_path / name)
            return Damaged(str(tmp_path / name), tmp_path / name / "files")
        shutil.copytree(original.files.parent, tmp_path / name)
        database = server.make_database(original.address.partition("?")[0].rpartition("/")[2])
        place = tmp_path / name
        server.execute(f"UPDATE properties SET value = '{place}' WHERE key = 'files'", database)  # noqa: S608
        return Damaged(server.address(database), tmp_path / name / "files")

    return copy


def _damage(place: Damaged) -> None:
    """Record runs, and damage them in every way that can be repaired."""
    place.record_small()
    for number in range(4):
        place.record_large(f"large-{number}", batches=3)
    with place.open() as cat:
        for number in range(RUNS):
            with cat.start_run(sample=f"S{number}") as run:
                run.extend("primary", {"x": [1.0, 2.0, 3.0]})
    files = {uid: [row[2] for row in place.batches(uid)] for uid in ("large-0", "large-1", "large-2")}
    (place.files / files["large-0"][1]).unlink()
    damaged = place.files / files["large-1"][1]
    body = damaged.read_bytes()
    damaged.write_bytes(flip(body[: len(body) // 2], len(body) // 4))
    place.change("DELETE FROM batches WHERE file = ?", files["large-2"][1])
    for name in ("x.arrow", files["large-2"][1]):
        (place.files / name).touch()
        make_old(place.files / name)
    place.change("UPDATE batches SET rows = 7 WHERE file = ?", files["large-2"][2])
    place.change("UPDATE batches SET body = ? WHERE first_arrival = 4 AND rows = 2", b"damaged")
    columns = "run, segment, first_arrival, rows, size, crc32, body"
    place.change(
        f"INSERT INTO batches ({columns}) SELECT {columns} FROM batches "  # noqa: S608
        "WHERE first_arrival = 6 AND rows = 2"
    )
    place.change("UPDATE batches SET crc32 = 5 WHERE run > 15 AND run < 20")
    place.change("UPDATE runs SET stop = NULL, owner = ? WHERE uid = 'large-3'", "0" * 32)
    place.change("UPDATE leaves SET key = 'strange' WHERE key = 'scan_id'")


def _state(place: Damaged) -> tuple[dict[str, Any], list[Any], dict[str, int]]:
    """Return all documents, the index, and how often which kind of thing is found."""
    with place.open() as cat:
        documents = {run.uid: list(run.documents(fill="no")) for run in cat.values()}
    leaves = place.say("SELECT key, type, number, text, run FROM leaves ORDER BY 1, 2, 3, 4, 5")
    return documents, leaves, place.kinds()


def _finish(place: Damaged) -> tuple[dict[str, Any], list[Any], dict[str, int]]:
    """Repair a store to the end; files that killed repairs left are taken for old ones."""
    place.repair()
    for path in place.files.rglob("*.arrow"):
        make_old(path)
    place.repair()
    return _state(place)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["repair", "reindex"])
def test_what_is_killed_at_any_moment_is_completed_by_the_next(patients, hospital, what):
    expected = _finish(patients("expected"))
    assert set(expected[2]) == {"lost-events", "doubtful-events", "quarantine", "lost+found", "interrupted"}
    place = patients("timed")
    begun = time.monotonic()
    hospital.begin(what, place)
    assert hospital.end() == "done"
    longest_s = time.monotonic() - begun
    chance = random.Random(7)
    interrupted = 0
    kills = KILLS[what, "server" if "://" in place.address else "sqlite"]
    for number in range(kills):
        place = patients(f"killed-{number}")
        pid = hospital.begin(what, place)
        if not hospital.has_ended(chance.uniform(0, longest_s)):
            # It may have come to its end just now.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        interrupted += hospital.end() == "gone"
        found = _finish(place)

        assert is_same(found[0], expected[0])
        assert found[1:] == expected[1:]
    assert interrupted > kills // 4


def test_two_repairs_at_once_do_each_thing_once(patients):
    expected = _finish(patients("expected"))
    place = patients("both")
    program = "import sys; from hutch.catalogs.repairing import repair; from hutch.store import open_store\n"
    program += "repair(open_store(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", program, place.address]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    found = _finish(place)

    assert is_same(found[0], expected[0])
    assert found[1:] == expected[1:]


def test_a_repair_with_batches_being_merged_meanwhile_loses_nothing(patients):
    from hutch.store.batches.compacting import Compaction

    expected = _finish(patients("expected"))
    place = patients("merged")
    with place.open() as cat:
        for run in cat.values():
            for _ in Compaction(cat.store, run.row.id, is_open=False).steps():
                pass
    found = _finish(place)

    assert is_same(found[0], expected[0])
    assert found[1] == expected[1]
    assert place.verify().is_sound


def test_a_store_that_can_only_be_read_is_verified_and_not_repaired(tmp_path, read_only):
    place = Damaged(str(tmp_path / "store"), tmp_path / "store" / "files")
    place.record_small()
    place.change("DELETE FROM leaves")
    read_only(tmp_path / "store")

    assert place.kinds() == {"missing-index": 1}
    with pytest.raises(ReadOnlyStoreError):
        place.repair()


def test_a_full_disk_ends_a_repair_that_goes_on_when_there_is_room(needs_tmpfs):
    disk = needs_tmpfs(24_000_000)
    place = Damaged(str(disk / "store"), disk / "store" / "files")
    file = place.record_large(batches=2)
    body = file.read_bytes()
    file.write_bytes(body[:-300])
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(room - 1_000_000))  # less than what can be saved of the file
    full = hutch_command("verify", "--repair", place.address)
    assert (full.returncode, "is full: nothing more can be recorded" in full.stderr) == (1, True)
    assert file.read_bytes() == body[:-300]
    assert '"kind": "checksum"' in hutch_command("verify", place.address, "--json").stdout

    (disk / "filler").unlink()
    assert hutch_command("verify", "--repair", place.address).returncode == 0
    assert hutch_command("verify", place.address).returncode == 0


# owners


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return request.getfixturevalue("postgres_address")


RECORD = """
import os, sys, hutch
cat = hutch.open_catalog(sys.argv[1])
run = cat.start_run(sample="A")
run.add("primary", {"x": 1.0})
run.add("primary", {"x": 2.0})
cursor = 0
while cat[run.uid].count_rows().get("primary") != 2:
    cat.store.wait(cursor, 10.0)
    cursor = cat.store.last_change()
print(run.uid, flush=True)
sys.stdin.readline()
"""


def hutch_command(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hutch.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_owner_dies_and_another_process_reads_and_closes_its_run(address):
    command = [sys.executable, "-c", RECORD, address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        uid = process.stdout.readline().strip()
        refused = hutch_command("close", uid, "--reason", "impatience", "--store", address)
        assert refused.returncode == 1
        assert f"is being recorded by '-c' (process {process.pid} on" in refused.stderr
        left = hutch_command("verify", "--repair", "--store", address)
        assert (left.returncode, left.stderr) == (0, "")
        process.kill()
        process.wait(timeout=10)

        with hutch.open_catalog(address) as cat:
            deadline = time.monotonic() + 30
            while cat[uid].status == "running":  # the server has to notice
                assert time.monotonic() < deadline
            assert cat[uid].status == "interrupted"
            assert list(cat[uid].primary.read()["x"]) == [1.0, 2.0]
        found = hutch_command("verify", address)
        assert found.returncode == 0
        assert f"(process {process.pid} on" in found.stdout
        closed = hutch_command("close", uid, "--reason", "the power failed", "--store", address)
        assert (closed.returncode, closed.stderr) == (0, "")

    with hutch.open_catalog(address) as cat:
        assert cat[uid].status == "abort"
        assert cat[uid].stop["num_events"] == {"primary": 2}
    assert "note" not in hutch_command("verify", address).stdout


def test_a_run_is_closed_once_by_however_many(address):
    with hutch.open_catalog(address) as cat:
        recorder = cat.recorder()
        recorder("start", {"uid": "run", "time": 1.0})
        recorder.close()
    command = [sys.executable, "-m", "hutch.cli", "close", "run", "--reason", "x", "--store", address]
    several = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    printed = [process.communicate(timeout=60) for process in several]

    assert [process.returncode for process in several] == [0] * 4
    assert sorted("ended with abort" in out for out, _ in printed) == [False, False, False, True]
    assert Damaged(address, Path()).say("SELECT count(*) FROM leaves WHERE key = 'stop.uid'")[0][0] == 1


def test_ctrl_c_ends_a_reindex_that_can_be_begun_again(tmp_path, hospital):
    place = Damaged(str(tmp_path / "store"), tmp_path / "store" / "files")
    with place.open() as cat:
        for number in range(200):
            recorder = cat.recorder()
            recorder("start", {"uid": f"run-{number}", "time": 1.0, "sample": "x" * 50})
            recorder.close()
    before = place.say("SELECT count(*) FROM leaves")
    place.change("DELETE FROM leaves")
    command = [sys.executable, "-m", "hutch.cli", "reindex", place.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not place.say("SELECT count(*) FROM leaves")[0][0] and time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode in (0, 130)

    assert hutch_command("reindex", place.address).returncode == 0
    assert place.say("SELECT count(*) FROM leaves") == before
    assert Kind.NO_LEAVES.value not in place.kinds()
