"""hutch's own JSON routes."""

from __future__ import annotations

import io
import json
import math

import httpx
import pyarrow as pa
import pytest

import hutch
from hutch.errors import AmbiguousRunError, HutchError, RunDeletedError, StreamNotFoundError
from hutch.server import Admission, build_app
from hutch.server.statuses import STATUSES, status_of

from ...serving import KEY, key_cookie, serving

V1 = "/hutch/v1"
RAW = f"{V1}/catalogs/raw"


def scan_ids(answer):
    assert answer.status_code == 200, answer.text
    return [run["scan_id"] for run in answer.json()["runs"]]


def test_catalogs_are_listed_with_their_runs(http):
    names = [item["name"] for item in http.get(f"{V1}/catalogs").json()]
    assert names == ["raw", "csx/raw"]
    assert http.get(f"{V1}/catalogs/csx/raw/count").json() == http.get(f"{RAW}/count").json()


def test_runs_are_listed_newest_first_page_by_page(http):
    found = http.get(f"{RAW}/runs", params={"limit": 2, "offset": 1})
    assert scan_ids(found) == [6, 5]
    assert found.json()["total"] == http.get(f"{RAW}/count").json()["count"]
    assert found.json()["runs"][0]["status"] == "success"
    assert found.json()["runs"][0]["metadata"] is None


def test_metadata_come_along_if_they_are_asked_for(http):
    (run,) = http.get(f"{RAW}/runs", params={"limit": 1, "metadata": True}).json()["runs"]
    assert run["metadata"]["start"]["sample"] == "A"


@pytest.mark.parametrize("asked, expected", [
    ({"query": '{"plan_name": "scan"}'}, [7, 5, 3]),
    ({"query": '{"scan_id": {"$gt": 5}}'}, [7, 6]),
    ({"text": "count"}, [6, 4, 2]),
    ({"until": "2001"}, [1]),
    ({"until": "1000000"}, [1]),
    ({"since": "2001", "query": '{"plan_name": "scan"}', "sort": "scan_id"}, [3, 5, 7]),
    ({"query": '{"sample": "A"}', "sort": ["plan_name", "-scan_id"]}, [6, 4, 2, 7, 5, 3]),
])  # fmt: skip
def test_runs_are_searched_and_sorted(http, asked, expected):
    assert scan_ids(http.get(f"{RAW}/runs", params=asked)) == expected


def test_values_are_counted(http):
    found = http.get(f"{RAW}/distinct", params={"key": "plan_name"}).json()
    assert {item["value"]: item["count"] for item in found["values"]} == {"scan": 3, "count": 3}


@pytest.mark.parametrize("key", ["odd-run", "odd", "1"])
def test_a_run_is_shown_by_uid_beginning_and_scan_id(http, key):
    found = http.get(f"{RAW}/runs/{key}").json()
    assert found["uid"] == "odd-run" and found["streams"] == {"primary": 3}
    assert found["metadata"]["start"]["nan"] is None


def test_the_newest_run_is_minus_one(http):
    assert http.get(f"{RAW}/runs/-1").json()["metadata"]["start"]["scan_id"] == 7


def test_a_stream_is_shown_with_what_its_keys_are(http):
    found = http.get(f"{RAW}/runs/odd-run/streams/primary").json()
    assert found["rows"] == 3 and found["data_keys"]["x"]["units"] == "mm"


def test_data_come_as_json(http):
    found = http.get(f"{RAW}/runs/odd-run/streams/primary/data", params={"key": ["x", "wave"]}).json()
    assert found["x"] == [1.5, None, 3.5]
    assert found["wave"] == [[1, 2, 3], [2, 2, 3], [3, 2, 3]]
    assert found["seq_num"] == [1, 2, 3]
    assert set(found) == {"x", "wave", "seq_num", "time"}


def test_data_come_as_arrow(http):
    answer = http.get(f"{RAW}/runs/odd-run/streams/primary/data", params={"format": "arrow"})
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert table.column("n").to_pylist() == [2**60 + 1, 2**60 + 2, 2**60 + 3]


def test_data_come_as_csv(http):
    answer = http.get(
        f"{RAW}/runs/odd-run/streams/primary/data", params={"format": "csv", "key": ["n", "wave"]}
    )
    assert answer.headers["content-type"].startswith("text/csv")
    header, first, *_ = answer.text.splitlines()
    assert header == "time,seq_num,n,wave"
    assert first == f'103.0,1,{2**60 + 1},"[1.0, 2.0, 3.0]"'


def test_documents_come_as_a_sequence(http):
    lines = http.get(f"{RAW}/runs/odd-run/documents").text.split("\x1e")[1:]
    pairs = [json.loads(line) for line in lines]
    assert [pair["name"] for pair in pairs] == ["start", "descriptor", "event", "event", "event", "stop"]
    assert pairs[0]["doc"]["big"] == 10**30 and math.isnan(pairs[0]["doc"]["nan"])


