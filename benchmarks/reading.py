"""Reading back 100,000 events of 10 scalar keys: as columns, and as documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import documents, hutch_side, peers
from benchmarks.measuring import Figure, Plan, Row, Target, rates, seconds, side_by_side

__all__ = ["measure"]

_EVENTS = 100_000


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch beside Tiled, and beside copying the columns in memory."""
    from bluesky_tiled_plugins import TiledWriter

    events = plan.scaled(_EVENTS)
    run = documents.run(events)
    with plan.scratch() as ours, plan.scratch() as theirs, hutch_side.catalog(ours) as cat:
        hutch_side.record(cat, run)
        with peers.tiled(theirs) as client:
            writer = TiledWriter(client)
            for name, document in run:
                writer(name, document)
            del run, document
            other = client.values().last()
            yield from _columns(plan, cat, other, events)
            yield from _documents(plan, cat, other, events)


def _columns(plan: Plan, cat: Any, other: Any, events: int) -> Iterator[Row]:
    columns = [cat[-1].primary.read()[key].values for key in documents.KEYS]
    found = side_by_side(
        {
            "hutch": lambda: seconds(lambda: cat[-1].primary.read()),
            "Tiled": lambda: seconds(lambda: other["primary"].read()),
            "numpy copies": lambda: seconds(lambda: [column.copy() for column in columns]),
        },
        2 * plan.repetitions,
    )
    ours, theirs, floor = (
        Figure.of([1e3 * duration for duration in durations], "ms") for durations in found.values()
    )
    what, target = f"read(): {events:,} × {len(columns)}", Target.below(10, "ms")
    yield Row(what, ours, target, "Tiled", theirs)
    yield Row(what, ours, target, "numpy copies", floor)


def _documents(plan: Plan, cat: Any, other: Any, events: int) -> Iterator[Row]:
    found = side_by_side(
        {
            "hutch": lambda: _replay(lambda: cat[-1].documents(fill="no"), events),
            "Tiled": lambda: _replay(other.documents, events),
        },
        plan.repetitions,
    )
    ours, theirs = (rates(durations, events, "events/s") for durations in found.values())
    yield Row("documents()", ours, Target.above(150_000, "events/s"), "Tiled", theirs)


def _replay(documents_of: Any, events: int) -> float:
    counted = 0

    def replay() -> None:
        nonlocal counted
        for name, document in documents_of():
            if name == "event":
                counted += 1
            elif name == "event_page":
                counted += len(document["seq_num"])

    duration = seconds(replay)
    if counted != events:
        msg = f"{counted} events were replayed of {events}"
        raise RuntimeError(msg)
    return duration
