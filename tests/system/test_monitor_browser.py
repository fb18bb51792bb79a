"""The pages of the monitor in a real browser: they follow what is published, and everybody can use them."""

from __future__ import annotations

import io
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

import hutch
from hutch.documents import encode
from hutch.server import Admission, build_app
from hutch.store.rows.monitor import TileRow

from ..serving import KEY, serving


@pytest.fixture
def catalog(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        yield found


@pytest.fixture
def address(catalog):
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as found:
        yield found


def publish(store, plot, verdict, colour, source="/data/run-17.h5", failure=None):
    out = io.BytesIO()
    Image.new("RGB", (600, 400), colour).save(out, "PNG")
    said = {"verdict": verdict, "value": 1.0, "sentence": f"it is {verdict}", "check": "Rate", "rows": 5}
    meta = {"seen": 5, "there": 5, "fraction": 1.0, "bad": [], "failure": failure, "verdicts": {"rate": said}}
    with store.transaction() as writer:
        row = TileRow(source, plot, None, "run-17", time.time(), encode(meta))
        writer.publish_tile(row, out.getvalue())


@pytest.fixture
def open_page(browser, address):
    """Return what opens a page; it is closed before the server ends, which waits for who follows the news."""
    contexts = []

    def give(**options):
        contexts.append(browser.new_context(**options))
        return followed(contexts[-1].new_page(), address)

    yield give
    for context in contexts:
        context.close()


def followed(page, address):
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(f"{address}/monitor?api_key={KEY}")
    return page


def test_tiles_are_put_in_place_without_loading_the_page_anew(open_page, catalog):
    publish(catalog.store, "PacketRate", "good", "green")
    publish(catalog.store, "HotPixel", "good", "green")
    page = open_page()
    page.locator(".tile", has_text="PacketRate").get_by_text("✓ good").first.wait_for()
    page.evaluate("window.stays = true")
    publish(catalog.store, "PacketRate", "bad", "red")
    # What is bad stands first from now on.
    page.locator(".tile").first.get_by_text("✕ bad").first.wait_for()
    assert "PacketRate" in page.locator(".tile").first.inner_text()
    publish(catalog.store, "PacketRate", "bad", "blue")
    picture = page.locator(".tile").first.locator("img")
    first = picture.get_attribute("src")
    page.locator(f".tile:first-child img:not([src='{first}'])").first.wait_for(timeout=10_000)
    assert picture.get_attribute("src") != first
    assert page.evaluate("window.stays") is True
    page.locator(".tile").first.get_by_role("link", name="PacketRate").click()
    page.get_by_role("img", name="PacketRate of run-17.h5").wait_for()
    assert page.evaluate("document.querySelector('figure img').naturalWidth") == 600
    assert page.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_the_pages(open_page, address, catalog, scheme, width):
    failure = {"what": "update", "sentence": "ValueError: no", "traceback": "line 1\n" * 50, "times": 1}
    for number, verdict in enumerate(("good", "medium", "bad")):
        publish(catalog.store, f"Plot{number}", verdict, "white")
    publish(catalog.store, "Failing", "good", "white", failure=failure)
    publish(catalog.store, "Long", "good", "white", source=f"/data/{'long-name-' * 12}.h5")
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    for path in ("/monitor", "/monitor?wall=true", "/monitor/plot?source=/data/run-17.h5&plot=Failing"):
        page.goto(f"{address}{path}")
        page.locator("summary, .tile").first.wait_for()
        for closed in page.locator("details:not([open]) summary").all():
            closed.click()
        found = Axe().run(page)
        assert found.violations_count == 0, (path, found.generate_report())
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, path
    assert page.said == []


@pytest.mark.parametrize(("count", "least"), [(1, 1300), (3, 640), (4, 640), (6, 560), (9, 384)])
def test_the_pictures_on_the_wall_fill_the_screen(open_page, address, catalog, count, least):
    for number in range(count):
        publish(catalog.store, f"Plot{number}", ("good", "bad", "")[number % 3], "white")
    page = open_page(viewport={"width": 1920, "height": 1080})
    page.goto(f"{address}/monitor?wall=true")
    page.locator("#tiles.fitted").wait_for()
    assert _hidden(page) == 0
    assert min(_widths(page)) >= least
    # What comes is fitted in as well.
    publish(catalog.store, f"Plot{count}", "good", "white")
    page.locator(".tile").nth(count).wait_for()
    assert (_hidden(page) == 0) is (count < 9)  # noqa: PLR2004
    assert page.said == []


def test_a_wall_of_pictures_too_many_to_be_read_on_one_screen_scrolls(open_page, address, catalog):
    for number in range(23):
        publish(catalog.store, f"Plot{number}", "good", "white")
    page = open_page(viewport={"width": 1920, "height": 1080})
    page.goto(f"{address}/monitor?wall=true")
    page.locator(".tile").nth(22).wait_for()
    assert _hidden(page) > 0
    assert min(_widths(page)) > 500  # noqa: PLR2004
    page.set_viewport_size({"width": 3840, "height": 2160})
    page.locator("#tiles.fitted").wait_for()
    assert _hidden(page) == 0
    assert min(_widths(page)) > 384  # noqa: PLR2004
    assert page.said == []


def _hidden(page):
    """Return how many pixels of a page are below the screen."""
    return page.evaluate("Math.max(document.documentElement.scrollHeight - innerHeight, 0)")


def _widths(page):
    """Return how wide the pictures of a page are, in pixels."""
    return page.evaluate(
        "[...document.querySelectorAll('.tile img')].map((image) => image.getBoundingClientRect().width)"
    )