@pytest.mark.parametrize("path, status, part", [
    ("/catalogs/other/runs", 404, "No catalog 'other'. There are: raw, csx/raw."),
    ("/catalogs/raw/runs/nothing", 404, "No run 'nothing'"),
    ("/catalogs/raw/runs/-100", 404, "No run at -100"),
    ("/catalogs/raw/runs/odd-run/streams/other", 404, "No stream 'other'"),
    ("/catalogs/raw/runs/odd-run/streams/primary/data?key=no", 404, "No key 'no'"),
    ("/catalogs/raw/runs?query={", 400, "is no JSON"),
    ("/catalogs/raw/runs?query=[]", 400, "is no query"),
    ('/catalogs/raw/runs?query={"a":{"$b":1}}', 400, "Unknown operator"),
    ("/catalogs/raw/runs?since=2020&until=2019", 400, "since"),
    ("/catalogs/raw/runs?sort=a..b", 400, "is no key"),
    ("/catalogs/raw/runs?limit=-1", 422, "limit"),
    ("/catalogs/raw/runs/odd-run/streams/primary/data?format=xls", 422, "format"),
    ("/nothing", 404, "Not Found"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(http, path, status, part):
    answer = http.get(f"{V1}{path}")
    assert answer.status_code == status
    assert list(answer.json()) == ["error"] and part in answer.json()["error"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Apikey wrong"}, {"Authorization": "Basic eDp5"}])
@pytest.mark.parametrize("path", [f"{RAW}/runs", f"{V1}/catalogs", "/metrics", "/api/v1/search/raw"])
def test_who_has_no_key_is_told_to_give_one(address, headers, path):

    answer = httpx.get(f"{address}{path}", headers=headers)
    assert answer.status_code == 401


def test_a_key_is_taken_from_the_address_and_for_reading_from_a_cookie(address):

    assert httpx.get(f"{address}{RAW}/count?api_key={KEY}").status_code == 200
    with httpx.Client(cookies=key_cookie(address)) as browser:
        assert browser.get(f"{address}{RAW}/count").status_code == 200
        assert browser.post(f"{address}/api/v1/metadata/raw", json={}).status_code in (401, 403)


def test_health_is_told_to_everybody_and_metrics_to_who_may_read(address, http):

    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{address}/readyz").json() == {"status": "ready"}
    text = http.get("/metrics").text
    assert 'hutch_requests_total{method="GET",part="healthz",status="200"}' in text


HEADS = (
    *("/", "/logbook", "/monitor", "/login", "/runs/odd-run", "/nowhere", "/static/hutch.css"),
    *("/healthz", "/readyz", "/metrics", "/hutch/v1/catalogs", "/api/v1/", "/api/v1/metadata/raw"),
    *(f"/hutch/v1/catalogs/raw/runs/{run}" for run in ("odd-run", "odd-run/documents", "nobody")),
)


@pytest.mark.parametrize("path", HEADS)
def test_head_is_answered_as_get_is_without_the_body(http, path):
    whole, head = http.get(path), http.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    names = ("content-type", "content-security-policy")
    assert [head.headers.get(name) for name in names] == [whole.headers.get(name) for name in names]


def test_head_of_what_never_ends_is_answered_at_once_and_of_what_is_only_posted_not_at_all(http):
    assert http.head("/monitor/news").headers["content-type"].startswith("text/event-stream")
    assert http.head("/logout").status_code == 405
    assert http.head("/healthz", headers={"Authorization": ""}).status_code == 200
    assert http.head("/metrics", headers={"Authorization": ""}).status_code == 401


def test_too_much_in_a_request_is_refused(http):
    answer = http.post(f"{RAW}/runs", content=b"x" * 10_000_001)
    assert answer.status_code == 413 and "10,000,000 bytes" in answer.json()["error"]

    def parts():
        for _ in range(11):
            yield b"x" * 1_000_000

    assert http.post("/api/v1/table/full/raw", content=parts()).status_code == 413


def test_each_request_leaves_a_line_without_its_key(address, caplog):

    with caplog.at_level("INFO", "hutch.server.requests"):
        httpx.get(f"{address}{RAW}/count?api_key={KEY}")
    # The line is written when the answer's end is sent; the next request comes after it.
    httpx.get(f"{address}/healthz")
    lines = [json.loads(record.getMessage()) for record in caplog.records if "count" in record.getMessage()]
    assert lines[0]["path"] == f"{RAW}/count" and lines[0]["status"] == 200
    assert KEY not in caplog.text


def test_every_error_has_the_status_of_the_nearest_class_above_it():
    assert status_of(StreamNotFoundError("no")) == 404
    assert status_of(RunDeletedError("gone", "uid")) == 410
    assert status_of(AmbiguousRunError("two", [])) == 409
    assert status_of(HutchError("something")) == 500
    assert all(400 <= status < 600 for status in STATUSES.values())


def test_openapi_describes_every_route_with_its_answers(http):
    description = http.get(f"{V1}/openapi.json").json()
    paths = [path for path in description["paths"] if path.startswith(V1)]
    assert len(paths) == 9
    for path in paths:
        assert {"200", "401", "404", "422"} <= set(description["paths"][path]["get"]["responses"])


def test_a_store_that_is_away_is_told_and_the_server_stays_up(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as catalog:
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            assert httpx.get(f"{address}/readyz").status_code == 200
            catalog.store.close()
            assert httpx.get(f"{address}/readyz").json() == {"error": "A store does not answer now."}
            headers = {"Authorization": f"Apikey {KEY}"}
            found = httpx.get(f"{address}/hutch/v1/catalogs/raw/count", headers=headers)
            assert found.status_code in (500, 503) and "closed" in found.json()["error"]
            assert httpx.get(f"{address}/healthz").status_code == 200
