"""``hutch serve`` at the command line: help, and what is served."""

from __future__ import annotations

import shlex

import click
import pytest

from hutch.cli.serve import serve
from hutch.config import CatalogSettings
from hutch.server.process import Served


def test_help_ends_in_an_example_that_is_understood(invoke):
    lines = invoke("serve", "--help").stdout.splitlines()

    assert lines[-2] == "Example:"
    words = shlex.split(lines[-1])
    assert words[:2] == ["hutch", "serve"]
    with click.Context(serve) as context:
        serve.parse_args(context, words[2:])
    assert (context.params["store"], context.params["port"]) == ("beamtime", 8000)


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--workers", "0"], ["a", "b"]])
def test_wrong_usage_ends_with_2(invoke, arguments):
    assert invoke("serve", *arguments).exit_code == 2


def test_what_is_served_comes_to_another_process_as_it_is(tmp_path):
    settings = CatalogSettings(str(tmp_path), {"/old": "/new"}, True, None, tmp_path, "csx/raw")
    served = Served({"csx/raw": settings}, "key", public=True)

    again = Served.from_text(served.to_text())
    assert (again.key, again.public) == ("key", True)
    assert again.catalogs["csx/raw"].store == settings.store
    assert again.catalogs["csx/raw"].root_map == settings.root_map
    assert again.catalogs["csx/raw"].name == "raw" and again.catalogs["csx/raw"].datetimes
