"""The seam between the store and everything above it: a small protocol and its rows.

A backend gives a :class:`Store`. Reading never blocks writing; writing happens in
:meth:`Store.transaction`, which yields a :class:`Writer` and either commits everything that was
written in it or nothing. Each transaction appends what it did to the changes feed.

No row here holds a parsed document: bodies are the bytes of :mod:`hutch.documents.encoding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hutch.documents import Leaf

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Batch",
    "Change",
    "DocumentRow",
    "Mark",
    "NewBatch",
    "QuarantineRow",
    "RunRow",
    "Segment",
    "Store",
    "Topic",
    "Writer",
]


class Topic(StrEnum):
    """What a change in the feed is about."""

    START = "start"
    """A run began; the reference is its uid."""
    DATA = "data"
    """A batch of events was committed; the reference is ``stream``."""
    DOCUMENT = "document"
    """A descriptor or a document about external files; the reference is its kind."""
    STOP = "stop"
    """A run ended; the reference is its exit status."""
    QUARANTINE = "quarantine"
    """A document was put into quarantine; the reference is its kind."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. ``id`` grows in the order in which runs were first seen."""

    id: int
    uid: str
    time: float
    scan_id: int | None
    owner: str | None
    """The owner of an open run; None once it has ended or its owner let it go."""
    start: bytes
    stop: bytes | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that is neither start, stop nor event; ``number`` is its arrival number."""

    number: int
    kind: str
    uid: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """Batches of one descriptor that share one Arrow schema (see :mod:`hutch.store.columns`)."""

    id: int
    run: int
    stream: str
    descriptor: str
    """Uid of the descriptor."""
    schema: bytes
    """The Arrow schema as an IPC message."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch of events, without its bytes: :meth:`Store.load` gets those."""

    id: int
    segment: int
    first_arrival: int
    rows: int
    size: int
    """Bytes of the body, or of the file."""
    crc32: int
    file: str | None
    """Name of the Arrow file below the store's folder of files; None if the body is in the row."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch that is to be committed: its body, or the file that already holds it."""

    segment: int
    first_arrival: int
    rows: int
    size: int
    crc32: int
    body: bytes | None
    file: str | None

    def in_segment(self, segment: int) -> NewBatch:
        """Return this batch as one of a segment."""
        return replace(self, segment=segment)


@dataclass(frozen=True, slots=True)
class Mark:
    """Values of a run that contradict their descriptor or schema; kept, and counted here."""

    stream: str
    key: str
    reason: str
    count: int
    first_arrival: int


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A document that could not be placed, whole."""

    id: int
    run: int | None
    time: float
    kind: str
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the changes feed; ``number`` grows and becomes visible in order."""

    number: int
    topic: Topic
    run: int | None
    reference: str


class Writer(Protocol):
    """What can be written in one transaction."""

    def add_run(self, uid: str, time: float, scan_id: int | None, start: bytes) -> int | None:
        """Add an open run that this process owns; return its id, or None if the uid is there."""
        ...

    def end_run(self, run: int, stop: bytes, exit_status: str) -> None:
        """Store the stop document and let the run go."""
        ...

    def own_run(self, run: int) -> None:
        """Take over a run whose owner has died."""
        ...

    def disown_run(self, run: int) -> None:
        """Let an open run go, so that it is ``interrupted``."""
        ...

    def add_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> None:
        """Add rows to the index; rows that are there already are left alone."""
        ...

    def add_documents(self, run: int, documents: Sequence[DocumentRow]) -> list[DocumentRow]:
        """Add documents; return those whose ``(kind, uid)`` the run already has."""
        ...

    def add_segment(self, run: int, stream: str, descriptor: str, schema: bytes) -> int:
        """Add a segment; return its id."""
        ...

    def add_batches(self, run: int, stream: str, batches: Sequence[NewBatch]) -> None:
        """Commit batches of one stream."""
        ...

    def add_marks(self, run: int, marks: Sequence[Mark]) -> None:
        """Add to the counts of nonconforming values."""
        ...

    def quarantine(self, run: int | None, kind: str, reason: str, body: bytes) -> None:
        """Put a document away that cannot be placed."""
        ...

    def set_stash(self, key: str, value: bytes | None) -> None:
        """Set, or with None remove, one key of the metadata stash."""
        ...

    def stash(self) -> dict[str, bytes]:
        """Return the stash as this transaction sees it."""
        ...


