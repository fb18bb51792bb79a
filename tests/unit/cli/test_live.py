"""Rows as they come: on a terminal above a bar, in a pipe as plain lines, whatever the documents hold."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from hutch.cli.views.live import LiveRows

START = {"uid": "run-1", "time": 1.5e9, "scan_id": 4, "plan_name": "scan", "num_points": 2}
KEYS: dict[str, Any] = {name: {"dtype": "number", "units": "mm"} for name in ("rest", "det", "x")}
HINTS = {"m": {"fields": ["x"]}, "d": {"fields": ["det"]}}
DESCRIPTOR = {"uid": "d", "name": "primary", "data_keys": KEYS, "hints": HINTS}
STOP = {"exit_status": "success"}


def event(number: int, **data: object) -> dict[str, Any]:
    return {"descriptor": "d", "time": 1.5e9 + number, "data": {"x": number, "det": number / 3, **data}}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal gets."""
    file = io.StringIO()
    monkeypatch.setattr(
        "hutch.cli.views.live.console",
        lambda: Console(force_terminal=True, file=file, width=90, color_system=None),
    )
    return file


def test_on_a_terminal_each_row_has_a_line_of_its_own_above_the_bar(terminal) -> None:
    with LiveRows() as rows:
        for name, document in (
            ("start", START),
            ("descriptor", DESCRIPTOR),
            ("event", event(1)),
            ("event", event(2)),
        ):
            rows(name, document)
        rows.end("success")
    # What stands on a line after it was last cleared.
    lines = [line.rpartition("\x1b[2K")[2].strip() for line in terminal.getvalue().splitlines()]

    assert [line.split()[2:] for line in lines if line[:2] in ("1 ", "2 ")] == [
        ["0.333333", "1"],
        ["0.666667", "2"],
    ]
    assert "Run 4: success · 2 rows of primary" in lines


def test_axes_come_first_and_keys_without_a_hint_are_left_out(capsys) -> None:
    rows = LiveRows()
    rows("start", {**START, "hints": {"dimensions": [[["x"], "primary"]]}})
    rows("descriptor", DESCRIPTOR)
    rows("event", event(1))
    heading = capsys.readouterr().out.splitlines()[1]

    assert heading.split() == ["point", "time", "x", "[mm]", "det", "[mm]"]


def test_other_streams_are_one_line_a_row(capsys) -> None:
    rows = LiveRows()
    rows("start", START)
    rows("descriptor", {**DESCRIPTOR, "name": "baseline"})
    rows("event", event(1))

    assert capsys.readouterr().out.splitlines()[1] == "  baseline 1:  det 0.333333  x 1  and 1 more"


def test_documents_that_hold_odd_things_are_shown_all_the_same(capsys) -> None:
    rows = LiveRows()
    rows("start", {"uid": "run-1", "hints": 3, "time": "now", "num_points": -1})
    rows("descriptor", {"uid": "d", "data_keys": {"a": 3, "b": {"units": None}}, "hints": [1]})
    rows("event", {"descriptor": "d", "time": None, "data": {"a": "\x1b[2J", "b": None}})
    rows("event", {"descriptor": "unknown"})
    rows("stop", {"reason": "no\nbeam"})
    rows.end("fail")
    text = capsys.readouterr().out

    assert "\x1b" not in text
    assert "no\\nbeam" in text
    assert text.endswith("Run run-1: fail · 1 row of primary\n")
