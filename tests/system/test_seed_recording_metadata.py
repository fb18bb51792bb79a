"""Recording metadata: what is promised about a RunEngine's metadata, one test for each promise.

Each test runs plans of a real RunEngine with simulated devices, and looks at what the catalog holds.
"""

# ruff: noqa: N802, N803, N806 - every beamline calls its RunEngine RE

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.plans import count, scan
from bluesky.utils import Msg
from ophyd.sim import SynAxis, SynGauss, SynSignal

from hutch.bluesky import run_engine
from hutch.errors import MetadataError

MakeRunEngine = Callable[..., Any]


@pytest.fixture
def motor() -> SynAxis:
    return SynAxis(name="motor", labels={"motors"})


@pytest.fixture
def det(motor: SynAxis) -> SynGauss:
    return SynGauss("det", motor, "motor", center=0, Imax=1, labels={"detectors"})


@pytest.fixture
def RE(make_run_engine: MakeRunEngine) -> Any:
    return make_run_engine()


def _end(RE: RunEngine) -> None:
    RE.loop.call_soon_threadsafe(RE.loop.stop)
    RE._th.join(timeout=10)
    RE.loop.close()


def _starts(cat: Any) -> list[dict[str, Any]]:
    return [dict(run.start) for run in cat.values()]


def _values(cat: Any, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(start.get(key) for key in keys) for start in _starts(cat)]


@pytest.fixture
def plan(det: SynGauss, motor: SynAxis) -> Callable[[], Any]:
    """Three runs."""

    def plan() -> Iterator[Msg]:
        yield from count([det])
        yield from scan([det], motor, 1, 5, 5)
        yield from count([det])

    return plan


@pytest.fixture
def purposeful_plan(det: SynGauss, motor: SynAxis) -> Callable[..., Any]:
    """Three runs of different purpose, which may be overridden."""

    def plan(*, md: dict[str, Any] | None = None) -> Iterator[Msg]:
        md = md or {}
        yield from count([det], md={"purpose": "calibration", **md})
        yield from scan([det], motor, 1, 5, 5, md={"purpose": "good data", **md})
        yield from count([det], md={"purpose": "sanity check", **md})

    return plan


# Three kinds of metadata, three places


def test_what_is_known_before_the_experiment_is_in_the_start_document(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det]), sample="A", operator="Dan", beamline="X")
    assert _values(cat, "sample", "operator", "beamline") == [("A", "Dan", "X")]


def test_baseline_devices_are_read_once_at_the_start_and_once_at_the_end_in_their_own_stream(
    make_run_engine: MakeRunEngine, cat: Any, det: Any, motor: SynAxis
) -> None:
    attenuator = SynAxis(name="attenuator", value=3)
    RE = make_run_engine(baseline=[attenuator, motor])
    RE(scan([det], motor, 1, 5, 5))
    run = cat[-1]
    assert list(run) == ["primary", "baseline"]
    baseline = run.baseline.read()
    assert baseline["attenuator"].values.tolist() == [3, 3]
    assert baseline["motor"].values.tolist() == [0, 5]
    assert run.primary.read()["motor"].values.tolist() == [1, 2, 3, 4, 5]


def test_baseline_devices_can_be_added_and_removed_later(RE: Any, cat: Any, det: Any, motor: SynAxis) -> None:
    RE.supplemental.baseline.append(motor)
    RE(count([det]))
    assert list(cat[-1]) == ["primary", "baseline"]
    RE.supplemental.baseline.remove(motor)
    RE(count([det]))
    assert list(cat[-1]) == ["primary"]
    assert RE.supplemental in RE.preprocessors


def test_a_custom_plan_can_take_baseline_readings_itself(RE: Any, cat: Any, det: Any, motor: SynAxis) -> None:
    RE(bpp.baseline_wrapper(count([det]), [motor]))
    assert len(cat[-1].baseline.read()["motor"]) == 2


def test_data_type_shape_and_configuration_of_a_baseline_device_are_captured(
    make_run_engine: MakeRunEngine, cat: Any, det: Any, motor: SynAxis
) -> None:
    make_run_engine(baseline=[motor])(count([det]))
    (descriptor,) = (doc for doc in cat[-1].descriptors if doc["name"] == "baseline")
    assert {"dtype": "integer", "shape": []}.items() <= descriptor["data_keys"]["motor"].items()
    assert descriptor["configuration"]["motor"]["data"] == {"motor_velocity": 1, "motor_acceleration": 1}


