"""Runs in one line each, and as a table in text and in HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from hutch.catalogs.metadata import PRIMARY
from hutch.errors import CorruptDocumentError

if TYPE_CHECKING:
    from hutch.catalogs.run import Run

__all__ = [
    "DAMAGED",
    "HEADINGS",
    "RunSummary",
    "as_html",
    "as_text",
    "count_points",
    "in_brief",
    "local_time",
    "printable",
    "shape_text",
]

HEADINGS = ("scan_id", "uid", "plan", "time", "status", "points")
"""Of the columns of a table of runs."""

DAMAGED = "damaged"
"""Stands for the status of a run whose start or stop document can't be read."""

_SHORT_UID = 8
_RIGHT = frozenset({0, 5})
"""Columns of numbers, which stand to the right."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a table says about a run."""

    uid: str
    scan_id: int | None
    plan: str
    time: float
    """Of the start, s since 1970."""
    status: str
    points: int
    """Events in the primary stream; in the longest one if there is no primary."""

    def cells(self) -> tuple[str, ...]:
        """Return it as text, one for each of the :data:`HEADINGS`; times are local."""
        return (
            "" if self.scan_id is None else str(self.scan_id),
            printable(self.uid[:_SHORT_UID]),
            printable(self.plan),
            local_time(self.time),
            printable(self.status),
            f"{self.points:,}",
        )


def in_brief(run: Run) -> tuple[str, int | None, str]:
    """Return plan, scan_id and status of a run; one that can't be read is ``damaged``, and hides no other."""
    try:
        plan = run.start.get("plan_name") or ""
        return plan if isinstance(plan, str) else repr(plan), run.scan_id, run.status
    except CorruptDocumentError:
        return "", None, DAMAGED


def count_points(stop: Mapping[str, Any] | None, count_rows: Callable[[], Mapping[str, int]]) -> int:
    """Return how many events the primary stream has, or the longest one: what the stop says, else counted.

    :param count_rows: counts those that there are, by stream.
    """
    counts = stop.get("num_events") if stop is not None else None
    if not isinstance(counts, dict) or not counts:
        counts = count_rows()
    points = counts.get(PRIMARY, max(counts.values(), default=0))
    return points if isinstance(points, int) else 0


def local_time(time: float) -> str:
    """Return a time in s since 1970 as people read it, in the local zone, to the second."""
    try:
        return datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(time)


def printable(text: str) -> str:
    """Return text with its control characters written out: no document may steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shape_text(shape: Sequence[Any]) -> str:
    """Return the shape of a data key as people read it; a length that is left open is ``any``."""
    return printable(" × ".join("any" if size is None else str(size) for size in shape))


def as_text(title: str, summaries: Iterable[RunSummary]) -> str:
    """Return a table of runs for the terminal, aligned."""
    rows = [summary.cells() for summary in summaries]
    if not rows:
        return title
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    return "\n".join([title, *(_line(row, widths) for row in (HEADINGS, *rows))])


def as_html(title: str, summaries: Iterable[RunSummary]) -> str:
    """Return a table of runs for a notebook."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in summary.cells()) + "</tr>"
        for summary in summaries
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""
    return f"<div><p>{escape(title)}</p>{table}</div>"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        cell.rjust(width) if number in _RIGHT else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()
