"""Runs that are long, and runs that are wide: a day at one event a second, and 2,000 columns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import documents, hutch_side, peers
from benchmarks.measuring import Figure, Plan, Row, Target, rates, seconds, side_by_side

__all__ = ["measure"]

_DAY = 86_400
_COLUMNS = 2_000
_WIDE_EVENTS = 2_000
_LONGEST_WAIT_S = 120.0
_LOOK_EVERY_S = 0.1


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch beside one Arrow file of the same columns, which nobody can read before it is whole."""
    yield from _day(plan)
    yield from _wide(plan)


def _day(plan: Plan) -> Iterator[Row]:
    events = plan.scaled(_DAY)
    what = f"{events:,} events, one a commit"
    with plan.scratch() as folder, hutch_side.catalog(folder / "store") as cat:
        # It commits each event before it returns, as if they came a second apart.
        recorder = cat.recorder(strict=True)
        start, descriptor = documents.described_run()
        recorder("start", start)
        recorder("descriptor", descriptor)
        begin = time.perf_counter()
        for number in range(events):
            recorder("event", documents.event(descriptor["uid"], number))
        yield Row(f"{what}: recorded", rates([time.perf_counter() - begin], events, "events/s"))
        # At one a second merging is never behind; at thousands it is.
        caught_up = Figure.of([seconds(lambda: _await_merging(cat))], "s")
        yield Row(f"{what}: merged after so long", caught_up, Target.below(60, "s"))
        table = _one_file(cat, folder)
        yield from _read(plan, cat, table, f"{what}: read() meanwhile")
        recorder("stop", documents.stop(start["uid"], events))
        recorder.close()
        hutch_side.settle(cat)
        yield from _read(plan, cat, table, f"{what}: read() afterwards")
        _check(cat[-1].primary.read().sizes["time"], events)


def _await_merging(cat: Any) -> None:
    """Wait until the background has merged what an open run has too much of."""
    from hutch.store.batches.tiering import choose

    deadline = time.monotonic() + _LONGEST_WAIT_S
    run = cat[-1].row.id
    while choose(cat.store.batches(run), is_open=True) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _one_file(cat: Any, folder: Path) -> Path:
    """Return an Arrow file with what ``read()`` returns."""
    import pyarrow as pa

    found, path = cat[-1].primary.to_arrow(), folder / "day.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, found.schema) as out:
        out.write_table(found.combine_chunks())
    return path


def _read(plan: Plan, cat: Any, path: Path, what: str) -> Iterator[Row]:
    found = side_by_side(
        {
            "hutch": lambda: seconds(lambda: cat[-1].primary.read()),
            "pyarrow": lambda: seconds(lambda: _copied(path)),
        },
        2 * plan.repetitions,
    )
    ours, theirs = (
        Figure.of([1e3 * duration for duration in durations], "ms") for durations in found.values()
    )
    yield Row(what, ours, Target.below(50, "ms"), "pyarrow, one file", theirs)


def _copied(path: Path) -> dict[str, Any]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return {name: table.column(name).to_numpy().copy() for name in table.column_names}


def _wide(plan: Plan) -> Iterator[Row]:
    events = plan.scaled(_WIDE_EVENTS)
    run = documents.run(events, keys=[f"reading_{number}" for number in range(_COLUMNS)])
    with plan.scratch() as folder, hutch_side.catalog(folder / "store") as cat:
        recorded = side_by_side(
            {
                "hutch": lambda: _record(plan, run),
                "pyarrow": lambda: seconds(lambda: peers.pyarrow_events(run, folder, rows=100)),
            },
            plan.repetitions,
        )
        ours, theirs = (rates(durations, events, "events/s") for durations in recorded.values())
        yield Row(f"{_COLUMNS:,} columns: single events", ours, None, "pyarrow, one file", theirs)
        hutch_side.record(cat, run)
        run.clear()
        hutch_side.settle(cat)
        yield from _read_columns(plan, cat, folder / "events.arrow", f"{_COLUMNS:,} columns × {events:,}")


def _read_columns(plan: Plan, cat: Any, path: Path, what: str) -> Iterator[Row]:
    found = side_by_side(
        {
            "one": lambda: seconds(lambda: cat[-1].primary["reading_7"].read()),
            "all": lambda: seconds(lambda: cat[-1].primary.read()),
            "pyarrow": lambda: seconds(lambda: _one_column(path)),
        },
        plan.repetitions,
    )
    one, every, theirs = (Figure.of([1e3 * duration for duration in some], "ms") for some in found.values())
    yield Row(f"{what}: one read", one, Target.times(10), "all of them", every)
    yield Row(f"{what}: one read", one, None, "pyarrow, one file", theirs)


def _record(plan: Plan, run: Sequence[documents.Document]) -> float:
    with plan.scratch() as folder, hutch_side.catalog(folder) as cat:
        return seconds(lambda: hutch_side.record(cat, run))


def _one_column(path: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all().column("data.reading_7").to_numpy().copy()


def _check(found: int, events: int) -> None:
    if found != events:
        msg = f"{found} events came back of {events}"
        raise RuntimeError(msg)
