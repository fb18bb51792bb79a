"""The monitor as a whole: files that grow, workers, states, pictures; from rows to what people see.

The plots by themselves are measured in :mod:`benchmarks.monitor_plots`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import psutil

from benchmarks import documents, hutch_side
from benchmarks.measuring import Figure, Plan, Row, Target
from benchmarks.monitor_plots import geometry_text, packets

__all__ = ["measure"]

_NEW = 22_000
"""What one interval of the monitor brings."""
_FEW, _MANY = 10_000, 10_000_000
_SEVERAL = 23
"""As many plots as the older monitor has: the rates, the histograms, the maps of all tiles."""
_IDLE_FILES = 100
_IDLE_INTERVAL_S = 10.0
_CYCLES_A_DAY = 2880
"""Of 24 h, at an interval of 30 s."""


def measure(plan: Plan) -> Iterator[Row]:
    """Measure updates of files as they grow, the way of rows to a picture, idle files, and a day's memory."""
    with plan.scratch() as folder:
        os.environ["PIXEL_GEOMETRY_PATH"] = str(folder / "layout.yaml")
        (folder / "layout.yaml").write_text(geometry_text())
        yield from _updates(plan, folder)
        yield from _idle(plan, folder)
        yield from _day(plan, folder)
        yield from _pictures(plan, folder)
        yield from _runs(plan, folder)


def _updates(plan: Plan, folder: Path) -> Iterator[Row]:
    """Measure full updates of many plots as the file grows from few rows to many."""
    grown: dict[int, Figure] = {}
    with _watched(folder / "updates") as (monitor, file):
        for rows in (_FEW, plan.scaled(_MANY)):
            _grow_to(file, rows)
            while monitor.cycle().is_behind:
                pass
            took = []
            for _ in range(plan.repetitions):
                _append(file, _NEW)
                begin = time.perf_counter()
                monitor.cycle()
                took.append(time.perf_counter() - begin)
            grown[rows] = Figure.of(took, "s")
    few, many = grown.values()
    rows = f"{plan.scaled(_MANY):,} rows"
    what = f"{_NEW:,} new packets, {_SEVERAL} plots and PNG"
    yield Row(f"{what}, a file of {_FEW:,} rows", few, Target.below(1.5, "s"))
    yield Row(f"{what}, a file of {rows}", many, Target.times(1 / 1.2), f"a file of {_FEW:,} rows", few)


def _idle(plan: Plan, folder: Path) -> Iterator[Row]:
    """Measure what files cost that nobody writes to: looking at them, and waiting in between."""
    from hutch.monitor.reading.watching import FolderWatcher

    with _watched(folder / "idle") as (monitor, file):
        content = file.read_bytes()
        for number in range(1, _IDLE_FILES):
            (file.parent / f"idle-{number}.h5").write_bytes(content)
        while monitor.cycle().is_behind:
            pass
        for _ in range(3):
            monitor.cycle()
        watcher = FolderWatcher(file.parent)
        watcher.poll()
        shares = []
        for _ in range(plan.repetitions):
            begin = time.process_time()
            for _ in range(10):
                monitor.cycle()
            looked_s = (time.process_time() - begin) / 10
            begin = time.process_time()
            watcher.wait(_IDLE_INTERVAL_S / 10)
            waited_s = 10 * (time.process_time() - begin)
            shares.append(100 * (looked_s + waited_s) / _IDLE_INTERVAL_S)
    yield Row(
        f"{_IDLE_FILES} idle files, a look every {_IDLE_INTERVAL_S:g} s",
        Figure.of(shares, "% of a core"),
        Target.below(2, "% of a core"),
    )


