"""Detectors that write files, recorded by the real RunEngine and read end to end."""

from __future__ import annotations

import pickle
import shutil

import dask
import h5py
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky import plans as bp
from ophyd.sim import det as diode
from ophyd.sim import motor
from ophyd_async.core import StaticFilenameProvider, StaticPathProvider, init_devices
from ophyd_async.sim import SimBlobDetector

import hutch
from hutch.cli.demo.camera import Camera
from hutch.errors import ExternalDataError

from ..detector_files import EigerLike

ON_EACH_DATABASE = True


@pytest.fixture
def engine(cat, event_loop):
    found = RunEngine({}, loop=event_loop)
    found.subscribe(cat.recorder())
    return found


@pytest.mark.parametrize("dataset", ["/entry/data/data", "/entry/data"], ids=["virtual", "links"])
@pytest.mark.parametrize("per_event", [1, 3])
def test_an_eiger_s_files_are_read_end_to_end(cat, engine, tmp_path, dataset, per_event):
    eiger = EigerLike(tmp_path / "data", dataset=dataset, per_event=per_event)
    engine(bp.scan([eiger, diode], motor, -1, 1, 10))

    expected = eiger.frames if per_event == 1 else eiger.frames.reshape(10, per_event, 32, 48)
    stream = cat[-1].primary
    found = stream.read()
    assert found["eiger"].dtype == np.uint32
    np.testing.assert_array_equal(found["eiger"].values, expected)
    assert stream["eiger"].shape == expected.shape
    for index in (
        0,
        -1,
        slice(2, 7, 2),
        (slice(None), ..., slice(3, 20, 5)),
        ([1, 8, 4], ..., 0, 5),
        (3, ..., 2),
    ):
        np.testing.assert_array_equal(stream["eiger"][index], expected[index])

    lazy = stream.to_dask()
    assert lazy["eiger"].chunks[0] == (1,) * 10
    np.testing.assert_array_equal(lazy["eiger"].values, expected)
    np.testing.assert_array_equal(lazy["eiger"][3, ..., 4:9].values, expected[3, ..., 4:9])
    assert lazy["det"].values.tolist() == found["det"].values.tolist()


def test_frames_can_be_computed_in_other_processes(cat, engine, tmp_path):
    eiger = EigerLike(tmp_path / "data")
    engine(bp.count([eiger], 10))
    array = cat[-1].primary.to_dask()["eiger"].data
    with dask.config.set(scheduler="processes", num_workers=2):
        assert array.sum().compute() == eiger.frames.sum()
    again = pickle.loads(pickle.dumps(cat[-1].primary.frames("eiger")))  # noqa: S301 - our own
    np.testing.assert_array_equal(again[4], eiger.frames[4])


def test_a_missing_data_file_is_missed_and_never_read_as_zeros(cat, engine, tmp_path):
    eiger = EigerLike(tmp_path / "data")
    engine(bp.scan([eiger, diode], motor, -1, 1, 10))
    gone = tmp_path / "data" / "eiger_1_data_000002.h5"
    gone.unlink()
    # HDF5 itself says nothing:
    assert h5py.File(eiger.master)["entry/data/data"][5].sum() == 0

    run = cat[-1]
    message = rf"Cannot read 'eiger' of run '{run.uid}': the file '{gone}' is missing. .*root_map"
    for read in (
        run.primary.read,
        lambda: run.primary["eiger"][5],
        lambda: run.primary.to_dask()["eiger"].values,
        lambda: run.primary.to_pandas(),
    ):
        with pytest.raises(ExternalDataError, match=message):
            read()
    # Frames in other files, and scalars, are read all the same.
    np.testing.assert_array_equal(run.primary["eiger"][3], eiger.frames[3])
    assert len(run.primary.read(["det", "motor"])["det"]) == 10
    assert run.primary.to_dask()["det"].values.shape == (10,)


