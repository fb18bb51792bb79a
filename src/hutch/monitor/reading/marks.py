"""How the last row that was taken into account looked, by which it is noticed that a file was written anew.

A file that is cut short and grows again while nobody looks has as many rows as one that has only grown.
"""

from __future__ import annotations

from hutch.errors import HutchError
from hutch.monitor.sources import BadRange, Source

__all__ = ["Marks"]


class Marks:
    """The marks of a source that is open.

    :param rows: how many there are.
    """

    def __init__(self, source: Source, rows: int) -> None:
        self._source = source
        self._rows = rows
        self._known: dict[int, str] = {0: ""}

    def of(self, cursor: int) -> str:
        """Return the mark of the row before one; empty if it has none: it cannot be read, or is not there."""
        if cursor not in self._known:
            self._known[cursor] = self._read(cursor)
        return self._known[cursor]

    def agrees(self, cursor: int, mark: str) -> bool:
        """Tell whether the rows up to one may still be what they were when it had a mark."""
        return cursor <= self._rows and (not mark or self.of(cursor) in (mark, ""))

    def _read(self, cursor: int) -> str:
        try:
            batch = self._source.read(cursor - 1, cursor)
        except HutchError:
            return ""
        if isinstance(batch, BadRange) or batch.stop != cursor:
            return ""
        return batch.digest()
