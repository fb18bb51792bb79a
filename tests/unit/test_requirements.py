"""A test that lacks something is skipped with the reason, or fails where that is demanded."""

from __future__ import annotations

import pytest


def test_what_is_there_lets_the_test_run(require, monkeypatch):
    monkeypatch.setenv("HUTCH_TEST_REQUIRE", "all")
    require("chromium", None)


def test_what_is_missing_skips_with_the_reason(require, monkeypatch):
    monkeypatch.delenv("HUTCH_TEST_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs 'chromium': not installed"):
        require("chromium", "not installed")


@pytest.mark.parametrize("demanded", ["all", "chromium", "slurm,chromium"])
def test_what_is_missing_fails_where_it_is_demanded(require, monkeypatch, demanded):
    monkeypatch.setenv("HUTCH_TEST_REQUIRE", demanded)
    with pytest.raises(pytest.fail.Exception, match="demands 'chromium': not installed"):
        require("chromium", "not installed")


def test_what_others_demand_still_skips(require, monkeypatch):
    monkeypatch.setenv("HUTCH_TEST_REQUIRE", "slurm")
    with pytest.raises(pytest.skip.Exception, match="needs 'chromium'"):
        require("chromium", "not installed")


def test_a_mounted_disk_has_the_size_that_was_asked_for(needs_tmpfs):
    disk = needs_tmpfs(1 << 20)
    with pytest.raises(OSError, match="No space left"):
        (disk / "large").write_bytes(bytes(2 << 20))
