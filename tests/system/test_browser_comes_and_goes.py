"""In a real browser: who logs out is forgotten, and pages that follow say when nobody answers them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import hutch
from hutch.access import Access
from hutch.logbook import Logbook
from hutch.server import Admission, build_app

from ..serving import KEY, serving

AWAY = re.compile(r"^Not updated since \d\d:\d\d: the server does not answer\.$")
REVOKED = re.compile("the key is not known, or has ended; reload the page")
PASSWORD = "correct horse battery"  # noqa: S105 - of a test


@pytest.fixture
def catalog(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        yield found


@contextmanager
def served(place, port="0"):
    """Run the program; give its address. It is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hutch.cli", "serve", place, "--port", port],
        env={**os.environ, "HUTCH_ADMIN_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process.stdout.readline().strip().partition("/?")[0]
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.fixture
def context(browser):
    found = browser.new_context(viewport={"width": 390, "height": 800})
    yield found
    found.close()


@pytest.mark.parametrize("path", ["/", "/runs/RUN", "/logbook/xpp1", "/monitor", "/monitor?wall=true"])
def test_a_page_that_follows_says_when_the_server_is_away_and_when_the_key_has_ended(
    context, catalog, tmp_path, path
):
    access = Access(catalog.store)
    access.experiments.create("xpp1", instrument="XPP")
    Logbook(catalog.store).post("xpp1", "first")
    key, made = access.keys.create(["admin"])
    with catalog.start_run(plan_name="long") as run:
        context.clock.install()
        page = context.new_page()
        refused = []
        page.on("console", lambda message: refused.append(message.text))
        line = page.locator("#away")

        def later():
            # By then the page of the monitor asks as well, which hears of what is new else. What a page has
            # asked just now is given up, and asked again after 10 s.
            page.clock.fast_forward(60_001)

        with served(str(tmp_path / "store")) as address:
            page.goto(f"{address}/?api_key={key}")
            page.goto(address + path.replace("RUN", run.uid))
            later()
            expect(line).to_have_text("")
        later()
        expect(line).to_have_text(AWAY)
        assert Axe().run(page).violations_count == 0
        with served(str(tmp_path / "store"), address.rpartition(":")[2]):
            later()
            expect(line).to_have_text("")
            access.keys.revoke(made.prefix)
            later()
            expect(line).to_have_text(REVOKED)
        assert not [text for text in refused if "Content Security Policy" in text]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_logs_out_is_asked_for_a_key_again(context, catalog, scheme):
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
        page = context.new_page()
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/?api_key={KEY}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert Axe().run(page).violations_count == 0
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Logged out")).to_be_visible()
        assert Axe().run(page).violations_count == 0
        assert context.cookies() == []
        page.goto(f"{address}/logbook")
        expect(page.get_by_role("heading", name="A key is needed")).to_be_visible()


def test_the_browser_forgets_a_password_when_its_user_logs_out(context, catalog):
    Access(catalog.store).users.add("ada", PASSWORD)
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
        page = context.new_page()
        page.goto(address.replace("//", f"//ada:{PASSWORD.replace(' ', '%20')}@") + "/login?by=password")
        page.goto(f"{address}/logbook")
        expect(page.locator(".who")).to_have_text("ada")
        # Nobody is there to cancel what the browser asks for, so that it shows nothing here.
        with page.expect_response("**/logout*") as answer:
            page.get_by_role("button", name="Log out").click()
        assert answer.value.status == 401
        page.wait_for_url("chrome-error:**")
        page.goto(f"{address}/logbook")
        expect(page.get_by_role("heading", name="A key is needed")).to_be_visible()
