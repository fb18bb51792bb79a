"""Questions about who may do what, and their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hutch.store.rows.access import ActivationRow, ApiKeyRow, ExecutableRow, ExperimentRow, RoleRow, UserRow
from hutch.store.statement import Statement
from hutch.store.statements.access import AccessStatements

__all__ = ["AccessReader"]


class AccessReader:
    """The part of a :class:`~hutch.store.protocols.store.Store` that knows who may do what."""

    # What is more of a store than this says these.
    _query: Callable[[Statement, dict[str, Any]], list[Any]]
    _ask_access: AccessStatements

    def api_key(self, prefix: str) -> ApiKeyRow | None:
        """Return the API key that begins so; None if there is none."""
        rows = self._query(self._ask_access.api_key, {"name": prefix})
        return ApiKeyRow(*rows[0]) if rows else None

    def api_keys(self) -> list[ApiKeyRow]:
        """Return all API keys, oldest first."""
        return [ApiKeyRow(*row) for row in self._query(self._ask_access.api_keys, {})]

    def user(self, name: str) -> UserRow | None:
        """Return a user; None if there is none of this name."""
        rows = self._query(self._ask_access.user, {"name": name})
        return UserRow(*rows[0]) if rows else None

    def users(self) -> list[UserRow]:
        """Return all users, by name."""
        return [UserRow(*row) for row in self._query(self._ask_access.users, {})]

    def experiment(self, name: str) -> ExperimentRow | None:
        """Return an experiment; None if there is none of this name."""
        rows = self._query(self._ask_access.experiment, {"name": name})
        return ExperimentRow(*rows[0]) if rows else None

    def experiments(self) -> list[ExperimentRow]:
        """Return all experiments, by name."""
        return [ExperimentRow(*row) for row in self._query(self._ask_access.experiments, {})]

    def roles_in(self, experiment: str) -> list[RoleRow]:
        """Return the roles that users have in an experiment, by user."""
        return [RoleRow(*row) for row in self._query(self._ask_access.roles_in, {"name": experiment})]

    def roles_of(self, member: str) -> list[RoleRow]:
        """Return the roles that a user has, by experiment."""
        return [RoleRow(*row) for row in self._query(self._ask_access.roles_of, {"name": member})]

    def executables(self) -> list[ExecutableRow]:
        """Return the programs that workflows may run, by path."""
        return [ExecutableRow(*row) for row in self._query(self._ask_access.executables, {})]

    def activations(self) -> list[ActivationRow]:
        """Return which experiment was made active where and when, in the order in which it was done."""
        return [ActivationRow(*row) for row in self._query(self._ask_access.activations, {})]
