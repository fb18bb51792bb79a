"""What all formats of files share: bounded reading, identities, and rows that cannot be read."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Self

from hutch.errors import SourceChangedError, SourceUnavailableError, UnknownFormatError
from hutch.monitor.batch import Batch
from hutch.monitor.formats.bisecting import readable_part
from hutch.monitor.formats.opened_files import UNREADABLE, base_of, identity_of, opened
from hutch.monitor.sources import BadRange, SourceSpec

__all__ = ["MOST_BYTES", "MOST_ROWS", "FileSource"]

MOST_ROWS = 1_000_000
"""As many rows are read at once."""
MOST_BYTES = 2**26
"""As many bytes of rows are read at once."""
PATIENCE_S = 3.0
"""For so long rows of a file that is written to may be such that they cannot be read yet."""
_MOST_DOUBTS = 1000

_doubts: dict[tuple[str, str, int], float] = {}
"""Since when rows cannot be read, by address, identity and the first of them; s of the monotonic clock."""


class FileSource(ABC):
    """A file that rows are added to; a format says what its rows are.

    The methods with a file as their argument are the format's. The file is open while they are called.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    # what a format says

    @abstractmethod
    def check(self, file: Any) -> None:
        """Refuse a file that lacks what is read.

        :raises UnknownFormatError: naming what is missing.
        """

    @abstractmethod
    def count(self, file: Any) -> int:
        """Return how many rows there are."""

    @abstractmethod
    def head(self, file: Any) -> bytes:
        """Return what never changes while the file grows: when it was made, its first row if there is one."""

    @abstractmethod
    def row_bytes(self, file: Any) -> int:
        """Return about how large a row is."""

    @abstractmethod
    def chunk_rows(self, file: Any) -> int:
        """Return how many rows are stored together, and so are damaged together."""

    @abstractmethod
    def take(self, file: Any, start: int, stop: int) -> Batch | BadRange:
        """Return rows that are there.

        What h5py raises may pass: then the smallest part that raises is looked for.
        """

    @abstractmethod
    def write(self, batch: Batch, group: Any) -> None:
        """Write rows into an open HDF5 file as the source's own files hold them, and nothing else."""

    # what all do

    def look(self) -> tuple[str, int]:
        """Return what is found at the address: its identity, and how many rows it has.

        :raises UnknownFormatError: if it lacks what is read.
        :raises SourceUnavailableError: if it cannot be read now.
        """
        with opened(self.spec.address) as file:
            try:
                self.check(file)
                return self._identity(file), self.count(file)
            except UNREADABLE as error:
                raise self._unavailable(error) from error

    def rows(self) -> int:
        """Return how many rows there are now."""
        with opened(self.spec.address) as file:
            self._recognise(file)
            return self.count(file)

    def read(self, start: int, stop: int) -> Batch | BadRange:
        """Return rows from ``start`` on, at most :data:`MOST_ROWS` and about :data:`MOST_BYTES`."""
        with opened(self.spec.address) as file:
            self._recognise(file)
            most = min(MOST_ROWS, max(1, MOST_BYTES // max(self.row_bytes(file), 1)))
            stop = max(start, min(stop, self.count(file), start + most))
            try:
                return self.take(file, start, stop)
            except UNREADABLE:
                pass
        # A writer may have been in the midst of it: what is bad is so twice, and for a while.
        with opened(self.spec.address) as file:
            self._recognise(file)
            stop = max(start, min(stop, self.count(file)))
            size = max(1, self.chunk_rows(file))
            found = readable_part(partial(self.take, file), start, stop, size, UNREADABLE)
        if isinstance(found, BadRange) and not self._is_certain(found.start):
            msg = f"row {found.start:,} of {self.spec.address!r} cannot be read yet: {found.why}"
            raise SourceUnavailableError(msg)
        return found

    def _is_certain(self, start: int) -> bool:
        """Tell whether rows that cannot be read are lost: nobody writes, or they were so for a while."""
        key = self.spec.address, self.spec.identity, start
        now = time.monotonic()
        since = _doubts.setdefault(key, now)
        while len(_doubts) > _MOST_DOUBTS:
            del _doubts[next(iter(_doubts))]
        try:
            rested_s = time.time() - os.stat(self.spec.address).st_mtime
        except OSError:
            return False
        if max(rested_s, now - since) < PATIENCE_S:
            return False
        _doubts.pop(key, None)
        return True

    def _recognise(self, file: Any) -> None:
        try:
            self.check(file)
            found = self._identity(file)
        except UNREADABLE as error:
            raise self._unavailable(error) from error
        if found != base_of(self.spec.identity):
            msg = (
                f"{self.spec.address!r} is not the file that it was: it was replaced or written anew. "
                "It is taken up from its first row when it is seen next"
            )
            raise SourceChangedError(msg)

    def _identity(self, file: Any) -> str:
        return identity_of(self.spec.address, self.head(file))

    def _unavailable(self, error: Exception) -> Exception:
        if isinstance(error, (UnknownFormatError, SourceUnavailableError)):
            return error
        msg = f"{self.spec.address!r} cannot be read now: {type(error).__name__}: {error}"
        return SourceUnavailableError(msg)
