"""What of a run is not committed, in order of arrival: some of it in memory, the rest in the spool.

Normally that is one lot on its way into the store. When the store cannot take it, what comes is appended
to a file, and beyond some budget the file alone has it, until it is read back in pieces. Not locked: who
uses it sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hutch.config import spool_memory_bytes
from hutch.recording.events.lots import Lot, added_up
from hutch.recording.spooling.spool import SpoolFile
from hutch.store import Mark

if TYPE_CHECKING:
    from hutch.recording.events.stream_buffer import StreamBuffer

__all__ = ["Backlog"]

_COST_IN_MEMORY = 2
"""Bytes in memory for each one in the file, about."""

_MOST_DOCUMENTS = 100_000
"""Documents of a run in memory beyond which what is in the spool is dropped from it."""

_MOST_LOTS = 1000
"""The same for lots: a slow run has one for each document."""

_GROUP_DOCUMENTS = 16_384
"""Documents that are written in one transaction, about, when there is much to write."""

_PIECE_BYTES = 4_000_000
"""Bytes that are read back from the file at once, about."""


@dataclass
class _Outside:
    """Consecutive documents that only the file has."""

    start: int
    end: int
    first: int
    """Arrival number of the first."""
    marks: list[Mark] = field(default_factory=list)


class Backlog:
    """The lots of one run; see the module.

    :ivar file: the spool's file, while there is one.
    """

    def __init__(self) -> None:
        self._memory_bytes = spool_memory_bytes()
        self.file: SpoolFile | None = None
        self._lots: list[Lot] = []
        self._outside: _Outside | None = None
        self._newer: list[Lot] = []
        """What came after that which is outside, and is not in the file yet."""

    def __bool__(self) -> bool:
        return bool(self._lots or self._outside or self._newer)

    @property
    def packed(self) -> list[Lot]:
        """The lots that may have been packed."""
        return self._lots

    def add(self, lot: Lot) -> None:
        """Append what has arrived."""
        (self._newer if self._outside else self._lots).append(lot)

    def next_group(self, buffers: Mapping[str, StreamBuffer]) -> list[Lot]:
        """Return the oldest lots, so many as one transaction may write; they stay until :meth:`done`.

        :param buffers: of the run's descriptors.
        :raises OSError: if what is in the file cannot be read.
        """
        if not self._lots:
            if self._outside is not None:
                self._lots.append(self._read_back(self._outside, buffers))
                if self._outside.start == self._outside.end:
                    self._lots += self._newer
                    self._outside, self._newer = None, []
            else:
                self._lots, self._newer = self._newer, []
        group: list[Lot] = []
        count = 0
        for lot in self._lots:
            count += lot.count
            if group and count > _GROUP_DOCUMENTS:
                break
            lot.is_taken = True
            group.append(lot)
        return group

    def ends_with(self, group: list[Lot]) -> bool:
        """Tell whether there is nothing newer than some of the oldest lots."""
        return len(self._lots) == len(group) and not (self._outside or self._newer)

    def done(self, group: list[Lot]) -> None:
        """Forget lots that are committed."""
        del self._lots[: len(group)]

    def put_back(self, group: list[Lot]) -> None:
        """Keep lots that could not be committed."""
        for lot in group:
            lot.is_taken = False

    def clear(self) -> None:
        """Forget everything."""
        self._lots, self._outside, self._newer = [], None, []

    def put_aside(self, create: Callable[[int], SpoolFile], beginning: Callable[[], Iterable[bytes]]) -> bool:
        """Append to the file what it does not have, and drop from memory what is beyond the budget.

        :param create: makes the file, given the arrival number of the first document.
        :param beginning: gives the lines that it begins with.
        :returns: whether there was something to append.
        :raises OSError: if the file cannot be written; what it did not take stays in memory.
        """
        missing = [lot for lot in (*self._lots, *self._newer) if lot.place is None]
        if missing and self.file is None:
            file = create(missing[0].first)
            try:
                file.append(b"".join(beginning()))
            except OSError:
                file.discard()
                raise
            self.file = file
        try:
            for lot in missing:
                self._append(lot)
        finally:
            self._move_out()
        return bool(missing)

    def _append(self, lot: Lot) -> None:
        from hutch.recording.spooling.spool_lines import lines_of

        assert self.file is not None  # noqa: S101 - made before
        start = self.file.size
        lot.replaced = []
        self.file.append(b"".join(lines_of(lot)))
        lot.place = (start, self.file.size)

    def _move_out(self) -> None:
        """Drop from memory what is beyond the budget, from there to the newest."""
        if self._outside is None:
            count = size = 0
            for position, lot in enumerate(self._lots):
                start, end = lot.place or (0, 0)
                count, size = count + lot.count, size + _COST_IN_MEMORY * (end - start)
                is_too_much = position >= _MOST_LOTS or count > _MOST_DOCUMENTS or size > self._memory_bytes
                if is_too_much and position and lot.can_be_outside:
                    self._newer = self._lots[position:]
                    del self._lots[position:]
                    self._outside = _Outside(start, start, lot.first)
                    break
        while self._newer and self._outside is not None:
            lot = self._newer[0]
            if not lot.can_be_outside or lot.place is None or lot.place[0] != self._outside.end:
                break
            self._outside.end = lot.place[1]
            self._outside.marks = added_up([*self._outside.marks, *lot.marks, *lot.replaced])
            del self._newer[0]

    def _read_back(self, outside: _Outside, buffers: Mapping[str, StreamBuffer]) -> Lot:
        """Return the oldest piece of what is outside as a lot."""
        from hutch.recording.spooling.spool_lines import read_lot

        assert self.file is not None  # noqa: S101 - it has what is outside
        text, wanted = b"", _PIECE_BYTES
        while not text:
            end = min(outside.start + wanted, outside.end)
            text = self.file.read(outside.start, end)
            if end < outside.end:
                text = text[: text.rfind(b"\n") + 1]
            wanted *= 2
        lot = read_lot(text, outside.first, buffers)
        lot.place = (outside.start, outside.start + len(text))
        outside.start += len(text)
        outside.first += lot.count
        if outside.start == outside.end:
            lot.marks = outside.marks
        return lot
