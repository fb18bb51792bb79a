"""Where the store is: a flag, then the environment, then the default."""

from __future__ import annotations

from pathlib import Path

from hutch.config import spool_folder, state_folder, store_location


def test_what_is_given_wins_over_the_environment_and_that_over_the_default(monkeypatch) -> None:
    monkeypatch.delenv("HUTCH_STORE", raising=False)
    assert store_location() == "hutch-store"
    monkeypatch.setenv("HUTCH_STORE", "~/beamtime")
    assert store_location() == str(Path.home() / "beamtime")
    assert store_location("here") == "here"


def test_an_address_stays_as_it_is(monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_STORE", "postgresql://host//~/a?b=c")

    assert store_location() == "postgresql://host//~/a?b=c"
    assert store_location("postgresql://host") == "postgresql://host"


def test_the_state_folder_follows_xdg(monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/hutch")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local/state/hutch"


def test_the_spool_is_where_somebody_says_or_with_the_state(monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.delenv("HUTCH_SPOOL", raising=False)
    assert spool_folder() == Path("/state/hutch/spool")
    monkeypatch.setenv("HUTCH_SPOOL", "/local/spool")
    assert spool_folder() == Path("/local/spool")