def test_configuration_of_hardware_is_in_the_descriptor_and_read_once(RE: Any, cat: Any, motor: Any) -> None:
    class Counted(SynGauss):  # type: ignore[misc]
        readings = 0

        def read_configuration(self) -> Any:
            Counted.readings += 1
            return super().read_configuration()

    det = Counted("det", motor, "motor", center=0, Imax=7)
    RE(scan([det], motor, 1, 5, 5))
    (descriptor,) = cat[-1].descriptors
    assert descriptor["configuration"]["det"]["data"]["det_Imax"] == 7
    assert descriptor["configuration"]["motor"]["data"]["motor_velocity"] == 1
    assert Counted.readings == 1


def test_what_is_monitored_during_the_run_goes_to_a_stream_of_its_own(
    make_run_engine: MakeRunEngine, cat: Any, det: Any, motor: SynAxis
) -> None:
    current = SynSignal(name="ring_current", func=iter([500.0, 499.0, 498.0, 497.0]).__next__)
    RE = make_run_engine(monitors=[current])

    def plan() -> Iterator[Msg]:
        yield from bps.open_run()
        yield from bps.trigger_and_read([det])
        yield from bps.trigger(current, wait=True)
        yield from bps.trigger(current, wait=True)
        yield from bps.close_run()

    RE(plan())
    run = cat[-1]
    assert sorted(run) == ["primary", "ring_current_monitor"]
    assert run["ring_current_monitor"].read()["ring_current"].values.tolist()[-2:] == [499.0, 498.0]
    assert len(run.primary.read()["det"]) == 1


# Interactively, for one use


def test_extra_keyword_arguments_to_the_run_engine_are_metadata(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det]), sample_id="A", purpose="calibration", operator="Dan")
    assert _values(cat, "sample_id", "purpose", "operator") == [("A", "calibration", "Dan")]


def test_all_runs_of_a_plan_get_the_keyword_arguments(RE: Any, cat: Any, plan: Any) -> None:
    RE(plan(), sample_id="A", purpose="calibration", operator="Dan")
    assert _values(cat, "sample_id", "purpose", "operator") == [("A", "calibration", "Dan")] * 3


def test_keyword_arguments_are_for_one_use(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det]), sample_id="A")
    RE(count([det]))
    assert _values(cat, "sample_id") == [("A",), (None,)]


# Through a plan


def test_a_plan_can_give_each_run_its_own_metadata(RE: Any, cat: Any, purposeful_plan: Any) -> None:
    RE(purposeful_plan())
    assert _values(cat, "purpose") == [("calibration",), ("good data",), ("sanity check",)]


def test_metadata_of_the_call_and_of_the_plan_are_combined(RE: Any, cat: Any, purposeful_plan: Any) -> None:
    RE(purposeful_plan(), sample_id="A", operator="Dan")
    assert _values(cat, "sample_id", "operator", "purpose") == [
        ("A", "Dan", "calibration"),
        ("A", "Dan", "good data"),
        ("A", "Dan", "sanity check"),
    ]


def test_metadata_of_the_call_overrides_that_of_the_plan(RE: Any, cat: Any, purposeful_plan: Any) -> None:
    RE(purposeful_plan(), purpose="test")
    assert _values(cat, "purpose") == [("test",)] * 3


def test_md_given_to_a_plan_overrides_what_the_plan_has_built_in(
    RE: Any, cat: Any, purposeful_plan: Any
) -> None:
    RE(purposeful_plan(md={"purpose": "bob"}))
    assert _values(cat, "purpose") == [("bob",)] * 3


def test_built_in_plans_provide_name_detectors_motors_and_arguments(
    RE: Any, cat: Any, det: Any, motor: SynAxis
) -> None:
    RE(scan([det], motor, 1, 5, 5))
    start = cat[-1].start
    assert start["plan_name"] == "scan"
    assert list(start["detectors"]) == ["det"]
    assert list(start["motors"]) == ["motor"]
    assert start["plan_args"]["num"] == 5
    assert list(start["plan_args"]["args"])[1:] == [1, 5]


