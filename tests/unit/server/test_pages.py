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


ODD_UIDS = ["a/b c?d#e", "../..", "50%2F", "picture.png", "documents/data"]


@pytest.fixture
def odd_http(tmp_path):
    """Pages of runs whose uids, streams and times are legal, and odd."""
    with hutch.open_catalog(tmp_path / "store") as catalog:
        recorder = catalog.recorder()
        for number, uid in enumerate(ODD_UIDS):
            odd = {"uid": f"{uid}-d", "run_start": uid, "time": 1.0, "name": "a/b?", "data_keys": {
                "x": {"source": "test", "dtype": "number", "shape": []},
            }}  # fmt: skip
            event = {"uid": f"{uid}-e", "descriptor": odd["uid"], "time": 1.0, "seq_num": 1, "filled": {}}
            recorder("start", {"uid": uid, "time": (1.0, 1e13, 1e300, -1e15, 0.0)[number]})
            recorder("descriptor", odd)
            recorder("event", {**event, "data": {"x": 1.0}, "timestamps": {"x": 1.0}})
            recorder("stop", {"uid": f"{uid}-s", "run_start": uid, "time": 2.0, "exit_status": "success"})
        recorder.close()
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            with httpx.Client(base_url=address, headers=HTML, timeout=20) as found:
                yield found


def test_runs_of_odd_uids_streams_and_times_are_listed_and_every_link_of_theirs_leads_somewhere(odd_http):
    def links(page):
        found = re.findall(r'(?:href|src|srcset)="(/[^"]+)"', page)
        return [one.replace("&amp;", "&") for one in found if one.startswith(("/runs/", "/hutch/"))]

    runs = links(odd_http.get("/").text)
    assert len(runs) == len(ODD_UIDS)
    for run in runs:
        page = odd_http.get(run)
        assert page.status_code == 200, run
        below = links(page.text)
        assert len(below) == 7, below
        for one in below:
            assert odd_http.get(one).status_code == 200, one


def test_a_page_beyond_the_last_run_does_not_say_that_there_is_none(http):
    page = http.get("/?offset=500").text
    assert "There are no older runs" in page and "No runs yet" not in page


def test_an_address_of_no_page_is_told_in_a_page_and_that_of_no_run_leads_to_all(http):
    for path in ("/nonsense", "/nonsense/deeper"):
        found = http.get(path)
        assert found.status_code == 404 and "There is no page of this address" in found.text
    assert http.get("/hutch/v1/nonsense").json() == {"error": "Not Found"}
    found = http.get("/runs/?catalog=raw")
    assert (found.status_code, found.headers["location"]) == (303, "/?catalog=raw")


def test_the_key_that_is_asked_for_leads_to_what_was_asked_for(http):
    with httpx.Client(base_url=http.base_url, headers={"Accept": "text/html"}) as browser:
        query = "q=plan_name%3Dcount+%22x"
        for page in (browser.get(f"/?{query}").text, browser.get("/login", params={"to": f"/?{query}"}).text):
            assert 'action="/"' in page
            assert '<input type="hidden" name="q" value="plan_name=count &#34;x">' in page
        for evil in ("/\t/evil.example", "/\n/evil.example"):
            assert 'action="/"' in browser.get("/login", params={"to": evil}).text


def test_a_user_logs_in_with_a_password_and_the_browser_sends_it_from_then_on(tmp_path):
    password = "correct horse battery"  # noqa: S105 - of a test
    with hutch.open_catalog(tmp_path / "store") as catalog:
        Access(catalog.store).users.add("ada", password)
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            with httpx.Client(base_url=address, headers={"Accept": "text/html"}) as browser:
                (login,) = re.findall(r'href="(/login[^"]*)"', browser.get("/logbook?all=true").text)
                login = login.replace("&amp;", "&")
                asked = browser.get(login)
                assert asked.status_code == 401 and "no such user" not in asked.text
                assert asked.headers["www-authenticate"].startswith("Basic ")
                wrong = browser.get(login, auth=("ada", "wrong"))
                assert wrong.status_code == 401 and "no such user" in wrong.text
                found = browser.get(login, auth=("ada", password))
                assert (found.status_code, found.headers["location"]) == (303, "/logbook?all=true")
                assert ">ada</span>" in browser.get(found.headers["location"], auth=("ada", password)).text


