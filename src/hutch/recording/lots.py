"""What one commit writes of one run."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from hutch.documents import decode
from hutch.store import DocumentRow, Mark, NewBatch

if TYPE_CHECKING:
    from hutch.recording.stream_buffer import PackedEvents, Rows, StreamBuffer
    from hutch.store.columns import Layout

__all__ = ["Lot", "Refused", "Trouble", "added_up"]


_ARRIVAL = 3
"""Place of the arrival number in a row."""


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


@dataclass
class Lot:
    """Documents and batches that are written in one transaction, and kept until they are."""

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

    def __bool__(self) -> bool:
        return bool(self.documents or self.waiting or self.events or self.marks or self.refused or self.stop)

    def troubles(self) -> list[Trouble]:
        """Return what was wrong with what this lot writes."""
        marks = [Trouble(f"{mark.stream} {mark.key}".strip(), mark.reason) for mark in self.marks]
        return marks + [Trouble(refused.kind, refused.reason) for refused in self.refused]

    def contents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the documents that this lot writes, in order of arrival."""
        for _, kind, document in heapq.merge(*self._arrivals(), key=itemgetter(0)):
            yield kind, document
        for refused in self.refused:
            yield refused.kind, decode(refused.body)
        if self.stop is not None:
            yield "stop", self.stop

    def _arrivals(self) -> Iterator[Iterator[tuple[int, str, dict[str, Any]]]]:
        """Yield documents with their arrival numbers, those of one kind or batch in order."""
        from hutch.store.unpacking import events

        yield ((row.number, row.kind, decode(row.body)) for row in self.documents)
        for buffer, packed in self.events:
            found = events(packed.batch, packed.layout, buffer.uid)
            yield ((arrival, "event", event) for arrival, event in found)  # noqa: B023 - used up at once
        for buffer, rows in self.waiting:
            yield map(_arrived_event, repeat(buffer), zip(*rows, strict=True))


def _arrived_event(buffer: StreamBuffer, row: Sequence[Any]) -> tuple[int, str, dict[str, Any]]:
    return int(row[_ARRIVAL]), "event", buffer.event_of(row)


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