def test_name_and_arguments_of_a_built_in_plan_suffice_to_run_it_again(
    RE: Any, cat: Any, det: Any, motor: SynAxis
) -> None:
    RE(scan([det], motor, 1, 5, 5))
    start = cat[-1].start
    devices = {repr(device): device for device in (det, motor)}
    arguments = dict(start["plan_args"])
    detectors = [devices[text] for text in arguments.pop("detectors")]
    args = [devices.get(item, item) for item in arguments.pop("args")]
    plan = getattr(importlib.import_module("bluesky.plans"), start["plan_name"])
    RE(plan(detectors, *args, **{key: value for key, value in arguments.items() if value != "None"}))
    again, first = cat[-1].primary.read()["motor"], cat[-2].primary.read()["motor"]
    assert again.values.tolist() == first.values.tolist()


def test_built_in_plans_provide_the_pattern_of_their_trajectory(
    RE: Any, cat: Any, det: Any, motor: SynAxis
) -> None:
    RE(scan([det], motor, 1, 5, 5))
    start = cat[-1].start
    assert start["plan_pattern_module"] == "bluesky.plan_patterns"
    pattern = getattr(importlib.import_module(start["plan_pattern_module"]), start["plan_pattern"])
    arguments = dict(start["plan_pattern_args"])
    _, begin, end = arguments.pop("args")
    trajectory = pattern(**arguments, args=(motor, begin, end))
    assert [point[motor] for point in trajectory] == cat[-1].primary.read()["motor"].values.tolist()


def test_a_pattern_given_by_a_plan_recreates_the_trajectory(
    RE: Any, cat: Any, det: Any, motor: SynAxis
) -> None:
    def plan(start: float, stop: float, num: int) -> Iterator[Msg]:
        md = {
            "plan_pattern": "linspace",
            "plan_pattern_module": "numpy",
            "plan_pattern_args": {"start": start, "stop": stop, "num": num},
        }
        yield from scan([det], motor, start, stop, num, md=md)

    RE(plan(1, 5, 9))
    start = cat[-1].start
    pattern = getattr(importlib.import_module(start["plan_pattern_module"]), start["plan_pattern"])
    positions = cat[-1].primary.read()["motor"].values
    np.testing.assert_array_equal(pattern(**start["plan_pattern_args"]), positions)


def _built_in_plans(det: Any, x: Any, y: Any) -> dict[str, Any]:
    return {
        "count": count([det], num=np.int64(2), delay=[0.0]),
        "scan": scan([det], x, np.float64(1), 5, 3),
        "rel_scan": bp.rel_scan([det], x, -1, 1, 3),
        "list_scan": bp.list_scan([det], x, np.linspace(0, 1, 3)),
        "log_scan": bp.log_scan([det], x, 0, 1, 3),
        "grid_scan": bp.grid_scan([det], x, 0, 1, 2, y, 0, 1, 2, snake_axes=[y]),
        "list_grid_scan": bp.list_grid_scan([det], x, [1, 2], y, [1, 2], snake_axes=True),
        "spiral": bp.spiral([det], x, y, 0, 0, 1, 1, 0.5, 4),
        "adaptive_scan": bp.adaptive_scan([det], "det", x, 0, 2, 0.5, 1, 0.5, True),
    }


def test_what_built_in_plans_provide_keeps_the_rules(RE: Any, cat: Any, det: Any, motor: SynAxis) -> None:
    plans = _built_in_plans(det, motor, SynAxis(name="y"))
    for plan in plans.values():
        RE(plan)
    assert _values(cat, "plan_name") == [(name,) for name in plans]
    assert {run.status for run in cat.values()} == {"success"}


# Automatically


def test_time_is_the_time_at_which_the_run_started(RE: Any, cat: Any, det: Any) -> None:
    before = time.time()
    RE(count([det]))
    assert before <= cat[-1].start["time"] <= time.time()


def test_other_times_are_recorded_too(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det], num=2))
    run = cat[-1]
    times = [run.start["time"], *run.primary.read()["time"].values.tolist(), run.stop["time"]]
    assert len(times) == 4
    assert times == sorted(times)


