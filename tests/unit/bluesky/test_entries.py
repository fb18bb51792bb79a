"""Runs belong to the experiment that is active, and plans write into its logbook."""

# ruff: noqa: N803, N806 - every beamline calls its RunEngine RE

from __future__ import annotations

import pytest
from bluesky.plans import count
from ophyd.sim import SynAxis, SynGauss

import hutch
from hutch.access import Access
from hutch.bluesky import post_entry, run_entries
from hutch.errors import ExperimentNotFoundError
from hutch.logbook import Logbook


@pytest.fixture
def det():
    motor = SynAxis(name="motor")
    return SynGauss("det", motor, "motor", center=0, Imax=1)


@pytest.fixture
def experiments(cat):
    found = Access(cat.store).experiments
    for name in ("xpp1", "xpp2"):
        found.create(name, instrument="XPP")
    found.activate("xpp1")
    return found


@pytest.fixture
def logbook(cat, experiments):
    return Logbook(cat.store)


def test_runs_belong_to_the_experiment_that_is_active_when_they_begin(
    make_run_engine, cat, experiments, det
) -> None:
    RE = make_run_engine(instrument="xpp")
    RE(count([det]))
    experiments.activate("xpp2")
    RE(count([det]))
    experiments.deactivate("xpp2")
    RE(count([det]))
    starts = [cat[number].metadata["start"] for number in (-3, -2, -1)]
    assert [start.get("experiment") for start in starts] == ["xpp1", "xpp2", None]
    assert {start["instrument"] for start in starts} == {"XPP"}


def test_what_metadata_say_themselves_stays(make_run_engine, cat, experiments, det) -> None:
    RE = make_run_engine(instrument="XPP")
    RE(count([det]), experiment="xpp2")
    RE(count([det]), instrument="MFX")
    first, second = (cat[number].metadata["start"] for number in (-2, -1))
    assert first["experiment"] == "xpp2"
    assert second["instrument"] == "MFX" and "experiment" not in second


def test_a_rule_that_requires_an_experiment_is_kept_by_the_active_one(
    make_run_engine, experiments, det
) -> None:
    make_run_engine(instrument="XPP", required=["experiment"])(count([det]))


def test_a_plan_writes_entries_that_are_attached_to_its_run(make_run_engine, cat, logbook, det) -> None:
    RE = make_run_engine(instrument="XPP")
    written = []

    def plan():
        yield from count([det])
        written.append((yield from post_entry("after", title="Done", tags="a b")))

    def inside():
        written.append((yield from post_entry("before any point")))

    RE(plan())
    RE(count([det], 2))
    after = written[0]
    assert (after.text, after.title, after.tags, after.experiment) == ("after", "Done", ("a", "b"), "xpp1")
    assert after.run_num == 1
    RE(inside())
    assert written[1].run_num == 2
    assert [entry.id for entry in logbook.entries("xpp1").entries] == [written[1].id, after.id]


def test_an_entry_within_a_run_is_attached_to_that_run(make_run_engine, cat, logbook, det) -> None:
    import bluesky.plan_stubs as bps

    RE = make_run_engine(instrument="XPP")
    RE(count([det]))

    def plan():
        yield from bps.open_run({"plan_name": "mine"})
        entry = yield from post_entry("in the midst")
        yield from bps.close_run()
        assert entry.run_num == 2

    RE(plan())
    (entry,) = logbook.entries("xpp1", run=2).entries
    assert entry.text == "in the midst"


def test_without_an_experiment_the_plan_is_told_what_to_do(make_run_engine, det) -> None:
    RE = make_run_engine()
    with pytest.raises(ExperimentNotFoundError, match="hutch experiment activate"):
        RE(post_entry("for nobody"))
    RE(count([det]))


def test_an_entry_about_each_run_is_written_once(make_run_engine, cat, logbook, det) -> None:
    RE = make_run_engine(instrument="XPP")
    write = run_entries(cat, tags="scan")
    RE.subscribe(write)
    RE(count([det], 3))
    (entry,) = logbook.entries("xpp1").entries
    assert entry.title == "count 1: success" and entry.run_num == 1 and entry.tags == ("scan",)
    assert "stream `primary`: 3 events" in entry.text
    for name, document in cat[-1].documents(fill="no"):
        write(name, document)
    assert len(logbook.entries("xpp1").entries) == 1


def test_what_cannot_be_written_about_a_run_stops_no_plan(
    make_run_engine, cat, experiments, logbook, det, caplog
) -> None:
    RE = make_run_engine(instrument="XPP")
    RE.subscribe(run_entries(cat, describe=lambda run: 1 / 0))
    RE(count([det]))
    assert cat[-1].status == "success" and "No entry could be written" in caplog.text
    assert not logbook.entries("xpp1").entries


def test_the_names_of_the_package_are_these() -> None:
    assert hutch.bluesky.__all__ == ["load_devices", "post_entry", "run_engine", "run_entries"]
