"""Streams beyond steps of a scan: monitored signals, flyers, pages, detectors of ophyd-async.

Each test runs a plan of a real RunEngine and compares what is read back with what was emitted.
"""

# ruff: noqa: N802, N803, N806 - every beamline calls its RunEngine RE

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from bluesky.plans import count, fly, scan
from bluesky.utils import Msg
from ophyd import Signal
from ophyd.sim import MockFlyer, NewTrivialFlyer, NullStatus, SynAxis, SynGauss
from ophyd_async.core import StaticPathProvider, TriggerInfo, UUIDFilenameProvider, init_devices
from ophyd_async.sim import PatternGenerator, SimBlobDetector, SimMotor, SimPointDetector

from hutch.documents import is_same, plain
from hutch.recording.events.paging import page_events

Emitted = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def motor() -> SynAxis:
    return SynAxis(name="motor")


@pytest.fixture
def det(motor: SynAxis) -> SynGauss:
    return SynGauss("det", motor, "motor", center=0, Imax=1)


@pytest.fixture
def temperature() -> Signal:
    return Signal(name="temperature", value=20.0)


@pytest.fixture
def RE(make_run_engine: Callable[..., Any]) -> Any:
    return make_run_engine()


@pytest.fixture
def emitted(RE: Any) -> Emitted:
    """Everything that the RunEngine emits."""
    found: Emitted = []
    RE.subscribe(lambda name, doc: found.append((name, plain(dict(doc)))))
    return found


def _assert_is_replayed(run: Any, emitted: Emitted) -> None:
    """Compare a run's documents with what was emitted; events may come back without their page."""
    assert not run.store.marks(run.row.id)
    assert not run.store.quarantined()
    found, expected = _one_by_one(run.documents(fill="no")), _one_by_one(emitted)
    assert Counter(name for name, _ in found) == Counter(name for name, _ in expected)
    for one, other in zip(found, expected, strict=True):
        assert one[0] == other[0]
        assert is_same(one[1], other[1])


def _one_by_one(documents: Any) -> Emitted:
    found: Emitted = []
    for name, document in documents:
        events = page_events(plain(dict(document))) if name == "event_page" else None
        found += [("event", event) for event in events] if events else [(name, plain(dict(document)))]
    return found


# Monitored signals


def test_a_monitored_signal_has_a_stream_with_every_change(
    RE: Any, cat: Any, emitted: Emitted, temperature: Signal
) -> None:
    @bpp.run_decorator()
    def plan() -> Iterator[Msg]:
        yield from bps.monitor(temperature, name="oven")
        for value in (20.5, 21.0, 21.5):
            yield from bps.abs_set(temperature, value, wait=True)
        yield from bps.unmonitor(temperature)
        yield from bps.abs_set(temperature, 99.0, wait=True)

    RE(plan())
    assert list(cat[-1]) == ["oven"]
    assert cat[-1].oven.read()["temperature"].values.tolist() == [20.5, 21.0, 21.5]
    assert cat[-1].stop["num_events"] == {"oven": 3}
    _assert_is_replayed(cat[-1], emitted)


def test_monitors_go_on_beside_a_scan(
    make_run_engine: Any, cat: Any, det: Any, motor: SynAxis, temperature: Signal
) -> None:
    other = Signal(name="pressure", value=1)
    RE = make_run_engine(monitors=[temperature, other], baseline=[motor])

    def shot(detectors: Any, step: Any, pos_cache: Any) -> Iterator[Msg]:
        yield from bps.abs_set(temperature, 20.0 + step[motor], wait=True)
        yield from bps.one_nd_step(detectors, step, pos_cache)

    RE(scan([det], motor, 1, 3, 3, per_step=shot))
    run = cat[-1]
    assert set(run) == {"primary", "baseline", "temperature_monitor", "pressure_monitor"}
    assert run["temperature_monitor"].read()["temperature"].values.tolist() == [21.0, 22.0, 23.0]
    assert run.stop["num_events"]["pressure_monitor"] == 0
    assert len(run.primary.read()["det"]) == 3
    RE.supplemental.monitors.clear()
    RE(count([det]))
    assert set(cat[-1]) == {"primary", "baseline"}