def test_uid_is_unique_for_each_run(RE: Any, cat: Any, plan: Any) -> None:
    assert len(set(RE(plan())) | set(RE(plan()))) == 6
    assert len(set(cat)) == 6


def test_plan_name_and_plan_type_are_inferred_from_the_plan(RE: Any, cat: Any) -> None:
    def my_plan() -> Iterator[Msg]:
        yield from bps.open_run()
        yield from bps.close_run()

    RE(my_plan())
    assert _values(cat, "plan_name", "plan_type") == [("my_plan", "generator")]


def test_plan_name_is_empty_and_plan_type_the_class_for_a_plan_without_a_name(RE: Any, cat: Any) -> None:
    class MyPlan:
        def __iter__(self) -> Iterator[Msg]:
            yield from bps.open_run()
            yield from bps.close_run()

    RE(MyPlan())
    assert _values(cat, "plan_name", "plan_type") == [("", "MyPlan")]


def test_plan_name_and_plan_type_can_be_overridden_by_the_plan_and_by_the_call(
    RE: Any, cat: Any, det: Any
) -> None:
    RE(count([det], md={"plan_name": "dark", "plan_type": "calibration"}))
    RE(count([det], md={"plan_name": "dark"}), plan_name="flat", plan_type="manual")
    assert _values(cat, "plan_name", "plan_type") == [("dark", "calibration"), ("flat", "manual")]


def test_versions_are_those_of_the_recording_process(RE: Any, cat: Any, det: Any) -> None:
    import bluesky

    import hutch

    cat.md["versions"] = {"bluesky": "0.0 of another process", "beamline": "7"}
    RE(count([det]))
    cat.md.clear()
    RE(count([det]))
    with_stashed, without = (start["versions"] for start in _starts(cat))
    assert without["bluesky"] == with_stashed["bluesky"] == bluesky.__version__
    assert without["hutch"] == hutch.__version__
    assert with_stashed["beamline"] == "7"


# Interactively, for repeated use


def test_what_is_in_re_md_goes_into_all_runs(RE: Any, cat: Any, plan: Any) -> None:
    RE.md["proposal_id"] = 123456
    RE.md["project"] = "flying cars"
    RE.md["dimensions"] = (5, 3, 10)
    RE(plan())
    assert _values(cat, "proposal_id", "project") == [(123456, "flying cars")] * 3
    assert [list(start["dimensions"]) for start in _starts(cat)] == [[5, 3, 10]] * 3


def test_a_key_deleted_from_re_md_is_in_no_later_run(RE: Any, cat: Any, det: Any) -> None:
    RE.md["project"] = "flying cars"
    RE(count([det]))
    del RE.md["project"]
    RE(count([det]))
    assert _values(cat, "project") == [("flying cars",), (None,)]


def test_re_md_shows_its_contents_and_takes_the_standard_methods_of_dictionaries(RE: Any) -> None:
    RE.md.update(project="flying cars", dimensions=[5, 3, 10])
    assert "'project': 'flying cars'" in repr(RE.md)
    assert RE.md.get("missing") is None
    assert RE.md.setdefault("project", "boats") == "flying cars"
    assert RE.md.pop("dimensions") == [5, 3, 10]
    assert set(RE.md) == set(RE.md.keys()) == {"versions", "project"}


def test_a_value_in_re_md_remains_until_it_is_changed(RE: Any, cat: Any, det: Any, motor: SynAxis) -> None:
    RE.md["motor_position"] = motor.position
    RE(scan([det], motor, 1, 5, 5))
    assert motor.position == 5
    assert cat[-1].start["motor_position"] == 0


def test_metadata_nearer_to_the_person_wins(RE: Any, cat: Any, det: Any) -> None:
    RE.md.update(purpose="stash", plan_name="stash", operator="stash", only_stash="stash")
    RE(count([det], md={"purpose": "plan", "operator": "plan", "only_plan": "plan"}), purpose="call")
    assert _values(cat, "purpose", "operator", "only_plan", "only_stash") == [
        ("call", "plan", "plan", "stash")
    ]

    def my_plan() -> Iterator[Msg]:
        yield from bps.open_run()
        yield from bps.close_run()

    RE(my_plan())
    assert cat[-1].start["plan_name"] == "my_plan"  # inferred: nearer than the stash


