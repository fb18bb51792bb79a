"""Where the store is: a flag, then the environment, then the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from hutch.config import state_folder, store_location
from hutch.errors import ConfigurationError


def test_what_is_given_wins_over_the_environment_and_that_over_the_default(monkeypatch) -> None:
    monkeypatch.delenv("HUTCH_STORE", raising=False)
    assert store_location() == Path("hutch-store")
    monkeypatch.setenv("HUTCH_STORE", "~/beamtime")
    assert store_location() == Path.home() / "beamtime"
    assert store_location("here") == Path("here")


def test_an_address_is_refused_saying_where_it_came_from(monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_STORE", "http://host")

    with pytest.raises(ConfigurationError, match=r"'http://host' of \$HUTCH_STORE is an address"):
        store_location()
    with pytest.raises(ConfigurationError, match="'postgresql://host' is an address"):
        store_location("postgresql://host")


def test_the_state_folder_follows_xdg(monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/hutch")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local/state/hutch"
