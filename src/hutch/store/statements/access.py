"""The statements about who may do what, compiled once for a database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hutch.store.rows.access import AccessRow, ApiKeyRow, ExecutableRow, ExperimentRow, RoleRow, UserRow
from hutch.store.schema import tables as t
from hutch.store.statement import Statement

__all__ = ["AccessStatements"]

_TABLES: dict[type[AccessRow], sa.Table] = {
    ApiKeyRow: t.api_keys,
    UserRow: t.users,
    ExperimentRow: t.experiments,
    RoleRow: t.roles,
    ExecutableRow: t.executables,
}


class AccessStatements:
    """The statements, as attributes.

    :param dialect: of the database.
    :ivar put: adds a row of a type, or puts it in the place of the one with the same key.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        say = self._say
        name: sa.BindParameter[str] = sa.bindparam("name")
        keys, users, experiments, roles = t.api_keys.c, t.users.c, t.experiments.c, t.roles.c
        self.api_keys = say(sa.select(t.api_keys).order_by(keys.created, keys.prefix))
        self.api_key = say(sa.select(t.api_keys).where(keys.prefix == name))
        self.users = say(sa.select(t.users).order_by(users.name))
        self.user = say(sa.select(t.users).where(users.name == name))
        self.experiments = say(sa.select(t.experiments).order_by(experiments.name))
        self.experiment = say(sa.select(t.experiments).where(experiments.name == name))
        self.roles_in = say(sa.select(t.roles).where(roles.experiment == name).order_by(roles.member))
        self.roles_of = say(sa.select(t.roles).where(roles.member == name).order_by(roles.experiment))
        self.executables = say(sa.select(t.executables).order_by(t.executables.c.path))
        self.activations = say(sa.select(t.activations).order_by(t.activations.c.id))
        self.put = {row: self._put(table) for row, table in _TABLES.items()}
        self.touch_api_key = say(
            sa.update(t.api_keys).where(keys.prefix == name).values(used=sa.bindparam("time"))
        )
        self.drop_user = [
            say(sa.delete(t.roles).where(roles.member == name)),
            say(sa.delete(t.api_keys).where(keys.owner == name)),
            say(sa.delete(t.users).where(users.name == name)),
        ]
        self.drop_role = say(
            sa.delete(t.roles).where(roles.experiment == name, roles.member == sa.bindparam("who"))
        )
        self.drop_executable = say(sa.delete(t.executables).where(t.executables.c.path == name))
        columns = ("instrument", "station", "experiment", "time", "author")
        activation: dict[str, Any] = {column: sa.bindparam(column) for column in columns}
        self.add_activation = say(self._insert(t.activations).values(activation))

    def _put(self, table: sa.Table) -> Statement:
        added = self._insert(table).values({column.name: sa.bindparam(column.name) for column in table.c})
        key = [column.name for column in table.primary_key.columns]
        others = {column.name: added.excluded[column.name] for column in table.c if column.name not in key}
        return self._say(added.on_conflict_do_update(index_elements=key, set_=others))

    def _say(self, statement: sa.sql.ClauseElement) -> Statement:
        return Statement(statement, self._dialect)
