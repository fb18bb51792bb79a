"""The page on the logbook: its blocks run in their order, and its code prints what it says."""

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

PAGE = Path(__file__).parents[2] / "docs/how-to/keep-a-logbook.md"


def test_the_page_does_what_it_says(unconfigured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUTCH_STORE", "beamtime")
    hutch.open_catalog("beamtime").close()
    names = {"__name__": "__main__"}
    printed = {}
    # A block in which another one is quoted ends at a line of its own.
    for language, block in re.findall(r"^```(sh|python)\n(.*?)\n```\n\n", PAGE.read_text(), re.DOTALL | re.M):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - that is the test
            printed["python"] = out.getvalue()
            names["cat"].close()
            continue
        for line in block.splitlines():
            result = CliRunner().invoke(program, shlex.split(line)[1:])
            assert result.exit_code == 0, result.output
            printed[line] = result.stdout

    assert "batch of April" in printed["hutch log show 2"]
    assert "batch of May" in printed["hutch log show 2 --versions"]
    assert len(printed['hutch log search "batch april author:ada"'].splitlines()) == 2
    assert printed["python"] == "1 ('peaks',) ['peaks.dat']\n[1]\n"
    assert printed["hutch table csv gains"].splitlines()[1] == "1,LaB6,3.5,a bit low"
