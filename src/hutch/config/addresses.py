"""Addresses of servers: told from folders, and shown without their passwords."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

__all__ = ["is_address", "is_ambiguous", "shown_place", "without_secrets"]

_SECRETS = frozenset({"password", "sslpassword"})
_HIDDEN = "…"


def is_address(where: str) -> bool:
    """Tell whether a place is the address of a server, and no folder."""
    return "://" in where


def shown_place(where: str) -> str:
    """Return a folder, or an address without its passwords, as people may see it, on one line."""
    if is_address(where):
        scheme, _, rest = where.partition("://")
        # Nobody knows where the password of such a one ends.
        where = f"{scheme}://{_HIDDEN}" if is_ambiguous(rest) else without_secrets(where)[0]
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in where)


def is_ambiguous(rest: str) -> bool:
    """Tell whether libpq and a person may see different passwords in an address.

    :param rest: what comes after ``://``.
    """
    end = re.search("[@/]", rest)
    if end is None or end[0] == "/":
        return "@" in rest.partition("?")[0] or "#" in rest
    credentials, place = rest[: end.start()], rest[end.end() :]
    return bool(re.search("[?#]", credentials)) or "@" in place.partition("?")[0] or "#" in place


def without_secrets(text: str) -> tuple[str, tuple[str, ...]]:
    """Return an address without its passwords, and these, as they stand in it and as they are."""
    scheme, _, rest = text.partition("://")
    place, _, query = rest.partition("?")
    credentials, at, host = place.rpartition("@")
    user, _, password = credentials.partition(":")
    fields = parse_qsl(query, keep_blank_values=True)
    found = [password, *(value for key, value in fields if key in _SECRETS)]
    kept = "&".join(f"{quote(key)}={quote(value, safe='/')}" for key, value in fields if key not in _SECRETS)
    secrets = {
        form for secret in found if secret for form in (secret, unquote(secret), quote(secret, safe=""))
    }
    shown = f"{scheme}://{user}{at if user else ''}{host}{'?' if kept else ''}{kept}"
    return shown, tuple(sorted(secrets, key=len, reverse=True))
