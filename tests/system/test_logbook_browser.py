"""The logbook in a real browser: people write in it, and nothing that anybody wrote is executed."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

import hutch
from hutch.access import Access
from hutch.errors import DocumentError
from hutch.logbook import Logbook, NewFile
from hutch.server import Admission, build_app

from ..markup import HOSTILE
from ..serving import KEY, serving

PAGES = (
    "",
    "/new",
    "/tables",
    "/tables?name=all&group=start.sample",
    "/tables/define?name=all",
    "/entries/1",
    "/entries/1/edit",
    "/entries/1?version=1",
)


@pytest.fixture
def catalog(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        experiments = Access(found.store).experiments
        experiments.create("xpp1", instrument="XPP", leader="Ada", description="LaB6")
        experiments.activate("xpp1")
        with found.start_run(plan_name="scan", sample="LaB6", experiment="xpp1") as run:
            run.add("primary", {"x": 1.0})
        yield found


@pytest.fixture
def address(catalog):
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as found:
        yield found


def page_of(browser, address, path="", **options):
    """Return a page that notes what it says, and whether anything is executed."""
    page = browser.new_context(**options).new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: (page.said.append(f"DIALOG {dialog.message}"), dialog.dismiss()))
    page.on("popup", lambda popup: page.said.append(f"POPUP {popup.url}"))
    page.goto(f"{address}/logbook/xpp1{path}{'&' if '?' in path else '?'}api_key={KEY}")
    return page


def test_an_entry_is_previewed_posted_answered_and_found(browser, address):
    page = page_of(browser, address)
    page.get_by_role("link", name="Write an entry").click()
    page.get_by_label("Title").fill("Beam is back")
    page.get_by_role("textbox", name="Text").fill("**42** counts\n\n- steady")
    page.get_by_label("Tags").fill("beam")
    page.set_input_files("input[type=file]", [{"name": "n.txt", "mimeType": "text/plain", "buffer": b"x"}])
    page.get_by_role("button", name="Preview").click()
    page.locator("section.preview strong", has_text="42").wait_for()
    assert page.url.endswith("/new")
    page.get_by_role("button", name="Post").click()
    page.locator("article.entry strong", has_text="42").wait_for()
    assert page.locator("article.entry").get_by_role("link", name="n.txt").count() == 1
    page.get_by_role("link", name="Answer").click()
    page.get_by_role("textbox", name="Text").fill("Confirmed.")
    page.get_by_role("button", name="Post").click()
    page.get_by_text("Confirmed.").wait_for()
    page.get_by_role("searchbox").fill("counts t:beam")
    page.get_by_role("button", name="Find").click()
    page.locator("article.entry").first.wait_for()
    assert page.locator("article.entry").count() == 1
    assert page.said == []


def test_a_cell_of_the_run_table_is_changed(browser, address, catalog):
    logbook = Logbook(catalog.store)
    logbook.create_run_table("xpp1", "all", ["run_num", "start.sample", "param.gain"])
    page = page_of(browser, address, "/tables?name=all")
    page.get_by_role("link", name="Change param.gain of run 1").click()
    page.get_by_label("param.gain of run 1").fill("2.5")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Change param.gain of run 1, 2.5").wait_for()
    assert logbook.params_of_runs("xpp1")[1] == {"gain": 2.5}
    assert page.said == []


def test_a_table_is_made_grouped_changed_and_deleted(browser, address, catalog):
    logbook = Logbook(catalog.store)
    page = page_of(browser, address, "/tables")
    page.get_by_role("link", name="Columns and new tables").click()
    page.get_by_label("What column 8 shows").fill("param.gain")
    page.get_by_label("Heading of column 8").fill("Gain")
    page.get_by_label("Place of column 8").fill("0")
    page.get_by_label("Save as a new table named").fill("gains")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Change Gain of run 1").wait_for()
    assert [one.source for one in logbook.run_table("xpp1", "gains").columns][:2] == ["param.gain", "run_num"]
    page.get_by_label("Group by").select_option("sample")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("list", name="Groups").get_by_text("LaB6 1").wait_for()
    page.get_by_role("link", name="Columns and new tables").click()
    page.get_by_label("What column 1 shows").fill("")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Group by").wait_for()
    assert [one.source for one in logbook.run_table("xpp1", "gains").columns][:1] == ["run_num"]
    page.get_by_role("link", name="Columns and new tables").click()
    page.get_by_role("button", name="Delete the table").click()
    page.get_by_label("Group by").wait_for()
    assert [one.name for one in logbook.run_tables("xpp1")] == ["default"]
    assert page.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_the_pages(browser, address, catalog, scheme, width):
    logbook = Logbook(catalog.store)
    first = logbook.post(
        "xpp1", "# Head\n\n- *a*\n\n`code` [link](https://example.org)", title="T", tags=["beam"]
    )
    logbook.post("xpp1", "answer", parent=first.id)
    logbook.edit(first.id, title="Title")
    logbook.create_run_table("xpp1", "all", ["run_num", "start.sample", "param.gain"])
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    page = page_of(browser, address, **options)
    for path in PAGES:
        page.goto(f"{address}/logbook/xpp1{path}")
        found = Axe().run(page)
        assert found.violations_count == 0, (path, found.generate_report())
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, path
    assert page.said == []


def test_nothing_that_anybody_wrote_is_executed(browser, address, catalog):
    logbook = Logbook(catalog.store)
    columns = ["run_num"]
    for number, text in enumerate(HOSTILE):
        for format in ("markdown", "html"):
            logbook.post(
                "xpp1", text, format=format, title=text[:400], author=text[:200], files=[NewFile(b"x", text)]
            )
        try:
            logbook.post("xpp1", "tagged", tags=[text.replace(" ", "")[:90]])
        except DocumentError:
            pass
        logbook.add_run_params("xpp1", 1, {text: text})
        columns.append(f"param.{text}")
        try:
            logbook.create_run_table("xpp1", text[:80], ["run_num", f"param.{text}"])
        except DocumentError:
            assert number >= 0
    logbook.create_run_table("xpp1", "all", columns[:150])
    page = page_of(browser, address)
    before = None
    while True:
        page.wait_for_load_state("load")
        assert page.evaluate("window.executed") is None
        # What lies under the pointer is hovered over, and links are not followed.
        page.mouse.move(400, 300)
        older = page.locator("a[rel=next]")
        if not older.count() or page.url == before:
            break
        before = page.url
        page.goto(f"{address}{older.get_attribute('href')}")
    for path in PAGES:
        page.goto(f"{address}/logbook/xpp1{path}")
        assert page.evaluate("window.executed") is None, path
    for text in HOSTILE:
        shown = page.request.post(
            f"{address}/logbook/xpp1/preview", form={"text": text}, headers={"Origin": address}
        )
        assert shown.ok
        page.goto(f"{address}/logbook/xpp1/new")
        page.get_by_role("textbox", name="Text").fill(text)
        page.get_by_role("button", name="Preview").click()
        page.locator("section.preview:not([hidden])").wait_for()
        assert page.evaluate("window.executed") is None, text
    assert not [line for line in page.said if line.startswith(("DIALOG", "POPUP"))]
    page.goto(f"{address}/logbook/xpp1")
    protocols = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.protocol)")
    assert set(protocols) <= {"http:", "https:", "mailto:"}
