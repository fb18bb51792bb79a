"""Stores of very many runs, loaded in bulk: what recording the runs one by one would have made."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from hutch.documents import encode, leaves

__all__ = ["FIRST_TIME", "INTERVAL_S", "PLANS", "documents", "load_folder", "load_server", "uid_of"]

FIRST_TIME = 1_500_000_000.0
INTERVAL_S = 60.0
PLANS = (
    "scan",
    "count",
    "grid_scan",
    "rel_scan",
    "list_scan",
    "spiral",
    "fly",
    "tune_centroid",
    "adaptive_scan",
    "mv_and_wait",
)
_SAMPLES = ("LaB6", "Si", "CeO2", "Al2O3", "Ni", "Fe3O4", "GaAs", "NaCl", "TiO2", "ZnO")
_NOTES = ("furnace anneal", "alignment", "overnight series", "test of the shutter", "calibration")
_RUNS_AT_ONCE = 20_000
_SEED = 1


def uid_of(number: int) -> str:
    """Return the uid of a run."""
    return str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4))


def documents(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return start and stop of a run, with twenty leaves or some more; which values it has is chance."""
    chance = random.Random(-1 - number)
    time = FIRST_TIME + number * INTERVAL_S
    uid, plan = uid_of(number), chance.choice(PLANS)
    points = chance.randrange(1, 101)
    start = {
        "uid": uid,
        "time": time,
        "scan_id": number + 1,
        "plan_name": plan,
        "plan_type": "generator",
        "proposal_id": 10_000 + chance.randrange(1000),
        "num_points": points,
        "num_intervals": points - 1,
        "sample": {"name": chance.choice(_SAMPLES), "thickness": chance.randrange(1, 50) / 10},
        "detectors": ["det", chance.choice(("eiger", "mythen", "diode"))],
        "motors": [chance.choice(("motor", "theta", "phi"))],
        "operator": chance.choice(("alice", "bob", "carol")),
        "notes": f"{chance.choice(_NOTES)} {chance.randrange(100)}",
        "versions": {"bluesky": "1.15.1", "ophyd": "1.11.0"},
    }
    stop = {
        "uid": f"{uid[:-4]}stop",
        "run_start": uid,
        "time": time + 30.0,
        "exit_status": "success" if chance.random() < 0.9 else "fail",
        "reason": "",
        "num_events": {},
    }
    return start, stop


def _rows(count: int) -> Iterator[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]:
    """Yield rows of runs and of the index, of some runs at a time."""
    for first in range(0, count, _RUNS_AT_ONCE):
        runs, index = [], []
        for number in range(first, min(first + _RUNS_AT_ONCE, count)):
            start, stop = documents(number)
            run, time = number + 1, start["time"]
            runs.append((run, start["uid"], time, start["scan_id"], encode(start), encode(stop)))
            index += [(*leaf, time, run) for leaf in leaves(start) | leaves(stop, "stop")]
        yield runs, index


def load_folder(folder: Path, count: int) -> None:
    """Load runs into the empty store in a folder, which nobody has open."""
    with closing(sqlite3.connect(folder / "hutch.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-500000")
        connection.execute("PRAGMA temp_store=FILE")
        connection.execute("CREATE TEMP TABLE unordered (key, type, number, text, time, run)")
        connection.execute("BEGIN")
        for runs, index in _rows(count):
            connection.executemany(
                "INSERT INTO runs (id, uid, time, scan_id, start, stop) VALUES (?, ?, ?, ?, ?, ?)", runs
            )
            connection.executemany("INSERT INTO unordered VALUES (?, ?, ?, ?, ?, ?)", index)
        in_order = "SELECT * FROM unordered ORDER BY key, type, number, text, time, run"
        connection.execute(f"INSERT INTO leaves {in_order}")
        connection.execute("COMMIT")
        connection.execute("DROP TABLE unordered")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def load_server(address: str, count: int) -> None:
    """Load runs into the empty store in a database."""
    import psycopg

    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        for runs, index in _rows(count):
            with cursor.copy("COPY runs (id, uid, time, scan_id, start, stop) FROM STDIN") as copy:
                for row in runs:
                    copy.write_row(row)
            with cursor.copy("COPY leaves (key, type, number, text, time, run) FROM STDIN") as copy:
                for row in sorted(index):
                    copy.write_row(row)
        cursor.execute("SELECT setval(pg_get_serial_sequence('runs', 'id'), %s)", (count,))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