def test_a_signal_that_changes_its_kind_while_it_is_monitored_is_kept_and_marked(
    RE: Any, cat: Any, temperature: Signal
) -> None:
    @bpp.run_decorator()
    def plan() -> Iterator[Msg]:
        yield from bps.monitor(temperature, name="oven")
        yield from bps.abs_set(temperature, 20.5, wait=True)
        yield from bps.abs_set(temperature, "off", wait=True)

    RE(plan())
    values = [doc["data"]["temperature"] for name, doc in cat[-1].documents(fill="no") if name == "event"]
    assert values == [20.5, "off"]
    (mark,) = cat.store.marks(cat[-1].row.id)
    assert (mark.stream, mark.key, mark.count) == ("oven", "temperature", 1)


# Flyers


def test_a_flyer_has_a_stream_of_its_own(
    RE: Any, cat: Any, emitted: Emitted, det: Any, motor: SynAxis
) -> None:
    RE(fly([MockFlyer("arc", det, motor, 1, 5, 5)]))
    run = cat[-1]
    assert list(run) == ["arc"]
    assert run.arc.read()["motor"].values.tolist() == [1, 2, 3, 4, 5]
    assert np.isfinite(run.arc.read()["det"].values).all()
    assert run.status == "success"
    _assert_is_replayed(run, emitted)


def test_several_flyers_fly_at_once(RE: Any, cat: Any, emitted: Emitted) -> None:
    axes = [SynAxis(name=f"axis{number}") for number in range(3)]
    detectors = [SynGauss(f"{axis.name}_det", axis, axis.name, center=0, Imax=1) for axis in axes]
    flyers = [
        MockFlyer(f"flyer{number}", detector, axis, 0, 1, 4)
        for number, (detector, axis) in enumerate(zip(detectors, axes, strict=True))
    ]
    RE(fly(flyers))
    assert {name: len(cat[-1][name].read()["time"]) for name in cat[-1]} == dict.fromkeys(
        ["flyer0", "flyer1", "flyer2"], 4
    )
    _assert_is_replayed(cat[-1], emitted)


def test_a_flyer_beside_a_scan_is_collected_at_its_end(
    make_run_engine: Any, cat: Any, det: Any, motor: SynAxis
) -> None:
    axis = SynAxis(name="axis")
    flyer = MockFlyer("arc", SynGauss("fast", axis, "axis", center=0, Imax=1), axis, 0, 1, 3)
    RE = make_run_engine()
    RE.supplemental.flyers.append(flyer)
    RE(scan([det], motor, 0, 1, 2))
    assert {name: len(cat[-1][name].read()["time"]) for name in cat[-1]} == {"primary": 2, "arc": 3}


def test_a_flyer_without_readings_makes_events_without_data(RE: Any, cat: Any, emitted: Emitted) -> None:
    RE(fly([NewTrivialFlyer()]))
    assert cat[-1].status == "success"
    assert cat[-1].stop["num_events"] == {"stream_name": 100}
    _assert_is_replayed(cat[-1], emitted)


class Digitizer:
    """Gives what it took in pages, some of it arrays."""

    name = "digitizer"
    parent = None

    def describe_collect(self) -> dict[str, Any]:
        return {
            "volts": {"source": "sim", "dtype": "number", "shape": [], "dtype_numpy": "<f8"},
            "trace": {"source": "sim", "dtype": "array", "shape": [3], "dtype_numpy": "<f8"},
        }

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        for first in (0, 4):
            rows = list(range(first, first + 4))
            yield {
                "time": [1000.0 + row for row in rows],
                "data": {
                    "volts": [row / 4 for row in rows],
                    "trace": [[row, row + 0.5, row + 1.0] for row in rows],
                },
                "timestamps": dict.fromkeys(("volts", "trace"), [1000.0 + row for row in rows]),
            }

    def kickoff(self) -> NullStatus:
        return NullStatus()

    def complete(self) -> NullStatus:
        return NullStatus()

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


