"""Rows of tables from one store's database to another's, with their keys: what differs is deleted and added.

Nothing here knows what the rows mean. But for few tables a row never changes once it is there; so two
sides are compared by what is small in a row, and only what one of them lacks is read whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hutch.store.schema import tables as t
from hutch.store.statements.runs import Statement

__all__ = ["BulkWriter", "Row", "TableCopier", "Tally", "forget_replaced", "in_groups"]

Row = tuple[Any, ...]

_Item = TypeVar("_Item")

_SERVER: sa.Dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
_EMBEDDED: sa.Dialect = sqlite.dialect(paramstyle="qmark")
_AT_ONCE = 500
"""Values of one list in a statement, well below what a database takes."""
_BODIES_AT_ONCE = 64
"""Rows that may hold a megabyte each."""
_ROWS_AT_ONCE = 1000
_LARGE = frozenset({t.batches, t.tiles, t.plot_states, t.frozen_figures})
"""Tables of such rows."""


@dataclass
class Tally:
    """What has been copied so far."""

    runs: int = 0
    """Runs that were new, or had changed."""
    deleted: int = 0
    files: int = 0
    size_bytes: int = 0
    """Of batches, in rows and in files."""
    gone_files: set[str] = field(default_factory=set)
    """Files that no batch of the target names any more."""
    damaged: dict[str, str] = field(default_factory=dict)
    """What is wrong with a batch of the source, by the name of its file or its number."""


def in_groups(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield items in groups that fit into a statement."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


class BulkWriter:
    """Writes rows in an open transaction, in the driver's own words.

    :param connection: of either database.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._is_server = connection.dialect.name == "postgresql"
        self._dialect: sa.Dialect = _SERVER if self._is_server else _EMBEDDED

    def insert(self, table: sa.Table, rows: Sequence[Sequence[Any]], *, leave_known: bool = False) -> None:
        """Add rows.

        :param rows: values in the order of the table's columns.
        :param leave_known: leave a row alone whose key is there.
        """
        if rows:
            make = postgresql.insert if self._is_server else sqlite.insert
            said = make(table).values({column.name: sa.bindparam(column.name) for column in table.columns})
            self._execute(said.on_conflict_do_nothing() if leave_known else said, rows)

    def update(self, table: sa.Table, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
        """Change columns of rows that are there.

        :param rows: values of the columns that are named, the first of which is the key.
        """
        if rows:
            key, *others = names
            values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in others}
            said = sa.update(table).where(table.c[key] == sa.bindparam("this")).values(values)
            self._execute(said, [(*row[1:], row[0]) for row in rows])

    def delete(self, table: sa.Table, keys: Sequence[Sequence[Any]]) -> None:
        """Remove the rows that have these primary keys."""
        if keys:
            columns = table.primary_key.columns
            said = sa.delete(table).where(*(column == sa.bindparam(column.name) for column in columns))
            self._execute(said, keys)

    def _execute(self, statement: sa.sql.ClauseElement, rows: Sequence[Sequence[Any]]) -> None:
        text = Statement(statement, self._dialect).text
        self._connection.exec_driver_sql(text, [tuple(row) for row in rows])


class TableCopier:
    """Makes tables of the target, or parts of them, what they are in the source.

    :param source: a snapshot.
    :param target: a transaction.
    :param tally: counts what is done.
    :param on_bytes: told how many bytes of batches have been copied.
    """

    def __init__(
        self, source: sa.Connection, target: sa.Connection, tally: Tally, on_bytes: Callable[[int], object]
    ) -> None:
        self.source = source
        self.target = target
        self.tally = tally
        self.write = BulkWriter(target)
        self._on_bytes = on_bytes

    def settle(
        self, tables: Mapping[sa.Table, str | None], runs: Sequence[int] | None = None
    ) -> dict[sa.Table, set[Row]]:
        """Delete and add what differs.

        :param tables: with the name of the column that is large, if one is. What refers to something
            comes after it, and a key stands before all else.
        :param runs: compare what belongs to these, else everything.
        :returns: the rows that differed, with the length of what is large in place of it.
        """
        gone: dict[sa.Table, set[Row]] = {}
        added: dict[sa.Table, set[Row]] = {}
        for table, large in tables.items():
            ours, theirs = (_small_rows(side, table, large, runs) for side in (self.source, self.target))
            gone[table], added[table] = theirs - ours, ours - theirs
        for table in reversed(gone):
            width = len(table.primary_key.columns)
            self.write.delete(table, [row[:width] for row in gone[table]])
        for table, large in tables.items():
            if large is None:
                self.write.insert(table, list(added[table]))
                continue
            for condition in _that_are(table, added[table]):
                self.add(table, condition)
        self.tally.gone_files |= _files(gone.get(t.batches, ())) - _files(added.get(t.batches, ()))
        return {table: gone[table] | added[table] for table in tables}

    def add(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> None:
        """Add the rows of the source that fulfil a condition, a few at a time."""
        at_once = _BODIES_AT_ONCE if table in _LARGE else _ROWS_AT_ONCE
        asked = sa.select(table).where(condition)
        for rows in self.source.execute(asked, execution_options={"yield_per": at_once}).partitions():
            if table is t.batches:
                self._check(rows)
            self.write.insert(table, rows)

    def _check(self, batches: Iterable[sa.Row[Any]]) -> None:
        """Compare bodies with their checksums, and count them."""
        for batch in batches:
            if batch.body is None:
                continue
            if zlib.crc32(batch.body) != batch.crc32:
                said = f"Batch {batch.id} does not match its checksum: {batch.rows:,} events are damaged."
                self.tally.damaged[str(batch.id)] = said
            self._on_bytes(batch.size)


def forget_replaced(copier: TableCopier) -> None:
    """Keep of what is damaged only what the target still has."""
    there: set[str] = set()
    for some in in_groups(sorted(copier.tally.damaged)):
        numbers = [int(name) for name in some if name.isdigit()]
        batch = sa.select(t.batches.c.id, t.batches.c.file)
        rows = copier.target.execute(batch.where(t.batches.c.id.in_(numbers) | t.batches.c.file.in_(some)))
        there |= {name for row in rows for name in (str(row.id), row.file)}
        attached = sa.select(t.blobs.c.file).where(t.blobs.c.file.in_(some))
        there |= set(copier.target.execute(attached).scalars())
    for name in copier.tally.damaged.keys() - there:
        del copier.tally.damaged[name]


def _small_rows(
    side: sa.Connection, table: sa.Table, large: str | None, runs: Sequence[int] | None
) -> set[Row]:
    """Return rows, with the length of what is large in place of it."""
    columns = [sa.func.length(column) if column.name == large else column for column in table.columns]
    asked = sa.select(*columns)
    if runs is not None:
        asked = asked.where(table.c.run.in_(runs))
    return {tuple(row) for row in side.execute(asked)}


def _that_are(table: sa.Table, rows: Iterable[Row]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions that hold for these rows of a table and no others; its key has one column or two."""
    *before, last = table.primary_key.columns
    for key, some in groupby(sorted(row[: len(before) + 1] for row in rows), lambda row: row[:-1]):
        for values in in_groups([row[-1] for row in some]):
            same = (column == value for column, value in zip(before, key, strict=True))
            yield sa.and_(*same, last.in_(values))


def _files(batches: Iterable[Row]) -> set[str]:
    place = list(t.batches.columns).index(t.batches.c.file)
    return {row[place] for row in batches if row[place] is not None}
