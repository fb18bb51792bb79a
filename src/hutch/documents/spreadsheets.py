"""Tables as CSV that a spreadsheet can open without harm: numbers stay numbers, and no text is a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["cell", "csv_text"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV; before text that a spreadsheet takes for a formula is an apostrophe.

    :param names: of the columns.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(name) for name in names])
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return out.getvalue()


def cell(value: Any) -> Any:
    """Return a value as it stands in CSV: a number as it is, all else as text that is no formula."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"'{text}" if text.startswith(_FORMULA) else text
