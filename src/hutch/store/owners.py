"""Who records: one lock file a process, held as long as the process lives.

The lock is a POSIX record lock: the kernel releases it when the process dies, however it dies, and a
forked child does not inherit it. Closing any descriptor of a locked file releases the lock of the
whole process, so the files held here are known to the process and never opened a second time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Owner", "Process", "is_live"]

_held: dict[str, tuple[int, int]] = {}
"""Locked files of this process: name to (process id, descriptor). A name is unique, and several paths
may lead to one file."""


@dataclass(frozen=True)
class Process:
    """A process that records, under a uid that no other process ever has."""

    uid: str
    host: str
    pid: int
    program: str

    @classmethod
    def current(cls) -> Process:
        """Return this process, with a fresh uid."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), Path(sys.argv[0]).name)


@dataclass(frozen=True)
class Owner(Process):
    """This process as the owner of open runs; make it with :meth:`claim`."""

    path: Path

    @classmethod
    def claim(cls, folder: Path) -> Owner:
        """Make a lock file in a folder and hold it."""
        folder.mkdir(exist_ok=True)
        _sweep(folder)
        process = Process.current()
        path = folder / process.uid
        # Locked under another name first, so that nobody ever sees it without its lock.
        early = folder / f".{process.uid}"
        descriptor = os.open(early, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        early.rename(path)
        _held[process.uid] = (process.pid, descriptor)
        return cls(process.uid, process.host, process.pid, process.program, path)

    @property
    def is_mine(self) -> bool:
        """False in a process that was forked from the one that claimed it."""
        return self.pid == os.getpid()

    def release(self) -> None:
        """Let go of all runs at once."""
        held = _held.pop(self.uid, None)
        if held is not None and held[0] == os.getpid():
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(held[1])


def _sweep(folder: Path) -> None:
    """Remove the files of processes that have died: a file that is not there says the same."""
    for path in folder.iterdir():
        # One that begins with a dot may be about to get its lock; one of this process is not opened.
        if path.name.startswith(".") or _held.get(path.name, (0,))[0] == os.getpid():
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def is_live(folder: Path, uid: str) -> bool:
    """Tell whether the process that claimed a lock file is alive."""
    held = _held.get(uid)
    if held is not None and held[0] == os.getpid():
        return True
    try:
        descriptor = os.open(folder / uid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
