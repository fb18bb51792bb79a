"""The pages of the monitor: what they show, to whom, and how they follow the data."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

import hutch
from hutch.access import Access
from hutch.documents import encode
from hutch.server import Admission, build_app
from hutch.server.tiles import age_text, worst_of
from hutch.store.rows.monitor import TileRow

from ...serving import KEY, serving

HTML = {"Accept": "text/html", "Authorization": f"Apikey {KEY}"}
PNG = b"\x89PNG\r\n\x1a\nnot much of one"
EVIL = "<script>alert(1)</script>"


def publish(store, source, plot, *, run=None, picture=PNG, updated=None, **about):
    meta = {"seen": 5, "there": 5, "fraction": 1.0, "verdicts": {}, "failure": None, "bad": [], **about}
    when = time.time() if updated is None else updated
    with store.transaction() as writer:
        writer.publish_tile(TileRow(source, plot, run, source[:8], when, encode(meta)), picture)


def verdict(word, sentence):
    return {"verdict": word, "value": 1.0, "sentence": sentence, "check": "Rate", "rows": 5}


@pytest.fixture
def catalog(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        yield found


@pytest.fixture
def http(catalog):
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
        with httpx.Client(base_url=address, headers=HTML, timeout=20) as found:
            yield found


def test_a_page_without_plots_says_how_to_begin(http):
    found = http.get("/monitor")
    assert found.status_code == 200 and "hutch monitor --catalog --serve" in found.text


def test_plots_are_shown_with_their_verdict_age_and_fraction(http, catalog):
    publish(
        catalog.store,
        "/data/run-1.h5",
        "PacketRate",
        seen=4999,
        there=5000,
        fraction=0.9998,
        verdicts={"rate": verdict("bad", "3 packets/s is too little"), "drift": verdict("good", "steady")},
    )
    publish(
        catalog.store, "/data/run-1.h5", "HotPixel", updated=time.time() - 7200, picture=None, fraction=0.5
    )
    publish(catalog.store, "/data/run-1.h5", "HasNothingToShow", picture=None)
    page = http.get("/monitor").text
    assert "run-1.h5" in page and "✕ bad" in page and "3 packets/s is too little" in page and "✓ good" in page
    assert "99 % of 5,000 rows (up to 4,999)" in page
    assert page.index(">PacketRate</a>") < page.index(">HotPixel</a>") and "HasNothingToShow" not in page
    assert "2 h ago" in page and "just now" in page and "No picture yet." in page


def test_what_failed_says_so_with_its_traceback(http, catalog):
    failure = {"what": "update", "sentence": "ZeroDivisionError: by zero", "traceback": "line 7", "times": 2}
    publish(catalog.store, "/data/a.h5", "Mine", failure=failure)
    page = http.get("/monitor?verdict=failed").text
    assert "stands still" in page and "ZeroDivisionError: by zero" in page and "line 7" in page
    assert "Mine" in http.get("/monitor/plot", params={"source": "/data/a.h5", "plot": "Mine"}).text


def test_only_what_is_asked_for_is_shown(http, catalog):
    publish(catalog.store, "/data/a.h5", "One", verdicts={"x": verdict("good", "fine")})
    publish(catalog.store, "/data/b.h5", "Two", verdicts={"x": verdict("bad", "poor")})

    def shown(**asked):
        page = http.get("/monitor", params=asked).text
        return [plot for plot in ("One", "Two") if f">{plot}</a>" in page]

    assert shown() == ["One", "Two"]
    assert shown(plot="One") == shown(source="/data/a.h5") == shown(verdict="good") == ["One"]
    assert shown(verdict="medium") == [] and "No plot is like this" in http.get("/monitor?plot=Three").text


def test_what_was_updated_last_stands_first(http, catalog):
    publish(catalog.store, "/data/new.h5", "P", updated=time.time())
    publish(catalog.store, "/data/old.h5", "P", updated=time.time() - 100)
    page = http.get("/monitor?wall=true").text
    assert page.index("new.h5") < page.index("old.h5") and 'class="wall"' in page


def test_a_picture_is_sent_once(http, catalog):
    publish(catalog.store, "/data/a.h5", "P")
    place = {"source": "/data/a.h5", "plot": "P"}
    found = http.get("/monitor/picture.png", params=place)
    assert found.content == PNG and found.headers["content-type"] == "image/png"
    assert found.headers["x-content-type-options"] == "nosniff"
    tag = {"If-None-Match": found.headers["etag"]}
    again = http.get("/monitor/picture.png", params=place, headers=tag)
    assert again.status_code == 304 and not again.content
    publish(catalog.store, "/data/a.h5", "P", picture=PNG + b"2", updated=time.time() + 1)
    assert http.get("/monitor/picture.png", params=place, headers=tag).content == PNG + b"2"
    assert http.get("/monitor/picture.png", params={**place, "plot": "Q"}).status_code == 404


def test_the_plots_of_a_run_lead_to_it_and_show_what_was_said(http, catalog):
    with catalog.start_run(plan_name="scan") as run:
        run.add("primary", {"x": 1.0})
    found = catalog[-1]
    publish(catalog.store, f"{found.uid}/primary", "Lines", run=found.row.id)
    page = http.get("/monitor").text
    assert f"/runs/{found.uid}" in page
    one = http.get("/hutch/v1/catalogs/raw/tiles").json()
    assert [(tile["plot"], tile["run"], tile["has_picture"]) for tile in one] == [("Lines", found.uid, True)]


def test_nothing_of_a_tile_is_taken_for_markup(http, catalog):
    publish(
        catalog.store,
        f"/data/{EVIL}.h5",
        EVIL,
        verdicts={EVIL: verdict("bad", EVIL)},
        failure={"what": EVIL, "sentence": EVIL, "traceback": EVIL, "times": 1},
        bad=[{"start": 1, "stop": 2, "why": EVIL}],
    )
    page = http.get("/monitor").text
    large = http.get("/monitor/plot", params={"source": f"/data/{EVIL}.h5", "plot": EVIL})
    assert EVIL not in page and large.status_code == 200 and EVIL not in large.text


def test_plots_of_runs_that_one_may_not_read_are_not_there(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as catalog:
        access = Access(catalog.store)
        access.experiments.create("secret", instrument="XPP")
        access.experiments.create("shown", instrument="XPP")
        access.experiments.open("shown")
        for name in ("secret", "shown"):
            with catalog.start_run(plan_name="scan", experiment=name) as run:
                run.add("primary", {"x": 1.0})
            found = catalog[-1]
            publish(catalog.store, f"{found.uid}/primary", f"Plot-{name}", run=found.row.id)
        uids = {run.start["experiment"]: run.uid for run in catalog.values()}
        with serving(build_app({"raw": catalog}, Admission([KEY], public=True))) as address:
            with httpx.Client(base_url=address, headers={"Accept": "text/html"}, timeout=20) as http:
                page = http.get("/monitor").text
                assert "Plot-shown" in page and "Plot-secret" not in page
                place = {"source": f"{uids['secret']}/primary", "plot": "Plot-secret"}
                assert http.get("/monitor/picture.png", params=place).status_code == 404
                assert http.get("/monitor/plot", params=place).status_code == 404
                tiles = http.get("/hutch/v1/catalogs/raw/tiles").json()
                assert [tile["plot"] for tile in tiles] == ["Plot-shown"]


@pytest.mark.parametrize("path", ["/monitor", "/monitor/plot", "/monitor/picture.png", "/monitor/news"])
def test_a_key_is_needed(http, path):
    found = httpx.get(http.base_url.join(path), params={"source": "a", "plot": "b"})
    assert found.status_code == 401


def events(http, headers, wanted, ready):
    """Return the ids of the events until one of a kind comes."""
    found = []
    with http.stream("GET", "/monitor/news", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("id: "):
                found.append(int(line[4:]))
                ready.set()
            if line == wanted:
                return found
    return found


def test_a_change_is_told_at_once_and_what_was_missed_is_told_after_a_break(http, catalog):
    ready, found = threading.Event(), []
    thread = threading.Thread(
        target=lambda: found.extend(events(http, {}, "event: tiles", ready)), daemon=True
    )
    thread.start()
    assert ready.wait(10)
    begun = time.monotonic()
    publish(catalog.store, "/data/a.h5", "P")
    thread.join(10)
    assert len(found) == 2 and found[1] > found[0]
    assert time.monotonic() - begun < 5
    publish(catalog.store, "/data/a.h5", "P", updated=time.time() + 1)
    missed = events(http, {"Last-Event-ID": str(found[1])}, "event: tiles", threading.Event())
    assert missed == [found[1], catalog.store.last_change()]


def test_ages_are_told_in_one_unit():
    assert [age_text(s) for s in (0, 2, 89, 91, 7200, 200_000)] == [
        "just now",
        "2 s ago",
        "89 s ago",
        "2 min ago",
        "2 h ago",
        "2 d ago",
    ]
    assert worst_of(["good", "bad", "medium"]) == "bad" and worst_of([]) == ""
