"""Run tables: which columns they have, as people define and save them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hutch.documents import decode
from hutch.documents.text import has_shape
from hutch.errors import DocumentError
from hutch.queries.paths import parse_path
from hutch.store.rows.logbook import RunTableRow

__all__ = [
    "DEFAULT",
    "OWN_SOURCES",
    "Column",
    "ColumnType",
    "RunTable",
    "check_table_name",
    "default_table",
    "parse_columns",
]

DEFAULT = "default"
"""The name of the table that every experiment has."""

OWN_SOURCES = {
    "run_num": "number of the run in the experiment",
    "uid": "unique id of the run",
    "scan_id": "number of the scan",
    "begin": "when the run began, s since 1970",
    "end": "when it ended, s since 1970",
    "duration": "how long it took, s",
    "status": "running, interrupted, success, abort or fail",
    "tags": "of the entries that are attached to it",
}
"""What a column can show that is no field of a document."""

_MOST_COLUMNS = 200
_LONGEST_NAME = 100


class ColumnType(StrEnum):
    """How the values of a column are shown and compared."""

    AUTO = "auto"
    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    """s since 1970."""
    SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a run table.

    :ivar source: ``run_num``, or another of :data:`OWN_SOURCES`, or a field as in ``start.sample``, for
        which ``sample`` is enough, ``stop.reason``, ``param.gain``, ``dqm.rate``, or ``counter.NAME``.
    :ivar label: what stands above it.
    """

    source: str
    label: str = ""
    type: ColumnType = ColumnType.AUTO

    @property
    def heading(self) -> str:
        """What stands above it: its label, else its source."""
        return self.label or self.source

    @property
    def is_editable(self) -> bool:
        """True if a cell may be changed, which posts a parameter."""
        return self.source.startswith("param.")

    @property
    def counter(self) -> str | None:
        """The name of the counter that it shows; None if it shows none."""
        return self.source.partition(".")[2] if self.source.startswith("counter.") else None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "heading": self.heading, "editable": self.is_editable}

    @classmethod
    def parse(cls, given: Column | str | Mapping[str, Any]) -> Column:
        """Return a column of its source, or of what JSON has of it.

        :raises DocumentError: if it is none.
        :raises QueryError: if its source is no field.
        """
        match given:
            case Column():
                found = given
            case str():
                found = cls(given)
            case Mapping():
                try:
                    kind = ColumnType(given.get("type", ColumnType.AUTO))
                except ValueError:
                    known = ", ".join(ColumnType)
                    msg = f"{given.get('type')!r} is no type of a column. Types are: {known}."
                    raise DocumentError(msg) from None
                found = cls(str(given.get("source", "")), str(given.get("label") or ""), kind)
            case _:
                raise DocumentError(f"{given!r} is no column. Give its source, as in 'param.gain'.")
        if found.source not in OWN_SOURCES and not found.counter:
            parse_path(found.source)
        return found


@dataclass(frozen=True, slots=True)
class RunTable:
    """A table of the runs of an experiment.

    :ivar is_system: True if every experiment has it, and nobody has changed it here.
    :ivar time: when it was changed last, s since 1970.
    """

    name: str
    columns: tuple[Column, ...]
    description: str = ""
    is_system: bool = False
    author: str = ""
    time: float | None = None

    @classmethod
    def of(cls, row: RunTableRow) -> RunTable:
        """Return a table as the store has it."""
        found = decode(row.definition)
        columns = tuple(map(Column.parse, found["columns"]))
        return cls(row.name, columns, found["description"], author=row.author, time=row.time)

    def to_definition(self) -> dict[str, Any]:
        """Return what the store keeps of it."""
        return {"columns": [asdict(column) for column in self.columns], "description": self.description}

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "columns": [column.to_json() for column in self.columns]}


def parse_columns(columns: Iterable[Column | str | Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return columns of a table, each source once.

    :raises DocumentError: if there are none, or too many.
    :raises QueryError: if a source is no field.
    """
    found = tuple({column.source: column for column in map(Column.parse, columns)}.values())
    if not 0 < len(found) <= _MOST_COLUMNS:
        raise DocumentError(f"A run table has 1 to {_MOST_COLUMNS} columns, not {len(found)}.")
    return found


def check_table_name(name: str) -> None:
    """Raise if no table may have a name.

    :raises DocumentError: saying which they may.
    """
    is_one = name.strip() and name == name.strip() and all(map(has_shape, name))
    if not is_one or len(name) > _LONGEST_NAME:
        msg = f"{name[:40]!r} is no name of a run table. Give 1 to {_LONGEST_NAME} characters."
        raise DocumentError(msg)


def default_table() -> RunTable:
    """Return the table that every experiment has."""
    columns = (
        Column("run_num", "run"),
        Column("begin", "begin", ColumnType.TIME),
        Column("duration", "duration (s)", ColumnType.NUMBER),
        Column("status", "status"),
        Column("start.plan_name", "plan"),
        Column("start.sample", "sample"),
        Column("tags", "tags"),
    )
    return RunTable(DEFAULT, columns, "What every experiment has", is_system=True)
