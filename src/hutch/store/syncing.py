"""Putting onto the disk what the operating system has taken, so that it survives a power cut."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["sync_data", "sync_path"]

_FULL: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS; its fsync leaves data in the drive's cache."""


def sync_data(descriptor: int) -> None:
    """Wait until what was written to an open file is on the disk."""
    if _FULL is not None:
        fcntl.fcntl(descriptor, _FULL)
    else:
        os.fdatasync(descriptor)


def sync_path(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if _FULL is not None:
            fcntl.fcntl(descriptor, _FULL)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