def _day(plan: Plan, folder: Path) -> Iterator[Row]:
    """Measure how memory grows over as many cycles as a day has, each with new rows."""
    cycles = plan.scaled(_CYCLES_A_DAY)
    with _watched(folder / "day", names=("PacketRate",)) as (monitor, file):
        used = []
        for number in range(cycles):
            _append(file, 100)
            monitor.cycle()
            if number in (cycles // 10, cycles - 1):
                processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
                used.append(sum(one.memory_info().rss for one in processes) / 1e6)
    grown = used[1] - used[0]
    yield Row(f"memory after {cycles:,} cycles", Figure.of([grown], "MB more"), Target.below(20, "MB more"))


def _pictures(plan: Plan, folder: Path) -> Iterator[Row]:
    """Measure the way from rows to the last picture that shows them, while rows keep coming."""
    interval, place = 5.0, folder / "pictures"
    file = _first_file(place)
    status = place / "plots" / "data_dqm" / "status.json"
    options = ["-i", str(file.parent), "-o", str(place / "plots"), "--interval", str(interval)]
    with _command(*options, "--plots", *_plots_of_packets()):
        _wait(status.exists)
        rows, waiting, late = 100, deque[tuple[int, float]](), []
        end = time.time() + interval * plan.scaled(50)
        due = time.time()
        while time.time() < end or waiting:
            if time.time() >= due and due < end:
                due += interval / 10
                _append(file, _NEW // 10)
                rows += _NEW // 10
                waiting.append((rows, time.time()))
            # It is written when the pictures are.
            shown, written = _shown_by_all(status), status.stat().st_mtime
            while waiting and waiting[0][0] <= shown:
                late.append(written - waiting.popleft()[1])
            time.sleep(0.005)
    late.sort()
    worst = late[min(int(0.99 * len(late)), len(late) - 1)]
    yield Row(
        f"from rows to the last of {_SEVERAL} pictures, p99, at an interval of {interval:g} s",
        Figure(worst, "s", (late[0], late[-1])),
        Target.below(interval + 1, "s"),
    )


def _shown_by_all(status: Path) -> int:
    """Return how many rows are shown by all pictures."""
    return min(plot["rows_seen"] for plot in json.loads(status.read_bytes())["plots"].values())


def _runs(plan: Plan, folder: Path) -> Iterator[Row]:
    """Measure the way from an event of a run to its pictures in the store, which pages show."""
    place = folder / "runs"
    late = []
    with hutch_side.catalog(place / "store") as cat:
        shows = ["--catalog", str(place / "store"), "--serve", "-o", str(place / "plots")]
        with _command(*shows, "--interval", "0.5"):
            record = cat.recorder()
            run = documents.run(200)
            uid = next(doc["uid"] for name, doc in run if name == "start")
            seen = 0
            for name, doc in run:
                record(name, doc)
                if name != "event":
                    continue
                seen += 1
                if seen % 10:
                    continue
                begin = time.perf_counter()
                _wait(lambda seen=seen: min(_shown(cat, uid), default=0) >= seen)  # type: ignore[misc]
                late.append(time.perf_counter() - begin)
            pictures = len(_shown(cat, uid))
    late = sorted(late[2:])
    worst = late[min(int(0.99 * len(late)), len(late) - 1)]
    what = f"from events of a run to the last of {pictures} pictures in the store, p99"
    yield Row(what, Figure(worst, "s", (late[0], late[-1])), Target.below(1, "s"))


def _shown(cat: Any, uid: str) -> list[int]:
    """Return how many rows each of the published pictures of a run shows."""
    from hutch.documents import decode

    tiles = cat.store.tiles_of_run(cat[uid].row.id)
    return [int(decode(tile.meta)["seen"]) for tile in tiles if tile.picture_bytes]


# files that grow, and monitors


@contextmanager
def _watched(place: Path, *, names: tuple[str, ...] = ()) -> Iterator[tuple[Any, Path]]:
    """Lend a monitor of two workers over a folder with one file, and the file."""
    from hutch.monitor.reading.watching import FolderWatcher
    from hutch.monitor.working.cycle import Monitor

    file = _first_file(place)
    chosen = names or _plots_of_packets()
    with Monitor(place / "plots", [FolderWatcher(file.parent)], plots=chosen, workers=2) as monitor:
        yield monitor, file


def _plots_of_packets() -> tuple[str, ...]:
    """Return the names of as many plots as the older monitor has."""
    from hutch.monitor.plots import SHIPPED

    return tuple(name for name in SHIPPED if "packets" in SHIPPED[name].formats)[:_SEVERAL]


def _first_file(place: Path) -> Path:
    file = place / "data" / "data.h5"
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as made:
        made.create_group("_header").attrs["version"] = "2.4"
        made.create_dataset("packets", data=packets(100, 0), maxshape=(None,), chunks=(10_000,))
    return file


def _append(file: Path, count: int) -> None:
    with h5py.File(file, "a", locking=False) as made:
        rows = made["packets"]
        begin = len(rows)
        rows.resize(begin + count, axis=0)
        rows[begin:] = packets(count, begin)


def _grow_to(file: Path, rows: int) -> None:
    with h5py.File(file, "r", locking=False) as made:
        there = len(made["packets"])
    while there < rows:
        some = min(1_000_000, rows - there)
        _append(file, some)
        there += some


@contextmanager
def _command(*options: str) -> Iterator[None]:
    """Have ``hutch monitor`` work in a process of its own."""
    command = [sys.executable, "-m", "hutch.cli", "monitor", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        while process.stderr is not None and "Stop with" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError(f"the monitor has ended: {process.wait()}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _wait(is_so: Callable[[], bool], patience_s: float = 60.0) -> None:
    until = time.perf_counter() + patience_s
    while not is_so():
        if time.perf_counter() > until:
            raise TimeoutError
        time.sleep(0.002)
