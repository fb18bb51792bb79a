"""One statement in a driver's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

__all__ = ["RUN_COLUMNS", "Statement", "is_one_of", "several"]

RUN_COLUMNS = ("id", "uid", "time", "scan_id", "owner", "start", "stop", "amended")
"""Columns of a run, in the order of :class:`~hutch.store.rows.runs.RunRow`."""


class Statement:
    """One statement in the driver's own text; call it with values by name, get them in its order."""

    __slots__ = ("fixed", "names", "text")

    def __init__(self, statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        # Both drivers number their parameters by position.
        self.names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        # Values that belong to the statement, such as the 1 of a LIMIT.
        self.fixed = {name: value for name, value in compiled.params.items() if value is not None}

    def order(self, values: dict[str, Any]) -> tuple[Any, ...]:
        """Return values in the order in which the text names them."""
        given = {**self.fixed, **values} if self.fixed else values
        return tuple([given[name] for name in self.names])


def is_one_of(
    column: sa.ColumnElement[Any], name: str, most: int, dialect: sa.Dialect
) -> sa.ColumnElement[bool]:
    """Return the condition that a column is one of several values, which :func:`several` gives.

    :param name: of the values.
    :param most: how many there may be.
    """
    if dialect.name == "postgresql":
        # The driver works for each value that is said alone, and again for each statement.
        kind: sa.types.TypeEngine[Any] = sa.Text() if isinstance(column.type, sa.Text) else sa.BigInteger()
        array = postgresql.ARRAY(sa.Double() if isinstance(column.type, sa.Float) else kind)
        return column == sa.any_(sa.cast(sa.bindparam(name, type_=array), array))
    return column.in_([sa.bindparam(f"{name}_{place}") for place in range(most)])


def several(name: str, values: Sequence[Any], most: int) -> dict[str, Any]:
    """Return values, one at least and ``most`` at most, by the names that statements have for them."""
    # Where each has a place of its own there is a fixed number of these, so the last is said several times.
    places = {f"{name}_{place}": values[min(place, len(values) - 1)] for place in range(most)}
    return {name: list(values), **places}
