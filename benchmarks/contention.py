"""A live recorder beside a bulk import: how long its commits take, with and without."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import documents, hutch_side, postgres_server
from benchmarks.measuring import Figure, Plan, Row, Target

__all__ = ["measure"]

_RUNS = 3000
_EVENTS_A_RUN = 10
_PAGED_EVENTS = 1_000_000
_ALONE = 300
_INTERVAL_S = 0.01
_LONGEST_S = 200
"""ms; what a bulk writer may add to a commit at most."""


def measure(plan: Plan) -> Iterator[Row]:
    """Measure commits of single events, on SQLite and, where it is installed, on PostgreSQL."""
    with plan.scratch() as place:
        files = {
            "many short runs": _short_runs(place / "short.jsonl", plan.scaled(_RUNS)),
            "a long run": _long_run(place / "long.jsonl", plan.scaled(_PAGED_EVENTS)),
        }
        yield from _beside(plan, files, "a folder", str)
        if postgres_server.programs() is None:
            print("PostgreSQL is not installed; commits there are not measured", file=sys.stderr)
            return
        with postgres_server.server(place) as server:
            yield from _beside(
                plan,
                files,
                "PostgreSQL",
                lambda folder: postgres_server.address_of_new_store(server, folder),
            )


def _beside(plan: Plan, files: dict[str, Path], name: str, address: Callable[[Path], str]) -> Iterator[Row]:
    alone_ms = [_commits(plan, address, None) for _ in range(plan.repetitions)]
    for what, file in files.items():
        beside_ms = [_commits(plan, address, file) for _ in range(plan.repetitions)]
        for part, pick in (("p50", _part(50)), ("p99", _part(99)), ("longest", max)):
            target = Target.below(_LONGEST_S, "ms") if part == "longest" else None
            yield Row(
                f"commit on {name} beside an import of {what}, {part}",
                Figure.of([pick(times) for times in beside_ms], "ms"),
                target,
                "alone",
                Figure.of([pick(times) for times in alone_ms], "ms"),
            )


def _part(percent: int) -> Callable[[list[float]], float]:
    return lambda times: statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def _commits(plan: Plan, address: Callable[[Path], str], file: Path | None) -> list[float]:
    """Return how long commits took, in ms, as long as a file is imported."""
    from hutch.recording import Recorder

    with plan.scratch() as folder:
        where = address(folder)
        with hutch_side.catalog(where) as cat:
            recorder = Recorder(cat.store, strict=True)
            start, descriptor = documents.described_run()
            recorder("start", start)
            recorder("descriptor", descriptor)
            recorder("event", documents.event(descriptor["uid"], 0))
            import_ = None if file is None else _start_import(file, where)
            times: list[float] = []
            due = time.monotonic()
            while len(times) < _ALONE if import_ is None else import_.poll() is None:
                due = max(due + _INTERVAL_S, time.monotonic())
                time.sleep(max(due - time.monotonic(), 0.0))
                event = documents.event(descriptor["uid"], len(times) + 1)
                begin = time.perf_counter()
                recorder("event", event)
                times.append(1e3 * (time.perf_counter() - begin))
            recorder("stop", documents.stop(start["uid"], len(times) + 1))
            if import_ is not None and import_.returncode:
                msg = "the import failed"
                raise RuntimeError(msg)
    return times


def _start_import(file: Path, where: str) -> subprocess.Popen[bytes]:
    hutch = Path(sys.executable).with_name("hutch")
    return subprocess.Popen([hutch, "import", file, "--store", where], stdout=subprocess.DEVNULL)


def _short_runs(path: Path, count: int) -> Path:
    with path.open("w") as file:
        for number in range(count):
            for item in documents.run(_EVENTS_A_RUN, scan_id=number + 1):
                file.write(json.dumps(item) + "\n")
    return path


def _long_run(path: Path, events: int) -> Path:
    with path.open("w") as file:
        for item in documents.paged_run(max(events // 1000, 1), 1000):
            file.write(json.dumps(item) + "\n")
    return path
