"""``hutch init``: stores, and their names in ``hutch.toml``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hutch.cli.group import hutch as program
from hutch.config import configuration
from hutch.store import has_store

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(unconfigured: Path) -> Invoke:
    """Return a function that calls ``hutch`` where nothing is configured yet."""
    return lambda *arguments: CliRunner().invoke(program, arguments)


def catalogs() -> dict[str, str]:
    return {path: catalog.store for path, catalog in configuration().settings.catalogs.items()}


def test_the_first_store_is_named_in_a_file_in_the_working_folder(invoke, unconfigured) -> None:
    found = invoke("init", "beamtime")

    assert (found.exit_code, found.stdout) == (0, f"{unconfigured / 'beamtime'}\n")
    assert f"Wrote {unconfigured / 'hutch.toml'}: it is catalog 'raw' there, and the default." in found.stderr
    assert catalogs() == {"raw": str(unconfigured / "beamtime")}
    assert str(unconfigured / "beamtime") in invoke("runs").stderr


def test_where_something_is_configured_nothing_is_written(invoke, unconfigured) -> None:
    invoke("init", "beamtime")
    text = (unconfigured / "hutch.toml").read_text()
    found = invoke("init", "other")

    assert found.exit_code == 0
    assert "hutch.toml" not in found.stderr
    assert has_store(unconfigured / "other")
    assert (unconfigured / "hutch.toml").read_text() == text


def test_no_config_writes_no_file(invoke, unconfigured) -> None:
    assert invoke("init", "beamtime", "--no-config").exit_code == 0
    assert os.listdir(unconfigured) == ["beamtime"]


def test_a_store_that_is_there_is_named_too(invoke, unconfigured) -> None:
    invoke("init", "beamtime", "--no-config")
    found = invoke("init", "beamtime", "--name", "csx/raw")

    assert "There is a store already:" in found.stderr
    assert catalogs() == {"csx/raw": str(unconfigured / "beamtime")}


def test_a_second_catalog_is_added_and_the_default_stays(invoke, unconfigured) -> None:
    invoke("init", "beamtime", "--name", "csx/raw")
    found = invoke("init", "other", "--name", "csx/other")

    assert f"Added to {unconfigured / 'hutch.toml'}: it is catalog 'csx/other' there.\n" in found.stderr
    assert "default" not in found.stderr
    assert list(catalogs()) == ["csx/raw", "csx/other"]
    assert configuration().settings.default == "csx/raw"


def test_who_loses_the_default_by_a_second_catalog_is_told(invoke, unconfigured) -> None:
    (unconfigured / "hutch.toml").write_text("[catalogs.raw]\nstore = 'raw'\n")
    found = invoke("init", "other", "--name", "other")
    assert 'write at the top of the file: default = "raw"' in found.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("csx/raw", "Catalog 'csx/raw' is there already"),
        ("csx", "can't be where 'csx/raw' is"),
        ("../x", "is no path of a catalog"),
    ],
)
def test_a_name_that_can_not_be_had_is_refused_before_a_store_is_made(
    invoke, unconfigured, name, reason
) -> None:
    invoke("init", "beamtime", "--name", "csx/raw")
    found = invoke("init", "other", "--name", name)

    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("hutch: ")
    assert reason in found.stderr
    assert not (unconfigured / "other").exists()


def test_name_does_not_go_with_no_config(invoke, unconfigured) -> None:
    assert invoke("init", "beamtime", "--name", "raw", "--no-config").exit_code == 2
    assert os.listdir(unconfigured) == []


def test_the_store_of_a_configured_catalog_can_be_made(invoke, unconfigured) -> None:
    (unconfigured / "hutch.toml").write_text("[catalogs.csx.raw]\nstore = 'here'\n")
    by_name, by_default = invoke("init", "csx/raw"), invoke("init")

    assert by_name.stdout == by_default.stdout == f"{unconfigured / 'here'}\n"
    assert f"Catalog 'csx/raw' of {unconfigured / 'hutch.toml'}:\nMade a store:\n" in by_name.stderr
    assert "There is a store already:" in by_default.stderr


def test_a_file_that_the_variable_names_is_made(invoke, unconfigured, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_CONFIG", "settings/mine.toml")
    lacking = invoke("runs")
    found = invoke("init")

    assert lacking.exit_code == 1
    assert "$HUTCH_CONFIG names" in lacking.stderr
    assert "make the file with: hutch init DIR" in lacking.stderr
    assert found.exit_code == 0
    assert f"Wrote {unconfigured / 'settings/mine.toml'}" in found.stderr
    assert catalogs() == {"raw": str(unconfigured / "hutch-store")}


def test_a_file_that_can_not_be_written_is_no_error_unless_it_was_asked_for(
    invoke, unconfigured, monkeypatch, read_only
) -> None:
    (unconfigured / "read-only").mkdir()
    read_only(unconfigured / "read-only")
    monkeypatch.setenv("HUTCH_CONFIG", "read-only/hutch.toml")
    store = str(unconfigured / "beamtime")
    unasked, asked = invoke("init", store), invoke("init", store, "--name", "raw")

    assert (unasked.exit_code, unasked.stdout) == (0, f"{store}\n")
    assert (
        f"No hutch.toml was written. '{unconfigured}/read-only/hutch.toml' can't be written: "
        in unasked.stderr
    )
    assert asked.exit_code == 1
    assert "can't be written: " in asked.stderr


def test_a_file_that_is_wrong_is_no_place_for_a_name(invoke, unconfigured) -> None:
    (unconfigured / "hutch.toml").write_text("zzz = 1\n")
    found = invoke("init", str(unconfigured / "beamtime"), "--name", "raw")

    assert found.exit_code == 1
    assert found.stderr.splitlines()[0] == f"hutch: '{unconfigured}/hutch.toml' can't be used:"
    assert os.listdir(unconfigured) == ["hutch.toml"]


def test_a_database_is_named_without_its_password(invoke, unconfigured, postgres_server, monkeypatch) -> None:
    address = postgres_server.address(postgres_server.make_database())
    secret = f"{address}{'&' if '?' in address else '?'}password=secret"
    unasked = invoke("init", secret, "--files", "shared")
    refused = invoke("init", secret, "--name", "raw")
    found = invoke("init", address, "--name", "raw")

    assert unasked.exit_code == 0
    assert "No hutch.toml was written." in unasked.stderr
    assert refused.exit_code == 1
    assert "secret" not in unasked.output + refused.output
    assert found.exit_code == 0
    assert catalogs() == {"raw": address}
    assert "No runs yet" in invoke("runs").stderr


def test_a_database_of_the_file_is_made_with_its_folder(invoke, unconfigured, postgres_server) -> None:
    address = postgres_server.address(postgres_server.make_database())
    (unconfigured / "hutch.toml").write_text(f"[catalogs.raw]\nstore = '{address}'\nfiles = 'shared'\n")

    assert f"Its large batches are in {unconfigured / 'shared/files'}" in invoke("init").stderr
    (unconfigured / "shared").rename(unconfigured / "elsewhere")
    lacking = invoke("runs")
    (unconfigured / "hutch.toml").write_text(f"[catalogs.raw]\nstore = '{address}'\nfiles = 'elsewhere'\n")
    assert lacking.exit_code == 1
    assert "Catalog 'raw' can't be opened. The folder of files" in lacking.stderr
    assert invoke("runs").exit_code == 0
