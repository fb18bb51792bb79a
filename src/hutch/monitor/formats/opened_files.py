"""HDF5 files opened for reading beside their writers, never for long, and what they are known by.

A file is opened anew for each look at it: only so everything is seen that a writer without SWMR has added.
It is opened with SWMR where its superblock says that its writer uses it, and without locks, which could
keep its writer from opening it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from hutch.assets.hdf5_links import Files
from hutch.assets.places import FilePlaces
from hutch.errors import ExternalDataError, SourceUnavailableError

__all__ = ["UNREADABLE", "WAITS_S", "base_of", "identity_of", "next_generation", "opened"]

UNREADABLE = (OSError, RuntimeError, ValueError, KeyError)
"""What h5py raises of a file that is damaged, or is being written just now."""

WAITS_S = (0.01, 0.05)
"""A file that cannot be opened is tried again after these."""
_GENERATION = "~"


@contextlib.contextmanager
def opened(
    path: str, waits_s: tuple[float, ...] = WAITS_S, wait: Callable[[float], object] = time.sleep
) -> Iterator[Any]:
    """Open a file of h5py for reading; half-written ones are tried again.

    :param waits_s: before each further attempt.
    :raises SourceUnavailableError: if it is missing, no HDF5 file yet, cut short or held.
    """
    files = Files(FilePlaces())
    try:
        yield _open(files, path, waits_s, wait)
    finally:
        files.close()


def _open(files: Files, path: str, waits_s: tuple[float, ...], wait: Callable[[float], object]) -> Any:
    for pause in (*waits_s, None):
        try:
            return files.open(path)
        except (ExternalDataError, *UNREADABLE) as error:
            if pause is None or not os.path.exists(path):
                msg = str(error) if isinstance(error, ExternalDataError) else f"{path!r}: {error}"
                raise SourceUnavailableError(msg) from error
        wait(pause)
    raise AssertionError  # the last attempt has returned or raised


def identity_of(path: str, head: bytes) -> str:
    """Return what tells this file from one that takes its place, and stays the same while it grows.

    Superblocks, sizes and times change when a file grows, and addresses in it are the same in every file
    that one program writes. The number of the inode tells of files that are moved into each other's place;
    when the file says that it was made, and its first row, of those that are written anew in the same
    inode. Neither depends on the monitor's process, nor on the device's number, which a mount may change.

    :param head: what the format says never changes: when the file was made, its first row if there is one.
        So the identity changes once more when the first row comes, before which nothing can have been seen.
        Of a file whose first row is lost, another row.
    """
    digest = hashlib.sha256(head).hexdigest()[:16]
    return f"{os.stat(path).st_ino:x}-{digest}"


def next_generation(identity: str, number: int) -> str:
    """Return the identity of a file that was cut short and goes on with the same first row."""
    return f"{identity}{_GENERATION}{number}" if number else identity


def base_of(identity: str) -> str:
    """Return an identity as the file itself tells it, without what a watcher has seen of its past."""
    return identity.partition(_GENERATION)[0]
