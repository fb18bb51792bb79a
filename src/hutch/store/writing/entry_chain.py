"""The chain of an experiment's logbook: each version of an entry bears the digest of the one before it.

Whoever changes or removes a version breaks every link after it; whoever knows the digest of the last one
can prove all of them. ``hutch verify`` follows the chains.
"""

from __future__ import annotations

import hashlib
import struct

__all__ = ["FIRST", "link"]

FIRST = bytes(32)
"""What stands before the first link of a chain."""


def link(
    before: bytes,
    experiment: str,
    number: int,
    entry: int,
    version: int,
    action: str,
    time: float,
    author: str,
    body: bytes,
) -> bytes:
    """Return the digest of a version: SHA-256 of all its fields, each with its length before it.

    :param before: the digest of the version before it in the experiment.
    :param number: of the version in the experiment.
    :param version: its number in the entry.
    :param time: s since 1970.
    """
    found = hashlib.sha256()
    texts = (part.encode("utf-8", "surrogatepass") for part in (experiment, action, author))
    for part in (before, *texts, struct.pack(">qqqd", number, entry, version, time), body):
        found.update(struct.pack(">q", len(part)))
        found.update(part)
    return found.digest()
