"""Runs as beamlines have them: old, long and messy; imported, found, read and replayed."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.documents import is_same
from hutch.recording.importing.importer import import_file

REAL = Path(__file__).parents[3] / "shared" / "data" / "bluesky" / "usaxs-2019.json.gz"

Documents = list[list[Any]]


ABOUT = {"source": "PV:ioc:m1.RBV", "dtype": "number", "shape": [], "units": "", "precision": 5,
         "lower_ctrl_limit": -1e300, "upper_ctrl_limit": 1e300}  # fmt: skip
KEYS = {"m_stage_r": ABOUT, "TR diode": ABOUT, "busy": {**ABOUT, "dtype": "integer", "units": None},
        "mca": {**ABOUT, "dtype": "array", "shape": [4]}}  # fmt: skip
POINTS = {"baseline": 2, "primary": 30}


def own() -> Documents:
    """Return two runs as bluesky 1.5 wrote them at a beamline, with a file's worth of odd details."""
    found: Documents = []
    for number, uid in ((1, "19965989-0a2a"), (2, "2ffe4d87-9f0c")):
        start = {"time": 1556837133.9 + number, "uid": uid, "scan_id": 107 + number, "plan_name": "tune_mr"}
        hints = {"dimensions": [[["m_stage_r"], "primary"]]}
        found.append(["start", {**start, "tune_md": {"width": -0.004}, "detectors": ["I0"], "hints": hints}])
        for stream, points in POINTS.items():
            name = f"{uid}-{stream}"
            about = {"run_start": uid, "time": 1.5, "uid": name, "name": stream, "data_keys": KEYS}
            more = {"configuration": {}, "hints": {}, "object_keys": {"s": [*KEYS]}}
            found.append(["descriptor", {**about, **more}])
            found += [["event", event(name, seq_num)] for seq_num in range(1, points + 1)]
        stop = {"run_start": uid, "time": 1556837148.0, "uid": f"{uid}-stop", "exit_status": "success"}
        found.append(["stop", {**stop, "reason": "", "num_events": POINTS}])
    return found


def event(descriptor: str, seq_num: int) -> dict[str, Any]:
    data = {"m_stage_r": 8.8 + seq_num, "TR diode": float(seq_num), "busy": 0, "mca": [1, 2, 3, 4]}
    about = {"descriptor": descriptor, "time": 1556837134.0 + seq_num, "seq_num": seq_num, "filled": {}}
    timestamps = dict.fromkeys(data, 631152000.0)  # of EPICS records that were never processed
    return {**about, "uid": f"{descriptor}-{seq_num}", "data": data, "timestamps": timestamps}


@pytest.fixture(params=["own", "real"])
def file(request, tmp_path) -> Path:
    """A gzipped JSON list of documents: of the tests' own, and that of a beamline where it is there."""
    if request.param == "real":
        if not REAL.exists():  # no program can be installed that brings it
            pytest.skip("the runs of a beamline are not beside the project")
        return REAL
    path = tmp_path / "own.json.gz"
    path.write_bytes(gzip.compress(json.dumps(own(), indent=2).encode()))
    return path


@pytest.fixture
def by_run(file) -> dict[str, Documents]:
    """The documents of the file, run by run, in order."""
    runs: dict[str, Documents] = defaultdict(list)
    run_of: dict[str, str] = {}
    for name, document in json.loads(gzip.decompress(file.read_bytes())):
        link = document.get("run_start") or run_of.get(document.get("descriptor"), document["uid"])
        run_of[document["uid"]] = link
        runs[link].append([name, document])
    return runs


@pytest.fixture
def imported(store, file) -> Catalog:
    found = import_file(store, file)
    assert (found.quarantined, found.skipped, found.open_runs) == (0, 0, [])
    return Catalog(store)


def test_every_run_is_found_by_uid_prefix_and_scan_id(imported, by_run) -> None:
    assert set(imported) == set(by_run)
    newest: dict[int, tuple[float, str]] = {}
    for uid, documents in by_run.items():
        start = documents[0][1]
        assert imported[uid].start == start
        assert imported[uid[:8]].uid == uid
        newest[start["scan_id"]] = max((start["time"], uid), newest.get(start["scan_id"], (0.0, "")))
    assert {scan_id: imported[scan_id].uid for scan_id in newest} == {
        n: uid for n, (_, uid) in newest.items()
    }


def test_every_stream_reads_as_xarray(imported, by_run) -> None:
    for uid, documents in by_run.items():
        counts = documents[-1][1]["num_events"]
        run = imported[uid]
        assert set(run) == set(counts)
        for name, stream in run.items():
            dataset = stream.read()
            assert isinstance(dataset, xr.Dataset)
            assert dataset.sizes["time"] == counts[name]
            keys = {key for found in run[name].descriptors for key in found["data_keys"]}
            assert set(dataset.data_vars) == keys


def test_every_run_replays_the_documents_that_went_in(imported, by_run) -> None:
    for uid, documents in by_run.items():
        replayed = [[name, document] for name, document in imported[uid].documents(fill="no")]
        assert is_same(replayed, documents)


def test_the_store_is_sound_and_a_second_import_changes_nothing(imported, file, by_run) -> None:
    store = imported.store
    assert verify(store).is_sound
    before = store.last_change()
    again = import_file(store, file)

    assert (store.last_change(), again.runs, sorted(again.known_runs)) == (before, [], sorted(by_run))
    assert again.skipped == again.documents.total()
