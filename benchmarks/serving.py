"""The same runs served by hutch and by a genuine Tiled server, to the same client of Tiled's over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import generated_stores, hutch_side, images, peers, search, search_peers
from benchmarks.measuring import Figure, Plan, Row, Target, seconds, side_by_side
from benchmarks.servers import KEY, served

__all__ = ["measure"]

_RUNS = 100_000
_FRAMES = 200
_REPETITIONS = 5

Question = Callable[[Any], Any]


def measure(plan: Plan) -> Iterator[Row]:
    """Measure what a scientist asks with Tiled's client, and images."""
    count, frames = plan.scaled(_RUNS), plan.scaled(_FRAMES)
    with search.loaded(plan, count) as folder, plan.scratch() as theirs:
        path = folder / "frames.h5"
        images.write(path, frames)
        run = list(images.documents(path, frames))
        with hutch_side.catalog(folder) as cat:
            hutch_side.record(cat, run)
        with peers.tiled(theirs, readable=folder) as client:
            _fill(client, theirs, folder, run, count)
        with served("hutch", folder, folder) as one, served("tiled", theirs, folder) as other:
            with _client(one) as ours, _client(other) as genuine:
                yield from _asked(ours, genuine, count)
                yield from _read(ours, genuine, run[0][1]["uid"], frames)


def _fill(client: Any, folder: Path, readable: Path, run: list[tuple[str, Any]], count: int) -> None:
    """Give Tiled what hutch has: the generated runs by their rows, the run of images by its writer."""
    from bluesky_tiled_plugins import TiledWriter
    from tiled.structures.core import Spec

    client.create_container("raw", specs=[Spec("CatalogOfBlueskyRuns", "3.0")])
    search_peers.load(folder / "catalog.db", count)
    writer = TiledWriter(client["raw"])
    for name, document in run:
        writer(name, document)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    from tiled.client import from_uri

    client = from_uri(address, api_key=KEY)
    try:
        yield client["raw"]
    finally:
        client.context.close()


def _asked(ours: Any, genuine: Any, count: int) -> Iterator[Row]:
    from tiled.queries import FullText, Key

    number = count * 2 // 3
    uid = generated_stores.uid_of(number)
    questions: dict[str, tuple[Question, float]] = {
        "equality: len": (lambda cat: len(cat.search(Key("start.plan_name") == "scan")), 8),
        "newest of equality": (
            lambda cat: _start(cat.search(Key("start.plan_name") == "scan").values().last()),
            8,
        ),
        "range over half: len": (lambda cat: len(cat.search(Key("start.num_points") > 50)), 8),
        "scan_id": (lambda cat: _start(cat[number + 1]), 8),
        "a prefix of a uid": (lambda cat: _start(cat[uid[:8]]), 8),
        "a word of full text: len": (lambda cat: len(cat.search(FullText("overnight"))), 50),
        "full uid": (lambda cat: _start(cat[uid]), 1),
        "cat[-1]": (lambda cat: _start(cat[-1]), 1),
    }
    for what, (question, times) in questions.items():
        yield _row(f"{count:,} runs served: {what}", question, ours, genuine, Target.times(times))


def _read(ours: Any, genuine: Any, uid: str, frames: int) -> Iterator[Row]:
    one, other = (cat[uid].primary for cat in (ours, genuine))
    yield _row("served: primary.read() of 1 column", lambda run: run.read(["x"]), one, other, Target.times(1))
    image, genuine_image = one["img"], other["img"]
    yield _row(
        "served: one frame of 512×512", lambda array: array[3], image, genuine_image, Target.below(40, "ms")
    )
    size = frames * images.SHAPE[0] * images.SHAPE[1] * 2 / 1e6
    found = side_by_side(
        {
            "hutch": lambda: seconds(lambda: image.read()),
            "Tiled": lambda: seconds(lambda: genuine_image.read()),
        },
        _REPETITIONS,
    )
    rates = [Figure.of([size / duration for duration in some], "MB/s") for some in found.values()]
    yield Row(f"served: {frames} frames", rates[0], Target.times(1.3), "Tiled", rates[1])


def _row(what: str, question: Question, ours: Any, genuine: Any, target: Target) -> Row:
    question(ours), question(genuine)
    found = side_by_side(
        {
            "hutch": lambda: seconds(lambda: question(ours)),
            "Tiled": lambda: seconds(lambda: question(genuine)),
        },
        _REPETITIONS,
    )
    figures = [Figure.of([1e3 * duration for duration in some], "ms") for some in found.values()]
    return Row(what, figures[0], target, "Tiled", figures[1])


def _start(run: Any) -> Any:
    return run.metadata["start"]
