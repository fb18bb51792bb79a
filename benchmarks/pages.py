"""Pages of 1,000 events of 10 scalar keys, validated, until they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import documents, hutch_side, peers
from benchmarks.measuring import Plan, Row, Target, rates, seconds, side_by_side

__all__ = ["measure"]

_PAGES = 500
_ROWS = 1000


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch beside suitcase-msgpack and plain Parquet."""
    pages = plan.scaled(_PAGES)
    run = documents.paged_run(pages, _ROWS)
    found = side_by_side(
        {
            "hutch": lambda: _hutch(plan, run),
            "suitcase-msgpack": lambda: _file(plan, run, peers.suitcase_msgpack),
            "Parquet": lambda: _file(plan, run, peers.pyarrow_pages),
        },
        plan.repetitions,
    )
    events = pages * _ROWS
    ours = rates(found["hutch"], events, "events/s")
    target = Target.above(1_000_000, "events/s")
    for peer in ("suitcase-msgpack", "Parquet"):
        yield Row("events in pages", ours, target, peer, rates(found[peer], events, "events/s"))


def _hutch(plan: Plan, run: list[documents.Document]) -> float:
    with plan.scratch() as folder, hutch_side.catalog(folder) as cat:
        return seconds(lambda: hutch_side.record(cat, run))


def _file(plan: Plan, run: list[documents.Document], write: Callable[[Any, Path], None]) -> float:
    with plan.scratch() as folder:
        return seconds(lambda: write(run, folder))
