"""What one commit writes of one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hutch.documents import decode
from hutch.store import DocumentRow, Mark, NewBatch

if TYPE_CHECKING:
    from hutch.recording.stream_buffer import PackedEvents, StreamBuffer
    from hutch.store.columns import Layout

__all__ = ["REPLACED", "Lot", "Refused", "Trouble", "added_up"]

REPLACED = "cannot be kept exactly: its repr is kept"
"""Said of what no document can hold, an arbitrary object for example."""


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
    events: list[tuple[StreamBuffer, PackedEvents]] = field(default_factory=list)
    batches: list[tuple[StreamBuffer, Layout, NewBatch]] = field(default_factory=list)
    """The events once they are serialized, those of large batches in files."""
    marks: list[Mark] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    stop: dict[str, Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.documents or self.events or self.marks or self.refused or self.stop)

    def troubles(self) -> list[Trouble]:
        """Return what was wrong with what this lot writes."""
        marks = [Trouble(f"{mark.stream} {mark.key}".strip(), mark.reason) for mark in self.marks]
        return marks + [Trouble(refused.kind, refused.reason) for refused in self.refused]

    def contents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the documents that this lot writes, less its descriptors."""
        from hutch.store.unpacking import events

        for document in self.documents:
            if document.kind != "descriptor":
                yield document.kind, decode(document.body)
        for buffer, packed in self.events:
            for _, event in events(packed.batch, packed.layout, buffer.uid):
                yield "event", event
        for refused in self.refused:
            yield refused.kind, decode(refused.body)
        if self.stop is not None:
            yield "stop", self.stop


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