class Store(Protocol):
    """Where runs are kept. Safe to use from several threads and processes."""

    @property
    def location(self) -> str:
        """What :func:`hutch.store.open_store` was given, for people."""
        ...

    @property
    def files(self) -> Path:
        """The folder of Arrow files."""
        ...

    # runs; "order" is by start time, then id

    def count_runs(self) -> int:
        """Return the number of runs."""
        ...

    def runs(self, *, start: int = 0, limit: int | None = None, newest_first: bool = False) -> list[RunRow]:
        """Return runs in order, ``limit`` of them from the ``start``-th on."""
        ...

    def run_uids(self) -> list[str]:
        """Return all uids, oldest first."""
        ...

    def runs_by_uid(self, uids: Sequence[str]) -> list[RunRow]:
        """Return the runs that have these uids, in no order."""
        ...

    def runs_by_prefix(self, prefix: str, limit: int) -> list[RunRow]:
        """Return runs whose uid begins with a text, newest first."""
        ...

    def run_by_scan_id(self, scan_id: int) -> RunRow | None:
        """Return the newest run with a scan_id."""
        ...

    def run_by_id(self, run: int) -> RunRow:
        """Return a run by its number."""
        ...

    def is_live(self, owner: str | None) -> bool:
        """Tell whether the owner of an open run is a process that lives."""
        ...

    # one run

    def documents(self, run: int, kinds: Sequence[str] | None = None) -> list[DocumentRow]:
        """Return a run's documents in order of arrival, of some kinds only if given."""
        ...

    def find_document(self, kind: str, uid: str) -> tuple[int, DocumentRow] | None:
        """Return the newest document of this kind and uid in any run, and the run's id."""
        ...

    def segments(self, run: int) -> list[Segment]:
        """Return a run's segments."""
        ...

    def batches(self, run: int, segment: int | None = None) -> list[Batch]:
        """Return what is committed of a run's events, by first arrival."""
        ...

    def load(self, batches: Sequence[Batch], schema: pa.Schema) -> list[pa.RecordBatch]:
        """Return record batches of one segment; those in files are memory-mapped.

        :raises CorruptBatchError: if a body or a file is gone or cut short.
        """
        ...

    def read_bytes(self, batch: Batch) -> bytes:
        """Return the bytes of a batch as they were committed, to compare with its crc32."""
        ...

    def marks(self, run: int) -> list[Mark]:
        """Return the nonconforming values of a run."""
        ...

    def quarantined(self, run: int | None = None) -> list[QuarantineRow]:
        """Return what is in quarantine, of one run if given."""
        ...

    def leaves(self, run: int) -> set[Leaf]:
        """Return the index rows of a run (slow: a scan; for verification)."""
        ...

    def missing_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> set[Leaf]:
        """Return those of some index rows of a run that are not there."""
        ...

    def count_leaves(self) -> dict[int, int]:
        """Return the number of index rows of each run (slow: one scan)."""
        ...

    # changes

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Return what was committed after a cursor, oldest first."""
        ...

    def last_change(self) -> int:
        """Return the cursor of now."""
        ...

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is a change after a cursor; tell whether there is."""
        ...

    # writing

    def transaction(self) -> AbstractContextManager[Writer]:
        """Open a transaction: committed on leaving, rolled back on an error.

        What is committed survives the death of the process; :meth:`sync` makes it survive a
        power cut.
        """
        ...

    def sync(self) -> None:
        """Put what is committed onto the disk."""
        ...

    def stash(self) -> dict[str, bytes]:
        """Return the metadata stash."""
        ...

    def close(self) -> None:
        """Close connections and let owned runs go."""
        ...
