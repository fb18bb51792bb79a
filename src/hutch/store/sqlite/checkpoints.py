"""When what is in SQLite's write-ahead log may be moved into the database.

SQLite before 3.51.3 has a race (https://sqlite.org/wal.html#walresetbug): a checkpoint that begins when all
of the log has been moved already, while another connection commits and begins the log anew, takes the new
log for the old one. What was committed last is then lost, and the database may be damaged. So here

- one connection at a time checkpoints, in all processes: it holds the lock on a file;
- it commits something just before. From then on the log holds what only its own checkpoint can move, and
  until that is done no commit begins it anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LOCK", "checkpoint", "sole", "stir"]

LOCK = "checkpoint.lock"
"""Name of the file in the store's folder."""

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN})
_LARGEST_VERSION = 2**31


@contextlib.contextmanager
def sole(folder: Path) -> Iterator[bool]:
    """Tell whether nobody else checkpoints a store, and keep others from it until the end of the block.

    :raises OSError: if the file of the lock cannot be made.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def stir(connection: sqlite3.Connection) -> None:
    """Change something that nobody looks at, in the transaction that is open."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version={(number + 1) % _LARGEST_VERSION}")


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move what no reader needs any more from the log into the database; commits go on meanwhile."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