# scan_id


def test_scan_id_counts_from_one_and_is_stored_in_re_md(RE: Any, cat: Any, plan: Any, det: Any) -> None:
    RE(plan())
    assert RE.md["scan_id"] == cat.md["scan_id"] == 3
    RE(count([det]))
    assert _values(cat, "scan_id") == [(1,), (2,), (3,), (4,)]


def test_clearing_all_keys_resets_scan_id_to_one(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det]))
    RE(count([det]))
    RE.md.clear()
    assert "scan_id" not in RE.md
    RE(count([det]))
    assert cat[-1].start["scan_id"] == RE.md["scan_id"] == 1


def test_scan_id_counts_on_from_what_is_stashed(RE: Any, cat: Any, det: Any) -> None:
    RE.md["scan_id"] = 100
    RE(count([det]))
    assert cat[-1].start["scan_id"] == RE.md["scan_id"] == 101


def test_scan_id_given_by_the_user_is_taken_and_the_count_goes_on(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det]))
    RE(count([det]), scan_id=77)
    RE(count([det], md={"scan_id": 78}))
    RE(count([det]))
    assert _values(cat, "scan_id") == [(1,), (77,), (78,), (2,)]


def test_duplicate_scan_ids_are_fine_and_uids_still_differ(RE: Any, cat: Any, det: Any) -> None:
    uids = [RE(count([det]), scan_id=5)[0] for _ in range(2)]
    assert _values(cat, "scan_id") == [(5,), (5,)]
    assert len(set(uids)) == 2
    assert cat[5].start["uid"] == uids[1]


def test_a_refused_start_uses_no_scan_id(make_run_engine: MakeRunEngine, cat: Any, det: Any) -> None:
    RE = make_run_engine(required=["sample"])
    for _ in range(3):
        with pytest.raises(MetadataError, match="'sample' is missing"):
            RE(count([det]))
    assert "scan_id" not in cat.md
    RE(count([det]), sample="A")
    with pytest.raises(MetadataError, match="'sample' is missing"):
        RE(count([det]))
    assert RE.md["scan_id"] == 1
    RE(count([det]), sample="A")
    assert _values(cat, "scan_id") == [(1,), (2,)]


def test_run_engines_that_share_a_catalog_get_different_scan_ids(
    make_run_engine: MakeRunEngine, cat: Any, det: Any
) -> None:
    one, other = make_run_engine(), make_run_engine(required=["sample"])
    with pytest.raises(MetadataError, match="sample"):
        other(count([det]))  # has reserved 1
    one(count([det]))
    one(count([det]))
    other(count([det]), sample="A")
    one(count([det]))
    assert _values(cat, "scan_id") == [(2,), (3,), (1,), (4,)]
    assert cat.md["scan_id"] == 4


def test_sessions_that_run_at_once_get_each_scan_id_once(tmp_path: Path) -> None:
    code = """
for number in range(15):
    try: RE(count([det]), owner=number if number % 3 == 1 else "nsls")
    except ValueError: pass
"""
    import hutch

    with hutch.open_catalog(tmp_path) as cat:
        command = [sys.executable, "-c", _SESSION, str(tmp_path), code]
        sessions = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
        assert [session.wait(timeout=100) for session in sessions] == [0, 0]
        assert sorted(_values(cat, "scan_id")) == [(number,) for number in range(1, 21)]
        assert cat.md["scan_id"] == 20


# Persistence between sessions

_SESSION = """
import sys
import hutch
from bluesky.plans import count
from ophyd.sim import det
RE = hutch.bluesky.run_engine(hutch.open_catalog(sys.argv[1]))
exec(sys.argv[2])
"""


