"""API keys: made, listed, revoked; the key itself is shown once and kept nowhere."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from hutch.access.identities import (
    ADMIN,
    kept_catalogs,
    kept_scopes,
    known_catalogs,
    known_scopes,
)
from hutch.access.users import Users
from hutch.catalogs.signatures import this_user
from hutch.errors import ApiKeyNotFoundError, ConfigurationError, StoreError
from hutch.store.protocols.store import Store
from hutch.store.rows.access import ApiKeyRow

__all__ = ["ApiKey", "ApiKeys"]

_KEY = re.compile(r"[0-9a-f]{64}")
_PREFIX = 8
"""Characters of a key by which people call it; 224 bits are left to be guessed."""

_USED_S = 3600.0
"""A use is noted if the last one noted is so long ago: reading must not write at each request."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key. All times are in s since 1970."""

    prefix: str
    owner: str | None
    """The user whose roles it has."""
    scopes: tuple[str, ...]
    catalogs: tuple[str, ...] | None
    """Names of those it is limited to; None if to none."""
    note: str
    created: float
    author: str
    expires: float | None
    revoked: float | None
    used: float | None
    """When it was used last, to about an hour."""

    @classmethod
    def of(cls, row: ApiKeyRow) -> ApiKey:
        """Return a key as the store has it."""
        catalogs = known_catalogs(row.catalogs)
        return cls(
            row.prefix,
            row.owner,
            tuple(row.scopes.split()),
            None if catalogs is None else tuple(sorted(catalogs)),
            row.note,
            row.created,
            row.author,
            row.expires,
            row.revoked,
            row.used,
        )

    def status(self, now: float) -> str:
        """Return ``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"

    def to_json(self, now: float) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "status": self.status(now)}


class ApiKeys:
    """The API keys of a store.

    :param clock: returns s since 1970.
    """

    def __init__(self, store: Store, users: Users, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._users = users
        self._clock = clock
        self._noted: dict[str, float] = {}

    def create(
        self,
        scopes: Iterable[str],
        *,
        owner: str | None = None,
        catalogs: Iterable[str] = (),
        note: str = "",
        expires_s: float | None = None,
        author: str | None = None,
    ) -> tuple[str, ApiKey]:
        """Make a key; return its text, which can't be had again, and what is known of it.

        :param scopes: some of ``read``, ``record``, ``write`` and ``admin``.
        :param owner: the user whose roles it has; it may do no more than they may.
        :param catalogs: names of those it is limited to; none stands for no limit.
        :param expires_s: after so many s it is of no use; None stands for never.
        :param author: who makes it; else the user of this process and the host's name.
        :raises ConfigurationError: if a scope is unknown, or something else can't be.
        :raises UserNotFoundError: if there is no such owner.
        """
        kept, limit = kept_scopes(scopes), kept_catalogs(catalogs)
        if limit is not None and ADMIN in known_scopes(kept):
            msg = "A key with the scope 'admin' is for every catalog. Leave out the scope, or the catalogs."
            raise ConfigurationError(msg)
        if expires_s is not None and not expires_s > 0:
            msg = f"A key can't expire {expires_s!r} s from now. Give a time that is to come."
            raise ConfigurationError(msg)
        now = self._clock()
        with self._store.transaction() as writer:
            writer.lock("access")
            if owner is not None:
                self._users.find(owner)
            text = secrets.token_hex(32)
            while self._store.api_key(text[:_PREFIX]) is not None:
                text = secrets.token_hex(32)
            row = ApiKeyRow(
                text[:_PREFIX],
                _digest(text),
                owner,
                kept,
                limit,
                note,
                now,
                author or this_user(),
                None if expires_s is None else now + expires_s,
            )
            writer.put_access(row)
        self._store.sync()
        return text, ApiKey.of(row)

    def all(self) -> list[ApiKey]:
        """Return all keys, oldest first; those that are revoked or expired too."""
        return [ApiKey.of(row) for row in self._store.api_keys()]

    def revoke(self, prefix: str) -> ApiKey:
        """Let a key be of no use from now on.

        :param prefix: the beginning of the key, as :meth:`all` has it; the whole key will do.
        :raises ApiKeyNotFoundError: if no key begins so.
        """
        with self._store.transaction() as writer:
            writer.lock("access")
            row = self._store.api_key(prefix[:_PREFIX]) if prefix.isalnum() else None
            if row is None:
                msg = f"No API key begins with {prefix[:_PREFIX]!r}. List them with: hutch key list"
                raise ApiKeyNotFoundError(msg)
            if row.revoked is None:
                row = replace(row, revoked=self._clock())
                writer.put_access(row)
        self._store.sync()
        return ApiKey.of(row)

    def find(self, text: str) -> ApiKey | None:
        """Return the key of a text; None if it is none, or one that is of no use any more."""
        if _KEY.fullmatch(text) is None:
            return None
        row = self._store.api_key(text[:_PREFIX])
        if row is None or not hmac.compare_digest(row.digest, _digest(text)):
            return None
        key = ApiKey.of(row)
        now = self._clock()
        if key.status(now) != "valid":
            return None
        self._note_use(key, now)
        return key

    def _note_use(self, key: ApiKey, now: float) -> None:
        noted = max(-math.inf if key.used is None else key.used, self._noted.get(key.prefix, -math.inf))
        if now - noted < _USED_S:
            return
        self._noted[key.prefix] = now
        try:
            with self._store.transaction() as writer:
                writer.touch_api_key(key.prefix, now)
        except StoreError:
            # A store that can only be read, or not be written now, can still be read with a key.
            return


def _digest(text: str) -> bytes:
    """Return the hash that is kept of a key.

    A key is 256 random bits, so nobody can try all of them: one fast hash, compared at each request, is
    as safe as a slow one, which is for passwords that people choose.
    """
    return hashlib.sha256(text.encode()).digest()