@pytest.mark.parametrize("dataset", ["/entry/data/data", "/entry/data"], ids=["virtual", "links"])
def test_a_data_file_with_too_few_frames_is_told(cat, engine, tmp_path, dataset):
    eiger = EigerLike(tmp_path / "data", dataset=dataset)
    engine(bp.count([eiger], 10))
    with h5py.File(tmp_path / "data" / "eiger_1_data_000003.h5", "w") as file:
        file["entry/data/data"] = eiger.frames[8:9]
    np.testing.assert_array_equal(cat[-1].primary["eiger"][7], eiger.frames[7])
    with pytest.raises(ExternalDataError, match="has (1|9) frames, and .*: it has been cut short"):
        cat[-1].primary["eiger"][9]


def test_a_truncated_file_is_told(cat, engine, tmp_path):
    eiger = EigerLike(tmp_path / "data")
    engine(bp.count([eiger], 10))
    path = tmp_path / "data" / "eiger_1_data_000001.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ExternalDataError, match=f"'{path}' is no HDF5 file that can be read: it is damaged"):
        cat[-1].primary["eiger"][0]


def test_files_that_have_moved_are_found_through_the_root_map(cat, engine, tmp_path, store_address):
    eiger = EigerLike(tmp_path / "data")
    engine(bp.count([eiger], 10))
    shutil.move(tmp_path / "data", tmp_path / "archive")
    with pytest.raises(ExternalDataError, match=f"root_map={{'{tmp_path / 'data'}': '/new/folder'}}"):
        cat[-1].primary.read()
    root_map = {str(tmp_path / "data"): str(tmp_path / "archive")}
    with hutch.open_catalog(store_address, root_map=root_map) as moved:
        np.testing.assert_array_equal(moved[-1].primary["eiger"][5], eiger.frames[5])


def test_ophyd_async_s_detector_is_read_while_its_run_goes_on(cat, engine, tmp_path):
    with init_devices():
        blob = SimBlobDetector(StaticPathProvider(StaticFilenameProvider("blob"), tmp_path), name="blob")
    seen = []

    def look(name, document):
        if name == "event" and document["seq_num"] == 2:
            stream = cat[-1].primary
            seen.append((cat[-1].status, stream["blob"][0].sum(), stream["blob-sum"][0]))

    engine.subscribe(look)
    engine(bp.count([blob], 4))

    (status, total, told), stream = seen[0], cat[-1].primary
    assert (status, total) == ("running", told)
    found = stream.read()
    assert found["blob"].shape == (4, 1, 240, 320)
    assert found["blob"].values.sum(axis=(1, 2, 3)).tolist() == found["blob-sum"].values.tolist()


def test_the_camera_of_the_demo_writes_frames_that_grow_while_they_are_read(cat, engine, tmp_path):
    camera = Camera("camera", tmp_path / "frames", lambda: motor.position, lambda: 0.0)
    counts = []

    def look(name, document):
        if name == "event":
            with h5py.File(next((tmp_path / "frames").iterdir()), swmr=True) as file:
                counts.append(len(file["entry/data/data"]))

    engine.subscribe(look)
    engine(bp.scan([camera, diode], motor, -50, 50, 5))
    assert counts == [1, 2, 3, 4, 5]
    frames = cat[-1].primary.read()["camera"]
    assert (frames.dims, frames.dtype, frames.attrs["units"]) == (
        ("time", "camera_row", "camera_column"),
        np.uint16,
        "counts",
    )
    assert (frames.mean(("camera_row", "camera_column")) > 2).all()


def test_more_than_the_limit_is_not_read_at_once(cat, engine, tmp_path, monkeypatch):
    eiger = EigerLike(tmp_path / "data")
    engine(bp.scan([eiger, diode], motor, -1, 1, 10))
    monkeypatch.setenv("HUTCH_READ_LIMIT_BYTES", "50000")
    stream = cat[-1].primary
    for read in (stream.read, lambda: stream.read("eiger"), stream.to_arrow, stream["eiger"].read):
        with pytest.raises(
            ExternalDataError, match=r"above the limit of 50 kB .*\['eiger'\]\[:10\], or to_dask\(\)"
        ):
            read()
    assert stream.read("det")["det"].shape == (10,)
    assert stream["eiger"][:5].shape == (5, 32, 48)
    assert stream.to_dask()["eiger"].sum().values == eiger.frames.sum()
