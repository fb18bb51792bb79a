"""Entries of the logbook and their versions, as people see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from hutch.documents import decode
from hutch.documents.text import has_shape, storable
from hutch.errors import DocumentError
from hutch.store.rows.logbook import EntryRow, VersionRow

__all__ = [
    "Attachment",
    "Content",
    "Entry",
    "EntryPage",
    "Format",
    "Version",
    "clean_tags",
    "clean_text",
    "clean_time",
    "clean_title",
    "refuse_empty",
]

_LONGEST_TEXT = 2_000_000
_LONGEST_TITLE = 500
_LONGEST_TAG = 100
_MOST_TAGS = 100


class Format(StrEnum):
    """What the text of an entry is."""

    MARKDOWN = "markdown"
    TEXT = "text"
    HTML = "html"
    """Cleaned when it is shown."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an entry.

    :ivar id: counts up in the entry, from 1 on.
    :ivar name: as it was given, which may be anything: never a path to write to.
    :ivar digest: SHA-256 of the bytes, by which they are kept.
    :ivar type: as the bytes say, not the name.
    :ivar size: bytes.
    """

    id: int
    name: str
    digest: str
    type: str
    size: int
    description: str = ""
    has_thumbnail: bool = False

    @property
    def is_image(self) -> bool:
        """True if the bytes are a raster image, which may be shown in a page."""
        return self.type.startswith("image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an entry says."""

    title: str
    text: str
    format: Format
    tags: tuple[str, ...]
    run_num: int | None
    shift: str | None
    attachments: tuple[Attachment, ...]

    def to_body(self) -> dict[str, Any]:
        """Return it as the store keeps it."""
        return {
            "title": self.title,
            "text": self.text,
            "format": self.format.value,
            "tags": list(self.tags),
            "run_num": self.run_num,
            "shift": self.shift,
            "files": [asdict(file) for file in self.attachments],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Content):
    """An entry as it is now. All times are in s since 1970.

    :ivar author: of the first version.
    :ivar version: the number of the last one.
    :ivar parent: the entry that it answers.
    :ivar root: the first entry of its thread, which may be itself.
    """

    id: int
    experiment: str
    author: str
    time: float
    version: int
    edited: float | None
    deleted: float | None
    parent: int | None
    root: int

    @classmethod
    def of(cls, row: EntryRow) -> Entry:
        """Return an entry as the store has it."""
        return cls(
            id=row.id,
            experiment=row.experiment,
            author=row.author,
            time=row.time,
            version=row.version,
            edited=row.edited,
            deleted=row.deleted,
            parent=row.parent,
            root=row.root or row.id,
            **_content(row.body),
        )

    @property
    def is_deleted(self) -> bool:
        """True if somebody has deleted it; it can be restored."""
        return self.deleted is not None

    def attachment(self, attachment: int) -> Attachment | None:
        """Return an attachment by its number; None if there is none."""
        return next((file for file in self.attachments if file.id == attachment), None)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Content):
    """One version of an entry. All times are in s since 1970.

    :ivar entry: the number of the entry.
    :ivar version: counts up in the entry, from 1 on.
    :ivar number: counts up in the experiment, from 1 on.
    :ivar action: ``post``, ``edit``, ``delete`` or ``restore``.
    :ivar author: who did that.
    :ivar digest: of it and all versions before it in the experiment.
    """

    entry: int
    version: int
    number: int
    action: str
    time: float
    author: str
    digest: str

    @classmethod
    def of(cls, row: VersionRow) -> Version:
        """Return a version as the store has it."""
        return cls(
            entry=row.entry,
            version=row.version,
            number=row.number,
            action=row.action,
            time=row.time,
            author=row.author,
            digest=bytes(row.digest).hex(),
            **_content(row.body),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Some entries, the newest first.

    :ivar next: give it as ``before`` to get those after them; None if there are no more.
    """

    entries: tuple[Entry, ...]
    next: int | None


def _content(body: bytes) -> dict[str, Any]:
    found: Mapping[str, Any] = decode(body)
    return {
        "title": found["title"],
        "text": found["text"],
        "format": Format(found["format"]),
        "tags": tuple(found["tags"]),
        "run_num": found["run_num"],
        "shift": found["shift"],
        "attachments": tuple(Attachment(**file) for file in found["files"]),
    }


# what may be written


def refuse_empty(text: str, title: str, file_count: int) -> None:
    """Raise if an entry would say nothing.

    :raises DocumentError: if it has neither text nor a title nor files.
    """
    if not (text.strip() or title.strip() or file_count):
        msg = (
            "An entry has a text, a title or a file, and this one has none, so nothing is written. Give one."
        )
        raise DocumentError(msg)


def clean_text(text: str) -> str:
    """Return the text of an entry as it is kept.

    :raises DocumentError: if it is no text, or too long.
    """
    if not isinstance(text, str):
        raise DocumentError(f"The text of an entry is {type(text).__name__}. Give text.")
    if len(text) > _LONGEST_TEXT:
        msg = (
            f"The text has {len(text):,} characters, and an entry takes {_LONGEST_TEXT:,}. Attach it as a "
            "file instead."
        )
        raise DocumentError(msg)
    return storable(text).replace("\r\n", "\n").replace("\r", "\n")


def clean_time(time: float) -> float:
    """Return when an entry was written, s since 1970, as it is kept.

    :raises DocumentError: if no calendar has it, as if it were in ms.
    """
    try:
        datetime.fromtimestamp(time, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise DocumentError(
            f"{time!r} is no time. Give s since 1970, between the years 1 and 9999."
        ) from None
    return float(time)


def clean_title(title: str | None) -> str:
    """Return the title of an entry as it is kept: one line, and else as it was given.

    :raises DocumentError: if it is too long.
    """
    given = storable(title or "")
    lines = "".join(char if has_shape(char) else "\n" for char in given).split("\n")
    found = " ".join(line for line in lines if line) if given.strip() else ""
    if len(found) > _LONGEST_TITLE:
        msg = f"The title has {len(found):,} characters. Give at most {_LONGEST_TITLE}, and the rest as text."
        raise DocumentError(msg)
    return found


def clean_tags(tags: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return tags as they are kept: white space separates them, and each stands there once.

    :param tags: several, or text in which white space separates them.
    :raises DocumentError: if one is too long, or there are too many.
    """
    given = [tags] if isinstance(tags, str) else list(tags or ())
    found = list(dict.fromkeys(tag for text in given for tag in storable(text).split()))
    for tag in found:
        if len(tag) > _LONGEST_TAG or not all(map(has_shape, tag)):
            msg = f"{tag[:40]!r} is no tag. Give up to {_LONGEST_TAG} characters that can be printed."
            raise DocumentError(msg)
    if len(found) > _MOST_TAGS:
        raise DocumentError(f"{len(found):,} tags are given. An entry has at most {_MOST_TAGS}.")
    return tuple(found)
