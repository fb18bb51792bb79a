"""What is written about who may do what; the feed says nothing of it, as it is about no run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hutch.documents.text import storable
from hutch.store.rows.access import AccessRow
from hutch.store.statement import Statement
from hutch.store.statements.access import AccessStatements

__all__ = ["AccessWriter"]


class AccessWriter:
    """The part of a :class:`~hutch.store.protocols.store.Writer` that says who may do what."""

    # What is more of a writer than this says these.
    _say_access: AccessStatements

    def put_access(self, row: AccessRow) -> None:
        """Put a row in the place of the one with the same key: an API key, say, or an experiment."""
        self._execute(self._say_access.put[type(row)], _storable(asdict(row)))

    def touch_api_key(self, prefix: str, time: float) -> None:
        """Note when an API key was used last, in s since 1970."""
        self._execute(self._say_access.touch_api_key, {"name": prefix, "time": time})

    def drop_user(self, name: str) -> None:
        """Remove a user with all their roles and API keys."""
        for statement in self._say_access.drop_user:
            self._execute(statement, {"name": name})

    def drop_role(self, experiment: str, member: str) -> None:
        """Take a role away."""
        self._execute(self._say_access.drop_role, {"name": experiment, "who": member})

    def drop_executable(self, path: str) -> None:
        """Let workflows not run a program any more."""
        self._execute(self._say_access.drop_executable, {"name": path})

    def add_activation(
        self, instrument: str, station: int, experiment: str | None, time: float, author: str
    ) -> None:
        """Make an experiment, or with None no one, active at a station from a moment on."""
        values = {
            "instrument": instrument,
            "station": station,
            "experiment": experiment,
            "time": time,
            "author": author,
        }
        self._execute(self._say_access.add_activation, _storable(values))

    def _execute(self, statement: Statement, values: dict[str, Any]) -> Any:
        raise NotImplementedError


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
