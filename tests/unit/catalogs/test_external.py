import os
import subprocess
import sys

import event_model
import numpy as np
import pytest

import hutch
from hutch.assets import moved
from hutch.errors import ExternalDataError
from hutch.plugins import register_handler

SPEC = "HUTCH_TEST_NPY"


class NpyHandler:
    """Opens a .npy file of frames; a datum names one of them."""

    opened: list[str] = []
    read: list[int] = []

    def __init__(self, path, scale=1):
        self.opened.append(path)
        self.frames = np.load(path)
        self.scale = scale

    def __call__(self, frame):
        self.read.append(frame)
        return (self.frames[frame] * self.scale).tolist()


@pytest.fixture
def frames():
    return np.arange(3 * 2 * 4, dtype="int64").reshape(3, 2, 4)


@pytest.fixture
def run(catalog, record, frames, tmp_path):
    """A run with three frames of ``img`` in a file, and the scalar ``x``."""
    register_handler(SPEC, NpyHandler)
    NpyHandler.opened, NpyHandler.read = [], []
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "frames.npy", frames)
    record(documents_with_images(tmp_path, len(frames)))
    return catalog[-1]


def documents_with_images(root, count, spec=SPEC, img=None, filled=True):
    bundle = event_model.compose_run()
    img = {"source": "test", "dtype": "array", "shape": [2, 4], "external": "FILESTORE:", **(img or {})}
    descriptor = bundle.compose_descriptor(
        name="primary", data_keys={"img": img, "x": {"source": "test", "dtype": "number", "shape": []}}
    )
    resource = bundle.compose_resource(
        spec=spec, root=str(root), resource_path="data/frames.npy", resource_kwargs={"scale": 2}
    )
    found = [("start", bundle.start_doc), ("descriptor", descriptor.descriptor_doc)]
    found.append(("resource", resource.resource_doc))
    for number in range(count):
        datum = resource.compose_datum(datum_kwargs={"frame": number})
        event = descriptor.compose_event(
            data={"img": datum["datum_id"], "x": number * 1.5},
            timestamps={"img": 0.0, "x": 0.0},
            filled={"img": False},
        )
        if not filled:
            del event["filled"]
        found += [("datum", datum), ("event", event)]
    found.append(("stop", bundle.compose_stop()))
    return found


def test_read_puts_the_images_in_place_of_datum_ids(run, frames):
    found = run.primary.read()
    assert found["img"].dims == ("time", "dim_0", "dim_1")
    assert found["img"].dtype == np.int64
    np.testing.assert_array_equal(found["img"].values, frames * 2)
    assert found["x"].values.tolist() == [0.0, 1.5, 3.0]


def test_a_file_is_opened_once_for_all_its_frames(run):
    run.primary.read()
    assert len(NpyHandler.opened) == 1


def test_one_image_is_read_alone(run, frames):
    np.testing.assert_array_equal(run.primary["img"][1], frames[1] * 2)
    np.testing.assert_array_equal(run.primary["img"][-1, 0], frames[-1, 0] * 2)
    assert NpyHandler.read == [1, 2]


def test_the_shape_of_images_is_told_without_reading(run):
    assert run.primary["img"].shape == (3, 2, 4)
    assert run.primary.metadata.dims == {"time": 3, "dim_0": 2, "dim_1": 4}
    assert NpyHandler.opened == []
    assert run.primary["img"].dtype == np.int64
    assert NpyHandler.read == [0]


def test_scalars_are_read_without_opening_files(run):
    assert run.primary.read(["x"])["x"].values.tolist() == [0.0, 1.5, 3.0]
    assert NpyHandler.opened == []


def test_tables_hold_the_images_too(run, frames):
    np.testing.assert_array_equal(run.primary.to_pandas()["img"].iloc[2], frames[2] * 2)
    np.testing.assert_array_equal(
        run.primary.to_arrow()["img"].combine_chunks().to_numpy_ndarray(), frames * 2
    )


def test_a_missing_file_is_named_with_run_key_and_remedy(run, tmp_path):
    path = tmp_path / "data" / "frames.npy"
    path.unlink()
    message = (
        f"Cannot read 'img' of run '{run.uid}': the file '{path}' is missing. If it has moved, tell "
        rf"where to: hutch.open_catalog\(…, root_map={{'{path.parent}': '/new/folder'}}\)"
    )
    with pytest.raises(ExternalDataError, match=message):
        run.primary.read()
    with pytest.raises(OSError, match=message):
        list(run.documents(fill="yes"))
    assert run.primary.read(["x"])["x"].values.tolist() == [0.0, 1.5, 3.0]


def test_a_missing_file_is_missed_when_its_key_is_computed(run, tmp_path):
    (tmp_path / "data" / "frames.npy").unlink()
    lazy = run.primary.to_dask()
    assert lazy["img"].shape == (3, 2, 4)
    assert lazy["x"].values.tolist() == [0.0, 1.5, 3.0]
    with pytest.raises(ExternalDataError, match="is missing"):
        lazy["img"].compute()


def test_a_broken_file_is_named_with_the_reason(run, tmp_path):
    path = tmp_path / "data" / "frames.npy"
    path.write_bytes(b"nonsense")
    with pytest.raises(ExternalDataError, match=f"the file '{path}' cannot be read: ValueError"):
        run.primary.read()


