"""Where things are: said by somebody, or found."""

from __future__ import annotations

from pathlib import Path

import pytest

from hutch.config import (
    database_files,
    file_roots,
    find_store,
    names_store,
    spool_folder,
    state_folder,
    store_location,
)
from hutch.errors import ConfigurationError

TWO = "[catalogs.csx.raw]\nstore = 'raw'\ndatetimes = true\n[catalogs.old]\nstore = '/old'\n"


def configure(folder: Path, text: str) -> None:
    (folder / "hutch.toml").write_text(text)


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


def test_the_default_catalog_comes_after_the_environment(unconfigured: Path, monkeypatch) -> None:
    configure(unconfigured, 'default = "old"\n' + TWO)
    assert store_location() == "/old"
    monkeypatch.setenv("HUTCH_STORE", "elsewhere")
    assert store_location() == "elsewhere"


def test_a_catalog_can_be_named_with_its_path_if_there_is_no_such_folder(
    unconfigured: Path, monkeypatch
) -> None:
    configure(unconfigured, TWO)
    found = find_store("csx/raw")
    assert (found.store, found.datetimes, found.path) == (str(unconfigured / "raw"), True, "csx/raw")
    assert store_location("csx/raw/") == str(unconfigured / "raw")
    assert store_location("./csx/raw") == "csx/raw"
    monkeypatch.setenv("HUTCH_STORE", "old")
    assert store_location() == "/old"
    (unconfigured / "old").mkdir()
    assert store_location() == "old"


def test_among_several_catalogs_nothing_is_guessed(unconfigured: Path) -> None:
    configure(unconfigured, TWO)
    with pytest.raises(
        ConfigurationError,
        match=r"None of the catalogs of '.*/hutch.toml' is the default: csx/raw, old. Name one",
    ):
        store_location()
    (unconfigured / "hutch-store").mkdir()
    assert store_location() == "hutch-store"


def test_a_file_that_is_wrong_does_not_matter_to_who_needs_none(unconfigured: Path) -> None:
    configure(unconfigured, "zzz = 1")
    (unconfigured / "there").mkdir()
    assert store_location("there") == "there"
    assert store_location("/not/there") == "/not/there"
    assert store_location("postgresql://host/runs") == "postgresql://host/runs"
    assert find_store(use_file=False).store == "hutch-store"
    assert find_store("csx", use_file=False).store == "csx"
    for needed in (lambda: store_location("csx"), store_location):
        with pytest.raises(ConfigurationError, match="there is no 'zzz'"):
            needed()


def test_a_word_may_name_a_store(unconfigured: Path) -> None:
    configure(unconfigured, TWO)
    (unconfigured / "folder").mkdir()
    named = [word for word in ("folder", "csx/raw", "postgresql://h", "csx", "17531a") if names_store(word)]
    assert named == ["folder", "csx/raw", "postgresql://h"]


def test_the_files_of_a_database_are_found_by_its_address(unconfigured: Path, monkeypatch) -> None:
    address = "postgresql://host/runs"
    assert database_files(address) is None
    configure(unconfigured, "[catalogs.raw]\nstore = 'postgres://host/runs'\nfiles = '/mnt/runs'\n")
    assert database_files(address) == Path("/mnt/runs")
    assert database_files("postgresql://host/others") is None
    monkeypatch.setenv("HUTCH_FILES", "/other")
    assert database_files(address) == Path("/other")


def test_roots_of_files_come_from_the_environment_or_the_file(unconfigured: Path, monkeypatch) -> None:
    assert file_roots() == ()
    configure(unconfigured, "[files]\nroots = ['/a', 'b']\n")
    assert file_roots() == (Path("/a"), unconfigured / "b")
    monkeypatch.setenv("HUTCH_FILE_ROOTS", "/c::~/d:")
    assert file_roots() == (Path("/c"), Path.home() / "d")
    monkeypatch.setenv("HUTCH_FILE_ROOTS", "http://c")
    assert file_roots() == (Path("http"), Path("//c"))


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
