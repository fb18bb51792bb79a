"""Addresses of PostgreSQL databases: understood by libpq, shown without their password."""

from __future__ import annotations

import re

from hutch.config.addresses import is_address, is_ambiguous, without_secrets
from hutch.errors import ConfigurationError

__all__ = ["Address", "is_address"]

_SCHEMES = ("postgresql", "postgres")
_HIDDEN = "…"
_TELLING = 4
"""Characters of a password that is hidden wherever it stands; a shorter one would garble other words."""


class Address:
    """Where a database is: ``postgresql://user:password@host:port/database?option=value``.

    All that libpq takes may stand in it. What it lacks comes from libpq's environment (``PGHOST``,
    ``PGPASSWORD``, ``~/.pgpass`` …).

    :param text: the address.
    :raises ConfigurationError: if it is none of PostgreSQL.
    """

    __slots__ = ("_secrets", "_text", "shown")

    def __init__(self, text: str) -> None:
        scheme, _, rest = text.partition("://")
        if scheme.lower() not in _SCHEMES:
            msg = (
                f"A store is a folder or an address that begins with 'postgresql://', and this one begins "
                f"with '{scheme}://'."
            )
            raise ConfigurationError(msg)
        if is_ambiguous(rest):
            msg = (
                "The address of a store has an '@' too many, or a '/' or '?' before it. In a name or a "
                "password write '@' as %40, '/' as %2F, ':' as %3A, '?' as %3F, '#' as %23 and '%' as %25."
            )
            raise ConfigurationError(msg)
        self._text = f"postgresql://{rest}"
        self.shown, self._secrets = without_secrets(self._text)
        """The address as people may see it: the same without passwords."""

    def __repr__(self) -> str:
        return f"<Address {self.shown!r}>"

    @property
    def conninfo(self) -> str:
        """What libpq is given; it holds the password."""
        return self._text

    def hide_secrets(self, message: str) -> str:
        """Return a message of libpq or the server without passwords of this address, on one line."""
        for secret in self._secrets:
            message = message.replace(f'"{secret}"', _HIDDEN)
            if len(secret) >= _TELLING:
                message = message.replace(secret, _HIDDEN)
        return re.sub(r"\s+", " ", message).strip().rstrip(".")
