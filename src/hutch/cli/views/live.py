"""Documents of a run as rows in a terminal, one by one as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from hutch.catalogs.metadata import PRIMARY, stream_name
from hutch.catalogs.showing.hints import hinted_fields, scanned_axes
from hutch.catalogs.summary import local_time
from hutch.cli.format import console, counted, number, printable, status_text, value_text

__all__ = ["LiveRows"]

_WIDTH = 12
"""Columns of a table are at least so wide."""
_MOST_COLUMNS = 8


@dataclass
class _Table:
    """The rows of one descriptor."""

    stream: str
    keys: list[str]
    headings: list[str] = field(default_factory=list)
    left_out: int = 0


class LiveRows:
    """Prints documents: the rows of ``primary`` as a table, those of other streams as one line each.

    On a terminal a bar tells how far the run is.
    """

    def __init__(self) -> None:
        self._console = console()
        self._tables: dict[str, _Table] = {}
        self._headed: _Table | None = None
        self._rows: dict[str, int] = {}
        self._start: Mapping[str, Any] = {}
        columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("points"), TimeRemainingColumn())
        # On the console of the rows, which then go above it; it is gone when the rows are complete.
        is_shown = self._console.is_terminal
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not is_shown)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Show one document."""
        if name == "start":
            self._show_start(document)
        elif name == "descriptor":
            self._tables[str(document.get("uid"))] = _table(document, self._start)
        elif name == "event":
            self._show_event(document)
        elif name == "stop":
            reason = document.get("reason")
            if reason:
                self._print(Text(value_text(reason), style="red"))

    def end(self, status: str) -> None:
        """Show how the run ended, or that it goes on."""
        rows = ", ".join(f"{counted(count, 'row')} of {name}" for name, count in self._rows.items())
        line = Text.assemble("Run ", self._name(), ": ", status_text(status))
        line.append(f" · {printable(rows) or 'no rows'}", style="dim")
        self._print(line)

    def _show_start(self, start: Mapping[str, Any]) -> None:
        self._start = start
        line = Text.assemble(("Run ", "bold"), (self._name(), "bold"))
        facts = [str(start.get("plan_name") or ""), str(start.get("uid"))[:8]]
        if isinstance(start.get("time"), (int, float)):
            facts.append(local_time(start["time"]))
        line.append(f"  {printable('  '.join(fact for fact in facts if fact))}", style="dim")
        self._print(line)
        points = start.get("num_points")
        if isinstance(points, int) and points > 0:
            self._task = self._bar.add_task("", total=points)

    def _show_event(self, event: Mapping[str, Any]) -> None:
        table = self._tables.get(str(event.get("descriptor")))
        if table is None:
            return
        count = self._rows[table.stream] = self._rows.get(table.stream, 0) + 1
        data = _mapping(event.get("data"))
        if table.stream != PRIMARY:
            cells = [f"{key} {_cell(data.get(key))}" for key in table.keys]
            more = f"  and {table.left_out} more" if table.left_out else ""
            self._print(Text(printable(f"  {table.stream} {count}:  {'  '.join(cells)}{more}"), style="dim"))
            return
        if self._headed is not table:
            self._headed = table
            heading = "  ".join(f"{h:>{_WIDTH}}" for h in table.headings)
            self._print(Text(printable(f"{'point':>7}  {'time':>12}  {heading}"), style="bold"))
        widths = [max(_WIDTH, len(heading)) for heading in table.headings]
        cells = [f"{_cell(data.get(k)):>{w}}" for k, w in zip(table.keys, widths, strict=True)]
        self._print(Text(printable(f"{count:>7}  {_clock(event.get('time')):>12}  {'  '.join(cells)}")))
        if self._task is not None:
            self._bar.update(self._task, completed=count)

    def _name(self) -> str:
        scan_id = self._start.get("scan_id")
        return str(self._start.get("uid"))[:8] if scan_id is None else printable(str(scan_id))

    def _print(self, line: Text) -> None:
        if self._console.is_terminal:
            # Cut at the edge, so that a row is a line.
            self._console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            click.echo(line.plain)


def _table(descriptor: Mapping[str, Any], start: Mapping[str, Any]) -> _Table:
    """Return the table of a descriptor: the axes first, then what its hints name, else all scalars."""
    about = {key: _mapping(said) for key, said in _mapping(descriptor.get("data_keys")).items()}
    axes = scanned_axes(start)[0]
    hinted = {*hinted_fields([descriptor]), *axes}
    scalars = [key for key, said in about.items() if said.get("dtype") != "array"]
    keys = [key for key in scalars if key in hinted] or scalars
    keys.sort(key=lambda key: axes.index(key) if key in axes else len(axes))
    shown = keys[:_MOST_COLUMNS]
    units = [about[key].get("units") for key in shown]
    headings = [f"{key} [{unit}]" if unit else key for key, unit in zip(shown, units, strict=True)]
    return _Table(stream_name(descriptor), shown, headings, len(about) - len(shown))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return value_text(value, limit=24)


def _clock(moment: Any) -> str:
    try:
        return datetime.fromtimestamp(moment).strftime("%H:%M:%S.%f")[:-3]
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
