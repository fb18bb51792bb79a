"""Errors of PostgreSQL and its driver, told as hutch's own."""

from __future__ import annotations

import logging
import re
from typing import NoReturn

import psycopg

from hutch.errors import (
    NoStoreError,
    ReadOnlyStoreError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)
from hutch.store.addresses import Address
from hutch.store.roles import MOVED_CODE, moved_error

__all__ = ["is_crowded", "is_refusal", "told", "translate"]

_FULL = "53100"
_CROWDED = "53300"
_NO_DATABASE = "3D000"
_DENIED = frozenset({"25006", "42501"})
_UNKNOWN_USER = frozenset({"28000", "28P01"})
_GONE = frozenset({"57P01", "57P02", "57P03", "57P05"})

# When a connection is refused, the driver is told a text but no code.
_TEXTS = (
    (re.compile("too many clients|too many connections|remaining connection slots"), _CROWDED),
    (re.compile('database ".*" does not exist'), _NO_DATABASE),
    (re.compile('authentication failed|no password supplied|pg_hba.conf|role ".*" does not exist'), "28P01"),
)


def translate(error: psycopg.Error, address: Address) -> NoReturn:
    """Raise an error of the driver as one of hutch's.

    :param address: of the database, which messages name without its password.
    """
    raise told(error, address) from error


def told(error: psycopg.Error, address: Address) -> StoreError:
    """Return what an error of the driver means for the store.

    :param address: of the database, which messages name without its password.
    """
    text = address.hide_secrets(str(error))
    place = repr(address.shown)
    code = _code(error)
    if code == MOVED_CODE:
        raise moved_error(error.diag.message_primary or text) from error
    if code == _FULL:
        msg = (
            f"The disk of the database of the store {place} is full: "
            "nothing more can be recorded until there is room."
        )
        return StoreFullError(msg)
    if code in _DENIED:
        msg = f"The store {place} can only be read, or not even that: {text}."
        return ReadOnlyStoreError(msg)
    if code == _NO_DATABASE:
        msg = (
            f"There is no such database: {text}. Make it with createdb, "
            f"and then the store with: hutch init {address.shown} --files DIR"
        )
        return NoStoreError(msg)
    if code in _UNKNOWN_USER:
        msg = (
            f"The server of the store {place} does not let you in: {text}. "
            "Give the user in the address, and the password in ~/.pgpass, $PGPASSWORD or the address."
        )
        return StoreError(msg)
    if code == _CROWDED:
        msg = (
            f"The server of the store {place} has no connection left: {text}. Close other programs, or raise "
            "max_connections of the server; each recording process of hutch needs two or three."
        )
        return StoreUnavailableError(msg)
    if _is_of_connection(error, code):
        stop = "" if text.endswith(("?", ".")) else "."
        msg = f"The server of the store {place} does not answer: {text}{stop} Try again when it does."
        return StoreUnavailableError(msg)
    msg = f"The store {place} could not be used: {text}."
    return StoreError(msg)


def is_crowded(error: psycopg.Error) -> bool:
    """Tell whether a server refused a connection because it has too many."""
    return _code(error) == _CROWDED


def is_refusal(error: psycopg.Error) -> bool:
    """Tell whether an error is the answer of a server that did not do what it was told, and goes on."""
    return error.sqlstate is not None and not _is_of_connection(error, error.sqlstate)


def _code(error: psycopg.Error) -> str | None:
    """Return the SQLSTATE of an error, guessed from its text if it has none."""
    if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        return next((code for pattern, code in _TEXTS if pattern.search(str(error))), None)
    return error.sqlstate


def _is_of_connection(error: psycopg.Error, code: str | None) -> bool:
    if code is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return code[:2] == "08" or code in _GONE


class _Ignored(logging.Filter):
    """Leaves out what the driver says of errors that follow from another one, which is told."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(("error ignored", "query not terminated"))


logging.getLogger("psycopg").addFilter(_Ignored())
