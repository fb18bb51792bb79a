"""How much memory a worker process may take, and which plot has taken it."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Growth", "limit_memory"]

_Key = tuple[str, str]
"""Base of a source, and name of a plot."""


def limit_memory(more_bytes: int) -> None:
    """Have this process fail with ``MemoryError`` when it takes so much more than it has now.

    On Linux data counts, and files that are mapped do not; elsewhere, if there is any limit, addresses.
    """
    if sys.platform == "linux":
        kind, field = resource.RLIMIT_DATA, "VmData:"
    else:
        kind, field = resource.RLIMIT_AS, "VmSize:"
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        now = next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
        _, hard = resource.getrlimit(kind)
        soft = now + more_bytes
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


class Growth:
    """By how much this process has grown in the calls of each plot."""

    def __init__(self) -> None:
        self._grown: dict[_Key, int] = {}
        self._page = os.sysconf("SC_PAGE_SIZE")
        try:
            self._file: int | None = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = None

    @contextmanager
    def of(self, key: _Key) -> Iterator[None]:
        """Add to a plot by how much the process grows within this."""
        before = self._resident()
        try:
            yield
        finally:
            grown = self._resident() - before
            if grown:
                self._grown[key] = self._grown.get(key, 0) + grown

    def blame(self, limit_bytes: int) -> _Key | None:
        """Return the plot that holds most of the memory that may be taken; None if none stands out."""
        key = max(self._grown, key=lambda key: self._grown[key], default=None)
        return key if key is not None and self._grown[key] > limit_bytes / 2 else None

    def forget(self, key: _Key) -> None:
        """Forget a plot that is no longer there."""
        self._grown.pop(key, None)

    def _resident(self) -> int:
        """Return how much memory this process has, in bytes; 0 where that cannot be told."""
        if self._file is None:
            return 0
        return int(os.pread(self._file, 128, 0).split()[1]) * self._page
