"""The page on mistakes: its blocks run in their order, Python and commands alike."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from hutch.cli.group import hutch as program

PAGE = Path(__file__).parents[2] / "docs/how-to/correct-a-mistake.md"


def blocks():
    return re.findall(r"```(python|sh)\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def names(tmp_path, monkeypatch):
    """What the Python blocks of the page have named, after all blocks; and what commands printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUTCH_STORE", "beamtime")
    found = {"__name__": "__main__", "printed": {}}
    for language, block in blocks():
        if language == "python":
            exec(compile(block, PAGE.name, "exec"), found)  # noqa: S102 - that is the test
            continue
        for line in block.splitlines():
            words = shlex.split(line)
            assert words[0] == "hutch"
            result = CliRunner().invoke(program, words[1:])
            assert result.exit_code == 0, result.output
            found["printed"][line] = result.output
    yield found
    found["cat"].close()


def test_the_page_does_what_it_says(names):
    cat, printed = names["cat"], names["printed"]

    assert [run.scan_id for run in cat.values()] == [1, 2, 3, 4, 5, 8]
    assert {run.start["sample"]["name"] for run in cat[-3:].values()} == {"LaB6"}
    assert "oparator" not in cat[4].start
    assert cat[8].start["oparator"] == "Dan"  # undone
    assert [stone.reason for stone in cat.deleted] == ["the shutter was closed"] * 2
    assert "not the newest 100" in printed["hutch retention list"]
    assert "Delete this with: hutch delete" in printed['hutch delete 6 7 --reason "the shutter was closed"']
    assert "Dan" in printed["hutch runs --deleted"]
