from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import hutch
from hutch.errors import ExternalDataError, SourceChangedError
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.run_watching import RunWatcher

ON_EACH_DATABASE = True


def poll_until(watcher, is_done, timeout_s=10.0):
    """Return what is seen until something is, by waiting for the store."""
    found, deadline = [], time.monotonic() + timeout_s
    while not any(map(is_done, found)):
        assert time.monotonic() < deadline
        watcher.wait(0.5)
        found += watcher.poll()
    return found


def test_a_run_is_a_source_for_each_stream_while_it_is_recorded(cat, store_address):
    watcher = RunWatcher(store_address)
    assert watcher.poll() == []
    with cat.start_run(plan_name="count", sample="A") as run:
        run.add("primary", {"x": 1.5, "n": 3, "word": "a", "row": [1, 2]})
        run.add("baseline", {"t": 20.0})
        found = {one.spec.base.rpartition("-")[2]: one for one in poll_until(watcher, lambda one: one.rows)}
        while "baseline" not in found:
            found.update({one.spec.base.rpartition("-")[2]: one for one in poll_until(watcher, bool)})
        assert {one.run for one in found.values()} == {run.uid}
        assert not any(one.is_complete for one in found.values())
        run.add("primary", {"x": 2.5, "n": 4, "word": "b", "row": [3, 4]})
        later = poll_until(watcher, lambda one: one.rows == 2)[-1]
        assert later.spec == found["primary"].spec
        with open_source(later.spec) as source:
            assert source.rows() == 2
            batch = source.read(0, 100)
    assert (batch.start, batch.stop, batch.format) == (0, 2, "run")
    assert batch.names == ("time", "seq_num", "x", "n", "word", "row")
    assert batch["x"].tolist() == [1.5, 2.5]
    assert batch["n"].tolist() == [3, 4]
    assert batch["seq_num"].tolist() == [1, 2]
    assert batch["row"].tolist() == [[1, 2], [3, 4]]
    assert batch.facts["start"]["sample"] == "A"
    assert [one["name"] for one in batch.facts["descriptors"]] == ["primary"]
    assert batch.facts["hinted"] == ["x", "n"]
    ended = poll_until(watcher, lambda one: one.is_complete)
    assert {(one.rows, one.is_complete) for one in ended if one.is_complete} == {(2, True), (1, True)}
    assert watcher.poll() == []


def test_rows_are_read_from_any_one_on(cat, store_address):
    with cat.start_run() as run:
        for number in range(250):
            run.add("primary", {"x": number})
    (sighting,) = RunWatcher(store_address, since="all").poll()
    with open_source(sighting.spec) as source:
        parts = [source.read(start, start + 100) for start in (0, 100, 200, 250)]
    assert [part.stop for part in parts] == [100, 200, 250, 250]
    assert np.concatenate([part["x"] for part in parts]).tolist() == list(range(250))


def test_runs_that_have_ended_are_left_alone_unless_they_are_asked_for(cat, store_address):
    for sample in ("A", "B"):
        with cat.start_run(sample=sample) as run:
            run.add("primary", {"x": 1})
    watcher = RunWatcher(store_address)
    assert watcher.poll() == []
    cat[-1].amend({"sample": "C"}, reason="a test")
    assert watcher.poll() == []
    found = RunWatcher(store_address, since="all").poll()
    assert [(one.run, one.is_complete) for one in found] == [(uid, True) for uid in cat]


def test_a_run_that_is_open_already_is_seen_at_once(cat, store_address):
    with cat.start_run() as run:
        run.add("primary", {"x": 1})
        waiting = RunWatcher(store_address, since="all")
        poll_until(waiting, lambda one: one.rows == 1)
        assert [one.run for one in RunWatcher(store_address).poll()] == [run.uid]


def test_only_the_runs_and_streams_that_are_asked_for_are_seen(cat, store_address):
    watcher = RunWatcher(store_address, {"sample": "A"}, ["primary"])
    watcher.poll()
    for sample in ("B", "A"):
        with cat.start_run(sample=sample) as run:
            run.add("primary", {"x": 1})
            run.add("baseline", {"x": 1})
    found = poll_until(watcher, lambda one: one.is_complete)
    assert {(one.run, one.spec.address.rpartition("/")[2]) for one in found} == {(cat[-1].uid, "primary")}


def test_a_watcher_goes_on_from_the_cursor_of_another(cat, store_address):
    first = RunWatcher(store_address)
    first.poll()
    with cat.start_run() as run:
        run.add("primary", {"x": 1})
    (found,) = RunWatcher(store_address, after=first.cursor).poll()
    assert (found.run, found.rows, found.is_complete) == (run.uid, 1, True)


