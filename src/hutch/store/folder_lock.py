"""A lock on the folder of a backup: one process writes into it at a time, or several restore from it.

It is a lock on a file in the folder, which the system releases when the process dies, however it dies.
On a network file system it holds among all hosts, if that file system has locks at all.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from hutch.errors import StoreError

__all__ = ["LOCK", "FolderLock"]

LOCK = "copy.lock"
"""Name of the file."""

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN})
_NONE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


class FolderLock:
    """Holds the lock from the making to :meth:`release`, or through a ``with`` block.

    :param folder: that is there.
    :param shared: with others that do not write. Where there can be no lock, because the folder can only be
        read or its file system has none, there is none.
    :raises StoreError: if somebody else holds it, or, unless it is shared, the file system has no locks.
    """

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        self._descriptor = _open(folder / LOCK, shared)
        if self._descriptor is None:
            return
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            if error.errno in _TAKEN:
                msg = f"Another process copies into, or from, {str(folder)!r} now. Wait for its end."
                raise StoreError(msg) from error
            if error.errno not in _NONE:
                raise
            if not shared:
                msg = (
                    f"The file system of {str(folder)!r} has no locks, so nothing keeps two processes from "
                    "writing there at once. Mount it with locks, or use another disk and copy the folder."
                )
                raise StoreError(msg) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open(path: Path, shared: bool) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        if not shared:
            raise
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
