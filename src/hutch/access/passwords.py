"""Passwords: hashed with argon2, and compared so that nobody learns who has one."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from hutch.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["LONGEST_PASSWORD", "Passwords", "hash_password"]

LONGEST_PASSWORD = 1000
"""Characters."""

_MOST_KNOWN = 1000

# Each takes 64 MiB for some 50 ms: a flood of wrong passwords must not take all memory.
_HASHING = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """Return the hash of a password, in argon2's own notation.

    :raises ConfigurationError: if it is empty, too long, or has lines.
    :raises MissingExtraError: if argon2 is not installed.
    """
    if not password or len(password) > LONGEST_PASSWORD or "\n" in password or "\0" in password:
        msg = f"A password is one line of 1 to {LONGEST_PASSWORD} characters."
        raise ConfigurationError(msg)
    hasher = _hasher()
    with _HASHING:
        return hasher.hash(_bytes(password))


class Passwords:
    """Compares passwords with their hashes, and knows for a while which were right.

    Programs of the LCLS kind send their password with each request; only the first one of them is hashed.
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def is_known(self, password: str, kept: str | None) -> bool:
        """Tell whether a password has been found right for a hash."""
        return kept is not None and self._mark(password, kept) in self._right

    def is_right(self, password: str, kept: str | None) -> bool:
        """Tell whether a hash is that of a password; without a hash it takes as long, and is not.

        :raises MissingExtraError: if argon2 is not installed.
        """
        if self.is_known(password, kept):
            return True
        hasher = _hasher()
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            with _HASHING:
                hasher.verify(_nobodys() if kept is None else kept, _bytes(password[:LONGEST_PASSWORD]))
        except (VerificationError, InvalidHashError):
            return False
        if kept is None or len(password) > LONGEST_PASSWORD:
            return False
        with self._lock:
            self._right[self._mark(password, kept)] = None
            while len(self._right) > _MOST_KNOWN:
                self._right.popitem(last=False)
        return True

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a password should be hashed again, as it would be more costly to guess now."""
        return _hasher().check_needs_rehash(kept)

    def _mark(self, password: str, kept: str) -> bytes:
        """Return what is remembered of a right password: nothing of use outside of this process."""
        # The hash is part of it, so that a new password is not taken for the old one.
        return hashlib.blake2b(_bytes(f"{kept}\0{password}"), key=self._secret).digest()


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _nobodys() -> str:
    """Return the hash of a password that nobody knows, made as all are."""
    return _hasher().hash(os.urandom(32))


@cache
def _hasher() -> PasswordHasher:
    with _needing_argon2():
        from argon2 import PasswordHasher
    return PasswordHasher()


@contextmanager
def _needing_argon2() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "argon2":
            raise
        msg = "Passwords need argon2-cffi. Install it with: pip install 'hutch[server]'"
        raise MissingExtraError(msg) from error
