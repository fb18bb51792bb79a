"""The page on catalogs: its blocks run in their order, and its files and messages are what it says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from hutch.cli.group import hutch as program
from hutch.config.file import understood
from hutch.errors import ConfigurationError

PAGE = Path(__file__).parents[2] / "docs/how-to/configure-catalogs.md"


def blocks(*languages: str) -> list[tuple[str, str]]:
    found = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [(language, block) for language, block in found if language in languages]


def test_the_page_does_what_it_says(unconfigured: Path) -> None:
    names = {"__name__": "__main__"}
    printed = ""
    for language, block in blocks("sh", "python"):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - that is the test
            printed += out.getvalue()
            continue
        for line in block.splitlines():
            result = CliRunner().invoke(program, shlex.split(line)[1:])
            assert result.exit_code == 0, result.output
            printed += result.stdout
    with names["catalogs"]["raw"]() as published:
        assert list(published) == list(names["cat"])
    names["cat"].close()

    assert (unconfigured / "hutch.toml").read_text() == blocks("toml")[0][1]
    assert "['csx']\n" in printed
    assert f"raw        {unconfigured / 'beamtime'} (default)" in printed
    assert "\nLaB6\n" in printed
    assert blocks("text")[0][1].replace("…", str(unconfigured)) in printed
    assert "dwell" in printed


def test_what_a_catalog_can_say_can_be_said() -> None:
    found = understood(blocks("toml")[1][1].encode(), Path("/x/hutch.toml")).catalogs["csx/raw"]

    assert found.store == "postgresql://hutch@db.facility.org/csx"
    assert found.root_map == {"/nsls2/data/csx": "/mnt/csx"}
    assert (found.files, found.datetimes) == (Path("/gpfs/hutch/csx"), True)


def test_the_message_about_a_wrong_file_is_real() -> None:
    text = b"[catalogs.csx.raw]\nstore = 'x'\nstroe = 'y'\n[files]\nroots = '/data'\n"
    with pytest.raises(ConfigurationError, match="can't be used") as caught:
        understood(text, Path("…/hutch.toml"))

    said, listed = sorted(str(caught.value).splitlines()), sorted(blocks("text")[1][1].splitlines())
    assert said == listed
