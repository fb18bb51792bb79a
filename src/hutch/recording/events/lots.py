"""What one commit writes of one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hutch.store import DocumentRow, Mark, NewBatch

if TYPE_CHECKING:
    from hutch.recording.events.stream_buffer import PackedEvents, Rows, StreamBuffer
    from hutch.store.batches.columns import Layout

__all__ = ["ARRIVAL", "Lot", "Refused", "Trouble", "added_up", "in_lots"]

ARRIVAL = 3
"""Place of the arrival number in a row."""

_LARGEST_BATCH_ROWS = 16_384
_LARGEST_BATCH_VALUES = 2**19


class Refused(NamedTuple):
    """A document that can't be placed."""

    kind: str
    reason: str
    body: bytes


class Trouble(NamedTuple):
    """Something that was wrong with what arrived; it is kept all the same."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(eq=False)
class Lot:
    """Documents and batches that are written in one transaction, and kept until they are.

    What has arrival numbers in it follows without gaps on what has them in the lot before.
    """

    first: int = 0
    """Arrival number of the first document."""
    documents: list[DocumentRow] = field(default_factory=list)
    waiting: list[tuple[StreamBuffer, Rows]] = field(default_factory=list)
    """Events as they arrived."""
    events: list[tuple[StreamBuffer, PackedEvents]] = field(default_factory=list)
    """The same once they are packed, less those that are there already."""
    batches: list[tuple[StreamBuffer, Layout, NewBatch]] = field(default_factory=list)
    """The same once they are serialized, those of large batches in files."""
    marks: list[Mark] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    stop: dict[str, Any] | None = None
    place: tuple[int, int] | None = None
    """Where it begins and ends in the spool's file, if it is there."""
    replaced: list[Mark] = field(default_factory=list)
    """Of values that have been replaced in the spool's file."""
    is_taken: bool = False
    """It is being packed or written."""

    def __bool__(self) -> bool:
        return bool(self.documents or self.waiting or self.events or self.marks or self.refused or self.stop)

    @property
    def count(self) -> int:
        """The number of documents in it."""
        waiting = sum(len(rows[0]) for _, rows in self.waiting)
        packed = sum(int(packed.batch.num_rows) for _, packed in self.events)
        return len(self.documents) + waiting + packed

    @property
    def can_be_outside(self) -> bool:
        """True if its lines in the spool's file, and its marks, are all that there is to it."""
        is_plain = not (self.is_taken or self.events or self.refused or self.stop)
        return is_plain and self.place is not None

    def troubles(self) -> list[Trouble]:
        """Return what was wrong with what this lot writes."""
        marks = [Trouble(f"{mark.stream} {mark.key}".strip(), mark.reason) for mark in self.marks]
        return marks + [Trouble(refused.kind, refused.reason) for refused in self.refused]


def added_up(marks: Iterable[Mark]) -> list[Mark]:
    """Return marks with equal ones counted together."""
    found: dict[tuple[str, str, str], Mark] = {}
    for mark in marks:
        key = (mark.stream, mark.key, mark.reason)
        known = found.get(key)
        count = mark.count + (known.count if known else 0)
        first = min(mark.first_arrival, known.first_arrival) if known else mark.first_arrival
        found[key] = Mark(*key, count, first)
    return list(found.values())


def _cut(rows: Rows, count: int, limit: int) -> Iterator[Rows]:
    """Yield rows in lots of a length, the last one longer."""
    if count < 2 * limit:
        yield rows
        return
    starts = range(0, count - limit + 1, limit)
    for start in starts:
        stop = count if start == starts[-1] else start + limit
        yield [column[start:stop] for column in rows]


def in_lots(pages: list[Rows]) -> Iterator[Rows]:
    """Yield rows in lots of bounded length; of many columns, they have fewer rows."""
    from hutch.recording.events.stream_buffer import join_rows

    some: list[Rows] = []
    count = 0
    limit = max(1, min(_LARGEST_BATCH_ROWS, _LARGEST_BATCH_VALUES // len(pages[0]))) if pages else 1
    for page in pages:
        some.append(page)
        count += len(page[0])
        if count >= limit:
            yield from _cut(join_rows(some), count, limit)
            some, count = [], 0
    if some:
        yield join_rows(some)