def test_moved_files_are_found_through_the_root_map(run, frames, tmp_path):
    (tmp_path / "data").rename(tmp_path / "archive")
    root_map = {str(tmp_path / "data"): str(tmp_path / "archive")}
    with hutch.open_catalog(tmp_path / "store", root_map=root_map) as catalog:
        np.testing.assert_array_equal(catalog[-1].primary.read()["img"].values, frames * 2)
        assert list(catalog[-1].documents(fill="yes"))[2] == list(run.documents(fill="no"))[2]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/a/x.h5", "/near/x.h5"),
        ("/data/b/x.h5", "/far/b/x.h5"),
        ("/database/x.h5", "/database/x.h5"),
        ("/data", "/far"),
    ],
)
def test_the_longest_folder_of_the_root_map_wins(path, expected):
    assert moved(path, {"/data": "/far", "/data/a/": "/near"}) == expected


def test_the_whole_file_system_can_be_moved():
    assert moved("/data/x.h5", {"/": "/copy"}) == "/copy/data/x.h5"


def test_an_unknown_spec_tells_what_to_do(catalog, record, tmp_path):
    record(documents_with_images(tmp_path, 1, spec="NO_SUCH_SPEC"))
    with pytest.raises(
        ExternalDataError, match="Cannot read 'img' .*No handler opens resources of spec 'NO_SUCH_SPEC'"
    ):
        catalog[-1].primary.read()


def test_an_unknown_datum_is_named(catalog, record, tmp_path):
    documents = documents_with_images(tmp_path, 1)
    record([pair for pair in documents if pair[0] != "datum"])
    with pytest.raises(ExternalDataError, match="refers to unknown Datum"):
        catalog[-1].primary.read()


def test_a_resource_of_an_earlier_run_is_found(catalog, record, run, frames, compose):
    datum = next(document for name, document in run.documents(fill="no") if name == "datum")
    img = {"shape": [2, 4], "dtype": "array", "external": "FILESTORE:"}
    uid = record(streams={"primary": [{"img": datum["datum_id"]}]}, keys={"img": img})
    np.testing.assert_array_equal(catalog[uid].primary.read()["img"].values, frames[:1] * 2)


def test_documents_without_filling_have_the_datum_ids(run):
    events = [document for name, document in run.documents(fill="no") if name == "event"]
    assert all(isinstance(event["data"]["img"], str) for event in events)
    assert [event["filled"] for event in events] == [{"img": False}] * 3


def test_filled_documents_have_numpy_arrays_and_name_the_datum(run, frames):
    plain = [document for name, document in run.documents(fill="no") if name == "event"]
    filled = [document for name, document in run.documents(fill="yes") if name == "event"]
    for number, (before, after) in enumerate(zip(plain, filled, strict=True)):
        assert isinstance(after["data"]["img"], np.ndarray)
        np.testing.assert_array_equal(after["data"]["img"], frames[number] * 2)
        assert after["filled"] == {"img": before["data"]["img"]}
        assert after["data"]["x"] == before["data"]["x"]


@pytest.mark.parametrize("img", [{}, {"dtype_numpy": "<i8"}])
def test_delayed_documents_have_dask_arrays(catalog, record, run, frames, tmp_path, img):
    array = pytest.importorskip("dask.array")
    record(documents_with_images(tmp_path, 3, img=img))
    filled = [document for name, document in catalog[-1].documents(fill="delayed") if name == "event"]
    assert all(isinstance(event["data"]["img"], array.Array) for event in filled)
    # Without a dtype in the descriptor the first frame is read to tell.
    assert NpyHandler.read == ([] if img else [0])
    for number, event in enumerate(filled):
        assert event["data"]["img"].dtype == np.int64
        np.testing.assert_array_equal(event["data"]["img"].compute(), frames[number] * 2)


def test_old_events_that_do_not_tell_what_is_filled_are_filled(catalog, record, run, frames, tmp_path):
    record(documents_with_images(tmp_path, 3, filled=False))
    np.testing.assert_array_equal(catalog[-1].primary.read()["img"].values, frames * 2)
    event = next(document for name, document in catalog[-1].documents(fill="yes") if name == "event")
    np.testing.assert_array_equal(event["data"]["img"], frames[0] * 2)
    assert set(event["filled"]) == {"img"}


def test_values_that_were_recorded_filled_are_left_alone(catalog, record, run, tmp_path):
    documents = documents_with_images(tmp_path, 2)
    events = [document for name, document in documents if name == "event"]
    events[1]["data"]["img"] = np.zeros((2, 4), dtype="int64")
    events[1]["filled"] = {"img": events[1]["uid"]}
    record(documents)
    assert catalog[-1].primary.read()["img"].values[1].tolist() == [[0] * 4] * 2
    assert NpyHandler.read == [0]


def test_the_images_of_a_simulated_detector_are_read(tmp_path):
    program = f"""
import bluesky, bluesky.plans, hutch
from ophyd.sim import SynSignalWithRegistry
import numpy as np
img = SynSignalWithRegistry(func=lambda: np.full((3, 5), 7.0), name="img", save_path={str(tmp_path)!r})
img.kind = "normal"
cat = hutch.open_catalog({str(tmp_path / "sim")!r})
RE = bluesky.RunEngine()
RE.subscribe(cat.recorder())
RE(bluesky.plans.count([img], num=2))
found = cat[-1].primary.read()["img"]
print(found.shape, float(found.min()), float(found.max()))
cat.close()
"""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    assert result.stdout == "(2, 3, 5) 7.0 7.0\n", result.stderr
