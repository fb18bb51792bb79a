"""Statements that ask the index, and the runs within some time, for what lies between bounds.

Their text follows from which columns are bounded and how, so each shape is compiled once for a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import sqlalchemy as sa

from hutch.store.rows.index import TOGETHER, Bound, Everything, Rows
from hutch.store.schema import tables as t
from hutch.store.statement import RUN_COLUMNS, Statement, is_one_of, several

__all__ = ["AT_ONCE", "MOST_NAMES", "IndexStatements", "ids_of", "names_of"]

AT_ONCE = 100
"""Runs that are fetched together by their ids."""

MOST_NAMES = 64
"""Names by which a statement finds what was posted."""

_Bounds = tuple[tuple[str, str], ...]

Shape = tuple[_Bounds | None, ...]
"""Columns and operators: of the rows, of what runs must have too, and after a None of what they must not."""


class IndexStatements:
    """The statements for one database.

    :param dialect: of the database.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._said: dict[tuple[Any, ...], Statement] = {}

    def count(self, where: Rows | Everything, *, is_bounded: bool = False) -> Statement:
        """Count runs; with ``is_bounded`` rows, and no more than ``most``."""
        shape = _shape(where)
        key = ("count", type(where), shape, is_bounded, _is_single(where))
        if key not in self._said:
            run, table = _run_of(where)
            if is_bounded:
                some = self._bounded(sa.select(run), table, where).limit(sa.bindparam("most")).subquery()
                found: Any = sa.select(sa.func.count()).select_from(some)
            elif isinstance(where, Rows) and where.is_long and self._merges_what_is_ordered:
                found = sa.select(sa.func.count()).select_from(self._side_by_side(where).subquery())
            elif _is_single(where):
                found = self._bounded(sa.select(sa.func.count()).select_from(table), table, where)
            else:
                found = self._bounded(sa.select(sa.func.count(run.distinct())), table, where)
            self._said[key] = Statement(found, self._dialect)
        return self._said[key]

    @property
    def _merges_what_is_ordered(self) -> bool:
        """Whether ordered rows are only read side by side if the statement intersects them in that order."""
        return self._dialect.name == "sqlite"

    def ids(self, where: Rows | Everything) -> Statement:
        """Select the ids of runs, some more than once."""
        shape = _shape(where)
        key = ("ids", type(where), shape)
        if key not in self._said:
            run, table = _run_of(where)
            self._said[key] = Statement(self._bounded(sa.select(run), table, where), self._dialect)
        return self._said[key]

    def places(self, where: Rows | Everything, *, newest_first: bool, is_continued: bool) -> Statement:
        """Select time and id of runs in order, ``limit`` of them after the first ``start``.

        :param is_continued: only those that come after ``last_time`` and ``last_run``.
        """
        shape = _shape(where)
        key = ("places", type(where), shape, newest_first, is_continued, _is_single(where))
        if key not in self._said:
            run, table = _run_of(where)
            columns = (table.c.time, run)
            order = [column.desc() if newest_first else column.asc() for column in columns]
            found: sa.Select[Any] = sa.select(*columns)
            if not _is_single(where):
                found = found.distinct()
            found = self._bounded(found, table, where).order_by(*order)
            if is_continued:
                place, last = sa.tuple_(*columns), sa.tuple_(*map(sa.bindparam, ("last_time", "last_run")))
                found = found.where(place < last if newest_first else place > last)
            found = found.limit(sa.bindparam("limit")).offset(sa.bindparam("start"))
            self._said[key] = Statement(found, self._dialect)
        return self._said[key]

    def next_text(self, where: Rows, *, is_first: bool) -> Statement:
        """Select the first text, or the next after ``after``, among rows of text."""
        shape = _shape(where)
        key = ("next_text", shape, is_first)
        if key not in self._said:
            text = t.index.c.text
            found = self._bounded(sa.select(text), t.index, where).order_by(text).limit(1)
            if not is_first:
                found = found.where(text > sa.bindparam("after"))
            self._said[key] = Statement(found, self._dialect)
        return self._said[key]

    def leaves(self, where: Rows, *, is_counted: bool = False) -> Statement:
        """Select the leaves of rows with their runs, or with how many runs have each, and one of these."""
        shape = _shape(where)
        key = ("leaves", shape, is_counted)
        if key not in self._said:
            index = t.index.c
            columns = (index.type, index.number, index.text)
            last: Any = (sa.func.count(), sa.func.min(index.run)) if is_counted else (index.run,)
            found = self._bounded(sa.select(*columns, *last), t.index, where)
            self._said[key] = Statement(found.group_by(*columns) if is_counted else found, self._dialect)
        return self._said[key]

    def runs(self, *names: str) -> Statement:
        """Select the runs with some ids, ``AT_ONCE`` of them.

        :param names: of the columns; all if none is given.
        """
        key = ("runs", names)
        if key not in self._said:
            columns = [t.runs.c[name] for name in names or RUN_COLUMNS]
            self._said[key] = Statement(
                sa.select(*columns).where(self._is_one_of_ids(t.runs.c.id)), self._dialect
            )
        return self._said[key]

    def posted(self, *, is_named: bool = False) -> Statement:
        """Select what was posted to the runs with some ids, ``AT_ONCE`` of them, to each the oldest first.

        :param is_named: only under some names, ``MOST_NAMES`` of them.
        """
        key = ("posted", is_named)
        if key not in self._said:
            posted = t.posted.c
            columns = (posted.run, posted.source, posted.name, posted.value)
            found = sa.select(*columns).where(self._is_one_of_ids(posted.run)).order_by(posted.run, posted.id)
            if is_named:
                found = found.where(is_one_of(posted.name, "name", MOST_NAMES, self._dialect))
            self._said[key] = Statement(found, self._dialect)
        return self._said[key]

    def _is_one_of_ids(self, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return is_one_of(column, "id", AT_ONCE, self._dialect)

    def _compared(self, column: sa.Column[Any], operator: str, name: str) -> sa.ColumnElement[bool]:
        """Return the condition of one bound, whose values are named so."""
        if operator == "in":
            return is_one_of(column, name, TOGETHER, self._dialect)
        return _COMPARED[operator](column, sa.bindparam(name))

    def _side_by_side(self, where: Rows) -> sa.CompoundSelect[Any]:
        """Select what several ordered rows have in common, reading each of them once and in order."""
        names = map("bound_{}".format, count())
        place = (t.index.c.time, t.index.c.run)
        parts = [
            sa.select(*place).where(
                *(self._compared(t.index.c[column], op, next(names)) for column, op, _ in part.bounds)
            )
            for part in (where, *where.also)
        ]
        return sa.intersect(*parts).order_by(*place)

    def _bounded(self, found: sa.Select[Any], table: sa.Table, where: Rows | Everything) -> sa.Select[Any]:
        """Return a statement with all conditions, whose values are named as the rows name them."""
        names = map("bound_{}".format, count())

        def within(place: Any, bounds: Sequence[Bound]) -> list[sa.ColumnElement[bool]]:
            return [self._compared(place.c[column], op, next(names)) for column, op, _ in bounds]

        found = found.where(*within(table, where.bounds))
        if isinstance(where, Everything):
            return found
        for others, is_wanted in ((where.also, True), (where.without, False)):
            for other in others:
                rows = t.index.alias()
                same = (rows.c.time == table.c.time, rows.c.run == table.c.run)
                # Not one of the same run within the other bounds: a look-up by the whole key.
                one = sa.select(sa.literal(1)).where(*within(rows, other.bounds), *same)
                # PostgreSQL does not take what has an offset for something to be joined.
                there = sa.exists(one.offset(sa.literal_column("0")) if where.is_short else one)
                found = found.where(there if is_wanted else ~there)
        return found


_COMPARED = {
    "=": sa.Column.__eq__,
    "<": sa.Column.__lt__,
    "<=": sa.Column.__le__,
    ">": sa.Column.__gt__,
    ">=": sa.Column.__ge__,
}


def ids_of(some: Sequence[int]) -> dict[str, Any]:
    """Return ids, ``AT_ONCE`` of them at most, by the names that statements have for them."""
    return several("id", some, AT_ONCE)


def names_of(some: Sequence[str]) -> dict[str, Any]:
    """Return names, ``MOST_NAMES`` of them at most, by the names that statements have for them."""
    return several("name", some, MOST_NAMES)


def _shape(where: Rows | Everything) -> Shape:
    if isinstance(where, Everything):
        return (_bounds_of(where),)
    others = (*map(_bounds_of, where.also), None, *map(_bounds_of, where.without))
    how = (where.is_short, where.is_long)
    return (_bounds_of(where), *others, *((None,) * (1 + how.index(True)) if any(how) else ()))


def _is_single(where: Rows | Everything) -> bool:
    return isinstance(where, Everything) or where.is_single


def _bounds_of(where: Rows | Everything) -> _Bounds:
    return tuple((column, operator) for column, operator, _ in where.bounds)


def _run_of(where: Rows | Everything) -> tuple[sa.Column[Any], sa.Table]:
    """Return the column with the ids of runs, and its table."""
    return (t.index.c.run, t.index) if isinstance(where, Rows) else (t.runs.c.id, t.runs)
