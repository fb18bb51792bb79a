"""What the tables of who may do what hold, row by row; the fields stand in the order of the columns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AccessRow", "ActivationRow", "ApiKeyRow", "ExperimentRow", "RoleRow", "UserRow"]


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """An API key, of which only a hash is kept. All times are in s since 1970."""

    prefix: str
    """The first characters of the key, by which people call it."""
    digest: bytes
    """SHA-256 of the whole key."""
    owner: str | None
    """The user whose roles it has."""
    scopes: str
    """Words."""
    catalogs: bytes | None
    """A list of names of catalogs, as a document; None if the key is for all."""
    note: str
    created: float
    author: str
    expires: float | None = None
    revoked: float | None = None
    """Since when it is."""
    used: float | None = None
    """When it was used last, to about an hour."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """Somebody who may log in. All times are in s since 1970."""

    name: str
    password: str | None
    """An argon2 hash; None if there is no password to log in with."""
    scopes: str
    """Words."""
    catalogs: bytes | None
    """A list of names of catalogs, as a document; None if they are for all."""
    created: float
    author: str
    disabled: float | None = None
    """Since when they are."""


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """An experiment. All times are in s since 1970."""

    name: str
    instrument: str
    """In capitals."""
    station: int
    leader: str
    description: str
    begins: float | None
    ends: float | None
    created: float
    author: str
    locked: float | None = None
    """Since when nobody writes."""
    opened: float | None = None
    """Since when all may read it who may read its catalog; None if only its members may."""


@dataclass(frozen=True, slots=True)
class RoleRow:
    """What a user may do in an experiment."""

    experiment: str
    member: str
    role: str
    time: float
    author: str


@dataclass(frozen=True, slots=True)
class ExecutableRow:
    """A program that workflows may run."""

    path: str
    time: float
    """Since when, s since 1970."""
    author: str


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """From a moment on an experiment, or with None no one, is active at a station of an instrument."""

    id: int
    instrument: str
    station: int
    experiment: str | None
    time: float
    """s since 1970."""
    author: str


AccessRow = ApiKeyRow | UserRow | ExperimentRow | RoleRow | ExecutableRow
"""A row that is put in the place of the one with the same key."""
