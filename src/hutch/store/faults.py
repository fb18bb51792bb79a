"""Errors of SQLite and of the operating system, told as hutch's own."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import NoReturn

from hutch.errors import HutchError, NoStoreError, ReadOnlyStoreError, StoreError, StoreFullError
from hutch.store.roles import moved_error

__all__ = ["FULL", "READ_ONLY", "translate"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of the system's errors that mean that there is no room."""
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""Those that mean that nothing may be written."""
_LEAST_FREE_BYTES = 2**16
"""With less than this left, an error of input or output means that the disk is full."""


def translate(error: Exception, folder: Path) -> NoReturn:
    """Raise an error of a driver, or of the system, as one of hutch's; one of hutch's as it is.

    :param folder: of the store.
    """
    if isinstance(error, HutchError):
        raise error
    text = str(error)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
        raise moved_error(text) from error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    number = getattr(error, "errno", None)
    place = repr(str(folder))
    if code == sqlite3.SQLITE_FULL or number in FULL or (code == sqlite3.SQLITE_IOERR and _is_full(folder)):
        msg = f"The disk under the store {place} is full: nothing more can be recorded until there is room."
        raise StoreFullError(msg) from error
    if code == sqlite3.SQLITE_READONLY or number in READ_ONLY:
        msg = f"The store {place} can only be read: {text}."
        raise ReadOnlyStoreError(msg) from error
    if code == sqlite3.SQLITE_NOTADB:
        msg = f"The file hutch.db in {place} is not a database of hutch: {text}."
        raise NoStoreError(msg) from error
    if code == sqlite3.SQLITE_CANTOPEN or isinstance(error, FileNotFoundError):
        msg = f"There is no store that can be opened in {place}: {text}. Make one with: hutch init {folder}"
        raise NoStoreError(msg) from error
    if code == sqlite3.SQLITE_CORRUPT:
        msg = f"The database of the store {place} is damaged: {text}. Check it with: hutch verify {folder}"
        raise StoreError(msg) from error
    msg = f"The store {place} could not be used: {text}."
    raise StoreError(msg) from error


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize < _LEAST_FREE_BYTES
    return False