def _session(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _SESSION, str(folder), code],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_metadata_persists_between_sessions(tmp_path: Path) -> None:
    import hutch

    _session(tmp_path, "RE.md['proposal_id'] = 7; RE.md['sample'] = {'color': 'red'}; RE(count([det]))")
    _session(tmp_path, "RE.md['sample']['shape'] = 'bar'; RE(count([det]))")
    with hutch.open_catalog(tmp_path) as cat:
        sample = {"color": "red", "shape": "bar"}
        assert _values(cat, "proposal_id", "scan_id") == [(7, 1), (7, 2)]
        assert [dict(start["sample"]) for start in _starts(cat)] == [{"color": "red"}, sample]
        assert cat.md["sample"] == sample


def test_metadata_set_in_one_session_is_in_the_next_run_of_another(tmp_path: Path, det: Any) -> None:
    import hutch

    with hutch.open_catalog(tmp_path) as cat:
        RE = run_engine(cat)
        RE(count([det]))
        _session(tmp_path, "RE.md['operator'] = 'Eve'; RE(count([det]))")
        RE(count([det]))
        assert _values(cat, "operator", "scan_id") == [(None, 1), ("Eve", 2), ("Eve", 3)]
        _end(RE)


def test_re_md_may_be_any_dictionary(RE: Any, cat: Any, det: Any) -> None:
    RE.md["operator"] = "Dan"
    RE.md = {}
    RE(count([det]), sample="A")
    assert RE.md == {"scan_id": 1}
    assert _values(cat, "operator", "scan_id") == [(None, 1)]
    with pytest.raises(MetadataError, match="owner"):
        RE(count([det]), owner=5)
    RE.md = cat.md
    RE(count([det]))
    assert _values(cat, "operator", "scan_id") == [(None, 1), ("Dan", 1)]
    assert cat.md["scan_id"] == 1


def test_the_metadata_of_a_catalog_can_be_given_to_any_run_engine(cat: Any, det: Any) -> None:
    cat.md["operator"] = "Dan"
    RE = RunEngine(cat.md)
    RE.subscribe(cat.recorder())
    RE(count([det]))
    RE.md["operator"] = "Eve"
    RE(count([det]))
    _end(RE)
    other = RunEngine({})
    other.md = cat.md
    other.subscribe(cat.recorder())
    other(count([det]))
    _end(other)
    assert _values(cat, "operator", "scan_id") == [("Dan", 1), ("Eve", 2), ("Eve", 3)]


def test_a_persistent_dict_is_taken_over_by_update(
    RE: Any, cat: Any, det: Any, tmp_path: Path, require: Any
) -> None:
    require("zict", None if importlib.util.find_spec("zict") else "PersistentDict needs zict")
    from bluesky.utils import PersistentDict

    old = PersistentDict(str(tmp_path / "old"))
    old.update(scan_id=41, sample={"color": "red"}, grid=np.arange(3), dimensions=(5, 3, 10))
    cat.md.update(old)
    RE(count([det]))
    assert cat[-1].start["scan_id"] == 42
    assert dict(cat[-1].start["sample"]) == {"color": "red"}
    cat.md.clear()
    cat.md.import_persistent_dict(old.directory)
    assert cat.md == {"scan_id": 41, "sample": {"color": "red"}, "grid": [0, 1, 2], "dimensions": [5, 3, 10]}


def test_a_persistent_dict_still_works_as_re_md(
    RE: Any, cat: Any, det: Any, tmp_path: Path, require: Any
) -> None:
    require("zict", None if importlib.util.find_spec("zict") else "PersistentDict needs zict")
    from bluesky.utils import PersistentDict

    from hutch.recording.persistent_dict import read_persistent_dict

    RE.md = PersistentDict(str(tmp_path / "kept"))
    RE.md["operator"] = "Dan"
    RE(count([det]))
    assert _values(cat, "operator", "scan_id") == [("Dan", 1)]
    kept = read_persistent_dict(tmp_path / "kept")
    assert (kept["operator"], kept["scan_id"]) == ("Dan", 1)


def test_a_history_dict_is_taken_over_by_update(cat: Any, tmp_path: Path, require: Any) -> None:
    missing = None if importlib.util.find_spec("historydict") else "historydict is not installed"
    require("historydict", missing)
    from historydict import HistoryDict

    old_md = HistoryDict(str(tmp_path / "history.db"))
    old_md.update(scan_id=41, sample={"color": "red"})
    cat.md.update(old_md)
    assert cat.md == {"scan_id": 41, "sample": {"color": "red"}}
    cat.md.clear()
    cat.md.import_history_dict(tmp_path / "history.db")
    assert cat.md == {"scan_id": 41, "sample": {"color": "red"}}


