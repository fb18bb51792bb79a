"""Frames in a detector's HDF5 file: all, the first, a corner of each; beside h5py and Tiled."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import event_model
import h5py
import numpy as np

from benchmarks import hutch_side, peers
from benchmarks.measuring import Figure, Plan, Row, Target, seconds, side_by_side

__all__ = ["SHAPE", "documents", "measure", "write"]

_FRAMES = 1000
SHAPE = (512, 512)
_CORNER = (slice(None), slice(0, 16), slice(0, 16))


def write(path: Path, count: int) -> None:
    """Write frames of uint16, a chunk each, as areaDetector does."""
    random = np.random.default_rng(1)
    with h5py.File(path, "w", libver="latest") as file:
        frames = file.create_dataset("entry/data/data", (count, *SHAPE), "uint16", chunks=(1, *SHAPE))
        for number in range(count):
            frames[number] = random.integers(0, 60_000, SHAPE, "uint16")


def documents(path: Path, count: int) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a run that took these frames: an event and a datum for each."""
    bundle = event_model.compose_run()
    yield "start", bundle.start_doc
    img = {"source": "f", "dtype": "array", "dtype_numpy": "<u2", "shape": [*SHAPE], "external": "STREAM:"}
    data_keys = {"img": img, "x": {"source": "f", "dtype": "number", "shape": []}}
    descriptor = bundle.compose_descriptor(name="primary", data_keys=data_keys)
    yield "descriptor", descriptor.descriptor_doc
    resource = bundle.compose_stream_resource(
        mimetype="application/x-hdf5",
        uri=f"file://localhost{path}",
        data_key="img",
        parameters={"dataset": "/entry/data/data", "chunk_shape": (1, *SHAPE)},
    )
    yield "stream_resource", resource.stream_resource_doc
    for number in range(count):
        indices, seq_nums = ({"start": number + first, "stop": number + first + 1} for first in (0, 1))
        yield "stream_datum", resource.compose_stream_datum(indices, seq_nums, descriptor.descriptor_doc)
        yield "event", descriptor.compose_event(data={"x": 0.5}, timestamps={"x": 0.0}, seq_num=number + 1)
    yield "stop", bundle.compose_stop()


def measure(plan: Plan) -> Iterator[Row]:
    """Measure reading frames that one program wrote; the file is in the system's cache."""
    from bluesky_tiled_plugins import TiledWriter

    count = plan.scaled(_FRAMES)
    with plan.scratch() as folder, hutch_side.catalog(folder) as cat:
        path = folder / "frames.h5"
        write(path, count)
        run = list(documents(path, count))
        hutch_side.record(cat, run)
        with plan.scratch() as theirs, peers.tiled(theirs, readable=folder) as client:
            writer = TiledWriter(client)
            for name, document in run:
                writer(name, document)
            other = client.values().last()
            yield from _all(plan, cat, path, other, count)
        yield from _first(plan, cat, path)
        yield _memory(cat, count)


def _raw(path: Path, frames: int) -> np.ndarray:
    """Read frames as fast as h5py can: straight into an array."""
    found = np.empty((frames, *SHAPE), "uint16")
    with h5py.File(path, "r") as file:
        file["entry/data/data"].read_direct(found, np.s_[:frames])
    return found


def _all(plan: Plan, cat: Any, path: Path, other: Any, count: int) -> Iterator[Row]:
    size = count * SHAPE[0] * SHAPE[1] * 2 / 1e6
    what = f"{count:,} frames of 512×512 uint16"
    # By twos, as who comes after Tiled finds memory in another state.
    for peer, read, target in (
        ("h5py", lambda: _raw(path, count), 0.9),
        ("Tiled, in process", lambda: other["primary"]["img"].read(), 1),
    ):
        found = side_by_side(
            {
                "hutch": lambda: seconds(lambda: cat[-1].primary["img"].read()),
                peer: lambda: seconds(read),  # noqa: B023
            },
            2 * plan.repetitions,
        )
        ours, theirs = (Figure.of([size / one for one in some], "MB/s") for some in found.values())
        yield Row(what, ours, Target.times(target), peer, theirs)


def _first(plan: Plan, cat: Any, path: Path) -> Iterator[Row]:
    run = cat[-1]
    found = side_by_side(
        {
            "hutch": lambda: seconds(lambda: cat[-1].primary["img"][0]),
            "once": lambda: _once(cat),
            "again": lambda: seconds(lambda: run.primary["img"][0]),
            "h5py": lambda: seconds(lambda: _raw(path, 1)),
        },
        6 * plan.repetitions,
    )
    ours, once, again, raw = (
        Figure.of([1e3 * duration for duration in durations], "ms") for durations in found.values()
    )
    target = Target.below(raw.value + 2, "ms")
    yield Row("the first frame, of a run just looked up", ours, target, "h5py", raw)
    yield Row("a frame, of a run that is there", again, target, "h5py", raw)
    yield Row("the first frame in a process, a datum for each frame", once, None, "h5py", raw)


def _once(cat: Any) -> float:
    from hutch.catalogs.reading import stream_assets

    stream_assets._kept.clear()  # noqa: SLF001 - as in a process that has read nothing yet
    return seconds(lambda: cat[-1].primary["img"][0])


def _memory(cat: Any, count: int) -> Row:
    size = count * 16 * 16 * 2 / 1e6
    tracemalloc.start()
    try:
        cat[-1].primary["img"][_CORNER]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    figure = Figure.of([peak / 1e6], "MB")
    return Row(f"memory for a corner of each frame, {size:.1f} MB", figure, Target.below(size + 20, "MB"))
