"""What a store keeps besides its runs, from one database to another's.

The feed goes along, with its numbers, so that a reader of it finds its place again; and so do the numbers
that were given last, so that no id is given twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from hutch.store.copies.table_copying import TableCopier
from hutch.store.roles import COPY, MOVED
from hutch.store.schema import tables as t

__all__ = ["copy_feed", "copy_loose", "copy_numbers", "copy_properties", "newest_change", "oldest_change"]

_LOOSE: dict[sa.Table, str | None] = {
    t.stash: None,
    t.retention: None,
    t.cursors: None,
    t.api_keys: None,
    t.users: None,
    t.experiments: None,
    t.roles: None,
    t.executables: None,
    t.activations: None,
    t.tombstones: "summary",
    t.quarantine: "body",
    t.tiles: "picture",
    t.plot_states: "state",
    t.saved_references: None,
}

_OF_THE_PLACE = frozenset({"store", "files", COPY, MOVED})
"""Properties that are not copied: they are about the one database, and not what is in it."""

_FEED_AT_ONCE = 20_000


def copy_loose(copier: TableCopier) -> None:
    """Make all equal that belongs to no run, or need not belong to one."""
    copier.settle(_LOOSE)


def newest_change(side: sa.Connection) -> int:
    """Return the number of the newest change; 0 if there is none."""
    return side.execute(sa.select(sa.func.max(t.changes.c.number))).scalar() or 0


def oldest_change(side: sa.Connection) -> int:
    """Return the number of the oldest change that is kept; 0 if there is none."""
    return side.execute(sa.select(sa.func.min(t.changes.c.number))).scalar() or 0


def copy_feed(copier: TableCopier) -> int:
    """Copy a part of the changes that the target lacks; return the number of the last one that it has."""
    number = t.changes.c.number
    newest = newest_change(copier.target)
    last = min(newest_change(copier.source), newest + _FEED_AT_ONCE)
    copier.add(t.changes, sa.and_(number > newest, number <= max(last, oldest_change(copier.source))))
    copier.target.execute(sa.delete(t.changes).where(number < oldest_change(copier.source)))
    return newest_change(copier.target)


def copy_properties(copier: TableCopier, **more: str | None) -> None:
    """Copy the properties that are not about the place.

    :param more: others to set, or with None to remove.
    """
    said = t.properties.c
    rows = copier.source.execute(sa.select(said.key, said.value).where(said.key.not_in(_OF_THE_PLACE)))
    values = {**{row.key: row.value for row in rows}, **more}
    kept = [*_OF_THE_PLACE.difference(more)]
    copier.target.execute(sa.delete(t.properties).where(said.key.not_in(kept)))
    copier.write.insert(t.properties, [(key, value) for key, value in values.items() if value is not None])


# the numbers that were given last


def copy_numbers(copier: TableCopier) -> None:
    """Let the target go on counting where the source is."""
    for column in _counted():
        given = max(_given(copier.source, column), _given(copier.target, column))
        if given:
            _give(copier.target, column, given)


def _counted() -> Iterator[sa.Column[Any]]:
    for table in t.metadata.sorted_tables:
        if table.dialect_options["sqlite"]["autoincrement"]:
            yield from table.primary_key.columns


def _given(side: sa.Connection, column: sa.Column[Any]) -> int:
    """Return the largest number that a column ever had."""
    largest = side.execute(sa.select(sa.func.max(column))).scalar() or 0
    if side.dialect.name == "sqlite":
        said = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return max(largest, side.execute(said, {"name": column.table.name}).scalar() or 0)
    said = sa.text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {_sequence(side, column)}")  # noqa: S608
    return max(largest, side.execute(said).scalar() or 0)


def _give(side: sa.Connection, column: sa.Column[Any], number: int) -> None:
    """Let a column go on after a number."""
    values = {"name": column.table.name, "number": number}
    if side.dialect.name == "sqlite":
        side.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        side.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), values)
    else:
        side.execute(sa.text("SELECT setval(:name, :number)"), {**values, "name": _sequence(side, column)})


def _sequence(side: sa.Connection, column: sa.Column[Any]) -> str:
    said = sa.text("SELECT pg_get_serial_sequence(:table, :column)")
    return str(side.execute(said, {"table": column.table.name, "column": column.name}).scalar())