# Allowed data types


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("calibration", "calibration"),
        (5, 5),
        (2.5, 2.5),
        (True, True),
        (None, None),
        ([1, 3], [1, 3]),
        ((1, 3), [1, 3]),
        ({"width": 1, "height": 3}, {"width": 1, "height": 3}),
        ({"slit": {"gap": [1, (2, 3)]}}, {"slit": {"gap": [1, [2, 3]]}}),
        (np.float64(1.5), 1.5),
        (np.arange(3), [0, 1, 2]),
    ],
)
def test_metadata_may_be_text_numbers_lists_tuples_and_nested_dictionaries(
    RE: Any, cat: Any, det: Any, value: Any, kept: Any
) -> None:
    RE(count([det]), custom=value)
    RE(count([det], md={"custom": value}))
    RE.md["custom"] = value
    RE(count([det]))
    found = [run.metadata["start"]["custom"] for run in cat.values()]
    assert found == [kept] * 3
    assert [type(item) for item in found] == [type(kept)] * 3 or isinstance(kept, (dict, list))


@pytest.mark.parametrize("source", ["call", "plan"])
def test_any_other_type_is_refused_naming_the_key(RE: Any, cat: Any, det: Any, source: str) -> None:
    md = {"setup": {"mirror": object()}}
    with pytest.raises(MetadataError, match=r"'setup\.mirror' is <object .* type object can't be kept"):
        RE(count([det]), **md) if source == "call" else RE(count([det], md=md))
    assert (len(cat), RE.state) == (0, "idle")


@pytest.mark.parametrize("key", ["sample.name", "sample/name"])
def test_keys_hold_neither_dots_nor_slashes(RE: Any, cat: Any, det: Any, key: str) -> None:
    with pytest.raises(MetadataError, match=rf"'{key}'.*neither '\.' nor '/'"):
        RE(count([det]), **{key: "A"})
    assert len(cat) == 0


# Required fields


@pytest.mark.parametrize("field", ["uid", "time"])
@pytest.mark.parametrize("source", ["call", "plan", "stash"])
def test_uid_and_time_cannot_be_set_by_the_user(RE: Any, cat: Any, det: Any, field: str, source: str) -> None:
    md = {field: 5}
    RE.md.update(md if source == "stash" else {})
    with pytest.raises(MetadataError, match=f"'{field}' is 5: it is made for each run and can't be set"):
        RE(count([det], md=md if source == "plan" else None), **(md if source == "call" else {}))
    assert (len(cat), RE.state) == (0, "idle")


def test_no_field_is_required_unless_it_is_declared(RE: Any, cat: Any, det: Any) -> None:
    RE(count([det]))
    assert len(cat) == 1


def test_declared_fields_are_required_from_any_of_the_sources(
    make_run_engine: MakeRunEngine, cat: Any, det: Any
) -> None:
    RE = make_run_engine(required=["sample", "operator"])
    with pytest.raises(
        MetadataError, match=r"(?s)'operator' is missing.*RE\(plan\(\), operator=\.\.\.\)"
    ) as caught:
        RE(count([det]), sample="A")
    assert [problem.field for problem in caught.value.problems] == ["operator"]
    RE(count([det]), sample="A", operator="Dan")
    RE(count([det], md={"sample": "B", "operator": "Dan"}))
    RE.md["operator"] = "Eve"
    RE(count([det]), sample="C")
    assert _values(cat, "sample", "operator") == [("A", "Dan"), ("B", "Dan"), ("C", "Eve")]


# Special fields


@pytest.mark.parametrize("field", ["owner", "group", "project"])
def test_owner_group_and_project_are_optional_and_must_be_text(
    RE: Any, cat: Any, det: Any, field: str
) -> None:
    documents: list[str] = []
    RE.subscribe(lambda name, doc: documents.append(name))
    with pytest.raises(MetadataError, match=f"'{field}' is 5: it must be text"):
        RE(count([det]), **{field: 5})
    assert (documents, len(cat), RE.state) == ([], 0, "idle")
    RE(count([det]), **{field: "nsls"})
    assert _values(cat, field) == [("nsls",)]