def test_a_run_whose_process_died_is_complete(cat, store_address):
    program = (
        "import sys, hutch\n"
        "run = hutch.open_catalog(sys.argv[1]).start_run()\n"
        "run.add('primary', {'x': 1})\n"
        "print('added', flush=True)\n"
        "sys.stdin.read()\n"
    )
    watcher = RunWatcher(store_address)
    watcher.poll()
    with subprocess.Popen(
        [sys.executable, "-c", program, store_address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    ) as process:
        assert process.stdout.readline() == "added\n"
        found = poll_until(watcher, lambda one: one.rows == 1)
        assert not found[-1].is_complete
        process.kill()
        process.wait(timeout=30)
    last = poll_until(watcher, lambda one: one.is_complete)[-1]
    assert (last.spec, last.rows) == (found[-1].spec, 1)


def test_another_process_opens_what_a_watcher_has_seen(cat, store_address):
    with cat.start_run() as run:
        run.add("primary", {"x": 7})
    (sighting,) = RunWatcher(store_address, since="all").poll()
    program = (
        "import sys\n"
        "from hutch.monitor.reading.opening import open_source\n"
        "from hutch.monitor.sources import SourceSpec\n"
        "with open_source(SourceSpec(*sys.argv[1:])) as source:\n"
        "    print(source.read(0, 10)['x'].tolist())\n"
    )
    spec = sighting.spec
    arguments = [spec.address, spec.identity, spec.format, spec.base]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "[7]\n", done.stderr


def test_a_run_that_was_deleted_is_no_source_any_more(cat, store_address):
    with cat.start_run() as run:
        run.add("primary", {"x": 7})
    watcher = RunWatcher(cat, since="all")
    (sighting,) = watcher.poll()
    cat.plan_deletion(run.uid).execute(reason="a test")
    with open_source(sighting.spec) as source, pytest.raises(SourceChangedError, match="was deleted"):
        source.rows()
    assert watcher.poll() == []


def test_frames_are_read_when_they_are_asked_for(cat, store_address, tmp_path):
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["data"] = np.arange(24).reshape(4, 2, 3)
    documents = _run_with_frames(tmp_path / "frames.h5")
    recorder = cat.recorder()
    for name, document in documents:
        recorder(name, document)
    (sighting,) = RunWatcher(cat, since="all").poll()
    assert sighting.rows == 4
    with open_source(sighting.spec) as source:
        batch = source.read(1, 3)
        assert (len(batch), batch.names) == (2, ("time", "seq_num", "image"))
        assert batch["image"].tolist() == np.arange(6, 18).reshape(2, 2, 3).tolist()
        os.remove(tmp_path / "frames.h5")
        batch = source.read(0, 4)
        assert len(batch) == 4
        with pytest.raises(ExternalDataError, match="missing"):
            batch["image"]


def test_events_are_written_along_as_datasets(cat, store_address, tmp_path):
    with cat.start_run(sample="A") as run:
        for number in range(5):
            run.add("primary", {"x": number / 2, "word": f"w{number}", "row": [number, 1]})
    (sighting,) = RunWatcher(cat, since="all").poll()
    with open_source(sighting.spec) as source, h5py.File(tmp_path / "new.h5", "w") as file:
        source.write(source.read(2, 4), file)
        assert file["x"][:].tolist() == [1.0, 1.5]
        assert file["word"].asstr()[:].tolist() == ["w2", "w3"]
        assert file["row"][:].tolist() == [[2, 1], [3, 1]]
        assert json.loads(file.attrs["start"])["sample"] == "A"


def test_a_password_is_not_shown_where_people_see_a_source():
    from hutch.monitor.sources import SourceSpec

    spec = SourceSpec("postgresql://me:sesame@host/db 17531a/primary", "1", "run", "a")
    assert "sesame" not in repr(spec) + spec.place
    assert spec.place.endswith("17531a/primary")


def test_streams_have_bases_that_are_names_of_files(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as cat:
        with cat.start_run() as run:
            run.add("a/b", {"x": 1})
            run.add("a_b", {"x": 1})
            run.add("a b", {"x": 1})
        found = [one.spec for one in RunWatcher(cat, since="all").poll()]
        for spec in found:
            with open_source(spec) as source:
                assert source.rows() == 1
    bases = {spec.base for spec in found}
    assert len(bases) == 3
    assert not any("/" in base or " " in base for base in bases)


def _run_with_frames(path):
    """Return the documents of a run whose only key is in a file that stream documents announce."""
    key = {"source": "camera", "dtype": "array", "shape": [2, 3], "dtype_numpy": "<i8", "external": "STREAM:"}
    resource = {
        "uid": "r",
        "run_start": "s",
        "data_key": "image",
        "mimetype": "application/x-hdf5",
        "uri": f"file://localhost{path}",
        "parameters": {"dataset": "data", "chunk_shape": [1, 2, 3]},
    }
    datum = {"stream_resource": "r", "uid": "r/0", "descriptor": "d"}
    return [
        ("start", {"uid": "s", "time": 1.0}),
        (
            "descriptor",
            {"uid": "d", "run_start": "s", "time": 1.0, "name": "primary", "data_keys": {"image": key}},
        ),
        ("stream_resource", resource),
        (
            "stream_datum",
            {**datum, "indices": {"start": 0, "stop": 4}, "seq_nums": {"start": 1, "stop": 5}},
        ),
        ("stop", {"uid": "e", "run_start": "s", "time": 2.0, "exit_status": "success"}),
    ]
