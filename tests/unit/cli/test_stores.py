"""How commands are told which store is meant."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hutch
from hutch.cli.group import hutch as program

Invoke = Callable[..., Result]


@pytest.fixture
def folder(unconfigured: Path) -> Path:
    """A working folder with two catalogs, whose runs tell where they are; the first is the default."""
    for place in ("one", "two"):
        with hutch.open_catalog(unconfigured / place) as cat, cat.start_run(plan_name=place):
            pass
    (unconfigured / "hutch.toml").write_text(
        'default = "csx/one"\n[catalogs.csx.one]\nstore = "one"\ndatetimes = true\n'
        '[catalogs.csx.two]\nstore = "two"\n'
    )
    return unconfigured


@pytest.fixture
def invoke(folder: Path) -> Invoke:
    return lambda *arguments: CliRunner().invoke(program, arguments)


def plans(found: Result) -> list[str]:
    assert found.exit_code == 0, found.stderr
    return [run["plan_name"] for run in json.loads(found.stdout)]


def test_a_flag_goes_before_the_environment_and_that_before_the_default(invoke, monkeypatch) -> None:
    assert plans(invoke("runs", "--json")) == ["one"]
    assert plans(invoke("runs", "--json", "--store", "csx/two")) == ["two"]
    monkeypatch.setenv("HUTCH_STORE", "two")
    assert plans(invoke("runs", "--json")) == ["two"]
    monkeypatch.setenv("HUTCH_STORE", "csx/two")
    assert plans(invoke("runs", "--json")) == ["two"]
    assert plans(invoke("runs", "--json", "--store", "csx/one")) == ["one"]


def test_a_folder_goes_before_a_catalog_of_its_name(invoke, folder) -> None:
    (folder / "csx").mkdir()
    (folder / "two").rename(folder / "csx/one")
    assert plans(invoke("runs", "--json", "--store", "csx/one")) == ["two"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "-1", "--store", "csx/two"],
        ["verify", "csx/two"],
        ["compact", "csx/two"],
        ["reindex", "csx/two"],
        ["reindex", "csx/two", "-1"],
        ["follow", "-1", "--store", "csx/two"],
        ["backup", "csx/two", "copy"],
        ["move", "csx/two", "moved"],
        [
            "shell",
            "--no-bluesky",
            "--store",
            "csx/two",
            "-c",
            "assert cat.name == 'two' == cat[-1].start['plan_name']",
        ],
        [
            "shell",
            "--no-bluesky",
            "-c",
            "assert cat.datetimes and cat.name == 'one' == cat[-1].start['plan_name']",
        ],
    ],
)
def test_every_command_takes_a_configured_catalog(invoke, folder, arguments, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))  # which a program of the shell changes
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    found = invoke(*arguments)
    assert found.exit_code == 0, found.output
    assert not (folder / "csx").exists()


def test_runs_are_imported_into_a_configured_catalog(invoke, folder) -> None:
    (folder / "more.jsonl").write_text('["start", {"uid": "more", "time": 1.0, "plan_name": "more"}]\n')
    assert invoke("import", "more.jsonl", "--store", "csx/two").exit_code == 0
    assert plans(invoke("runs", "--json", "--store", "csx/two")) == ["two", "more"]
    assert not (folder / "csx").exists()


def test_nothing_is_recorded_into_a_new_store_where_the_disk_of_a_catalog_is_away(invoke, folder) -> None:
    (folder / "two").rename(folder / "away")
    (folder / "more.jsonl").write_text('["start", {"uid": "more", "time": 1.0}]\n')
    found = invoke("import", "more.jsonl", "--store", "csx/two")

    assert found.exit_code == 1
    assert "Catalog 'csx/two' can't be opened. There is no store in" in found.stderr
    assert not (folder / "two").exists()
    assert invoke("import", "more.jsonl", "--store", "new").exit_code == 0


def test_a_path_that_was_mistyped_is_told_what_there_is(invoke, folder) -> None:
    found = invoke("runs", "--store", "csx/tow")

    assert found.exit_code == 1
    assert found.stderr == (
        f"hutch: There is no store in '{folder}/csx/tow'. Make one with: hutch init {folder}/csx/tow "
        "(or name a catalog that is configured: csx/one, csx/two)\n"
    )


def test_a_store_that_is_not_there_is_named_with_its_catalog(invoke, folder) -> None:
    (folder / "one").rename(folder / "away")
    found = invoke("runs")

    assert found.exit_code == 1
    assert found.stderr == (
        f"hutch: Catalog 'csx/one' can't be opened. There is no store in '{folder}/one'. "
        f"Make one with: hutch init {folder}/one\n"
    )


def test_without_a_default_the_catalogs_are_named(invoke, folder) -> None:
    text = (folder / "hutch.toml").read_text()
    (folder / "hutch.toml").write_text(text.replace('default = "csx/one"\n', ""))
    for arguments in (["runs"], ["import", "hutch.toml"], ["backup", "copy"]):
        found = invoke(*arguments)
        assert found.exit_code == 1
        assert "is the default: csx/one, csx/two. Name one, as in --store csx/one" in found.stderr
    assert sorted(os.listdir(folder)) == ["hutch.toml", "one", "two"]


def test_a_file_that_is_wrong_is_a_list_and_ends_with_1(invoke, folder) -> None:
    (folder / "hutch.toml").write_text("zzz = 1\n[catalogs.raw]\n")
    found = invoke("runs")

    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.splitlines() == [
        f"hutch: '{folder}/hutch.toml' can't be used:",
        "  - there is no 'zzz'; there are default, catalogs, elog, files, logbook, monitor, recording, "
        "server, spool",
        "  - 'catalogs.raw' is empty; give it a store, as in store = '/data/csx/raw'",
    ]


def test_a_move_says_which_catalogs_are_still_in_the_old_place(invoke, folder) -> None:
    found = invoke("move", "csx/two", "moved")
    assert (
        f"Catalog csx/two is still in the old place; write in {folder}/hutch.toml: store = " in found.stderr
    )
    assert f"'{folder}/moved'" in found.stderr
