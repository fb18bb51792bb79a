"""The same runs in a catalog of Tiled's, and the same questions to hutch and to its client."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks import generated_stores, hutch_side, peers, search
from benchmarks.measuring import Figure, Plan, Row, Target, seconds

__all__ = ["load", "measure"]

_RUNS = 10_000
_FASTER, _MUCH_FASTER = 20, 100
_REPETITIONS = 5

_INSERT = (
    "INSERT INTO nodes (parent, key, structure_family, metadata, specs, time_created, time_updated) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch in a folder beside a Tiled server in the same process, its catalog in SQLite."""
    count = plan.scaled(_RUNS)
    with search.loaded(plan, count) as folder, _tiled(plan, count) as theirs:
        with hutch_side.catalog(folder) as ours:
            for what, (question, other, times) in _questions(count).items():
                figures = [_timed(question, ours), _timed(other, theirs)]
                yield Row(f"{count:,} runs: {what}", figures[0], Target.times(times), "Tiled", figures[1])


def _timed(question: search.Question, cat: Any) -> Figure:
    question(cat)
    return Figure.of([1e3 * seconds(lambda: question(cat)) for _ in range(_REPETITIONS)], "ms")


@contextmanager
def _tiled(plan: Plan, count: int) -> Iterator[Any]:
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns
    from tiled.structures.core import Spec

    with plan.scratch() as folder, peers.tiled(folder) as client:
        client.create_container("raw", specs=[Spec("CatalogOfBlueskyRuns", "3.0")])
        load(folder / "catalog.db", count)
        raw = client["raw"]
        if not isinstance(raw, CatalogOfBlueskyRuns) or len(raw) != count:
            msg = f"Tiled does not serve the runs: {raw!r}"
            raise RuntimeError(msg)
        yield raw


def load(path: Path, count: int) -> None:
    """Insert containers as a client would have made them; triggers see to the other tables."""
    specs = orjson.dumps([{"name": "BlueskyRun", "version": "3.0"}]).decode()
    with closing(sqlite3.connect(path)) as connection:
        (parent,) = connection.execute("SELECT id FROM nodes WHERE key = 'raw'").fetchone()
        moment = "2026-01-01 00:00:00.000000"
        for number in range(count):
            start, stop = generated_stores.documents(number)
            metadata = orjson.dumps({"start": start, "stop": stop}).decode()
            values = (parent, start["uid"], "container", metadata, specs, moment, moment)
            connection.execute(_INSERT, values)
        connection.commit()


def _questions(count: int) -> dict[str, tuple[search.Question, search.Question, float]]:
    """Return what is asked of hutch and of Tiled's client, and how many times faster hutch must be."""
    from tiled.queries import FullText, Key

    from hutch import queries as ours

    number = count * 2 // 3
    uid = generated_stores.uid_of(number)
    scan, points = Key("start.plan_name") == "scan", Key("start.num_points") > 50
    sample = Key("start.sample.name") == "LaB6"

    def tenth(cat: Any) -> int:
        return len(cat.search(scan))

    def many(cat: Any) -> int:
        return len(cat.search(points))

    def theirs(key: Any) -> search.Question:
        return lambda cat: cat[key].metadata["start"]["uid"]

    def three(cat: Any) -> int:
        return len(cat.search(scan).search(points).search(sample))

    def starts(cat: Any) -> list[Any]:
        return [run.metadata["start"] for run in cat.values()[-1:-101:-1]]

    return {
        "equality, 10 % hits: len": (
            lambda cat: len(cat.search(scan)),
            lambda cat: len(cat.search(scan)),
            20,
        ),
        "newest of equality": (
            lambda cat: cat.search(scan)[-1].metadata["start"],
            lambda cat: cat.search(scan).values().last().metadata["start"],
            20,
        ),
        "range over half: len": (
            lambda cat: len(cat.search(points)),
            lambda cat: len(cat.search(points)),
            20,
        ),
        "three searches, one in the other: len": (three, three, 20),
        "a word of full text: len": (
            lambda cat: len(cat.search(ours.FullText("overnight"))),
            lambda cat: len(cat.search(FullText("overnight"))),
            100,
        ),
        "full uid": (lambda cat: cat[uid].uid, theirs(uid), 20),
        "a prefix of a uid": (
            lambda cat: cat[uid[:8]].uid,
            theirs(uid[:8]),
            100,
        ),
        "scan_id": (
            lambda cat: cat[number + 1].uid,
            theirs(number + 1),
            100,
        ),
        "cat[-1]": (lambda cat: cat[-1].uid, theirs(-1), 20),
        "metadata of 100 runs": (lambda cat: search.starts(cat[-100:]), starts, 20),
        "distinct": (
            lambda cat: cat.distinct("plan_name", counts=True),
            lambda cat: cat.distinct("start.plan_name", counts=True),
            20,
        ),
        "all uids": (lambda cat: list(cat), lambda cat: list(cat), 20),
    }
