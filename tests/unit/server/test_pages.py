"""The pages: what they show, how they are asked, and what nobody gets into them."""

from __future__ import annotations

import io
import math
import re

import httpx
import numpy as np
import pytest
from PIL import Image

import hutch
from hutch.access import Access
from hutch.server import Admission, build_app

from ...serving import KEY, serving

HTML = {"Accept": "text/html", "Authorization": f"Apikey {KEY}"}
EVIL = "<script>alert(1)</script>"
EVIL_KEY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with hutch.open_catalog(tmp_path_factory.mktemp("pages") / "store") as catalog:
        for number in range(120):
            with catalog.start_run(
                plan_name=("scan", "count", "grid_scan")[number % 3],
                sample={"name": f"sample {number}"},
                num_points=number,
            ) as run:
                run.add("primary", {"x": 1.0 * number, "image": np.full((4, 6), number).tolist()})
        with catalog.start_run(plan_name=EVIL, sample=EVIL, **{EVIL_KEY: {EVIL_KEY: EVIL}}) as run:
            run.add("primary", {EVIL_KEY: 1.0})
        yield catalog


@pytest.fixture(scope="module")
def http(store):
    with serving(build_app({"raw": store}, Admission([KEY]))) as address:
        with httpx.Client(base_url=address, headers=HTML) as found:
            yield found


def scans(page):
    return [int(text) for text in re.findall(r'<td class="number">(\d+)</td>\s*<td><a class="uid"', page)]


def test_the_newest_runs_are_first_and_older_ones_are_a_page_away(http):
    page = http.get("/").text
    assert scans(page) == [*range(121, 71, -1)]
    (older,) = re.findall(r'rel="next" href="([^"]+)"', page)
    page = http.get(older.replace("&amp;", "&")).text
    assert scans(page) == [*range(71, 21, -1)]
    assert 'rel="prev" href="/"' in page
    assert scans(http.get("/?offset=100").text) == [*range(21, 0, -1)]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"q": "plan_name=scan num_points>100"}, 6),
        ({"q": '"sample.name=sample 7"'}, 1),
        ({"q": '{"num_points": {"$lt": 10}}'}, 10),
        ({"since": "the day before"}, None),
        ({"q": "num_points>=118", "since": "2020"}, 2),
        ({"q": "nothing-is-like-this"}, 0),
    ],
)
def test_runs_are_found_as_on_the_command_line(http, asked, count):
    found = http.get("/", params=asked)
    if count is None:
        assert found.status_code == 400 and "is no time" in found.text
    else:
        assert f"{count} run" in found.text and found.status_code == 200
        for value in asked.values():
            assert httpx.QueryParams({"a": value})["a"] in found.text.replace("&#34;", '"').replace(
                "&gt;", ">"
            ).replace("&lt;", "<")


def test_what_cannot_be_understood_is_said_in_the_page(http):
    found = http.get("/", params={"q": '{"a": {"$near": 5}}'})
    assert found.status_code == 400
    assert "Unknown operator" in found.text and '<form class="search"' in found.text
    assert http.get("/", params={"offset": "-1"}).status_code == 422


@pytest.mark.parametrize("time", [1.8e12, 1e300, -1e13, math.inf])
def test_a_run_whose_time_no_calendar_has_is_shown_like_others(tmp_path, time):
    with hutch.open_catalog(tmp_path / "store") as catalog:
        recorder = catalog.recorder()
        recorder("start", {"uid": "odd-clock", "time": time, "experiment": "xpp1"})
        recorder(
            "stop", {"uid": "its-stop", "run_start": "odd-clock", "time": time, "exit_status": "success"}
        )
        access = Access(catalog.store)
        access.experiments.create("xpp1", instrument="XPP")
        table = "/ws-jwt/lgbk/lgbk/xpp1/ws/run_table_data?tableName=default"
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            for path in ("/", "/runs/odd-clock", "/logbook/xpp1/tables", table):
                headers = {**HTML, "Authorization": f"Bearer {KEY}"} if path == table else HTML
                assert httpx.get(address + path, headers=headers).status_code == 200, path


