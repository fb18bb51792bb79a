"""Columns of the table of runs: those it has by itself, and any key of a run's documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from hutch.catalogs.verdicts import summary_of
from hutch.cli.format import grid, number, status_text, value_text
from hutch.documents.spreadsheets import csv_text
from hutch.queries.conditions import Path
from hutch.queries.matching import ABSENT, reach
from hutch.queries.paths import parse_path
from hutch.store.searching.run_documents import read_documents

if TYPE_CHECKING:
    from hutch.cli.views.runs import RunLine
    from hutch.store import Store

__all__ = ["Columns", "as_csv", "as_table"]

_OWN: dict[str, Callable[[RunLine], Any]] = {
    "scan_id": lambda line: line.summary.scan_id,
    "uid": lambda line: line.summary.uid,
    "plan": lambda line: line.summary.plan,
    "time": lambda line: line.summary.time,
    "status": lambda line: line.summary.status,
    "points": lambda line: line.summary.points,
    "marked": lambda line: line.nonconforming + line.quarantined,
    "verdicts": lambda line: summary_of(line.verdicts) or None,
}


class Columns:
    """Some columns, in order.

    :param names: of columns that the table has by itself, or keys as in ``sample.name`` and ``stop.reason``.
    :raises QueryError: if one is no key.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._paths: dict[str, Path] = {name: parse_path(name) for name in names if name not in _OWN}

    def rows(self, store: Store, lines: Iterable[tuple[int, RunLine]]) -> list[dict[str, Any]]:
        """Return the values of each run by the names of the columns; None where there is none.

        :param lines: the internal numbers of runs, and what the table says of them by itself.
        """
        known = dict(lines)
        documents = self._documents(store, list(known)) if self._paths else {}
        return [
            {name: self._value(name, line, documents.get(run, {})) for name in self.names}
            for run, line in known.items()
        ]

    def _documents(self, store: Store, runs: list[int]) -> dict[int, Mapping[str, Any]]:
        sources = {path.source for path in self._paths.values()}
        return {row.id: found for row, found in read_documents(store, runs, sources=sources)}

    def _value(self, name: str, line: RunLine, documents: Mapping[str, Any]) -> Any:
        if name not in self._paths:
            return _OWN[name](line)
        path = self._paths[name]
        found = [value for value in reach(documents.get(path.source), path.parts) if value is not ABSENT]
        return found[0] if len(found) == 1 else found or None


def as_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Return values of runs as a table for the terminal."""
    from hutch.catalogs.summary import local_time

    table = grid()
    for name in names:
        is_numeric = all(isinstance(row[name], (int, float, type(None))) for row in rows)
        table.add_column(name, justify="right" if is_numeric and name != "time" else "left", overflow="fold")
    for row in rows:
        cells = []
        for name in names:
            value = row[name]
            if name == "time":
                cells.append(Text(local_time(value), style="dim"))
            elif name == "status":
                cells.append(status_text(value))
            elif name == "uid":
                cells.append(Text(value[:8], style="cyan"))
            else:
                cells.append(Text(_shown(value)))
        table.add_row(*cells)
    return table


def as_csv(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return values of runs as CSV; see :mod:`hutch.documents.spreadsheets`."""
    return csv_text(names, ([_cell(row[name]) for name in names] for row in rows))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return value_text(value, limit=60)


def _cell(value: Any) -> Any:
    is_plain = value is None or isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return value if is_plain else value_text(value)
