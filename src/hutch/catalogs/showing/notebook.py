"""What a notebook shows of a catalog, a run and a stream: a table, a small picture, the metadata folded away.

All text in it is escaped, as documents may hold anything; colours come from the notebook, so that it is good
to look at in the light and in the dark. A view never fails: what cannot be shown is left out.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from hutch.catalogs.summary import local_time, printable, shape_text
from hutch.errors import HutchError

if TYPE_CHECKING:
    from hutch.catalogs.run import Run
    from hutch.catalogs.stream import Stream

__all__ = ["picture_of", "run_html", "stream_html", "table_html"]

_MOST_ROWS = 200_000
"""Of longer streams there is no picture: a view must not make anybody wait."""

_MOST_BYTES = 60_000
_DPI = 55
_LONGEST_TEXT = 4000

_STATUS_COLOURS = {
    "success": "#009E73",
    "running": "#0072B2",
    "abort": "#E69F00",
    "fail": "#D55E00",
    "interrupted": "#CC79A7",
}
"""Of Okabe and Ito, which everybody can tell apart; the word stands beside them."""


def run_html(run: Run) -> str:
    """Return a run: what it was and how it ended, its streams, a picture, its metadata."""
    summary = run.summary()
    scan = "" if summary.scan_id is None else f"{summary.scan_id} · "
    colour = _STATUS_COLOURS.get(summary.status, "currentColor")
    status = f'<span style="color:{colour}">●</span> {_text(summary.status)}'
    facts = [status, _text(local_time(summary.time)), *_duration(run), f"{summary.points:,} points"]
    head = f"<b>{_text(scan + summary.plan)}</b><br><code>{_text(run.uid)}</code><br>{' · '.join(facts)}"
    rows = []
    for name, stream in run.items():
        snapshot = stream.snapshot()
        rows.append((name, f"{snapshot.rows:,}", ", ".join(snapshot.data_keys)))
    parts = [
        f"<div><p>{head}</p>",
        table_html(("stream", "rows", "keys"), rows, right=(1,)) if rows else "<p>It has no streams.</p>",
        picture_of(run),
        _folded("start", run.start),
        "" if run.stop is None else _folded("stop", run.stop),
    ]
    return "".join([*parts, "</div>"])


def stream_html(stream: Stream) -> str:
    """Return a stream: its keys, and a picture."""
    rows = []
    for key, about in stream.snapshot().data_keys.items():
        shape = about.get("shape")
        lengths = shape_text(shape) if isinstance(shape, list) else ""
        units, thing = about.get("units") or "", about.get("object_name", "")
        rows.append((key, about.get("dtype", ""), lengths, units, thing))
    of_run = f"of run <code>{_text(stream.run.uid)}</code>: {_text(stream.counted())}"
    table = table_html(("key", "dtype", "shape", "units", "object"), rows)
    picture = picture_of(stream.run, stream.name)
    return f"<div><p><b>{_text(stream.name)}</b> {of_run}</p>{table}{picture}</div>"


def table_html(headings: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[int] = ()) -> str:
    """Return a table; its text is escaped.

    :param right: columns that stand to the right, as numbers do.
    """

    def cell(tag: str, number: int, value: Any) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        side = "right" if number in right else "left"
        return f'<{tag}{scope} style="text-align:{side}">{_text(value)}</{tag}>'

    head = "".join(cell("th", number, heading) for number, heading in enumerate(headings))
    body = "".join(
        f"<tr>{''.join(cell('td', number, value) for number, value in enumerate(row))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture_of(run: Run, stream: str | None = None) -> str:
    """Return a small picture as an element of HTML; empty if there is nothing to draw."""
    try:
        if max(run.count_rows().values(), default=0) not in range(1, _MOST_ROWS + 1):
            return ""
        from hutch.catalogs.showing.plotting import draw

        out = io.BytesIO()
        draw(run, stream=stream).savefig(out, dpi=_DPI, format="png")
    except (HutchError, ValueError, TypeError, LookupError, ArithmeticError, OSError):
        return ""
    if out.tell() > _MOST_BYTES:
        return ""
    source = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{_text(f"Plot of run {run.uid}")}" src="data:image/png;base64,{source}">'


def _duration(run: Run) -> list[str]:
    stop = run.stop
    ended = stop.get("time") if stop is not None else None
    started = run.start.get("time")
    if not isinstance(ended, (int, float)) or not isinstance(started, (int, float)):
        return []
    return [f"{ended - started:,.3g} s"]


def _folded(name: str, document: Mapping[str, Any]) -> str:
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}\n…"
    lines = "\n".join(map(printable, shown.splitlines()))
    return f"<details><summary>{_text(name)}</summary><pre>{escape(lines)}</pre></details>"


def _text(value: Any) -> str:
    return escape(printable(value if isinstance(value, str) else str(value)))
