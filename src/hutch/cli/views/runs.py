"""What commands print about runs: the table of runs, and one run in full, as text and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import HEADINGS, RunSummary, local_time, shape_text
from hutch.cli.format import counted, duration, grid, printable, status_text, value_text
from hutch.cli.views.care import amendments_table
from hutch.cli.views.verdicts import verdicts_table, verdicts_text
from hutch.documents import decode, is_same

if TYPE_CHECKING:
    from hutch.catalogs import Run
    from hutch.catalogs.stream import Stream
    from hutch.store import Mark, QuarantineRow

__all__ = ["RunLine", "run_to_json", "run_view", "runs_table"]

_MOST_QUARANTINED = 20
"""As many documents in quarantine are shown one by one."""

_NEEDED = {"scan_id": 7, "uid": 8}
"""Columns by which a run is named, and how many characters of them are shown in any terminal."""


@dataclass(frozen=True)
class RunLine:
    """One line of the table of runs."""

    summary: RunSummary
    nonconforming: int
    """Values that contradict their descriptor."""
    quarantined: int
    """Documents in quarantine."""
    verdicts: Mapping[str, str | None] = field(default_factory=dict)
    """What checks say, by name."""

    @classmethod
    def of(cls, run: Run) -> RunLine:
        """Return the line of a run."""
        marked = sum(mark.count for mark in run.nonconforming)
        verdicts = {name: one.verdict for name, one in run.verdicts().items()}
        return cls(run.summary(), marked, len(run.quarantined), verdicts)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it; ``time`` in s since 1970."""
        return {
            "scan_id": self.summary.scan_id,
            "uid": self.summary.uid,
            "plan_name": self.summary.plan,
            "time": self.summary.time,
            "status": self.summary.status,
            "points": self.summary.points,
            "nonconforming": self.nonconforming,
            "quarantined": self.quarantined,
            "verdicts": dict(self.verdicts),
        }


def runs_table(lines: Sequence[RunLine]) -> Table:
    """Return a table of runs; columns of verdicts and of what is marked are there only if something is."""
    table = grid()
    for heading in HEADINGS:
        right = heading in ("scan_id", "points")
        # Where the terminal is narrow a column that may wrap gives way, the plan, and then others.
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=heading != "plan",
            min_width=_NEEDED.get(heading),
        )
    is_judged = any(line.verdicts for line in lines)
    if is_judged:
        table.add_column("verdicts", no_wrap=True)
    is_marked = any(line.nonconforming or line.quarantined for line in lines)
    if is_marked:
        table.add_column("marked", justify="right", no_wrap=True, style="yellow")
    for line in lines:
        scan_id, uid, plan, time, status, points = map(printable, line.summary.cells())
        name = Text(plan, no_wrap=True, overflow="ellipsis")
        cells: list[str | Text] = [
            scan_id,
            Text(uid, style="cyan"),
            name,
            Text(time, style="dim"),
            status_text(status),
            points,
        ]
        if is_judged:
            cells.append(verdicts_text(line.verdicts))
        if is_marked:
            cells.append(str(line.nonconforming + line.quarantined or ""))
        table.add_row(*cells)
    return table


def run_to_json(run: Run, *, original: bool = False) -> dict[str, Any]:
    """Return everything about a run but its data, as JSON has it; times in s since 1970.

    :param original: the start document as it was recorded.
    """
    return {
        "uid": run.uid,
        "status": run.status,
        "start": run.original_start if original else run.start,
        "stop": run.stop,
        "amendments": [amendment.to_json() for amendment in run.amendments],
        "streams": {name: _stream_to_json(stream) for name, stream in run.items()},
        "verdicts": {name: verdict.to_json() for name, verdict in run.verdicts().items()},
        "nonconforming": [
            {"stream": mark.stream, "key": mark.key, "reason": mark.reason, "count": mark.count}
            for mark in run.nonconforming
        ],
        "quarantined": [
            {"kind": row.kind, "reason": row.reason, "time": row.time, "document": decode(row.body)}
            for row in run.quarantined
        ],
    }


