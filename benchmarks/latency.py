"""One event at a time, 100 a second: how long until another process sees it, and what it costs the thread."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import documents, hutch_side, peers
from benchmarks.measuring import Figure, Plan, Row, Target, seconds

__all__ = ["measure"]

_EVENTS = 500
_TILED_EVENTS = 100
_INTERVAL_S = 0.01
_POLL_S = 0.002
_PATIENCE_S = 60.0


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch, and what an event costs TiledWriter when it must not wait."""
    events = plan.scaled(_EVENTS)
    delays, costs = zip(*(_live(plan, events) for _ in range(plan.repetitions)), strict=True)
    yield Row("live: seen elsewhere, p99", Figure.of(list(delays), "ms"), Target.below(150, "ms"))
    theirs = [_tiled_cost(plan) for _ in range(plan.repetitions)]
    yield Row(
        "live: the RunEngine's thread, an event",
        Figure.of(list(costs), "µs"),
        Target.below(50, "µs"),
        "TiledWriter, batch_size=1",
        Figure.of(theirs, "µs"),
    )


def _live(plan: Plan, events: int) -> tuple[float, float]:
    """Return the 99th percentile of the delays in ms, and the mean cost of an event in µs."""
    fresh = multiprocessing.get_context("spawn")
    with plan.scratch() as folder, hutch_side.catalog(folder) as cat:
        sent, received = fresh.Queue(), fresh.Queue()
        recorder = cat.recorder()
        start, descriptor = documents.described_run()
        recorder("start", start)
        recorder("descriptor", descriptor)
        recorder("event", _stamped(descriptor["uid"], 0))
        reader = fresh.Process(target=_follow, args=(folder, events + 1, sent, received), daemon=True)
        reader.start()
        sent.get(timeout=_PATIENCE_S)
        cost_s = 0.0
        due = time.monotonic()
        for number in range(1, events + 1):
            due += _INTERVAL_S
            time.sleep(max(due - time.monotonic(), 0.0))
            event = _stamped(descriptor["uid"], number)
            begin = time.perf_counter()
            recorder("event", event)
            cost_s += time.perf_counter() - begin
        delays_s = received.get(timeout=_PATIENCE_S)
        reader.join(_PATIENCE_S)
        recorder("stop", documents.stop(start["uid"], events + 1))
        recorder.close()
    return 1e3 * statistics.quantiles(delays_s, n=100)[98], 1e6 * cost_s / events


def _stamped(descriptor: str, number: int) -> dict[str, Any]:
    """Return an event whose first reading is the moment at which it was made."""
    event = documents.event(descriptor, number)
    event["data"][documents.KEYS[0]] = time.time()
    return event


def _follow(folder: Path, events: int, ready: Any, delays: Any) -> None:
    """Read the newest run again and again, and note when each event was first there."""
    key = documents.KEYS[0]
    found: list[float] = []
    with hutch_side.catalog(folder) as cat:
        seen = 0
        deadline = time.monotonic() + _PATIENCE_S
        while seen < events and time.monotonic() < deadline:
            run = cat[-1]
            rows = run.primary.read([key])[key].values.tolist() if "primary" in list(run) else []
            now = time.time()
            if rows and not seen:
                ready.put(True)
            elif seen:
                found += [now - made for made in rows[seen:]]
            seen = len(rows)
            time.sleep(_POLL_S)
    delays.put(found)


def _tiled_cost(plan: Plan) -> float:
    from bluesky_tiled_plugins import TiledWriter

    count = plan.scaled(_TILED_EVENTS)
    start, descriptor, *rest = documents.run(count + 1)
    first, *events = rest[:-1]
    with plan.scratch() as folder, peers.tiled(folder) as client:
        writer = TiledWriter(client, batch_size=1)
        for name, document in (start, descriptor, first):
            writer(name, document)

        def record() -> None:
            for name, document in events:
                writer(name, document)

        return 1e6 * seconds(record) / count
