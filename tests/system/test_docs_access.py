"""The page on access: its blocks run in their order, and its code prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import hutch
from hutch.cli.group import hutch as program

PAGE = Path(__file__).parents[2] / "docs/how-to/manage-access.md"


def test_the_page_does_what_it_says(unconfigured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUTCH_STORE", "beamtime")
    hutch.open_catalog("beamtime").close()
    names = {"__name__": "__main__"}
    printed = {}
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - that is the test
            printed[block] = out.getvalue()
            continue
        for line in block.splitlines():
            words, _, file = line.partition(" < ")
            result = CliRunner().invoke(program, shlex.split(words)[1:], input=f"secret of {file}\n")
            assert result.exit_code == 0, result.output
            printed[line] = result.stdout

    assert (unconfigured / "beamtime" / "hutch.db").exists()
    assert "DAQ of XPP" in printed["hutch key list"]
    assert printed["hutch user list"].count("enabled") == 3
    assert "active, restricted" in printed["hutch experiment list"]
    shown = printed["hutch experiment show xppl1001221"]
    assert [line.split() for line in shown.splitlines()[-3:]] == [
        ["xppopr", "operator"], ["alice", "editor"], ["bob", "reader"],
    ]  # fmt: skip
    assert "2 runs" in shown
    *_, last = printed.values()
    assert last == "2 ['LaB6', 'Si']\nFalse\n" or last == "2 ['Si', 'LaB6']\nFalse\n"
