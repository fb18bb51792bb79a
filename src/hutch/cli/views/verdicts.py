"""Verdicts of checks as commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import local_time
from hutch.catalogs.verdicts import summary_of
from hutch.cli.format import grid, printable

if TYPE_CHECKING:
    from hutch.catalogs.verdicts import RunVerdict

__all__ = ["verdict_text", "verdicts_table", "verdicts_text"]

_STYLES = {"good": "green", "medium": "yellow", "bad": "bold red"}


def verdict_text(verdict: str | None) -> Text:
    """Return a verdict in its color; a dash where there was too little data to tell."""
    return Text(printable(verdict or "–"), style=_STYLES.get(verdict or "", "dim"))


def verdicts_text(verdicts: Mapping[str, str | None]) -> Text:
    """Return in short what checks say of a run, in the color of the worst."""
    said = summary_of(verdicts)
    worst = said.partition(":")[0]
    return Text(printable(said), style=_STYLES.get(worst, "green"))


def verdicts_table(verdicts: Iterable[RunVerdict]) -> Table:
    """Return a table of what checks say of a run."""
    table = grid("check", "verdict", "since", "sentence")
    for one in verdicts:
        table.add_row(
            Text(printable(one.name)),
            verdict_text(one.verdict),
            Text(local_time(one.since), style="dim"),
            Text(printable(one.sentence)),
        )
    return table
