"""The programs that workflows may run: who may define workflows chooses among them, and nothing else runs."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from hutch.catalogs.signatures import this_user
from hutch.errors import AccessDeniedError, ConfigurationError
from hutch.store.protocols.store import Store
from hutch.store.rows.access import ExecutableRow

__all__ = ["Executable", "Executables"]

_LONGEST = 4096
"""Characters of a path, as Linux has it."""


@dataclass(frozen=True, slots=True)
class Executable:
    """A program that workflows may run.

    :ivar path: on the machine where it is run.
    :ivar time: since when, s since 1970.
    """

    path: str
    time: float
    author: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


class Executables:
    """The list of the programs that a store's workflows may run; no path that is not on it, word for word.

    :param clock: returns s since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def allow(self, path: str, *, author: str | None = None) -> Executable:
        """Let workflows run a program; it need not be on this machine.

        :param path: absolute, and without ``..``.
        :param author: who allows it; else the user of this process and the host's name.
        :raises ConfigurationError: if it is no such path.
        """
        is_whole = path.startswith("/") and not path.startswith("//") and path == posixpath.normpath(path)
        if not is_whole or path == "/" or len(path) > _LONGEST:
            msg = f"{path[:200]!r} is no path of a program. Give an absolute one, as in '/usr/bin/true'."
            raise ConfigurationError(msg)
        if not path.isprintable():
            raise ConfigurationError(
                f"{path[:200]!r} has characters that nobody can see. Rename the program."
            )
        row = ExecutableRow(path, self._clock(), author or this_user())
        with self._store.transaction() as writer:
            writer.put_access(row)
        self._store.sync()
        return Executable(row.path, row.time, row.author)

    def forbid(self, path: str) -> None:
        """Let workflows not run a program any more; those that name it stay defined, and get no new jobs.

        :raises ConfigurationError: if it is not on the list.
        """
        with self._store.transaction() as writer:
            writer.lock("access")
            if path not in {row.path for row in self._store.executables()}:
                msg = f"{path[:200]!r} is not on the list. Look at it with: hutch workflow allowed"
                raise ConfigurationError(msg)
            writer.drop_executable(path)
        self._store.sync()

    def all(self) -> list[Executable]:
        """Return the list, by path."""
        return [Executable(row.path, row.time, row.author) for row in self._store.executables()]

    def check(self, path: str) -> None:
        """Raise if workflows may not run a program.

        :raises AccessDeniedError: saying how it is allowed.
        """
        if path not in {row.path for row in self._store.executables()}:
            msg = (
                f"{path[:200]!r} is not on the list of programs that workflows may run. Whoever keeps the "
                f"store puts it there with: hutch workflow allow {path[:200]}"
            )
            raise AccessDeniedError(msg)
