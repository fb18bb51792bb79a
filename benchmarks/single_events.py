"""Single events: 100,000 of 10 scalar keys in one run, validated, until they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import documents, hutch_side, peers
from benchmarks.measuring import Plan, Row, Target, rates, seconds, side_by_side

__all__ = ["measure"]

_EVENTS = 100_000


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch beside TiledWriter, suitcase-jsonl and plain pyarrow."""
    events = plan.scaled(_EVENTS)
    found = side_by_side(
        {
            "hutch": lambda: _hutch(plan, events),
            "TiledWriter": lambda: _tiled(plan, events),
            "suitcase-jsonl": lambda: _file(plan, events, peers.suitcase_jsonl),
            "pyarrow": lambda: _file(plan, events, peers.pyarrow_events),
        },
        plan.repetitions,
    )
    ours = rates(found["hutch"], events, "events/s")
    for peer, target in (
        ("TiledWriter", Target.times(20)),
        ("suitcase-jsonl", Target.times(3)),
        ("pyarrow", Target.times(0.4)),
    ):
        yield Row("single events", ours, target, peer, rates(found[peer], events, "events/s"))


def _hutch(plan: Plan, events: int) -> float:
    run = documents.run(events)
    with plan.scratch() as folder, hutch_side.catalog(folder) as cat:
        duration = seconds(lambda: hutch_side.record(cat, run))
        _check(cat[-1].primary.read().sizes["time"], events)
    return duration


def _tiled(plan: Plan, events: int) -> float:
    from bluesky_tiled_plugins import TiledWriter

    run = documents.run(events)
    with plan.scratch() as folder, peers.tiled(folder) as client:
        writer = TiledWriter(client)

        def record() -> None:
            for name, document in run:
                writer(name, document)

        duration = seconds(record)
        _check(client.values().last()["primary"].read().sizes["time"], events)
    return duration


def _file(plan: Plan, events: int, write: Callable[[Any, Path], None]) -> float:
    run = documents.run(events)
    with plan.scratch() as folder:
        return seconds(lambda: write(run, folder))


def _check(found: int, events: int) -> None:
    if found != events:
        msg = f"{found} events came back of {events}"
        raise RuntimeError(msg)
