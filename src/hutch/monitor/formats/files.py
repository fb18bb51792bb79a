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
_PAUSE_S = 0.25
"""Who waits for a file looks at it this often."""
_MOST_DOUBTS = 1000
_HEAD = -1
"""What stands for the head of a file among the rows that cannot be read."""

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
        """Return what never changes while the file grows: when it was made, its first row if there is one.

        What h5py raises may pass: then a row that can be read stands for it.
        """

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

    def remark(self, file: Any) -> str:
        """Return what somebody should know of how such files are read; empty if there is nothing."""
        return ""

    # what all do

    def look(self, *, is_patient: bool = False) -> tuple[str, int, str]:
        """Return what is found at the address: its identity, how many rows it has, and a remark.

        :param is_patient: wait until it is certain that a first row is lost which cannot be read yet.
        :raises UnknownFormatError: if it lacks what is read.
        :raises SourceUnavailableError: if it cannot be read now.
        """
        while True:
            began = time.monotonic()
            try:
                return self._look()
            except SourceUnavailableError:
                since = _doubts.get(self._key(_HEAD))
                if not is_patient or since is None or began - since >= PATIENCE_S:
                    raise
            time.sleep(_PAUSE_S)

    def _look(self) -> tuple[str, int, str]:
        with opened(self.spec.address) as file:
            try:
                self.check(file)
                return self._identity(file), self.count(file), self.remark(file)
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
        key = self._key(start)
        now = time.monotonic()
        since = _doubts.setdefault(key, now)
        while len(_doubts) > _MOST_DOUBTS:
            del _doubts[next(iter(_doubts))]
        try:
            rested_s = time.time() - os.stat(self.spec.address).st_mtime
        except OSError:
            return False
        return max(rested_s, now - since) >= PATIENCE_S

    def _key(self, start: int) -> tuple[str, str, int]:
        return self.spec.address, self.spec.identity, start

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
        """Return the identity; by another row than the first, if that is lost or the file is known by it."""
        try:
            head = self.head(file)
        except UNREADABLE as error:
            other = self._other_row(file)
            if other is None:
                raise
            found = identity_of(self.spec.address, other)
            if found != base_of(self.spec.identity) and not self._is_certain(_HEAD):
                msg = f"the first row of {self.spec.address!r} cannot be read yet: {error}"
                raise SourceUnavailableError(msg) from error
            return found
        _doubts.pop(self._key(_HEAD), None)
        return identity_of(self.spec.address, head)

    def _other_row(self, file: Any) -> bytes | None:
        """Return the first of some rows that can be read, with its number; None if there is none.

        They begin chunks 1, 2, 4, 8 and so on, so that they are few, and the same when the file has grown.
        """
        row, count = max(1, self.chunk_rows(file)), self.count(file)
        while row < count:
            try:
                found = self.take(file, row, row + 1)
            except UNREADABLE:
                pass
            else:
                if isinstance(found, Batch):
                    return f"{row} {found.digest()}".encode()
            row *= 2
        return None

    def _unavailable(self, error: Exception) -> Exception:
        if isinstance(error, (UnknownFormatError, SourceUnavailableError)):
            return error
        msg = f"{self.spec.address!r} cannot be read now: {type(error).__name__}: {error}"
        return SourceUnavailableError(msg)
