"""What commands of the monitor print: kinds of checks, verdicts over what is past, references."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import local_time
from hutch.cli.format import grid, printable, value_text
from hutch.cli.views.verdicts import verdict_text
from hutch.documents import decode
from hutch.monitor.verdicts.replaying import summarize

if TYPE_CHECKING:
    from hutch.monitor.checks.finding import CheckKind, Parameter
    from hutch.monitor.verdicts.replaying import Replayed
    from hutch.store.rows.monitor import ReferenceRow

__all__ = ["kinds_view", "references_table", "references_to_json", "replay_view"]


def kinds_view(kinds: Iterable[CheckKind]) -> RenderableType:
    """Return the kinds of checks, each with its parameters."""
    parts: list[RenderableType] = []
    for kind in kinds:
        title = Text(f"\n{kind.name}", style="bold cyan")
        title.append(f"  {kind.summary}", style="not bold default")
        parts.append(title)
        about = "" if kind.origin == "hutch" else f"from {kind.origin}"
        if about:
            parts.append(Padding(Text(printable(about), style="dim"), (0, 0, 0, 2)))
        table = grid()
        table.show_header = False
        for _ in range(3):
            table.add_column("", overflow="fold")
        for one in kind.parameters:
            table.add_row(Text(one.name, style="green"), _default(one), Text(one.about, style="dim"))
        parts.append(Padding(table, (0, 0, 0, 2), expand=False))
    return Group(*parts)


def _default(one: Parameter) -> Text:
    if one.is_required:
        return Text("must be given", style="yellow")
    shown = value_text(one.default) if not isinstance(one.default, float) else f"{one.default:g}"
    return Text({"inf": "", "-inf": ""}.get(shown, f"{shown} {one.unit}".strip()))


def replay_view(found: Sequence[Replayed]) -> RenderableType:
    """Return what checks would have said, and how often each would have said what."""
    table = grid("run", "check", "verdict", "value", "turned at row", "sentence")
    for one in found:
        turns = Text(", ").join(
            Text.assemble(f"{turn.row:,} ", verdict_text(turn.verdict)) for turn in one.turns
        )
        value = None if one.last is None else one.last.value
        sentence = one.problem or ("" if one.last is None else one.last.sentence)
        table.add_row(
            Text(printable(_source(one)), style="cyan"),
            Text(printable(one.name)),
            verdict_text(one.verdict),
            "" if value is None else f"{value:.5g}",
            turns,
            Text(printable(sentence), style="red" if one.problem else ""),
        )
    counts = grid("check", "good", "medium", "bad", "too little data", "failed")
    for name, count in summarize(found).items():
        counts.add_row(Text(printable(name)), *(str(number or "") for number in count.values()))
    return Group(table, Text(""), counts)


def _source(one: Replayed) -> str:
    if one.run is None:
        return os.path.basename(one.source)
    return one.run[:8] if one.scan_id is None else f"{one.scan_id} ({one.run[:8]})"


def references_table(rows: Iterable[ReferenceRow]) -> Table:
    """Return the saved references as a table."""
    table = grid("name", "runs and files", "saved", "by")
    for row in rows:
        named = ", ".join(map(str, decode(row.sources)))
        table.add_row(
            Text(printable(row.name), style="cyan"),
            Text(printable(named)),
            Text(local_time(row.time), style="dim"),
            Text(printable(row.author)),
        )
    return table


def references_to_json(rows: Iterable[ReferenceRow]) -> list[dict[str, Any]]:
    """Return the saved references as JSON has them; times in s since 1970."""
    return [
        {"name": row.name, "sources": decode(row.sources), "time": row.time, "author": row.author}
        for row in rows
    ]