def test_sample_must_be_text_or_a_dictionary(RE: Any, cat: Any, det: Any) -> None:
    for wrong in ([1, 2], 5, None):
        with pytest.raises(MetadataError, match="'sample' is .*: it must be text or a dictionary"):
            RE(count([det]), sample=wrong)
    RE(count([det]), sample="dirt")
    RE(count([det]), sample={"color": "red", "number": 5})
    assert _values(cat, "sample") == [("dirt",), ({"color": "red", "number": 5},)]


@pytest.mark.parametrize("value", ["7", 7.0, True])
def test_scan_id_is_an_integer(RE: Any, cat: Any, det: Any, value: Any) -> None:
    with pytest.raises(MetadataError, match="'scan_id' is .*: it must be an integer"):
        RE(count([det]), scan_id=value)
    assert len(cat) == 0


def test_every_wrong_and_missing_field_is_named_at_once(
    make_run_engine: MakeRunEngine, cat: Any, det: Any
) -> None:
    RE = make_run_engine(required=["operator"])
    with pytest.raises(MetadataError) as caught:
        RE(count([det]), owner=5, sample=[1], scan_id="7", setup=object())
    assert sorted(problem.field for problem in caught.value.problems) == [
        "operator",
        "owner",
        "sample",
        "scan_id",
        "setup",
    ]


# Validation


def _ensure_sample_number(md: dict[str, Any]) -> None:
    if "sample_number" not in md:
        msg = "You forgot the sample number."
        raise ValueError(msg)


def test_a_validator_that_raises_keeps_the_run_from_being_executed(RE: Any, cat: Any, det: Any) -> None:
    documents: list[str] = []
    RE.subscribe(lambda name, doc: documents.append(name))
    RE.md_validator = _ensure_sample_number
    with pytest.raises(ValueError, match="You forgot the sample number"):
        RE(count([det]))
    assert (documents, len(cat), RE.state, "scan_id" in cat.md) == ([], 0, "idle", False)
    RE(count([det]), sample_number=5)
    assert _values(cat, "sample_number", "scan_id") == [(5, 1)]


def test_a_validator_is_executed_immediately_before_each_new_run_is_opened(
    RE: Any, cat: Any, plan: Any
) -> None:
    seen = []
    RE.md_validator = lambda md: seen.append((len(cat), md["plan_name"], md["scan_id"], md["sample"]))
    RE(plan(), sample="A")
    assert seen == [(0, "count", 1, "A"), (1, "scan", 2, "A"), (2, "count", 3, "A")]


def test_a_run_refused_in_the_middle_of_a_plan_leaves_the_earlier_ones(RE: Any, cat: Any, plan: Any) -> None:
    def no_scans(md: dict[str, Any]) -> None:
        if md["plan_name"] == "scan":
            msg = "No scans today."
            raise ValueError(msg)

    RE.md_validator = no_scans
    with pytest.raises(ValueError, match="No scans today"):
        RE(plan())
    assert _values(cat, "plan_name", "scan_id") == [("count", 1)]
    assert cat[-1].stop["exit_status"] == "success"


def test_the_rules_hold_whatever_the_validator_does(RE: Any, cat: Any, det: Any) -> None:
    RE.md_validator = lambda md: None
    with pytest.raises(MetadataError, match="'owner' is 5"):
        RE(count([det]), owner=5)
    assert (len(cat), RE.state) == (0, "idle")


def test_a_normalizer_changes_what_is_recorded_and_the_rules_see_its_outcome(
    make_run_engine: MakeRunEngine, cat: Any, det: Any
) -> None:
    RE = make_run_engine(required=["cycle"])
    RE.md_normalizer = lambda md: {**md, "cycle": "2024-1"}
    RE(count([det]), sample="A")
    assert _values(cat, "sample", "cycle") == [("A", "2024-1")]
    RE.md_normalizer = lambda md: {**md, "cycle": object()}
    with pytest.raises(MetadataError, match="'cycle' is <object"):
        RE(count([det]), sample="A")
    assert len(cat) == 1
