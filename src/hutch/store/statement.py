"""One statement in a driver's own words."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

__all__ = ["RUN_COLUMNS", "Statement"]

RUN_COLUMNS = ("id", "uid", "time", "scan_id", "owner", "start", "stop", "amended")
"""Columns of a run, in the order of :class:`~hutch.store.rows.RunRow`."""


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
