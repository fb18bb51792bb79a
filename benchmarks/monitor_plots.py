"""The monitor's plots of LArPix packets: how fast they take packets in, and how long pictures take."""

from __future__ import annotations

import io
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Figure, Plan, Row, Target

__all__ = ["geometry_text", "measure", "packets"]

_PACKETS = 5_000_000
_BATCH = 1 << 20
_UPDATE = 22_000
"""What one interval of the monitor brings."""
_CHIPS = range(11, 111)
_PIXELS_A_CHIP = 49


def measure(plan: Plan) -> Iterator[Row]:
    """Measure all plots of packets together, one core, and their pictures."""
    fresh = multiprocessing.get_context("spawn")
    with plan.scratch() as folder:
        geometry = folder / "layout.yaml"
        geometry.write_text(geometry_text())
        with fresh.Pool(1) as pool:
            rates, updates, first, again = pool.apply(
                _measure, (geometry, plan.scaled(_PACKETS), plan.repetitions)
            )
        with fresh.Pool(2) as pool:
            both = [_drawn_by(pool, geometry) for _ in range(plan.repetitions)]
    yield Row("all plots: packets taken in", Figure.of(rates, "packets/s"), Target.above(5e6, "packets/s"))
    yield Row(f"all plots: an update by {_UPDATE:,}", Figure.of(updates, "ms"), Target.below(50, "ms"))
    yield Row("a picture, CPU, the first time", Figure.of(first, "ms"))
    yield Row("a picture, CPU, drawn again", Figure.of(again, "ms"), Target.below(120, "ms"))
    yield Row("all pictures, two processes", Figure.of(both, "s"), Target.below(1.5, "s"))


def _measure(geometry: Path, count: int, repetitions: int) -> tuple[list[float], ...]:
    """Return rates of packets, ms of updates, and ms of CPU of first and of later pictures."""
    from hutch.monitor.batch import Batch

    os.environ["PIXEL_GEOMETRY_PATH"] = str(geometry)
    plots = _plots()
    rows = packets(_BATCH, 0)
    rates, updates, first, again = [], [], [], []
    at = 0
    for _ in range(repetitions):
        begin, seen = time.perf_counter(), 0
        while seen < count:
            batch = Batch("benchmark.h5", "packets", at, rows)
            for plot in plots:
                plot.update(batch)
            seen += len(rows)
            at += len(rows)
        rates.append(seen / (time.perf_counter() - begin))
        batch = Batch("benchmark.h5", "packets", at, rows[:_UPDATE])
        begin = time.perf_counter()
        for plot in plots:
            plot.update(batch)
        updates.append(1e3 * (time.perf_counter() - begin))
        at += _UPDATE
        figures = [None] * len(plots)
        for kept in (first, again):
            begin = time.process_time()
            for number, plot in enumerate(plots):
                figures[number] = plot.figure(figures[number])
                figures[number].savefig(io.BytesIO(), format="png")  # type: ignore[attr-defined]
            kept.append(1e3 * (time.process_time() - begin) / len(plots))
    return rates, updates, first, again


_READY: list[Any] = []


def _draw(geometry: Path, part: int) -> int:
    """Draw every second plot, as a worker of the monitor does that has drawn them before."""
    from hutch.monitor.batch import Batch

    if not _READY:
        os.environ["PIXEL_GEOMETRY_PATH"] = str(geometry)
        for plot in _plots():
            plot.update(Batch("benchmark.h5", "packets", 0, packets(_UPDATE, 0)))
            _READY.append([plot, plot.figure()])
            _READY[-1][1].savefig(io.BytesIO(), format="png")
    for plot, figure in _READY[part::2]:
        plot.figure(figure).savefig(io.BytesIO(), format="png")
    return len(_READY)


def _drawn_by(pool: Any, geometry: Path) -> float:
    """Return the seconds that two processes need for all pictures."""
    jobs = [(geometry, part) for part in (0, 1)]
    pool.starmap(_draw, jobs, chunksize=1)
    begin = time.perf_counter()
    pool.starmap(_draw, jobs, chunksize=1)
    return time.perf_counter() - begin


def _plots() -> list[Any]:
    from hutch.monitor.plots import SHIPPED

    return [made() for made in SHIPPED.values() if "packets" in made.formats]


def packets(count: int, begin: int) -> np.ndarray:
    """Return packets as they come: in messages of 21 data packets, each after a timestamp; 2,200 a second.

    :param begin: how many came before.
    """
    from hutch.monitor.formats.decoding import PACKETS

    rng = np.random.default_rng(begin)
    rows = np.zeros(count, PACKETS)
    rows["io_group"], rows["io_channel"] = rng.integers(1, 3, count), rng.integers(1, 33, count)
    rows["chip_id"] = rng.integers(_CHIPS.start, _CHIPS.stop, count)
    rows["channel_id"] = rng.integers(0, _PIXELS_A_CHIP, count)
    rows["dataword"] = rng.normal(60, 5, count).clip(0, 255)
    rows["valid_parity"] = rng.random(count) > 1e-3
    rows["local_fifo"] = rng.random(count) < 0.01
    rows["timestamp"] = rng.integers(0, 10_000_000, count)
    rows["receipt_timestamp"] = rows["timestamp"] + 300
    rows["packet_type"][::22] = 4
    rows["timestamp"][::22] = 1_700_000_000 + (begin + 22 * np.arange(len(rows[::22]))) // 2200
    rows["packet_type"][21::22], rows["trigger_type"][21::22] = 6, ord("S")
    rows["timestamp"][21::22] = 10_000_000 + rng.integers(-3, 4, len(rows[21::22]))
    rows["packet_type"][10::2200], rows["trigger_type"][10::2200] = 7, 2
    return rows


def geometry_text() -> str:
    """Return a tile of 100 chips, 7 by 7 pixels each."""
    pixels = [f"- [{number}, {4.434 * (number % 70)}, {4.434 * (number // 70)}]" for number in range(4900)]
    chips = []
    for chip in _CHIPS:
        left, low = 7 * ((chip - 11) % 10), 7 * ((chip - 11) // 10)
        places = [70 * (low + at // 7) + left + at % 7 for at in range(_PIXELS_A_CHIP)]
        chips.append(f"- [{chip}, {places}]")
    return "\n".join(["chips:", *chips, "pixels:", *pixels, "width: 310.38", "height: 310.38", ""])
