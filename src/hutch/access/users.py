"""Users: people, and accounts such as ``xppopr``; made, listed, disabled, removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from hutch.access.identities import kept_catalogs, kept_scopes, known_catalogs
from hutch.access.naming import check_new, check_user_name, is_user_name
from hutch.access.passwords import hash_password
from hutch.catalogs.signatures import this_user
from hutch.errors import UserNotFoundError
from hutch.store.protocols.store import Store
from hutch.store.rows.access import UserRow

__all__ = ["USUAL_SCOPES", "User", "Users"]

USUAL_SCOPES = ("read", "record", "write")
"""What users may do unless somebody says otherwise; their roles say in which experiments."""


@dataclass(frozen=True, slots=True)
class User:
    """What is known of a user. All times are in s since 1970."""

    name: str
    scopes: tuple[str, ...]
    catalogs: tuple[str, ...] | None
    """Names of those they are limited to; None if to none."""
    has_password: bool
    created: float
    author: str
    disabled: float | None
    """Since when they are not let in; None if they are."""

    @classmethod
    def of(cls, row: UserRow) -> User:
        """Return a user as the store has it."""
        catalogs = known_catalogs(row.catalogs)
        return cls(
            row.name,
            tuple(row.scopes.split()),
            None if catalogs is None else tuple(sorted(catalogs)),
            row.password is not None,
            row.created,
            row.author,
            row.disabled,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Users:
    """The users of a store.

    :param clock: returns s since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def add(
        self,
        name: str,
        password: str | None = None,
        *,
        scopes: Iterable[str] = USUAL_SCOPES,
        catalogs: Iterable[str] = (),
        author: str | None = None,
    ) -> User:
        """Add a user.

        :param password: None lets them in by API keys only, or by what a server in front of hutch tells.
        :param scopes: some of ``read``, ``record``, ``write`` and ``admin``.
        :param catalogs: names of those they are limited to; none stands for no limit.
        :param author: who adds them; else the user of this process and the host's name.
        :raises ConfigurationError: if there is one of this name, or something can't be.
        :raises MissingExtraError: if argon2 is not installed.
        """
        check_user_name(name)
        kept = kept_scopes(scopes), kept_catalogs(catalogs)
        hashed = None if password is None else hash_password(password)
        row = UserRow(name, hashed, *kept, self._clock(), author or this_user())
        with self._store.transaction() as writer:
            writer.lock("access")
            check_new(name, "a user", (user.name for user in self._store.users()))
            writer.put_access(row)
        self._store.sync()
        return User.of(row)

    def all(self) -> list[User]:
        """Return all users, by name."""
        return [User.of(row) for row in self._store.users()]

    def find(self, name: str) -> User:
        """Return a user.

        :raises UserNotFoundError: if there is none of this name.
        """
        return User.of(self._row(name))

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password; their API keys stay.

        :raises UserNotFoundError: if there is no such user.
        :raises ConfigurationError: if the password is empty or too long.
        """
        self._row(name)
        hashed = hash_password(password)
        self._change(name, lambda row: replace(row, password=hashed))

    def disable(self, name: str) -> None:
        """Let a user not in any more, neither by password nor by their API keys; their roles stay.

        :raises UserNotFoundError: if there is no such user.
        """
        now = self._clock()
        self._change(name, lambda row: row if row.disabled is not None else replace(row, disabled=now))

    def enable(self, name: str) -> None:
        """Let a user in again.

        :raises UserNotFoundError: if there is no such user.
        """
        self._change(name, lambda row: replace(row, disabled=None))

    def remove(self, name: str) -> None:
        """Remove a user with their roles and API keys.

        :raises UserNotFoundError: if there is no such user.
        """
        with self._store.transaction() as writer:
            writer.lock("access")
            self._row(name)
            writer.drop_user(name)
        self._store.sync()

    def _change(self, name: str, change: Callable[[UserRow], UserRow]) -> None:
        with self._store.transaction() as writer:
            writer.lock("access")
            writer.put_access(change(self._row(name)))
        self._store.sync()

    def _row(self, name: str) -> UserRow:
        row = self._store.user(name) if is_user_name(name) else None
        if row is None:
            known = ", ".join(user.name for user in self._store.users()) or "none"
            msg = f"There is no user {name!r}. Users: {known}. Add one with: hutch user add NAME"
            raise UserNotFoundError(msg)
        return row
