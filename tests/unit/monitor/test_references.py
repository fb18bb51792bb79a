"""What checks compare with: runs and files that are named, saved, or like the one at hand."""

from __future__ import annotations

import pytest

from hutch.catalogs.verdicts import post_verdict
from hutch.documents import encode
from hutch.errors import LookupFailedError
from hutch.monitor.checks.finding import find_checks
from hutch.monitor.checks.settings import make_checks
from hutch.monitor.sources import Sighting, SourceSpec
from hutch.monitor.verdicts.attaching import Attachments
from hutch.monitor.verdicts.keeping import VerdictKeeper
from hutch.monitor.verdicts.references import ReferenceFinder

from .watched import Clock, Watched, observer, read_state

DRIFT = {
    "check": "Drift",
    "plot": "ColumnStatistics",
    "series": "series",
    "field": "T",
    "window": 3,
    "bad_above": 5,
}


def keep(catalog, folder, *values, run=None, path="/data/a.h5", attachments=None):
    """Let the monitor watch a source to its end."""
    clock = Clock()
    keeper = VerdictKeeper(folder, catalog.store, attachments, read_state=read_state, clock=clock)
    watched = Watched(observer({"drift": DRIFT}, folder), keeper, run=run, path=path, clock=clock)
    watched.grow(*values, is_complete=run is not None)
    clock.now += 100
    keeper.settle()
    return watched


def record(catalog, folder, *values, **metadata):
    """Record a run that the monitor has watched; return its uid."""
    with catalog.start_run(**metadata) as run:
        pass
    keep(catalog, folder, *values, run=run.uid)
    return run.uid


def sources(catalog, run=None, path="/data/new.h5", **settings):
    """Return what a check compares a source with, and how many rows each has."""
    (check,) = make_checks({"drift": {**DRIFT, **settings}}, find_checks(), "test")
    address = path if run is None else f"/store {run}/primary"
    sighting = Sighting(SourceSpec(address, "1", "run", "b"), 5, 1.0, False, run)
    plot = Watched(None, None).plot
    found = ReferenceFinder(lambda: catalog).find(check, sighting, "ColumnStatistics", plot)
    return [(one.source, one.rows, len(one.array("series", "T"))) for one in found]


def test_what_was_accumulated_is_kept_when_a_run_is_complete(catalog, tmp_path):
    uid = record(catalog, tmp_path, 1, 2, 3, 4)
    row = catalog.store.plot_state(f"{uid}/primary", "ColumnStatistics")

    assert (row.run, row.rows, row.version) == (catalog[uid].row.id, 4, "1")
    assert sources(catalog, references=[uid]) == [(f"{uid}/primary", 4, 4)]
    scan_id = catalog[uid].scan_id
    assert sources(catalog, references=[scan_id]) == [(f"{uid}/primary", 4, 4)]


def test_a_file_is_kept_when_it_has_not_grown_for_a_while(catalog, tmp_path):
    clock = Clock()
    keeper = VerdictKeeper(tmp_path, catalog.store, read_state=read_state, clock=clock, settled_s=60)
    watched = Watched(observer({"drift": DRIFT}, tmp_path), keeper, clock=clock)
    watched.grow(1, 2)
    clock.now += 59
    keeper.settle()
    assert catalog.store.plot_state("/data/a.h5", "ColumnStatistics") is None
    clock.now += 1
    keeper.settle()
    assert catalog.store.plot_state("/data/a.h5", "ColumnStatistics").rows == 2
    # It goes on.
    watched.grow(3)
    keeper.settle(all_of_them=True)
    assert catalog.store.plot_state("/data/a.h5", "ColumnStatistics").rows == 3
    assert sources(catalog, references=["/data/a.h5"]) == [("/data/a.h5", 3, 3)]


def test_a_name_stands_for_several(catalog, tmp_path):
    uids = [record(catalog, tmp_path, 1, 2, number) for number in range(3)]
    keep(catalog, tmp_path, 1, 2, path="/data/a.h5")
    with catalog.store.transaction() as writer:
        writer.save_reference("LaB6", encode([uids[2], "/data/a.h5", uids[0]]), "alice")

    assert [one[0] for one in sources(catalog, references=["LaB6"])] == [
        f"{uids[2]}/primary", "/data/a.h5", f"{uids[0]}/primary",
    ]  # fmt: skip


