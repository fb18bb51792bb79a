"""What the tests of faults share, and those in a browser."""

import pytest
from playwright.sync_api import expect

from .. import chromium
from .sample_runs import replayed


@pytest.fixture
def record(cat):
    """Record documents of the run ``run`` and return what is replayed of it."""

    def record(*documents):
        recorder = cat.recorder()
        for name, document in documents:
            recorder(name, document)
        recorder.close()
        return replayed(cat)

    return record


_PATIENCE_MS = 20_000
"""So long is waited for what a page is expected to show."""


@pytest.fixture(scope="module")
def browser(require):
    """Give a real browser; without one the test is skipped."""
    require("chromium", chromium.missing())
    expect.set_options(timeout=_PATIENCE_MS)
    with chromium.browser() as found:
        yield found
