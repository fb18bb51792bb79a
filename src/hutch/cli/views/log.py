"""What commands print about entries, tags and run tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import local_time
from hutch.cli.format import counted, duration, grid, number, printable, status_text, value_text
from hutch.documents.text import size_text

if TYPE_CHECKING:
    from hutch.logbook import Column, Entry, RunTable, TableData, Version
    from hutch.logbook.entries import Content

__all__ = [
    "data_table",
    "entries_table",
    "groups_view",
    "run_tables_table",
    "tags_table",
    "thread_view",
    "versions_view",
]

_SHORT = 70
_MOST_GROUPS = 50


def entries_table(entries: Iterable[Entry]) -> Table:
    """Return a table of entries, a line each."""
    table = grid("entry", "time", "run", "author", "tags", "text", right=("entry", "run"))
    for entry in entries:
        first = next((line for line in entry.text.split("\n") if line.strip()), "")
        text = printable(entry.title or first)
        shown = Text(text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…")
        if entry.is_deleted:
            shown.append(" (deleted)", style="yellow")
        if entry.attachments:
            shown.append(f" [{counted(len(entry.attachments), 'file')}]", style="dim")
        table.add_row(
            Text(str(entry.id), style="cyan"),
            Text(local_time(entry.time), style="dim"),
            "" if entry.run_num is None else str(entry.run_num),
            Text(printable(entry.author)),
            Text(printable(" ".join(entry.tags))),
            shown,
        )
    return table


def thread_view(thread: Sequence[Entry]) -> RenderableType:
    """Return an entry and those that answer it, whole."""
    depths: dict[int, int] = {}
    parts = []
    for entry in thread:
        depth = 0 if entry.parent is None else min(depths.get(entry.parent, 0) + 1, 8)
        depths[entry.id] = depth
        about = [f"by {entry.author}", local_time(entry.time)]
        about += [f"version {entry.version}"] if entry.version > 1 else []
        about += ["deleted"] if entry.is_deleted else []
        parts.append(Padding(_view(f"Entry {entry.id}", about, entry), (0, 0, 1, 2 * depth), expand=False))
    return Group(*parts)


def versions_view(versions: Iterable[Version]) -> RenderableType:
    """Return all versions of an entry, whole."""
    parts = []
    for version in versions:
        about = [version.action, f"by {version.author}", local_time(version.time), version.digest[:12]]
        parts.append(Padding(_view(f"Version {version.version}", about, version), (0, 0, 1, 0), expand=False))
    return Group(*parts)


def _view(name: str, about: list[str], content: Content) -> Group:
    run = [] if content.run_num is None else [f"run {content.run_num}"]
    shift = [f"shift {content.shift}"] if content.shift else []
    head = Text(printable(f"{name} · {' · '.join([*about, *run, *shift])}"), style="dim")
    title = [Text(printable(content.title), style="bold")] if content.title else []
    lines = [Text(printable(line)) for line in content.text.rstrip().split("\n")]
    tags = (
        [Text(printable(" ".join(f"#{tag}" for tag in content.tags)), style="cyan")] if content.tags else []
    )
    files = [
        Text(f"[{file.id}] {printable(file.name)} ({file.type}, {size_text(file.size)})", style="dim")
        for file in content.attachments
    ]
    return Group(head, *title, *lines, *tags, *files)


def tags_table(tags: Mapping[str, tuple[int, Sequence[int]]]) -> Table:
    """Return a table of tags: how many entries have each, and the runs these are attached to."""
    table = grid("tag", "entries", "runs", right=("entries",))
    for tag, (count, runs) in tags.items():
        table.add_row(Text(printable(tag), style="cyan"), f"{count:,}", _ranges(runs))
    return table


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers in order as text: ``1-3, 7``."""
    parts: list[list[int]] = []
    for one in numbers:
        if parts and one == parts[-1][-1] + 1:
            parts[-1][1:] = [one]
        else:
            parts.append([one])
    return ", ".join("-".join(map(str, part)) for part in parts)


def run_tables_table(tables: Iterable[RunTable]) -> Table:
    """Return a table of the run tables of an experiment."""
    table = grid("table", "columns", "author", "description")
    for one in tables:
        columns = ", ".join(column.source for column in one.columns)
        table.add_row(
            Text(printable(one.name), style="cyan"),
            Text(printable(columns)),
            Text(printable(one.author)),
            Text(printable(one.description)),
        )
    return table


def data_table(data: TableData) -> Table:
    """Return the rows of a run table for the terminal."""
    table = grid()
    for place, column in enumerate(data.columns):
        is_numeric = all(isinstance(row[place], (int, float, type(None))) for row in data.rows)
        is_time = _is_time(column.source, column.type)
        is_right = is_numeric and not is_time
        table.add_column(printable(column.heading), justify="right" if is_right else "left", overflow="fold")
    for row in data.rows:
        table.add_row(*(_cell(value, column) for value, column in zip(row, data.columns, strict=True)))
    return table


def groups_view(data: TableData, column: Column) -> RenderableType:
    """Return the groups of a run table, and how many of all runs are in each, with an empty line below.

    :param column: by which they are grouped.
    """
    table = grid(printable(column.heading), "runs", right=("runs",))
    for value, count in data.groups[:_MOST_GROUPS]:
        shown = Text("nothing", style="dim") if value is None else _cell(value, column)
        table.add_row(shown, f"{count:,}")
    more = len(data.groups) - _MOST_GROUPS
    rest = [Text(f"and {counted(more, 'more group')}", style="dim")] if more > 0 else []
    return Group(table, *rest, Text(""))


def _cell(value: Any, column: Column) -> Text:
    if value is None:
        return Text("")
    if _is_time(column.source, column.type) and isinstance(value, (int, float)):
        return Text(local_time(value), style="dim")
    if column.source == "status":
        return status_text(str(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Text(duration(value) if column.source == "duration" else number(value))
    return Text(value_text(value, limit=60))


def _is_time(source: str, kind: str) -> bool:
    return kind == "time" or (kind == "auto" and source in ("begin", "end"))