def test_the_last_good_runs_that_are_alike_are_found_by_themselves(catalog, tmp_path):
    alike = {"plan_name": "scan", "sample": "LaB6"}
    good = [record(catalog, tmp_path, 1, 2, 3, **alike) for _ in range(4)]
    other = record(catalog, tmp_path, 1, 2, 3, plan_name="scan", sample="Si")
    bad = record(catalog, tmp_path, 1, 2, 3, **alike)
    post_verdict(catalog.store, catalog[bad].row.id, "anything", "bad", origin={})
    with pytest.raises(RuntimeError, match="stop"), catalog.start_run(**alike) as failed:
        raise RuntimeError("stop")
    keep(catalog, tmp_path, 1, 2, 3, run=failed.uid)
    unwatched = catalog.start_run(**alike)
    with unwatched:
        pass
    with catalog.start_run(**alike) as run:
        found = sources(catalog, run.uid, match=["plan_name", "sample"], last=3)
        assert [one[0] for one in found] == [f"{uid}/primary" for uid in reversed(good[1:])]
        # Without a key of metadata that it has, nothing is like it.
        assert sources(catalog, run.uid, match=["plan_name", "operator"]) == []
        assert sources(catalog, run.uid) == []
    assert other not in [one[0] for one in found]


def test_the_last_good_files_are_found_by_themselves(catalog, tmp_path):
    for number in range(4):
        values = (1, 2, 3, 40, 50, 60) if number == 2 else (1, 2, 3, 1, 2, 3)
        keep(catalog, tmp_path, *values, path=f"/data/{number}.h5")

    # Number 2 has drifted, which is bad.
    found = {one[0] for one in sources(catalog, path="/data/3.h5", last=5)}
    assert found == {"/data/0.h5", "/data/1.h5"}


def test_files_are_compared_with_those_of_runs_that_are_alike(catalog, tmp_path):
    uids = []
    for number, sample in enumerate(("A", "B", "A")):
        path = tmp_path / f"{number}.h5"
        recorder = catalog.recorder()
        start = {"uid": f"{number}" * 8, "time": 1.0 + number, "scan_id": number, "sample": sample}
        resource = {"uid": f"r{number}", "run_start": start["uid"], "spec": "X", "root": str(tmp_path)}
        recorder("start", start)
        recorder(
            "resource",
            {**resource, "resource_path": path.name, "resource_kwargs": {}, "path_semantics": "posix"},
        )
        recorder(
            "stop", {"uid": f"s{number}", "run_start": start["uid"], "time": 9.0, "exit_status": "success"}
        )
        recorder.close()
        keep(catalog, tmp_path, 1, 2, 3, path=str(path), attachments=Attachments(catalog.store))
        uids.append(start["uid"])

    last = str(tmp_path / "2.h5")
    assert [one[0] for one in sources(catalog, path=last, match=["sample"], last=5)] == [
        str(tmp_path / "0.h5")
    ]


def test_a_reference_of_which_nothing_was_kept_says_how_to_keep_it(catalog):
    with catalog.start_run() as run:
        pass
    with pytest.raises(LookupFailedError, match=f"hutch monitor reference NAME {run.uid}"):
        sources(catalog, references=[run.uid])
    with pytest.raises(LookupFailedError, match="nothing"):
        sources(catalog, references=["nothing"])


def test_a_state_of_another_version_of_the_plot_is_not_compared(catalog, tmp_path):
    uid = record(catalog, tmp_path, 1, 2, 3)
    row = catalog.store.plot_state(f"{uid}/primary", "ColumnStatistics")
    from dataclasses import replace

    with catalog.store.transaction() as writer:
        writer.keep_plot_state(replace(row, version="0"))
    assert sources(catalog, last=5) == []
    with pytest.raises(
        LookupFailedError, match=f"another version's state .* hutch monitor reference NAME {uid}"
    ):
        sources(catalog, references=[uid])


def test_a_check_compares_while_data_are_taken(catalog, tmp_path):
    reference = record(catalog, tmp_path, 1, 2, 3)
    tables = {"drift": {**DRIFT, "references": [reference]}}
    keeper = VerdictKeeper(tmp_path, catalog.store)
    with catalog.start_run() as run:
        watched = Watched(observer(tables, tmp_path, catalog.store.location), keeper, run=run.uid)
        watched.grow(2, 2, 2.5)
        watched.grow(20, 20, 20.5)

    verdict = catalog[run.uid].verdicts()["drift"]
    assert (verdict.verdict, verdict.origin["references"]) == ("bad", [f"{reference}/primary"])
    assert verdict.sentence.startswith("T: the mean is 20.17 and was 2 in the reference: +18.17")
