"""10 million events in one run: how the recording process grows, its stop, and the reading of a column."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import documents, hutch_side
from benchmarks.measuring import Figure, Plan, Row, Target, seconds, side_by_side

__all__ = ["measure"]

_EVENTS = 10_000_000
_SAMPLE_EVERY = 100_000


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch in a process of its own; once, as the run is long."""
    fresh = multiprocessing.get_context("spawn")
    with plan.scratch() as folder, fresh.Pool(1) as pool:
        growth, stop_s, rate = pool.apply(_record, (folder, plan.scaled(_EVENTS)))
        columns = pool.apply(_read, (folder, plan.repetitions))
    events = f"{plan.scaled(_EVENTS):,} events"
    yield Row(f"{events}: growth", Figure.of([growth], "MB"), Target.below(100, "MB"))
    yield Row(f"{events}: stop", Figure.of([stop_s], "s"), Target.below(0.2, "s"))
    yield Row(f"{events}: made and recorded", Figure.of([rate], "events/s"))
    ours, floor = (Figure.of([1e3 * duration for duration in durations], "ms") for durations in columns)
    yield Row(f"{events}: a column", ours, None, "numpy copies it", floor)


def _record(folder: Path, events: int) -> tuple[float, float, float]:
    """Return the growth of the resident memory in MB, the seconds of the stop, and the rate."""
    process = psutil.Process()
    with hutch_side.catalog(folder) as cat:
        # A first run, so that what is loaded once does not count as growth.
        hutch_side.record(cat, documents.run(1000))
        recorder = cat.recorder()
        start, descriptor = documents.described_run(scan_id=2)
        recorder("start", start)
        recorder("descriptor", descriptor)
        before = largest = process.memory_info().rss
        begin = time.perf_counter()
        for number in range(events):
            recorder("event", documents.event(descriptor["uid"], number))
            if number % _SAMPLE_EVERY == 0:
                largest = max(largest, process.memory_info().rss)
        stopping = time.perf_counter()
        recorder("stop", documents.stop(start["uid"], events))
        stopped = time.perf_counter()
        largest = max(largest, process.memory_info().rss)
        recorder.close()
    return (largest - before) / 1e6, stopped - stopping, events / (stopped - begin)


def _read(folder: Path, repetitions: int) -> tuple[list[float], list[float]]:
    """Return the seconds that reading a column takes, and copying it in memory, when all is merged."""
    with hutch_side.catalog(folder) as cat:
        hutch_side.settle(cat)
        column = cat[-1].primary[documents.KEYS[3]].read()
        found = side_by_side(
            {
                "hutch": lambda: seconds(lambda: cat[-1].primary[documents.KEYS[3]].read()),
                "numpy": lambda: seconds(lambda: column.copy()),
            },
            repetitions,
        )
    return found["hutch"], found["numpy"]
