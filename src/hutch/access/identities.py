"""Who asks for something, and the widest of what they may ask for: scopes, and names of catalogs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hutch.documents import decode, encode
from hutch.errors import ConfigurationError

__all__ = [
    "ADMIN",
    "ALL_SCOPES",
    "PUBLIC",
    "SCOPES",
    "Identity",
    "kept_catalogs",
    "kept_scopes",
    "known_catalogs",
    "known_scopes",
]

SCOPES = {
    "read": "see runs and what belongs to them",
    "record": "add runs, and values to them",
    "write": "write into the logbook, correct, delete, operate",
    "admin": "everything, and say who may do what",
}
"""What a key or a user may do at all, and what it means; roles in experiments narrow it."""

ADMIN = "admin"
ALL_SCOPES = frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, or a program, that is let in.

    :ivar name: for people, and for what is signed: a user's, or ``key 1a2b3c4d`` of a key without owner.
    :ivar scopes: some of ``read``, ``record``, ``write`` and ``admin``; who has ``admin`` has all.
    :ivar user: the user whose roles hold; None if there is none.
    :ivar catalogs: names of the catalogs it is limited to; None if it is for all.
    """

    name: str
    scopes: frozenset[str]
    user: str | None = None
    catalogs: frozenset[str] | None = None

    @property
    def is_admin(self) -> bool:
        """True for who may do everything, in every experiment."""
        return ADMIN in self.scopes


PUBLIC = Identity("public", frozenset({"read"}))
"""Anybody, where a server lets everybody read."""


def kept_scopes(names: Iterable[str]) -> str:
    """Return scopes as a store keeps them.

    :raises ConfigurationError: if there is none, or one is unknown.
    """
    chosen = {names} if isinstance(names, str) else set(names)
    unknown = sorted(chosen - ALL_SCOPES)
    if unknown or not chosen:
        said = f"There is no scope {unknown[0]!r}." if unknown else "No scope is given."
        msg = f"{said} Scopes are: {', '.join(f'{name} ({what})' for name, what in SCOPES.items())}."
        raise ConfigurationError(msg)
    return " ".join(name for name in SCOPES if name in chosen)


def known_scopes(kept: str) -> frozenset[str]:
    """Return scopes that a store keeps; with ``admin`` come all."""
    found = frozenset(kept.split())
    return ALL_SCOPES if ADMIN in found else found


def kept_catalogs(names: Iterable[str]) -> bytes | None:
    """Return names of catalogs as a store keeps them; None if there are none, which means no limit."""
    chosen = sorted({names} if isinstance(names, str) else set(names))
    return encode(chosen) if chosen else None


def known_catalogs(kept: bytes | None) -> frozenset[str] | None:
    """Return names of catalogs that a store keeps; None means no limit."""
    return None if kept is None else frozenset(decode(kept))