def test_pages_of_a_flyer_are_read_as_rows(RE: Any, cat: Any, emitted: Emitted) -> None:
    digitizer = Digitizer()

    @bpp.run_decorator()
    def plan() -> Iterator[Msg]:
        yield from bps.declare_stream(digitizer, name="volts", collect=True)
        yield from bps.kickoff(digitizer, wait=True)
        yield from bps.complete(digitizer, wait=True)
        yield from bps.collect(digitizer, name="volts")

    RE(plan())
    data = cat[-1].volts.read()
    assert data["volts"].values.tolist() == [row / 4 for row in range(8)]
    assert data["trace"].shape == (8, 3)
    assert data["trace"].values[7].tolist() == [7, 7.5, 8]
    assert "event_page" in {name for name, _ in emitted}
    _assert_is_replayed(cat[-1], emitted)


# ophyd-async


async def _hardly(duration: float) -> None:
    """Take no time over an exposure."""
    await asyncio.sleep(0)


@pytest.fixture
def blob(RE: Any, tmp_path: Path) -> tuple[SimBlobDetector, SimMotor]:
    """A detector that writes HDF5 files, and a stage before it."""
    with init_devices():
        generator = PatternGenerator(sleep=_hardly)
        blob = SimBlobDetector(StaticPathProvider(UUIDFilenameProvider(), tmp_path), generator)
        stage = SimMotor(instant=True)
    return blob, stage


def test_readings_of_ophyd_async_are_recorded(RE: Any, cat: Any, emitted: Emitted) -> None:
    with init_devices():
        generator = PatternGenerator(sleep=_hardly)
        point = SimPointDetector(generator)
        stage = SimMotor(instant=True)
    RE(scan([point], stage, 0, 1, 3))
    data = cat[-1].primary.read()
    assert data["stage"].values.tolist() == [0, 0.5, 1]
    assert {"point-channel-1-value", "point-channel-3-value"} <= set(data)
    _assert_is_replayed(cat[-1], emitted)


def _files(run: Any) -> set[Path]:
    """Return the files of a detector that a run names."""
    resources = [document for name, document in run.documents(fill="no") if name == "stream_resource"]
    found = {Path(document["uri"].removeprefix("file://localhost")) for document in resources}
    assert all(path.is_file() for path in found)
    return found


def test_a_stepped_detector_that_writes_files_is_recorded(
    RE: Any, cat: Any, emitted: Emitted, blob: Any
) -> None:
    detector, stage = blob
    RE(scan([detector], stage, 0, 1, 3))
    run = cat[-1]
    assert Counter(name for name, _ in emitted)["stream_datum"] >= 2
    assert run.summary().points == 3
    assert run.primary.read()["stage"].values.tolist() == [0, 0.5, 1]
    assert len(_files(run)) == 1
    _assert_is_replayed(run, emitted)


def test_a_flown_detector_that_writes_files_is_recorded(
    RE: Any, cat: Any, emitted: Emitted, blob: Any
) -> None:
    detector, _ = blob

    @bpp.stage_decorator([detector])
    @bpp.run_decorator()
    def plan() -> Iterator[Msg]:
        yield from bps.prepare(detector, TriggerInfo(number_of_events=6), wait=True)
        yield from bps.declare_stream(detector, name="primary", collect=True)
        yield from bps.kickoff(detector, wait=True)
        yield from bps.collect_while_completing(
            [detector], [detector], flush_period=0.05, stream_name="primary"
        )

    RE(plan())
    run = cat[-1]
    assert [name for name, _ in emitted if name == "event"] == []
    assert run.status == "success"
    assert run.stop["num_events"] == {"primary": 6}
    assert len(_files(run)) == 1
    _assert_is_replayed(run, emitted)
