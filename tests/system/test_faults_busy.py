"""Many processes at once: nothing is lost, nobody sees a lock, everybody sees whole runs."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

import hutch
from hutch.catalogs.verifying import verify

from . import busy_worker as worker

RECORDERS = 4
READERS = 4
RUNS = 2000


@pytest.mark.timeout(150)
def test_four_processes_record_while_four_read(tmp_path):
    folder = str(tmp_path / "store")
    each = RUNS // RECORDERS
    commands = [["record", folder, f"process {number}", f"{each}"] for number in range(RECORDERS)]
    commands += [["read", folder, f"{RUNS}"] for _ in range(READERS)]

    # None of them finds a store: they make it together.
    processes = [
        subprocess.Popen(
            [sys.executable, worker.__file__, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    said = []
    try:
        for process in processes:
            said.append(process.communicate(timeout=120))
    finally:
        for process in processes:
            process.kill()

    assert [error for _, error in said] == [""] * len(commands)
    assert [process.returncode for process in processes] == [0] * len(commands)
    assert all(int(looks) >= RUNS for looks, _ in said[RECORDERS:])
    with hutch.open_catalog(folder) as catalog:
        runs = list(catalog.values())
        assert Counter(run.start["sample"] for run in runs) == {
            f"process {number}": each for number in range(RECORDERS)
        }
        assert sorted(run.start["scan_id"] for run in runs) == list(range(1, RUNS + 1))
        assert {worker.look(run) for run in runs} == {worker.EVENTS}
        assert {run.status for run in runs} == {"success"}
        assert verify(catalog.store).is_sound
        assert catalog.store.quarantined() == []
