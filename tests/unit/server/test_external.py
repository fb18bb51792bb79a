"""Images in detectors' own files, as a stream will offer them, through the real client."""

from __future__ import annotations

import numpy as np
import pytest

from hutch.catalogs import Stream

IMAGES = np.arange(3 * 4 * 5, dtype="uint16").reshape(3, 4, 5)


class FakeFrames:
    shape, dtype = IMAGES.shape, IMAGES.dtype
    chunks = ((1, 1, 1), (4,), (5,))
    dims = ("time", "y", "x")

    def __init__(self):
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return IMAGES[index]


@pytest.fixture(scope="module", autouse=True)
def recorded(catalog):
    keys = {
        "x": {"source": "test", "dtype": "number", "shape": []},
        "img": {"source": "test", "dtype": "array", "shape": [4, 5], "external": "STREAM:"},
    }
    recorder = catalog.recorder()
    recorder("start", {"uid": "image-run", "time": 200.0})
    recorder(
        "descriptor",
        {"uid": "image-d", "run_start": "image-run", "time": 201.0, "name": "primary", "data_keys": keys},
    )
    for number in (1, 2, 3):
        event = {"uid": f"image-{number}", "descriptor": "image-d", "time": 202.0, "seq_num": number}
        recorder("event", {**event, "data": {"x": 1.0 * number}, "timestamps": {"x": 202.0}, "filled": {}})
    recorder("stop", {"uid": "image-s", "run_start": "image-run", "time": 210.0, "exit_status": "success"})
    recorder.close()


@pytest.fixture
def frames(monkeypatch):
    found = FakeFrames()
    monkeypatch.setattr(Stream, "external_keys", lambda stream: ["img"], raising=False)
    monkeypatch.setattr(Stream, "frames", lambda stream, key: found, raising=False)
    return found


def test_one_image_is_read_without_the_others(tiled, frames):
    image = tiled["raw"]["image-run"].primary["img"][1]

    np.testing.assert_array_equal(image, IMAGES[1])
    assert [index[0] for index in frames.read] == [1]


def test_images_stand_beside_the_readings_of_their_rows(tiled, frames):
    dataset = tiled["raw"]["image-run"].primary.read()

    assert dataset["img"].dims == ("time", "y", "x") and dataset["img"].dtype == np.uint16
    np.testing.assert_array_equal(dataset["img"], IMAGES)
    assert dataset["x"].values.tolist() == [1.0, 2.0, 3.0]


def test_images_are_lazy_arrays_for_who_wants_dask(address, frames):
    from ...serving import tiled_client

    with tiled_client(address, structure_clients="dask") as client:
        array = client["raw"]["image-run"].primary["img"].read()
        assert frames.read == []
        np.testing.assert_array_equal(array[2].compute(), IMAGES[2])
