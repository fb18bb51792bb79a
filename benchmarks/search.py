"""Finding runs among many: in a folder, in a database, and beside a Tiled server that holds the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import documents, generated_stores, hutch_side, postgres_server
from benchmarks.measuring import Figure, Plan, Row, Target, seconds, side_by_side

__all__ = ["measure"]

_SIZES = (10_000, 100_000, 1_000_000)
_SERVER_RUNS = 100_000
_RECORDED = 300
_FLAT = ("newest 10 of equality", "a prefix of a uid", "scan_id", "cat[-1]")
"""Questions whose cost must not grow with the catalog."""

Question = Callable[[Any], Any]


def questions(count: int) -> dict[str, tuple[Question, float]]:
    """Return what is asked of a catalog of so many runs, and in how many ms it must be answered."""
    from hutch.queries import FullText, Key

    tenth = Key("plan_name") == "scan"
    other = Key("sample.name") == "LaB6"
    few = Key("proposal_id") == 10_042
    half = Key("num_points") > 50
    number = count * 2 // 3
    uid = generated_stores.uid_of(number)
    return {
        "equality, 10 % hits: len": (lambda cat: len(cat.search(tenth)), 15.0),
        "newest 10 of equality": (lambda cat: starts(cat.search(tenth)[-10:]), 3.0),
        "range over half the runs: newest 10": (lambda cat: starts(cat.search(half)[-10:]), 20.0),
        "two keys of 10 % each: len": (lambda cat: len(cat.search(tenth).search(other)), 100.0),
        "two keys, one of them selective: len": (lambda cat: len(cat.search(tenth).search(few)), 3.0),
        "a prefix of a uid": (lambda cat: cat[uid[:12]].uid, 1.0),
        "scan_id": (lambda cat: cat[number + 1].uid, 1.0),
        "cat[-1]": (lambda cat: cat[-1].uid, 1.0),
        "a word of full text: len": (lambda cat: len(cat.search(FullText("overnight"))), 20.0),
        "a word of full text: newest 10": (lambda cat: starts(cat.search(FullText("overnight"))[-10:]), 20.0),
        "metadata of 100 runs": (lambda cat: starts(cat[-100:]), 10.0),
    }


def starts(cat: Any) -> list[Any]:
    """Return the start documents of all runs of a catalog."""
    found = [run.metadata["start"] for run in cat.values()]
    if not found:
        msg = "nothing was found"
        raise RuntimeError(msg)
    return found


def measure(plan: Plan) -> Iterator[Row]:
    """Measure look-ups and searches in catalogs of ten thousand runs to a million."""
    sizes = _SIZES[:1] if plan.quick else _SIZES
    found: dict[int, dict[str, Figure]] = {}
    for count in sizes:
        with loaded(plan, count) as folder:
            found[count] = asked(folder, count, plan)
            if count == sizes[-1]:
                for what, (_, most_ms) in questions(count).items():
                    yield Row(f"{count:,} runs: {what}", found[count][what], Target.below(most_ms, "ms"))
                yield from _opening(folder, count, plan)
                yield from _recording(folder, count, plan)
    for what in _FLAT if len(sizes) > 1 else ():
        few, many = found[sizes[0]][what], found[sizes[-1]][what]
        name = f"{what}, {sizes[-1]:,} runs"
        yield Row(name, many, Target.times(1 / 3), f"hutch, {sizes[0]:,} runs", few)
    yield from _server(plan)


@contextmanager
def loaded(plan: Plan, count: int) -> Iterator[Path]:
    """Lend a store with so many runs."""
    from hutch.store import open_store

    with plan.scratch() as place:
        open_store(place / "store").close()
        generated_stores.load_folder(place / "store", count)
        yield place / "store"


def asked(where: Path | str, count: int, plan: Plan) -> dict[str, Figure]:
    """Return how long each question takes, in ms, when the store has been used a little."""
    found: dict[str, Figure] = {}
    with hutch_side.catalog(where) as cat:
        for what, (question, _) in questions(count).items():
            question(cat)
            took = [1e3 * seconds(lambda: question(cat)) for _ in range(3 * plan.repetitions)]  # noqa: B023
            found[what] = Figure.of(took, "ms")
    return found


_OPEN = """
import sys, time
import hutch, hutch.catalogs, hutch.store
from hutch.store import sqlite
begin = time.perf_counter()
cat = hutch.open_catalog(sys.argv[1])
repr(cat)
print(1e3 * (time.perf_counter() - begin))
"""


def _opening(folder: Path, count: int, plan: Plan) -> Iterator[Row]:
    took = [
        float(subprocess.run([sys.executable, "-c", _OPEN, folder], check=True, capture_output=True).stdout)
        for _ in range(plan.repetitions)
    ]
    yield Row(f"{count:,} runs: open and print", Figure.of(took, "ms"), Target.below(100, "ms"))


def _recording(folder: Path, count: int, plan: Plan) -> Iterator[Row]:
    """Record short runs into an empty store and into a full one, in turn."""
    with plan.scratch() as empty:
        found = side_by_side(
            {
                "full": lambda: _record(folder),
                "empty": lambda: _record(empty / str(time.monotonic_ns())),
            },
            plan.repetitions,
        )
    full, none = (Figure.of([1e3 * one / _RECORDED for one in some], "ms") for some in found.values())
    yield Row(f"{count:,} runs: one more", full, Target.times(1 / 1.3), "into an empty store", none)


def _record(where: Path) -> float:
    runs = [documents.run(10, scan_id=number + 1) for number in range(_RECORDED + 20)]
    with hutch_side.catalog(where) as cat:
        hutch_side.record_runs(cat, runs[:20])
        return seconds(lambda: hutch_side.record_runs(cat, runs[20:]))


def _server(plan: Plan) -> Iterator[Row]:
    if postgres_server.programs() is None:
        print("PostgreSQL is not installed; searches there are not measured", file=sys.stderr)
        return
    count = _SIZES[0] if plan.quick else _SERVER_RUNS
    with plan.scratch() as place, postgres_server.server(place) as server:
        address = postgres_server.address_of_new_store(server, place)
        generated_stores.load_server(address, count)
        found = asked(address, count, plan)
    for what, (_, most_ms) in questions(count).items():
        yield Row(f"{count:,} runs on PostgreSQL: {what}", found[what], Target.below(2 * most_ms, "ms"))
