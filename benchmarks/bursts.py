"""A scan that becomes much faster for some seconds: what the others see of it, and what it costs."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import documents, hutch_side
from benchmarks.measuring import Figure, Plan, Row, Target

__all__ = ["measure"]

_RATE = 5_000
_OVERLOAD = 10
_CALM_S = 3.0
_BURST_S = 4.0
_SLICE_S = 0.01
_POLL_S = 0.005
_PATIENCE_S = 60.0


def measure(plan: Plan) -> Iterator[Row]:
    """Measure events/s of a rate, of ten times that rate, and of the first one again."""
    scale = 0.3 if plan.quick else 1.0
    phases = [(_RATE, _CALM_S * scale), (_RATE * _OVERLOAD, _BURST_S * scale), (_RATE, _CALM_S * scale)]
    recorded, growth_mb = [], []
    for _ in range(plan.repetitions + 1):
        with plan.scratch() as folder:
            delays, growth, reached = _record(folder, phases)
        recorded.append([*delays, reached])
        growth_mb.append(growth)
    # The first one warms up.
    before, burst, after, rates = zip(*recorded[1:], strict=True)
    what = f"{_RATE:,} events/s"
    yield Row(f"{what}: seen elsewhere, p99", Figure.of(list(before), "ms"), Target.below(150, "ms"))
    yield Row(f"{_OVERLOAD} times that: reached", Figure.of(list(rates), "events/s"))
    yield Row(f"{_OVERLOAD} times that: seen, p99", Figure.of(list(burst), "ms"), Target.below(1000, "ms"))
    yield Row(f"{what} again: seen, p99", Figure.of(list(after), "ms"), Target.below(150, "ms"))
    yield Row(f"{_OVERLOAD} times that: growth", Figure.of(growth_mb[1:], "MB"), Target.below(150, "MB"))


def _record(folder: Path, phases: list[tuple[int, float]]) -> tuple[list[float], float, float]:
    """Return for each phase the 99th percentile of the delays in ms; the growth in MB; the fastest rate."""
    fresh = multiprocessing.get_context("spawn")
    process = psutil.Process()
    made: list[float] = []
    ends: list[int] = []
    rates = [0.0]
    with hutch_side.catalog(folder) as cat:
        recorder = cat.recorder()
        start, descriptor = documents.described_run()
        recorder("start", start)
        recorder("descriptor", descriptor)
        recorder("event", documents.event(descriptor["uid"], 0))
        made.append(time.monotonic())
        sent, received = fresh.Queue(), fresh.Queue()
        reader = fresh.Process(target=_watch, args=(folder, sent, received), daemon=True)
        reader.start()
        sent.get(timeout=_PATIENCE_S)
        before = largest = process.memory_info().rss
        for rate, duration_s in phases:
            begin, count = time.monotonic(), 0
            while (now := time.monotonic()) < begin + duration_s:
                for _ in range(int((now - begin + _SLICE_S) * rate) - count):
                    recorder("event", documents.event(descriptor["uid"], len(made)))
                    made.append(time.monotonic())
                    count += 1
                largest = max(largest, process.memory_info().rss)
                time.sleep(max(0.0, now + _SLICE_S - time.monotonic()))
            ends.append(len(made))
            rates.append(count / (time.monotonic() - begin))
        recorder("stop", documents.stop(start["uid"], len(made)))
        recorder.close()
        seen = received.get(timeout=_PATIENCE_S)
        reader.join(_PATIENCE_S)
        _check(cat[-1].count_rows()["primary"], len(made))
    delays_ms = [1e3 * delay for delay in _delays(np.array(made), *seen)]
    parts = np.split(np.array(delays_ms), ends[:-1])
    return [float(np.percentile(part, 99)) for part in parts], (largest - before) / 1e6, max(rates)


def _watch(folder: Path, ready: Any, found: Any) -> None:
    """Look again and again how many events there are, until the run has ended."""
    times, counts = [], []
    with hutch_side.catalog(folder) as cat:
        run = cat[-1]
        deadline = time.monotonic() + _PATIENCE_S
        is_over = False
        while not is_over and time.monotonic() < deadline:
            is_over = run.stop is not None
            counts.append(run.count_rows().get("primary", 0))
            times.append(time.monotonic())
            if len(times) == 1:
                ready.put(True)
            time.sleep(_POLL_S)
    found.put((times, counts))


def _delays(made: np.ndarray, times: list[float], counts: list[int]) -> np.ndarray:
    """Return how long it took in s until each event was seen."""
    first_seen = np.searchsorted(np.array(counts), np.arange(1, len(made) + 1))
    delays: np.ndarray = np.array(times)[first_seen] - made
    return delays


def _check(found: int, events: int) -> None:
    if found != events:
        msg = f"{found} events came back of {events}"
        raise RuntimeError(msg)
