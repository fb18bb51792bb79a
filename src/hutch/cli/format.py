"""How values look in a terminal: consoles, tables in the house style, and text that does no harm."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import printable

__all__ = [
    "STATUS_STYLES",
    "console",
    "counted",
    "duration",
    "grid",
    "number",
    "printable",
    "status_text",
    "to_json",
    "value_text",
    "write",
]

STATUS_STYLES = {
    "success": "green",
    "running": "bold cyan",
    "abort": "yellow",
    "fail": "bold red",
    "interrupted": "magenta",
}

_PIPED_WIDTH = 160
"""Columns of a table that goes into a file or a pipe."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that shows text as it is; in a pipe it writes plain text and cuts little off."""
    found = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = _PIPED_WIDTH
    return found


def write(content: RenderableType) -> None:
    """Print something to stdout, without the blanks that fill up lines."""
    terminal = console()
    if terminal.is_terminal:
        terminal.print(content)
        return
    with terminal.capture() as captured:
        # Lines of text are for programs too: they stay whole.
        terminal.print(content, soft_wrap=isinstance(content, Text))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def counted(count: int, noun: str) -> str:
    """Return a number and its noun: ``1 run``, ``1,200 runs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def number(value: float) -> str:
    """Return a number in at most six significant digits; integers whole."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def duration(seconds: float) -> str:
    """Return a duration in s as people say it: ``0.42 s``, ``12.3 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if not math.isfinite(seconds):
        return str(seconds)
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 10 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def value_text(value: Any, limit: int = 400) -> str:
    """Return a value of a document as one line, cut at a limit of characters."""
    if isinstance(value, str):
        text = printable(value)
    else:
        text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def status_text(status: str) -> Text:
    """Return a run's status in its colour."""
    return Text(printable(status), style=STATUS_STYLES.get(status, ""))


def grid(*headings: str, right: Iterable[str] = ()) -> Table:
    """Return an empty table with a head and no lines.

    :param right: headings of columns of numbers.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def to_json(value: Any) -> str:
    """Return JSON that every reader takes: ASCII, and null for NaN and infinities."""
    return json.dumps(_finite(value), indent=2)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