def log_out_of(page):
    (address,) = re.findall(r'<form action="(/logout[^"]*)" method="post">', page)
    return address.replace("&amp;", "&")


def test_who_logs_out_has_the_key_forgotten_and_no_other_site_does_it_for_them(http):
    with httpx.Client(base_url=http.base_url, headers={"Accept": "text/html"}) as browser:
        browser.get("/", params={"api_key": KEY})
        path = log_out_of(browser.get("/").text)
        assert browser.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert browser.get("/").status_code == 200
        left = browser.post(path, headers={"Sec-Fetch-Site": "same-origin"})
        assert left.status_code == 200 and "has forgotten the key" in left.text
        assert browser.get("/").status_code == 401 and not browser.cookies
    assert "Log out" not in http.get("/").text


def test_a_password_is_refused_when_its_user_logs_out_and_another_one_s_is_not(tmp_path):
    passwords = {"ada": "correct horse battery", "bob": "wrong horse battery"}
    with hutch.open_catalog(tmp_path / "store") as catalog:
        for name, password in passwords.items():
            Access(catalog.store).users.add(name, password)
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            with httpx.Client(base_url=address, headers={"Accept": "text/html"}) as browser:
                path = log_out_of(browser.get("/", auth=("ada", passwords["ada"])).text)
                for password in (passwords["ada"], "wrong"):
                    left = browser.post(path, auth=("ada", password))
                    assert left.status_code == 401 and "keeps them until it is closed" in left.text
                    assert left.headers["www-authenticate"].startswith("Basic ")
                assert browser.post(path, auth=("bob", passwords["bob"])).headers["location"] == "/"


def test_servers_on_one_host_do_not_take_each_other_s_cookies(store):
    with (
        serving(build_app({"raw": store}, Admission([KEY]))) as first,
        serving(build_app({"raw": store}, Admission(["other"]))) as second,
        httpx.Client(headers={"Accept": "text/html"}, follow_redirects=True) as browser,
    ):
        assert browser.get(f"{first}/?api_key={KEY}").status_code == 200
        assert browser.get(f"{second}/?api_key=other").status_code == 200
        assert browser.get(f"{first}/").status_code == 200
        assert browser.get(f"{first}/", headers={"Host": "hutch.example:none"}).status_code == 401


def test_who_reads_a_public_server_can_log_in_there(store):
    with serving(build_app({"raw": store}, Admission([KEY], public=True))) as address:
        with httpx.Client(base_url=address, headers={"Accept": "text/html"}) as browser:
            (login,) = re.findall(r'href="(/login[^"]*)">Log in<', browser.get("/?q=plan_name%3Dcount").text)
            assert 'name="q" value="plan_name=count"' in browser.get(login.replace("&amp;", "&")).text
            browser.get("/", params={"api_key": KEY})
            assert "Log in" not in browser.get("/").text


def test_a_search_is_taken_back_in_the_catalog_in_which_it_was(store, tmp_path):
    with hutch.open_catalog(tmp_path / "empty") as empty:
        with serving(build_app({"raw": store, "csx/raw": empty}, Admission([KEY]))) as address:
            with httpx.Client(base_url=address, headers=HTML) as browser:
                page = browser.get("/", params={"catalog": "csx/raw"}).text
                assert "No runs yet" in page and "All runs" not in page
                page = browser.get("/", params={"catalog": "csx/raw", "q": "word"}).text
                assert "No run is like this" in page and 'href="/?catalog=csx%2Fraw">All runs<' in page


@pytest.mark.filterwarnings("error")
def test_a_name_that_the_font_lacks_is_drawn_without_a_word(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as catalog:
        with catalog.start_run(plan_name="\u65e5\u672c") as run:
            run.add("primary", {"x": 1.0})
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            picture = httpx.get(f"{address}/runs/{catalog[-1].uid}/picture.png", headers=HTML, timeout=20)
            assert picture.status_code == 200, picture.text