def test_columns_sort_both_ways(http):
    assert scans(http.get("/?sort=scan_id").text)[:3] == [1, 2, 3]
    assert 'aria-sort="ascending"' in http.get("/?sort=scan_id").text


def test_a_run_is_shown_with_its_streams_its_metadata_and_its_picture(http, store):
    run = store[5]
    page = http.get(f"/runs/{run.uid}").text
    assert "<h1>" in page and run.uid in page and "sample 4" in page
    assert 'class="frames"' in page
    found = http.get(f"/runs/{run.uid}/picture.png")
    assert found.headers["content-type"] == "image/png"
    assert "max-age" in found.headers["cache-control"]
    light, dark = (
        np.asarray(
            Image.open(io.BytesIO(http.get(f"/runs/{run.uid}/picture.png?dark={dark}").content)).convert("L")
        )
        for dark in (0, 1)
    )
    assert light.mean() > 200 > 80 > dark.mean()
    assert http.get(f"/runs/{run.uid[:8]}").status_code == 200


def test_frames_are_pictures_of_their_own(http, store):
    source = f"/runs/{store[5].uid}/frames/primary"
    found = http.get(f"{source}/0.png?key=image")
    assert Image.open(io.BytesIO(found.content)).size == (6, 4)
    for path, status in (
        ("7.png?key=image", 400),
        ("0.png?key=x", 404),
        ("0.png?key=none", 404),
        ("a.png?key=x", 422),
    ):
        assert http.get(f"{source}/{path}").status_code == status


def test_a_run_that_is_not_there_is_a_page_that_says_so(http):
    found = http.get("/runs/nothing")
    assert found.status_code == 404
    assert "Not found" in found.text and "nothing" in found.text
    assert (
        http.get("/runs/nothing", headers={"Accept": "application/json"}).json()["error"].startswith("No run")
    )


def test_nothing_that_was_recorded_becomes_part_of_a_page(http, store):
    for path in ("/", f"/runs/{store[121].uid}", f"/?q={EVIL}", f"/runs/{EVIL}", f"/login?to={EVIL}"):
        found = http.get(path)
        assert "<script>alert" not in found.text and "<img src=x" not in found.text
        assert "default-src 'none'" in found.headers["content-security-policy"]
        assert "unsafe" not in found.headers["content-security-policy"]
        assert found.headers["x-content-type-options"] == "nosniff"


def test_a_key_in_the_address_is_kept_in_a_cookie_that_scripts_cannot_read(http, store):
    with httpx.Client(base_url=http.base_url, headers={"Accept": "text/html"}) as browser:
        found = browser.get(f"/?api_key={KEY}&q=scan")
        assert (found.status_code, found.headers["location"]) == (303, "/?q=scan")
        cookie = found.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and KEY in cookie
        assert browser.get("/").status_code == 200
        assert browser.get(f"/runs/{store[1].uid}").status_code == 200


def test_without_a_key_the_page_asks_for_one_and_leads_nowhere_else(http):
    with httpx.Client(base_url=http.base_url, headers={"Accept": "text/html"}) as browser:
        found = browser.get("/runs/abc")
        assert found.status_code == 401
        assert 'action="/runs/abc"' in found.text and "sample" not in found.text
        assert "is not known" in browser.get("/?api_key=wrong").text
        for evil in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
            assert 'action="/"' in browser.get("/login", params={"to": evil}, headers=HTML).text


def test_verdicts_stand_in_the_table_and_on_the_page_of_the_run(store, http):
    from hutch.catalogs.verdicts import post_verdict

    run = store[-3]
    assert "Verdicts" not in http.get("/").text
    origin = {"value": 1.5, "sentence": f"too low {EVIL}"}
    post_verdict(store.store, run.row.id, "rate", "bad", origin=origin)
    post_verdict(store.store, run.row.id, "hot", None, origin={"sentence": "few"}, is_final=True)

    assert '<span class="verdict bad">bad: rate</span>' in http.get("/").text
    page = http.get(f"/runs/{run.uid}").text
    assert '<span class="verdict bad">bad</span>' in page
    assert "too little data" in page
    assert "too low &lt;script&gt;" in page
    assert EVIL not in page
