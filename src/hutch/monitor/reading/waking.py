"""What is written into a folder, as the kernel of this machine tells it: sooner than the next look.

It does not tell what other machines write into a folder that they share; there, looking finds out.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from hutch.store.places import network_filesystem

__all__ = ["Written"]

_SLICE_MS = 200
_STEP_MS = 100
_TOGETHER_MS = 1000
"""Who creates a file writes into it a moment later: one change waits so long for others at most."""


class Written:
    """The paths in a folder that are written to; none where the kernel cannot tell.

    :param subfolders: True tells of those in folders below, too.
    """

    def __init__(self, folder: str, *, subfolders: bool = False) -> None:
        self._folder = folder
        self._subfolders = subfolders
        self._changes: Generator[set[tuple[Any, str]]] | None = None
        self._can_tell = network_filesystem(Path(folder)) is None

    def wait(self, timeout_s: float) -> set[str]:
        """Return the paths that have been written to since this was asked last, as soon as there are some.

        :param timeout_s: not later than this.
        """
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            if not self._can_tell or left < _SLICE_MS / 1000:
                time.sleep(left)
            elif found := self._look():
                return found
        return set()

    def _look(self) -> set[str]:
        try:
            if self._changes is None:
                self._changes = self._begin()
            return {path for _, path in next(self._changes)}
        except (ImportError, OSError, RuntimeError, StopIteration):
            # The folder has gone, or the kernel watches as many as it can.
            self._can_tell, self._changes = False, None
            return set()

    def _begin(self) -> Generator[set[tuple[Any, str]]]:
        from watchfiles import watch

        return watch(
            self._folder,
            watch_filter=None,
            debounce=_TOGETHER_MS,
            step=_STEP_MS,
            rust_timeout=_SLICE_MS,
            yield_on_timeout=True,
            recursive=self._subfolders,
            force_polling=False,
            ignore_permission_denied=True,
        )
