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
from hutch.store.monitor_rows import TileRow

from .. import chromium
from ..serving import KEY, serving


@pytest.fixture(scope="module")
def browser(require):
    require("chromium", chromium.missing())
    with chromium.browser() as found:
        yield found


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
