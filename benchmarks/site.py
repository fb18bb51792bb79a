"""A store for a site: the same recordings on PostgreSQL as in a folder, from one process and from eight."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import documents, hutch_side, postgres_server
from benchmarks.measuring import Plan, Row, Target, rates, seconds, side_by_side

__all__ = ["measure"]

_EVENTS = 100_000
_RUNS = 400
_EVENTS_A_RUN = 10
_PROCESSES = 8


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch on PostgreSQL beside hutch in a folder, and beside the commits that the disk allows."""
    if postgres_server.programs() is None:
        print("PostgreSQL is not installed; the store for a site is not measured", file=sys.stderr)
        return
    with plan.scratch() as place, postgres_server.server(place) as server:
        yield from _single_events(plan, server)
        yield from _runs(plan, server)


def _single_events(plan: Plan, server: str) -> Iterator[Row]:
    events = plan.scaled(_EVENTS)
    found = side_by_side(
        {
            "PostgreSQL": lambda: _record(plan, events, server),
            "a folder": lambda: _record(plan, events, None),
        },
        plan.repetitions,
    )
    yield Row(
        "single events on PostgreSQL",
        rates(found["PostgreSQL"], events, "events/s"),
        Target.times(0.6),
        "hutch in a folder",
        rates(found["a folder"], events, "events/s"),
    )


def _runs(plan: Plan, server: str) -> Iterator[Row]:
    count = plan.scaled(_RUNS)
    found = side_by_side(
        {
            "one": lambda: _record_runs(plan, count, server, 1),
            "eight": lambda: _record_runs(plan, count, server, _PROCESSES),
            "bare": lambda: _commit(plan, count, server),
        },
        plan.repetitions,
    )
    bare = rates(found["bare"], count, "runs/s")
    peer = "psycopg, two bare commits a run"
    yield Row(
        "short runs on PostgreSQL",
        rates(found["one"], count, "runs/s"),
        Target.above(150, "runs/s"),
        peer,
        bare,
    )
    yield Row(
        f"short runs on PostgreSQL from {_PROCESSES} processes",
        rates(found["eight"], count * _PROCESSES, "runs/s"),
        Target.above(500, "runs/s"),
        f"{peer}, one process",
        bare,
    )


def _record(plan: Plan, events: int, server: str | None) -> float:
    run = documents.run(events)
    with plan.scratch() as folder:
        where = str(folder) if server is None else postgres_server.address_of_new_store(server, folder)
        with hutch_side.catalog(where) as cat:
            duration = seconds(lambda: hutch_side.record(cat, run))
            _check(cat[-1].primary.read().sizes["time"], events)
    return duration


def _record_runs(plan: Plan, count: int, server: str, processes: int) -> float:
    """Return the wall time from the moment when all are ready until the last has its last run on the disk."""
    context = multiprocessing.get_context("spawn")
    with plan.scratch() as folder:
        where = postgres_server.address_of_new_store(server, folder)
        ready = context.Barrier(processes + 1)
        done = context.Barrier(processes + 1)
        workers = [context.Process(target=_work, args=(where, count, ready, done)) for _ in range(processes)]
        for worker in workers:
            worker.start()
        ready.wait()
        begin = time.perf_counter()
        done.wait()
        duration = time.perf_counter() - begin
        for worker in workers:
            worker.join()
        with hutch_side.catalog(where) as cat:
            _check(len(cat), (count + 1) * processes)
    return duration


def _work(where: str, count: int, ready: Any, done: Any) -> None:
    first, *runs = (documents.run(_EVENTS_A_RUN, scan_id=number + 1) for number in range(count + 1))
    with hutch_side.catalog(where) as cat:
        hutch_side.record_runs(cat, [first])
        ready.wait()
        hutch_side.record_runs(cat, runs)
        done.wait()


def _commit(plan: Plan, count: int, server: str) -> float:
    """Commit two small rows a run, each in a transaction of its own."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (number bigint)")

        def write() -> None:
            for number in range(2 * count):
                connection.execute("INSERT INTO bare VALUES (%s)", (number,))

        try:
            return seconds(write)
        finally:
            connection.execute("DROP TABLE bare")


def _check(found: int, expected: int) -> None:
    if found != expected:
        msg = f"{found} came back of {expected}"
        raise RuntimeError(msg)
