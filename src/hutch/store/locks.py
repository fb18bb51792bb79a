"""Numbers of advisory locks: what PostgreSQL knows a lock by."""

from __future__ import annotations

import hashlib

__all__ = ["MIGRATION", "lock_number"]

MIGRATION = "migration"
"""The lock of whoever makes or changes the tables."""


def lock_number(*names: str) -> int:
    """Return the number of an advisory lock; other names, or other programs, have others.

    :returns: of 64 bit, signed.
    """
    digest = hashlib.blake2b("\0".join(("hutch", *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
