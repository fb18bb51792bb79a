"""Who asks, and what they may see and do.

Every route, hutch's own and Tiled's, asks the same :class:`Gate`; which keys and users there are, it knows.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from hutch.catalogs import Catalog

__all__ = ["ANYBODY", "KEY_COOKIE", "SCOPES", "Gate", "Identity", "KeyGate", "presented_key", "visible"]

SCOPES = frozenset({"read", "record", "write", "admin"})
"""Everything that a key may allow."""

KEY_COOKIE = "hutch_key"
"""The cookie in which a browser keeps the key that came with the address."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, for as long as one request takes.

    :ivar scopes: some of :data:`SCOPES`.
    """

    name: str
    scopes: frozenset[str]


ANYBODY = Identity("anybody", frozenset({"read"}))
"""Who gives no key to a server that everybody may read."""


class Gate(Protocol):
    """Tells who asks."""

    @property
    def public(self) -> bool:
        """Whether everybody may read."""
        ...

    def identify(self, request: HTTPConnection) -> Identity | None:
        """Return who sends a request; None for nobody known, a wrong key too. It may take its time."""
        ...


class KeyGate:
    """Knows one or a few fixed keys, which allow everything.

    :param keys: what is accepted.
    :param public: True lets everybody read who gives no key.
    """

    def __init__(self, *keys: str, public: bool = False) -> None:
        self._keys = [key.encode() for key in keys if key]
        self.public = public

    def identify(self, request: HTTPConnection) -> Identity | None:
        """Return who sends a request; None for nobody known, a wrong key too."""
        key = presented_key(request)
        if key is None:
            return ANYBODY if self.public else None
        # All are compared, in constant time, so that the time tells nothing.
        found = [hmac.compare_digest(key.encode(), known) for known in self._keys]
        return Identity("owner", SCOPES) if any(found) else None


def presented_key(request: HTTPConnection) -> str | None:
    """Return the key that a request gives: in its header, its address, or for reading in a cookie.

    ``Authorization: Apikey …`` goes before ``?api_key=…``. A cookie counts only where nothing is changed:
    browsers send it with what other sites' pages ask for.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("apikey", "bearer") and key.strip():
        return key.strip()
    in_address = request.query_params.get("api_key")
    if in_address:
        return in_address
    if request.scope.get("method") in _SAFE_METHODS:
        return request.cookies.get(KEY_COOKIE)
    return None


def visible(catalog: Catalog, identity: Identity) -> Catalog:
    """Return of a catalog what somebody may read."""
    return catalog
