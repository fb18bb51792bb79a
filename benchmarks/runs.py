"""1,000 runs of 10 events: start and stop of each committed and indexed, and the stop on the disk."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import documents, hutch_side, peers
from benchmarks.measuring import Plan, Row, Target, rates, seconds, side_by_side

__all__ = ["measure"]

_RUNS = 1000
_EVENTS = 10
_TILED_RUNS = 20


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch beside plain sqlite3 that writes the same rows, and beside TiledWriter."""
    count, tiled_count = plan.scaled(_RUNS), plan.scaled(_TILED_RUNS)
    with plan.scratch() as folder:
        with hutch_side.catalog(folder) as cat:
            hutch_side.record_runs(cat, _runs(count))
        rows = _Rows(folder / "hutch.db")
    found = side_by_side(
        {
            "hutch": lambda: _hutch(plan, count),
            "sqlite3": lambda: _sqlite(plan, rows),
            "TiledWriter": lambda: _tiled(plan, tiled_count),
        },
        plan.repetitions,
    )
    ours = rates(found["hutch"], count, "runs/s")
    yield Row("short runs", ours, Target.times(0.5), "sqlite3", rates(found["sqlite3"], count, "runs/s"))
    theirs = rates(found["TiledWriter"], tiled_count, "runs/s")
    yield Row("short runs", ours, Target.times(40), "TiledWriter", theirs)


def _runs(count: int) -> list[list[documents.Document]]:
    return [documents.run(_EVENTS, scan_id=number + 1) for number in range(count)]


def _hutch(plan: Plan, count: int) -> float:
    runs = _runs(count)
    with plan.scratch() as folder, hutch_side.catalog(folder) as cat:
        duration = seconds(lambda: hutch_side.record_runs(cat, runs))
        if len(cat) != count or cat[-1].stop is None:
            msg = f"{len(cat)} runs came back of {count}"
            raise RuntimeError(msg)
    return duration


def _tiled(plan: Plan, count: int) -> float:
    from bluesky_tiled_plugins import TiledWriter

    first, *others = _runs(count + 1)
    with plan.scratch() as folder, peers.tiled(folder) as client:
        writer = TiledWriter(client)
        for name, document in first:
            writer(name, document)

        def record() -> None:
            for run in others:
                for name, document in run:
                    writer(name, document)

        return seconds(record)


class _Rows:
    """The rows that hutch wrote into a database, run by run, and the schema they need."""

    def __init__(self, database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            self.schema = [
                text
                for (text,) in connection.execute(
                    "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
                )
            ]
            self.owners = connection.execute("SELECT * FROM owners").fetchall()
            self.owners_insert = _insert("owners", self.owners)
            self.runs = [
                _parts(connection, run) for (run,) in connection.execute("SELECT id FROM runs ORDER BY id")
            ]


Statements = list[tuple[str, list[Any]]]


def _parts(connection: sqlite3.Connection, run: int) -> tuple[Statements, Statements]:
    """Return what is written of a run when it starts, and when it stops."""
    opened, closed = (
        _select(connection, "leaves", f"key {word} LIKE 'stop.%' AND run = ?", run) for word in ("NOT", "")
    )
    start_changes, changes = (
        _select(connection, "changes", f"topic {sign} 'start' AND run = ?", run) for sign in ("=", "<>")
    )
    start = [*_select(connection, "runs", "id = ?", run), *opened, *start_changes]
    rest: Statements = []
    for table in ("documents", "segments", "batches"):
        rest += _select(connection, table, "run = ?", run)
    stop = connection.execute("SELECT stop, id FROM runs WHERE id = ?", (run,)).fetchall()
    return start, [*rest, ("UPDATE runs SET stop = ?, owner = NULL WHERE id = ?", stop), *closed, *changes]


def _select(connection: sqlite3.Connection, table: str, condition: str, run: int) -> Statements:
    rows = connection.execute(f"SELECT * FROM {table} WHERE {condition}", (run,)).fetchall()  # noqa: S608
    return [(_insert(table, rows), rows)] if rows else []


def _insert(table: str, rows: list[Any]) -> str:
    marks = ", ".join("?" * len(rows[0])) if rows else ""
    return f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608


def _sqlite(plan: Plan, rows: _Rows) -> float:
    """Write the same rows with the same pragmas: two transactions a run, and the log synced after it."""
    with plan.scratch() as folder:
        path = folder / "plain.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            for statement in rows.schema:
                connection.execute(statement)
            connection.executemany(rows.owners_insert, rows.owners)
            log = os.open(f"{path}-wal", os.O_RDWR)

            def write() -> None:
                for parts in rows.runs:
                    for part in parts:
                        connection.execute("BEGIN IMMEDIATE")
                        for statement, values in part:
                            connection.executemany(statement, values)
                        connection.execute("COMMIT")
                    os.fsync(log)

            try:
                return seconds(write)
            finally:
                os.close(log)
