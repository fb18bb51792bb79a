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

HOW_TO = Path(__file__).parents[2] / "docs/how-to"


def run_page(name: str) -> dict[str, str]:
    """Run the commands and the code of a page in their order; return what each printed."""
    names = {"__name__": "__main__"}
    printed = {}
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", (HOW_TO / name).read_text(), re.DOTALL):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, name, "exec"), names)  # noqa: S102 - that is the test
            printed[block] = out.getvalue()
            continue
        for line in block.splitlines():
            words, _, file = line.partition(" < ")
            result = CliRunner().invoke(program, shlex.split(words)[1:], input=f"secret of {file}\n")
            assert result.exit_code == 0, result.output
            printed[line] = result.stdout
    return printed


@pytest.fixture(autouse=True)
def store(unconfigured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUTCH_STORE", "beamtime")
    hutch.open_catalog("beamtime").close()


def test_the_page_on_access_does_what_it_says(unconfigured: Path) -> None:
    printed = run_page("manage-access.md")

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


def test_the_page_on_roles_does_what_it_says() -> None:
    printed = run_page("roles.md")

    shown = printed["hutch experiment show xppl1001221"]
    assert [line.split() for line in shown.splitlines()[-2:]] == [
        ["xppopr", "operator"], ["alice", "operator"],
    ]  # fmt: skip
    assert "/opt/lute/launch_lute.sh" in printed["hutch workflow allowed"]
    actions = re.findall(r"experiment\.(\w+)", printed["hutch experiment audit xppl1001221"])
    assert actions == ["unlock", "lock", "role", "role", "role", "create"]
