"""Images served: an Eiger's files end to end through Tiled's own client, and files that nobody may read."""

from __future__ import annotations

import event_model
import h5py
import hdf5plugin
import httpx
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky import plans as bp
from ophyd.sim import det, motor

import hutch
from hutch.server import Admission, build_app

from ..detector_files import EigerLike
from ..serving import KEY, serving, tiled_client

HEADERS = {"Authorization": f"Apikey {KEY}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def cat(folder):
    with hutch.open_catalog(folder / "store") as found:
        found.limit_files([folder / "data"])
        yield found


@pytest.fixture(scope="module")
def eiger(folder):
    return EigerLike(folder / "data", per_event=2, count=6)


@pytest.fixture(scope="module")
def image_run(cat, eiger):
    engine = RunEngine({})
    engine.subscribe(cat.recorder())
    engine(bp.scan([eiger, det], motor, -1, 1, 6))
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    engine._th.join(timeout=10)
    engine.loop.close()
    return cat[-1].uid


@pytest.fixture(scope="module")
def address(cat):
    with serving(build_app({"raw": cat}, Admission([KEY]))) as found:
        yield found


@pytest.fixture(scope="module")
def http(address):
    with httpx.Client(base_url=address, headers=HEADERS) as found:
        yield found


def test_tiled_s_client_reads_an_eiger_s_files(address, image_run, eiger):
    expected = eiger.frames.reshape(6, 2, 32, 48)
    with tiled_client(address) as client:
        stream = client["raw"][image_run].primary
        image = stream["eiger"]
        assert (image.shape, image.dtype) == (expected.shape, np.uint32)
        np.testing.assert_array_equal(image.read(), expected)
        np.testing.assert_array_equal(image[3], expected[3])
        np.testing.assert_array_equal(image[1:5, 1, 4:9, 10:20], expected[1:5, 1, 4:9, 10:20])
        dataset = stream.read()
        np.testing.assert_array_equal(dataset["eiger"], expected)
        assert dataset["det"].shape == (6,)
    with tiled_client(address, structure_clients="dask") as client:
        lazy = client["raw"][image_run].primary["eiger"].read()
        np.testing.assert_array_equal(lazy[2, 0].compute(), expected[2, 0])


def test_a_frame_is_a_picture_and_readings_come_without_their_frames_or_with_them(http, image_run):
    found = http.get(f"/runs/{image_run}/frames/primary/0.png?key=eiger")
    assert (found.status_code, found.headers["content-type"]) == (200, "image/png")
    path = f"/hutch/v1/catalogs/raw/runs/{image_run}/streams/primary/data"
    assert len(http.get(f"{path}?key=det").json()["det"]) == 6
    assert np.shape(http.get(f"{path}?key=eiger").json()["eiger"]) == (6, 2, 32, 48)


def record(cat, uri, shape=(32, 48), mimetype="application/x-hdf5", **parameters):
    """Record a run whose documents lead to a file, as anybody who may record can."""
    bundle = event_model.compose_run()
    img = {"source": "f", "dtype": "array", "dtype_numpy": "<u4", "shape": [*shape], "external": "STREAM:"}
    data_keys = {"img": img, "x": {"source": "f", "dtype": "number", "shape": []}}
    descriptor = bundle.compose_descriptor(name="primary", data_keys=data_keys)
    resource = bundle.compose_stream_resource(
        mimetype=mimetype, uri=uri, data_key="img", parameters={"dataset": "/data", **parameters}
    )
    ranges = {"start": 0, "stop": 1}, {"start": 1, "stop": 2}
    documents = [
        ("start", bundle.start_doc),
        ("descriptor", descriptor.descriptor_doc),
        ("stream_resource", resource.stream_resource_doc),
        ("stream_datum", resource.compose_stream_datum(*ranges, descriptor.descriptor_doc)),
        ("event", descriptor.compose_event(data={"x": 1.5}, timestamps={"x": 0.0}, seq_num=1)),
        ("stop", bundle.compose_stop()),
    ]
    recorder = cat.recorder()
    for name, document in documents:
        recorder(name, document)
    recorder.close()
    return bundle.start_doc["uid"]


def refused(http, uid, says):
    """Every way to the image is refused; the numbers beside it are not, and the server goes on."""
    paths = [
        f"/hutch/v1/catalogs/raw/runs/{uid}/streams/primary/data?key=img",
        f"/hutch/v1/catalogs/raw/runs/{uid}/streams/primary/data",
        f"/runs/{uid}/frames/primary/0.png?key=img",
        f"/api/v1/array/full/raw/{uid}/primary/img?format=application/octet-stream",
        f"/api/v1/array/block/raw/{uid}/primary/img?block=0,0,0&format=application/octet-stream",
    ]
    for path in paths:
        found = http.get(path)
        assert found.status_code in (403, 424), (path, found.status_code, found.text)
        assert says in found.text
        assert "topsecret" not in found.text
    data = f"/hutch/v1/catalogs/raw/runs/{uid}/streams/primary/data?key=x"
    assert http.get(data).json()["x"] == [1.5]
    assert http.get(f"/runs/{uid}").status_code == 200
    assert http.get("/readyz").status_code == 200


def test_files_outside_the_roots_are_not_read_whatever_leads_there(cat, http, folder):
    data = folder / "data"
    secret = folder / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.full((1, 32, 48), 7, "uint32")
    (folder / "secret.csv").write_text("topsecret,1\n")
    with h5py.File(data / "links.h5", "w") as file:
        file["data"] = h5py.ExternalLink("../secret.h5", "/data")
    (data / "link.h5").symlink_to(secret)
    for uri in (
        f"file://localhost{secret}",
        f"file://localhost{data}/../secret.h5",
        f"file://localhost{data}/%2e%2e/secret.h5",
        f"file://localhost{data}/link.h5",
        f"file://localhost{data}/links.h5",
        "file:///etc/passwd",
        "/proc/self/environ",
    ):
        refused(http, record(cat, uri), "outside the folders")
    csv = record(cat, f"file://localhost{folder}/secret.csv", (2, 2), "text/csv;header=absent")
    refused(http, csv, "outside the folders")
    template = record(
        cat,
        f"file://localhost{data}/",
        mimetype="multipart/related;type=image/tiff",
        template="../../etc/{:d}",
    )
    refused(http, template, "outside the folders")
    refused(http, record(cat, "http://127.0.0.1:1/a.h5"), "reads files of this host")


def test_a_store_s_own_files_are_no_detector_s(cat, http, folder):
    cat.limit_files([folder])
    try:
        uid = record(cat, f"file://localhost{folder}/store/hutch.db", (2, 2), "text/csv;header=absent")
        with serving(build_app({"raw": cat}, Admission([KEY]))) as address:
            with httpx.Client(base_url=address, headers=HEADERS) as other:
                refused(other, uid, "one of a store of hutch's")
    finally:
        cat.limit_files([folder / "data"])


def test_bombs_and_damaged_files_are_refused_and_the_server_stays_up(cat, http, folder):
    data = folder / "data"
    with h5py.File(data / "bomb.h5", "w") as file:
        one = file.create_dataset("data", (1, 32, 48), "uint32", chunks=(1, 32, 48), **hdf5plugin.LZ4())
        large = file.create_dataset("large", (2**24,), "uint8", chunks=(2**24,), **hdf5plugin.LZ4())
        large[...] = 0
        one.id.write_direct_chunk((0, 0, 0), large.id.read_direct_chunk((0,))[1])
    refused(http, record(cat, f"file://localhost{data}/bomb.h5"), "larger unpacked than it can be")
    (data / "damaged.h5").write_bytes((data / "bomb.h5").read_bytes()[:1000])
    refused(http, record(cat, f"file://localhost{data}/damaged.h5"), "damaged")
    refused(http, record(cat, f"file://localhost{data}/gone.h5"), "is missing")
    (data / "text.h5").write_text("this is no HDF5 file")
    refused(http, record(cat, f"file://localhost{data}/text.h5"), "no HDF5 file")
