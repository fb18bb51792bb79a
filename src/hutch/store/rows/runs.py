"""What the tables of a store hold, row by row, as everything above the database sees it.

No row holds a parsed document: bodies are the bytes of :mod:`hutch.documents.encoding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

__all__ = [
    "AmendmentRow",
    "Batch",
    "Change",
    "DocumentRow",
    "Mark",
    "NewBatch",
    "OwnerRow",
    "Posted",
    "PostedRow",
    "QuarantineRow",
    "RetentionRow",
    "RunContents",
    "RunRow",
    "Segment",
    "TombstoneRow",
    "Topic",
    "posted_of",
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
    AMEND = "amend"
    """A start document was corrected; the reference is the run's uid."""
    DELETE = "delete"
    """A run was deleted; the reference is its uid."""
    POST = "post"
    """A value was posted to a run; the reference is its source and name, as in ``param.gain``."""
    TILE = "tile"
    """A plot of the monitor was brought up to date; the reference is its source."""
    VERDICT = "verdict"
    """A verdict turned bad, for the first time since it was good: ``bad 17 packet_rate``.

    The reference is the verdict, its number among what was posted (:attr:`PostedRow.id`, by which
    ``Store.frozen_figure`` has the picture of that moment) and the name, which may have blanks.
    """
    COMPACT = "compact"
    """Batches were replaced by fewer that hold the same events; the reference is ``stream``."""
    ENTRY = "entry"
    """An entry of the logbook was written or changed; the reference is its experiment and number."""
    NUMBER = "number"
    """A run was given a number in an experiment; the reference is the experiment and the number."""
    JOB = "job"
    """A job of a workflow was made or reported; the reference is its experiment and number."""


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
    """The start document as it was recorded."""
    stop: bytes | None
    amended: bytes | None = None
    """The start document as it was amended since; None if it never was."""

    @property
    def current(self) -> bytes:
        """The start document as it is now: what searches find, and people see."""
        return self.start if self.amended is None else self.amended


@dataclass(frozen=True, slots=True)
class AmendmentRow:
    """One correction of a start document."""

    id: int
    run: int
    time: float
    """When it was made, s since 1970."""
    author: str
    reason: str
    edits: bytes
    """What changed."""


@dataclass(frozen=True, slots=True)
class TombstoneRow:
    """What is left of a run that was deleted."""

    uid: str
    run: int
    """The id that it had."""
    time: float
    scan_id: int | None
    deleted: float
    """When it was deleted, s since 1970."""
    author: str
    reason: str
    summary: bytes
    """What there was."""


@dataclass(frozen=True, slots=True)
class RetentionRow:
    """A rule that says which runs may be deleted."""

    name: str
    rule: bytes
    time: float
    """When it was made, s since 1970."""
    author: str


@dataclass(frozen=True, slots=True)
class PostedRow:
    """A parameter or a verdict that was posted to a run; of each name the last is what holds."""

    id: int
    run: int
    source: str
    """``param`` or ``dqm``."""
    name: str
    value: bytes | None
    """None if it was removed."""
    time: float
    """s since 1970."""
    author: str
    origin: bytes | None
    """Where it comes from, as a document: a job, a check."""


Posted = dict[str, dict[str, bytes]]
"""What holds of what was posted to a run, by source and name."""


def posted_of(rows: Iterable[Sequence[Any]]) -> dict[int, Posted]:
    """Return what holds of what was posted to runs.

    :param rows: run, source, name and value of all of it, the oldest first.
    """
    found: dict[int, Posted] = {}
    for run, source, name, value in rows:
        values = found.setdefault(run, {}).setdefault(source, {})
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value
    return found


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """A process that records, or has recorded."""

    uid: str
    host: str
    pid: int
    program: str
    since: float
    """s since 1970."""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that is neither start, stop nor event; ``number`` is its arrival number."""

    number: int
    kind: str
    uid: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """Batches of one descriptor that share one Arrow schema (see :mod:`hutch.store.batches.columns`)."""

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
class RunContents:
    """What the tables hold of one run besides its row, the bytes of batches left out."""

    batches: list[Batch] = field(default_factory=list)
    """By first arrival."""
    segments: list[Segment] = field(default_factory=list)
    documents: list[DocumentRow] = field(default_factory=list)
    """In order of arrival."""
    marks: list[Mark] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Kind and reason of each document in quarantine."""
    posted: Posted = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the changes feed; ``number`` grows and becomes visible in order."""

    number: int
    topic: Topic
    run: int | None
    reference: str
