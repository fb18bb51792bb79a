"""The seam of who may do what: what a store tells of keys, users and experiments, and what is written."""

from __future__ import annotations

from typing import Protocol

from hutch.store.rows.access import (
    AccessRow,
    ActivationRow,
    ApiKeyRow,
    ExecutableRow,
    ExperimentRow,
    RoleRow,
    UserRow,
)

__all__ = ["AccessSink", "AccessStore"]


class AccessStore(Protocol):
    """The part of a :class:`~hutch.store.protocols.store.Store` that knows who may do what."""

    def api_key(self, prefix: str) -> ApiKeyRow | None:
        """Return the API key that begins so; None if there is none."""
        ...

    def api_keys(self) -> list[ApiKeyRow]:
        """Return all API keys, oldest first."""
        ...

    def user(self, name: str) -> UserRow | None:
        """Return a user; None if there is none of this name."""
        ...

    def users(self) -> list[UserRow]:
        """Return all users, by name."""
        ...

    def experiment(self, name: str) -> ExperimentRow | None:
        """Return an experiment; None if there is none of this name."""
        ...

    def experiments(self) -> list[ExperimentRow]:
        """Return all experiments, by name."""
        ...

    def roles_in(self, experiment: str) -> list[RoleRow]:
        """Return the roles that users have in an experiment, by user."""
        ...

    def roles_of(self, member: str) -> list[RoleRow]:
        """Return the roles that a user has, by experiment."""
        ...

    def executables(self) -> list[ExecutableRow]:
        """Return the programs that workflows may run, by path."""
        ...

    def activations(self) -> list[ActivationRow]:
        """Return which experiment was made active where and when, in the order in which it was done."""
        ...


class AccessSink(Protocol):
    """The part of a :class:`~hutch.store.protocols.store.Writer` that says who may do what."""

    def put_access(self, row: AccessRow) -> None:
        """Put a row in the place of the one with the same key: an API key, say, or an experiment."""
        ...

    def touch_api_key(self, prefix: str, time: float) -> None:
        """Note when an API key was used last, in s since 1970."""
        ...

    def drop_user(self, name: str) -> None:
        """Remove a user with all their roles and API keys."""
        ...

    def drop_role(self, experiment: str, member: str) -> None:
        """Take a role away."""
        ...

    def drop_executable(self, path: str) -> None:
        """Let workflows not run a program any more."""
        ...

    def add_activation(
        self, instrument: str, station: int, experiment: str | None, time: float, author: str
    ) -> None:
        """Make an experiment, or with None no one, active at a station from a moment on."""
        ...
