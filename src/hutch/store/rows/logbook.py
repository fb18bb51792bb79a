"""What the tables of the logbook hold, row by row; the fields stand in the order of the columns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AuditRow",
    "BlobRow",
    "ChainHead",
    "EntryFilter",
    "EntryRow",
    "JobRow",
    "NewBlob",
    "NewEntry",
    "RunNumberRow",
    "RunTableRow",
    "VersionRow",
    "WorkflowRow",
]


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry that is to be added."""

    experiment: str
    parent: int | None
    root: int | None
    """The first entry of its thread; None if that is itself."""
    run_num: int | None
    author: str
    time: float
    """s since 1970."""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it is now, with the last of its versions. All times are in s since 1970."""

    id: int
    experiment: str
    parent: int | None
    root: int | None
    run_num: int | None
    author: str
    time: float
    version: int
    edited: float | None
    deleted: float | None
    key: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of an entry, which is a link of the chain of its experiment."""

    id: int
    experiment: str
    number: int
    """Counts up in the experiment."""
    entry: int
    version: int
    """Counts up in the entry."""
    action: str
    time: float
    author: str
    before: bytes
    """Digest of the link before."""
    digest: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last link of the chain of an experiment."""

    experiment: str
    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries are wanted; what is None or empty does not matter."""

    experiment: str
    terms: tuple[str, ...] = ()
    """That an entry must all have, of which a word may stand for all that begin so; see
    :mod:`hutch.store.statements.entry_terms`."""
    first_run: int | None = None
    last_run: int | None = None
    since: float | None = None
    """s since 1970."""
    until: float | None = None
    """s since 1970, itself not included."""
    is_deleted: bool | None = False
    """None: deleted ones as well."""
    is_root: bool = False
    """Only those that answer no other."""
    before: tuple[float, int] | None = None
    """Time and id of an entry: only older ones."""


@dataclass(frozen=True, slots=True)
class NewBlob:
    """The bytes of an attachment that are to be kept, in a row or in a file."""

    digest: str
    size: int
    crc32: int
    type: str
    time: float
    file: str | None
    thumbnail: bytes | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class BlobRow:
    """The bytes of an attachment, without themselves."""

    id: int
    digest: str
    size: int
    crc32: int
    type: str
    time: float
    file: str | None
    has_thumbnail: bool


@dataclass(frozen=True, slots=True)
class RunNumberRow:
    """The number of a run in an experiment."""

    id: int
    experiment: str
    number: int
    run: int


@dataclass(frozen=True, slots=True)
class RunTableRow:
    """A run table that somebody has defined."""

    experiment: str
    name: str
    definition: bytes
    time: float
    author: str


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow as it is defined now."""

    id: int
    experiment: str
    name: str
    owner: str
    definition: bytes
    version: int
    time: float
    removed: float | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of a workflow. All times are in s since 1970."""

    id: int
    experiment: str
    run_num: int | None
    workflow: int
    status: str
    created: float
    updated: float
    author: str
    counters: bytes
    token: str | None
    """SHA-256 of what lets the job report."""
    expires: float | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Somebody did something in an experiment."""

    id: int
    experiment: str
    time: float
    author: str
    action: str
    subject: str
    details: bytes | None
