"""Images in detectors' own files through the real client."""

from __future__ import annotations

import event_model
import h5py
import numpy as np
import pytest
from tiled.client.utils import ClientError

from ...serving import tiled_client

IMAGES = np.arange(3 * 4 * 5, dtype="uint16").reshape(3, 4, 5)


@pytest.fixture(scope="module", autouse=True)
def files(catalog, tmp_path_factory):
    """Two keys of a run are in files; one of these is gone since."""
    folder = tmp_path_factory.mktemp("detector")
    run = event_model.compose_run()
    about = {"source": "t", "dtype": "array", "dtype_numpy": "<u2", "shape": [4, 5], "external": "STREAM:"}
    keys = {"img": about, "gone": about, "x": {"source": "t", "dtype": "number", "shape": []}}
    primary = run.compose_descriptor(name="primary", data_keys=keys)
    documents = [("start", {**run.start_doc, "sample": "images"}), ("descriptor", primary.descriptor_doc)]
    for key in ("img", "gone"):
        with h5py.File(folder / f"{key}.h5", "w") as file:
            file.create_dataset("frames", data=IMAGES, chunks=(1, 4, 5))
        resource = run.compose_stream_resource(
            mimetype="application/x-hdf5", uri=f"file://localhost{folder}/{key}.h5", data_key=key,
            parameters={"dataset": "/frames", "chunk_shape": (1, 4, 5)},
        )  # fmt: skip
        documents.append(("stream_resource", resource.stream_resource_doc))
        place = {"start": 0, "stop": 3}
        datum = resource.compose_stream_datum(
            place, {"start": 1, "stop": 4}, descriptor=primary.descriptor_doc
        )
        documents.append(("stream_datum", datum))
    for number in (1, 2, 3):
        made = primary.compose_event(data={"x": 1.0 * number}, timestamps={"x": 0.0}, seq_num=number)
        documents.append(("event", made))
    documents.append(("stop", run.compose_stop()))
    recorder = catalog.recorder(strict=True)
    for name, document in documents:
        recorder(name, document)
    recorder.close()
    (folder / "gone.h5").unlink()
    return folder


@pytest.fixture
def primary(tiled, catalog):
    return tiled["raw"][catalog.search({"sample": "images"})[-1].uid].primary


def test_one_image_is_read_alone(primary):
    np.testing.assert_array_equal(primary["img"][1], IMAGES[1])
    np.testing.assert_array_equal(primary["img"][-1, 2:, 0], IMAGES[-1, 2:, 0])
    assert primary["img"].dtype == np.uint16 and primary["img"].shape == (3, 4, 5)


def test_images_stand_beside_the_readings_of_their_rows(primary):
    dataset = primary.read(["img", "x", "time"])
    np.testing.assert_array_equal(dataset["img"], IMAGES)
    assert dataset["img"].dims[0] == "time" and dataset["x"].values.tolist() == [1.0, 2.0, 3.0]


def test_images_are_lazy_arrays_for_who_wants_dask(address, catalog):
    with tiled_client(address, structure_clients="dask") as client:
        uid = catalog.search({"sample": "images"})[-1].uid
        array = client["raw"][uid].primary["img"].read()
        np.testing.assert_array_equal(array[2].compute(), IMAGES[2])


def test_a_file_that_is_gone_is_told_and_takes_nothing_else_with_it(primary):
    assert primary.read(["x"])["x"].values.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(primary["img"][0], IMAGES[0])
    with pytest.raises(ClientError, match=r"424: .*gone\.h5"):
        primary["gone"][0]
