"""The pages in a real browser: nothing is refused by their own policy, and everybody can use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from bluesky import RunEngine
from bluesky import plans as bp
from ophyd.sim import det, motor
from playwright.sync_api import expect

import hutch
from hutch.cli.demo.camera import Camera
from hutch.server import Admission, build_app

from ..serving import KEY, serving
from .listeners import wait_until

WIDTHS = {"wide": 1280, "narrow": 390}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("browser")
    with hutch.open_catalog(folder / "store") as cat:
        engine = RunEngine({})
        engine.subscribe(cat.recorder())
        camera = Camera("camera", folder / "frames", lambda: 30 * motor.position, lambda: 0.0)
        engine(bp.scan([det, camera], motor, -1, 1, 5), sample={"name": "LaB6"})
        engine(bp.count([det], 3), note="</script><img src=x onerror=alert(1)>")
        engine.loop.call_soon_threadsafe(engine.loop.stop)
        engine._th.join(timeout=10)
        engine.loop.close()
        with serving(build_app({"raw": cat}, Admission([KEY]))) as found:
            yield found


@pytest.fixture(params=[(scheme, width) for scheme in ("light", "dark") for width in WIDTHS], ids=" ".join)
def page(request, browser, address):
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": WIDTHS[width], "height": 800})
    found = context.new_page()
    found.said = []
    found.on("console", lambda message: found.said.append(message.text))
    found.on("pageerror", lambda error: found.said.append(str(error)))
    found.goto(f"{address}/?api_key={KEY}")
    yield found
    context.close()


def check(page):
    page.wait_for_load_state("networkidle")
    assert page.said == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_table_of_runs_leads_to_a_run_whose_frames_can_be_leafed_through(page):
    assert "api_key" not in page.url
    check(page)
    page.locator("tbody tr:nth-child(2) a.uid").click()
    check(page)
    assert page.locator("h1").inner_text().split() == ["1", "scan", "success"]
    frame = page.locator("figure.frames img")
    assert frame.evaluate("image => image.naturalWidth") == 256
    before = frame.get_attribute("src")
    page.locator("figure.frames input").focus()
    with page.expect_response("**/0.png*") as answer:
        page.keyboard.press("Home")
    assert answer.value.ok
    assert page.locator("figure.frames output").inner_text() == "1 of 5"
    assert frame.get_attribute("src") != before
    picture = page.locator("figure.picture img")
    assert picture.evaluate("image => image.naturalWidth") > 500


def test_runs_are_found_by_typing_and_nothing_recorded_runs_as_a_script(page):
    page.get_by_label("Search").fill("plan_name=count")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=*")
    check(page)
    assert page.locator("tbody tr").count() == 1
    page.locator("a.uid").click()
    check(page)
    assert page.get_by_text("onerror=alert(1)").first.is_visible()


@pytest.fixture
def live(browser, tmp_path):
    """An empty catalog, and a page on a telephone whose clock the test winds."""
    with hutch.open_catalog(tmp_path / "store") as cat:
        with serving(build_app({"raw": cat}, Admission([KEY]))) as found:
            context = browser.new_context(viewport={"width": 390, "height": 800})
            context.clock.install()
            page = context.new_page()
            page.goto(f"{found}/?api_key={KEY}")
            yield cat, page, found
            context.close()


def test_the_page_of_an_open_run_shows_what_comes(live):
    cat, page, address = live

    def has_come(rows):
        wait_until(lambda: cat[-1].count_rows().get("primary", 0) >= rows)
        page.clock.fast_forward(5_001)

    with cat.start_run(plan_name="long") as run:
        page.goto(f"{address}/runs/{run.uid}")
        assert page.locator("figure").count() == page.locator("h2[id^=stream-]").count() == 0
        run.add("primary", {"frame": [[1, 2], [3, 4]], "x": 1.0})
        has_come(1)
        expect(page.locator("h2[id^=stream-]")).to_have_text("primary 1 row")
        expect(page.locator("figure.picture img")).to_be_visible()
        run.add("primary", {"frame": [[1, 2], [3, 5]], "x": 2.0})
        has_come(2)
        expect(page.locator("h2[id^=stream-]")).to_have_text("primary 2 rows")
        expect(page.locator("figure.frames output")).to_have_text("2 of 2")
    page.clock.fast_forward(5_001)
    expect(page.locator("h1")).to_contain_text("success")


def test_a_table_that_follows_stays_where_it_was_scrolled_to_and_in_use(live):
    cat, page, address = live
    for number in range(2):
        with cat.start_run(plan_name="a plan with a long name", sample="a sample with a long name"):
            pass
        page.clock.fast_forward(5_001)
        expect(page.locator("tbody tr")).to_have_count(number + 1)
        region = page.locator("#runs .scroll")
        assert region.evaluate("region => region.scrollLeft") == (150 if number else 0)
        region.focus()
        region.evaluate("region => { region.scrollLeft = 150 }")
    assert page.evaluate("document.activeElement.className") == "scroll"
