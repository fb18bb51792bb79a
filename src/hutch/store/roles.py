"""What a store may be instead of a live one: a backup, a copy that is not complete, one that has moved.

It is said by two of the store's properties, as JSON:

- ``copy``: this store is a backup, or is being restored from one, or something is being moved here;
- ``moved``: this store has moved, and where to.

A backup keeps its ``copy`` for good. A restored store, and one that something was moved to, loses it when
it is complete, and is a live store from then on.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from hutch.errors import StoreError, StoreMovedError

__all__ = [
    "COPY",
    "MOVED",
    "MOVED_CODE",
    "RESTORED_FROM",
    "Copy",
    "Purpose",
    "admit",
    "backup_note",
    "is_backup",
    "moved_error",
    "moved_message",
]

logger = logging.getLogger("hutch.store")

COPY = "copy"
MOVED = "moved"
MOVED_CODE = "HU001"
"""What a PostgreSQL server calls the error of writing into a store that has moved."""
RESTORED_FROM = "restored_from"
"""What a restored store was made of, as JSON."""


class Purpose(StrEnum):
    """What rows are copied into a store for."""

    BACKUP = "backup"
    RESTORE = "restore"
    MOVE = "move"


@dataclass(frozen=True)
class Copy:
    """How far a store is as a copy of another one."""

    purpose: Purpose
    of: str
    """Uid of the store that is copied."""
    source: str
    """Where that is, for people."""
    is_complete: bool = False
    """Whether it has everything that the source had at one moment."""
    cursor: int = 0
    """Position in the source's feed; what came before it is here."""
    through: int | None = 0
    """Runs up to this id have been looked at; None if all have."""
    moment: float | None = None
    """When the source was as the copy was when it was complete last; s since 1970."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """What was wrong with batches of the source, by the name of a file or the number of a batch."""

    @classmethod
    def parse(cls, text: str) -> Copy:
        """Return what a property says."""
        said = json.loads(text)
        known: dict[str, Any] = {key: said[key] for key in cls.__dataclass_fields__ if key in said}
        return cls(**{**known, "purpose": Purpose(said["purpose"])})

    @property
    def text(self) -> str:
        """The property's value."""
        return json.dumps(asdict(self))

    def but(self, **changes: Any) -> Copy:
        """Return it with some changes."""
        return replace(self, **changes)


def admit(properties: Mapping[str, str], place: str) -> str | None:
    """Decide whether a store may be opened, and say so if it may only be read.

    :param properties: of the store.
    :param place: where it is, for people.
    :returns: why it may only be read; None if it is a live store.
    :raises StoreMovedError: if it has moved.
    :raises StoreError: if it is being restored, or something is being moved there.
    """
    if MOVED in properties:
        to = json.loads(properties[MOVED])["to"]
        raise StoreMovedError(moved_message(place, to), to)
    if COPY not in properties:
        return None
    copy = Copy.parse(properties[COPY])
    if copy.purpose is not Purpose.BACKUP:
        msg = (
            f"{place!r} is an unfinished {copy.purpose} of {copy.source!r}. "
            f"Run it again, it goes on where it stopped: hutch {copy.purpose} {copy.source} {place}"
        )
        raise StoreError(msg)
    if not copy.is_complete:
        logger.warning(
            "%r is an unfinished backup: run it again: hutch backup %s %s", place, copy.source, place
        )
    return f"it is a backup of {copy.source!r}. Make a live store of it with: hutch restore {place} DIR"


def is_backup(properties: Mapping[str, str]) -> bool:
    """Tell whether a store is a backup."""
    return COPY in properties and Copy.parse(properties[COPY]).purpose is Purpose.BACKUP


def backup_note(properties: Mapping[str, str], place: str) -> str:
    """Return what the folder of a backup tells people."""
    copy = Copy.parse(properties[COPY])
    return (
        f"This folder is a backup of the hutch store {copy.source}.\n"
        f"Read it:                  hutch runs --store {place}\n"
        f"Make a live store of it:  hutch restore {place} NEW-FOLDER\n"
        "Nothing may be written here but by hutch backup.\n"
    )


def moved_message(place: str, to: str) -> str:
    """Return what is said of a store that has moved."""
    return f"The store {place!r} has moved to {to!r}. Use that one: hutch runs --store {to}"


def moved_error(message: str) -> StoreMovedError:
    """Return the error of a store that says of itself that it has moved, in the words of this module."""
    found = re.search(r""" has moved to ('.*'|".*")\. Use """, message)
    return StoreMovedError(message, ast.literal_eval(found[1]) if found else "")
