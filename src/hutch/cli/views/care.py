"""What commands print about corrections, deletions and rules of retention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import local_time
from hutch.cli.format import counted, grid, printable, status_text, value_text
from hutch.documents.text import size_text
from hutch.errors import MISSING

if TYPE_CHECKING:
    from hutch.catalogs.changing.amending import Amendment, Edit
    from hutch.catalogs.changing.deleting import PlannedRun
    from hutch.catalogs.changing.retention_rules import RetentionRule
    from hutch.catalogs.tombstones import Tombstone

__all__ = [
    "amendments_table",
    "deletion_sentences",
    "edits_table",
    "planned_table",
    "rules_table",
    "tombstones_table",
]

_MOST_FILES = 10
_LONGEST_VALUE = 80


def edits_table(edits: Iterable[Edit]) -> Table:
    """Return a table of values before and after."""
    table = grid("field", "before", "after")
    for edit in edits:
        table.add_row(*_edit_cells(edit))
    return table


def amendments_table(amendments: Iterable[Amendment]) -> Table:
    """Return the history of a start document, oldest first."""
    table = grid("time", "author", "reason", "field", "before", "after")
    for amendment in amendments:
        who = [local_time(amendment.time), printable(amendment.author), printable(amendment.reason)]
        for edit in amendment.edits:
            table.add_row(*map(Text, who), *_edit_cells(edit))
            who = ["", "", ""]
    return table


def planned_table(runs: Sequence[PlannedRun]) -> Table:
    """Return a table of runs that are to be deleted."""
    table = grid()
    with_reason = any(run.reason for run in runs)
    for heading in ("scan_id", "uid", "plan", "time", "status", "events", "size"):
        right = heading in ("scan_id", "events", "size")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading != "plan")
    if with_reason:
        table.add_column("reason")
    for run in runs:
        cells: list[str | Text] = [
            "" if run.scan_id is None else str(run.scan_id),
            Text(printable(run.uid[:8]), style="cyan"),
            Text(printable(run.plan), no_wrap=True, overflow="ellipsis"),
            Text(local_time(run.time), style="dim"),
            status_text(run.status),
            f"{run.events:,}",
            size_text(run.size_bytes),
        ]
        table.add_row(*cells, *([Text(printable(run.reason))] if with_reason else []))
    return table


def deletion_sentences(runs: Sequence[PlannedRun], *, is_done: bool) -> Iterable[str]:
    """Yield what goes and what stays, a line each."""
    events, size_bytes = sum(run.events for run in runs), sum(run.size_bytes for run in runs)
    what = f"{counted(len(runs), 'run')} with {counted(events, 'event')}, {size_text(size_bytes)}"
    yield f"Deleted {what}." if is_done else f"To be deleted: {what}."
    files = list(dict.fromkeys(path for run in runs for path in run.external))
    if files:
        stay = "stays" if len(files) == 1 else "stay"
        yield f"{counted(len(files), 'file')} of detectors {stay}, for you to keep or remove:"
        yield from (f"  {printable(path)}" for path in files[:_MOST_FILES])
        if len(files) > _MOST_FILES:
            yield f"  … and {len(files) - _MOST_FILES:,} more (--json names all)"


def tombstones_table(stones: Iterable[Tombstone]) -> Table:
    """Return a table of what is left of deleted runs."""
    table = grid()
    for heading in ("scan_id", "uid", "plan", "time", "events", "deleted", "author", "reason"):
        right = heading in ("scan_id", "events")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for stone in stones:
        table.add_row(
            "" if stone.scan_id is None else str(stone.scan_id),
            Text(printable(stone.uid[:8]), style="cyan"),
            Text(printable(stone.plan)),
            Text(local_time(stone.time), style="dim"),
            f"{stone.events:,}",
            Text(local_time(stone.deleted)),
            Text(printable(stone.author)),
            Text(printable(stone.reason)),
        )
    return table


def rules_table(rules: Iterable[RetentionRule]) -> Table:
    """Return a table of the rules of retention."""
    table = grid("name", "rule")
    for rule in rules:
        table.add_row(Text(printable(rule.name)), Text(printable(str(rule))))
    return table


def _edit_cells(edit: Edit) -> tuple[Text, Text, Text]:
    return Text(printable(edit.field)), _value(edit.before), _value(edit.after)


def _value(value: Any) -> Text:
    return Text("(nothing)", style="dim") if value is MISSING else Text(value_text(value, _LONGEST_VALUE))