def run_view(run: Run, *, original: bool = False) -> RenderableType:
    """Return everything about a run but its data, to be printed.

    :param original: the start document as it was recorded.
    """
    parts: list[RenderableType] = [_title(run), _start_section(run, original=original)]
    amendments = run.amendments
    if amendments:
        note = "the recorded document is shown with --original"
        parts.append(_section("amendments", amendments_table(amendments), note, "yellow"))
    stop = run.stop
    if stop is not None:
        parts.append(_section("stop", _metadata(stop)))
    for name, stream in run.items():
        parts.append(_section(name, _stream_table(stream), counted(len(stream), "row")))
    verdicts = run.verdicts()
    if verdicts:
        parts.append(_section("verdicts", verdicts_table(verdicts.values())))
    if run.nonconforming:
        note = "values that contradict their descriptor, kept as they came"
        parts.append(_section("nonconforming", _marks_table(run.nonconforming), note, "yellow"))
    if run.quarantined:
        note = "documents that have no place, kept whole (--json shows them)"
        parts.append(_section("quarantine", _quarantine_table(run.quarantined), note, "yellow"))
    return Group(*parts)


def _title(run: Run) -> Text:
    summary = run.summary()
    title = Text(f"Run {run.uid}" if run.scan_id is None else f"Run {run.scan_id}  {run.uid}", style="bold")
    facts = [printable(summary.plan), local_time(summary.time)]
    stop = run.stop
    ended = stop.get("time") if stop is not None else None
    if isinstance(ended, (int, float)):
        facts.append(duration(ended - summary.time))
    facts.append(counted(summary.points, "point"))
    title.append("\n")
    title.append_text(status_text(run.status))
    reason = stop.get("reason") if stop is not None else None
    if reason:
        title.append(f": {value_text(reason)}", style="red")
    title.append("\n" + " · ".join(fact for fact in facts if fact), style="not bold")
    return title


def _start_section(run: Run, *, original: bool) -> RenderableType:
    if original:
        note = "as it was recorded" if run.row.amended is not None else ""
        return _section("start", _metadata(run.original_start), note)
    recorded = run.original_start
    amended = {key for key in {*recorded, *run.start} if not _is_same(run.start, recorded, key)}
    # A field that was removed has no line of its own; the table of amendments names it.
    note = "with fields that were amended (*)" if amended & run.start.keys() else ""
    return _section("start", _metadata(run.start, amended), note)


def _is_same(start: Mapping[str, Any], recorded: Mapping[str, Any], key: str) -> bool:
    return key in start and key in recorded and is_same(start[key], recorded[key])


def _section(name: str, content: RenderableType, note: str = "", style: str = "cyan") -> RenderableType:
    heading = Text(f"\n{printable(name)}", style=f"bold {style}")
    if note:
        heading.append(f"  {note}", style="not bold")
    return Group(heading, Padding(content, (0, 0, 0, 2), expand=False))


def _metadata(document: Mapping[str, Any], amended: Collection[str] = ()) -> Table:
    """Return a table of a document's fields; those that were amended have a star."""
    table = grid()
    table.show_header = False
    table.add_column("", style="dim", overflow="fold", max_width=30)
    table.add_column("", overflow="fold")
    for key, value in document.items():
        shown = value_text(value)
        if key == "time" and isinstance(value, (int, float)):
            shown = f"{shown} ({local_time(value)})"
        name = Text(printable(key))
        if key in amended:
            name.append(" *", style="yellow")
        table.add_row(name, Text(shown))
    return table


def _stream_table(stream: Stream) -> Table:
    table = grid("key", "dtype", "shape", "units", "object")
    for key, about in stream.snapshot().data_keys.items():
        shape = about.get("shape") or []
        external = about.get("external")
        table.add_row(
            Text(printable(key)),
            Text(value_text(about.get("dtype", "")) + (" (external)" if external else "")),
            Text(shape_text(shape) if isinstance(shape, list) else value_text(shape)),
            Text(value_text(about.get("units") or "")),
            Text(value_text(about.get("object_name", ""))),
        )
    return table


def _stream_to_json(stream: Stream) -> dict[str, Any]:
    snapshot = stream.snapshot()
    return {"rows": snapshot.rows, "data_keys": snapshot.data_keys}


def _marks_table(marks: Sequence[Mark]) -> Table:
    table = grid("count", "stream", "key", "reason", right=("count",))
    for mark in marks:
        table.add_row(f"{mark.count:,}", *(Text(printable(t)) for t in (mark.stream, mark.key, mark.reason)))
    return table


def _quarantine_table(rows: Sequence[QuarantineRow]) -> Table:
    table = grid("kind", "time", "reason")
    for row in rows[:_MOST_QUARANTINED]:
        table.add_row(Text(printable(row.kind)), local_time(row.time), Text(printable(row.reason)))
    if len(rows) > _MOST_QUARANTINED:
        table.add_row("…", "", f"and {len(rows) - _MOST_QUARANTINED:,} more")
    return table
