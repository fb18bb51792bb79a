"""Odd runs and odd requests through Tiled's routes."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiled.client.constructors import from_context
from tiled.client.context import Context
from tiled.client.utils import ClientError

import hutch
from hutch.server import Admission, build_app

from ...serving import KEY, serving, tiled_client
from .conftest import odd_run


@pytest.fixture
def run(tiled):
    return tiled["raw"]["odd-run"]


@pytest.mark.filterwarnings("ignore:Failed to convert ragged array:UserWarning")
def test_every_kind_of_value_is_read_as_what_it_is(run):
    dataset = run.primary.read()

    np.testing.assert_array_equal(dataset["x"], [1.5, math.nan, 3.5])
    assert dataset["n"].values.tolist() == [2**60 + 1, 2**60 + 2, 2**60 + 3]
    assert dataset["on"].values.tolist() == [True, False, True]
    assert dataset["label"].values.tolist() == ["ü", "üü", "üüü"]
    assert dataset["wave"].dims == ("time", "dim_0") and dataset["wave"].dtype == np.float64
    assert dataset["wave"].values.tolist() == [[1, 2, 3], [2, 2, 3], [3, 2, 3]]
    assert dataset["names"].values.tolist()[1] == ["first", "secondsecond"]
    np.testing.assert_array_equal(dataset["ragged"][1], [1.0, 1.0, math.nan])
    assert dataset["odd"].values.tolist() == ['{"a": 1}', '{"a": 2}', '{"a": 3}']
    np.testing.assert_array_equal(dataset["some"], [1, math.nan, 3])
    assert dataset["time_"].values.tolist() == [7.0] * 3
    assert dataset["time"].values.tolist() == [103.0, 104.0, 105.0]
    assert dataset["_hidden"].values.tolist() == [1.0, 2.0, 3.0]


def test_a_column_and_a_part_of_an_array_are_read_alone(run):
    assert run.primary["x"][0] == 1.5
    assert run.primary["label"].read().tolist() == ["ü", "üü", "üüü"]
    assert run.primary["wave"][1, 0] == 2.0
    assert run.primary["wave"][-1].tolist() == [3.0, 2.0, 3.0]
    assert run.primary["wave"][::2, 0].tolist() == [1.0, 3.0]


def test_metadata_that_no_json_carries_comes_near(run):
    assert run.start["big"] == 1e30
    assert math.isnan(run.start["nan"])
    assert run.start["half"] == "?"


def test_documents_come_as_recorded_whatever_is_in_them(run):
    documents = list(run.documents())
    expected = list(odd_run())
    assert [name for name, _ in documents] == [name for name, _ in expected]
    assert documents[0][1]["big"] == 10**30
    assert documents[3][1]["data"]["odd"] == {"a": 2}


def wait_for_rows(catalog, uid, count):
    """Wait until so many events of a run are committed."""
    while True:
        cursor = catalog.store.last_change()
        if catalog[uid].count_rows().get("primary") == count:
            return
        assert catalog.store.wait(cursor, 10), "nothing was committed"


def test_an_open_run_shows_what_has_come_since_it_was_looked_up(catalog, tiled):
    recorder = catalog.recorder()
    documents = list(odd_run("open-run", end=False))
    for name, document in documents[:3]:
        recorder(name, document)
    wait_for_rows(catalog, "open-run", 1)
    run = tiled["raw"]["open-run"]
    assert run.stop is None
    assert run.primary.read(["x"])["x"].values.tolist() == [1.5]
    assert run.primary.read(["wave"])["wave"].shape == (1, 3)
    for name, document in documents[3:]:
        recorder(name, document)
    recorder("stop", {"uid": "open-stop", "run_start": "open-run", "time": 120.0, "exit_status": "success"})
    recorder.close()
    assert len(run.primary.read(["x"])["x"]) == 3
    assert run.primary.read(["wave"])["wave"].shape == (3, 3)
    assert tiled["raw"]["open-run"].stop["exit_status"] == "success"


def test_catalogs_with_slashes_in_their_names_are_in_folders(tiled):
    assert sorted(tiled) == ["csx", "raw"]
    assert "odd-run" in tiled["csx", "raw"]


def test_who_has_no_key_or_a_wrong_one_sees_nothing(address):
    with Context(f"{address}/api/v1") as context:
        with pytest.raises(RuntimeError, match="requires API key authentication"):
            from_context(context)
        context.api_key = "wrong"
        with pytest.raises(ClientError, match="401"):
            from_context(context)


def test_the_key_in_the_address_is_enough(address):
    with tiled_client(f"{address}/?api_key={KEY}", None) as client:
        assert "raw" in client


def test_a_whole_catalog_is_not_exported(http):
    answer = http.get("/api/v1/container/full/raw", params={"format": "application/x-hdf5"})
    assert answer.status_code == 406
    assert "export its runs" in answer.json()["detail"]


def test_a_run_is_exported_as_json(http):
    uid = http.get("/hutch/v1/catalogs/raw/runs/3").json()["uid"]
    answer = http.get(f"/api/v1/container/full/raw/{uid}", params={"format": "json"})
    assert answer.status_code == 200
    assert "internal" in answer.json()["contents"]["primary"]["contents"]


@pytest.mark.parametrize("method, path", [
    ("POST", "/api/v1/metadata/raw"), ("DELETE", "/api/v1/metadata/raw/odd-run"),
    ("POST", "/api/v1/register/raw"), ("PUT", "/api/v1/array/full/raw/odd-run/primary/wave"),
])  # fmt: skip
def test_nothing_can_be_written_through_tiled(http, method, path):
    body = {"structure_family": "container", "metadata": {}, "data_sources": [], "specs": []}
    answer = http.request(method, path, json=body)
    assert answer.status_code == 401
    assert "Not enough permissions" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xc1", b"ARROW1\0\0\xff\xff\xff\xff", b"[" * 100_000, b"\x93NUMPY"]
)
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-msgpack", "application/vnd.apache.arrow.file"]
)
@pytest.mark.parametrize(
    "path", ["/api/v1/metadata/raw", "/api/v1/table/full/raw", "/api/v1/array/block/raw/odd-run"]
)
def test_what_cannot_be_read_is_refused_and_no_fault_of_the_server(http, path, kind, body):
    for method in ("POST", "PUT", "PATCH"):
        answer = http.request(method, path, content=body, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500, (method, answer.status_code, answer.text)
    assert http.get("/readyz").status_code == 200


def test_unknown_keys_partitions_and_columns_are_told_apart(http):
    table = "/api/v1/table/partition/raw/odd-run/primary/internal"
    assert http.get(table, params={"partition": 5}).status_code == 400
    assert http.get(table, params={"partition": 0, "column": "nothing"}).status_code == 400
    assert http.get("/api/v1/metadata/raw/odd").status_code == 404
    assert http.get("/api/v1/metadata/raw/odd-run/other").status_code == 404
    assert http.get("/api/v1/metadata/raw/odd-run/primary/other").status_code == 404
    assert http.get("/api/v1/search/raw", params={"sort": "a..b"}).status_code == 400
    assert http.get("/api/v1/distinct/raw", params={"metadata": "a..b"}).status_code == 400


def test_many_ask_at_once_and_each_is_answered(http):
    paths = [
        "/api/v1/search/raw?page[limit]=1&sort=-start.time",
        "/api/v1/table/partition/raw/odd-run/primary/internal?partition=0",
        "/hutch/v1/catalogs/raw/runs/odd-run/documents",
        "/api/v1/search/raw?filter[eq][condition][key]=start.scan_id&filter[eq][condition][value]=3",
    ]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(http.get, paths * 20))
    assert {answer.status_code for answer in answers} == {200}
    for number in range(len(paths)):
        assert len({len(answer.content) for answer in answers[number :: len(paths)]}) == 1


def test_names_that_stand_for_something_else_in_tiled_s_addresses_are_served_under_others(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as catalog:
        with catalog.start_run(plan_name="odd") as run:
            for number in range(2):
                frame = np.full((2, 3), number)
                run.add("primary", {"internal": frame, "a/b": frame, "x/y": number, "x_y": 7, "p?": 1.0})
            run.add("time", {"z/": 1.0})
            run.add("b/c", {"q": 1.0})
        app = build_app({"raw": catalog}, Admission([KEY]))
        with serving(app) as address, tiled_client(address) as client:
            found = client["raw"][-1]
            assert list(found) == ["b_c", "primary", "time"]
            dataset = found.primary.read()
            assert set(dataset) == {"internal_", "a_b", "x_y_", "x_y", "p_"}
            assert dataset["x_y_"].values.tolist() == [0, 1] and dataset["x_y"].values.tolist() == [7, 7]
            assert dataset["a_b"].shape == dataset["internal_"].shape == (2, 2, 3)
            assert len(dataset["time"]) == 2
            assert found["b_c"].read()["q"].values.tolist() == [1.0]
