"""Metadata that bluesky kept until now, in a folder or a file of its own, into a store's stash."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from hutch.errors import DocumentError
from hutch.recording.persistent_dict import read_persistent_dict
from hutch.recording.stash import Stash
from hutch.store import Store
from hutch.store.history_dict import read_history_dict

__all__ = ["ImportedMetadata", "import_metadata", "is_metadata"]

_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class ImportedMetadata:
    """What came of importing metadata.

    :param taken: keys that are new in the store.
    :param known: keys that the store had already, whose values stay.
    :param refused: by key, why others can't be metadata.
    """

    path: Path
    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def is_metadata(path: str | os.PathLike[str]) -> bool:
    """Tell whether this may be the folder of a ``PersistentDict`` or the file of a ``HistoryDict``."""
    place = Path(path)
    if place.is_dir():
        return True
    if not place.is_file():
        # What is read from a pipe is gone.
        return False
    try:
        with place.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def import_metadata(store: Store, path: str | os.PathLike[str]) -> ImportedMetadata:
    """Take over what a ``PersistentDict`` or ``HistoryDict`` keeps, less the keys that the stash has.

    The folder or file is left as it is.

    :raises ImportFileError: if it is something else.
    :raises MissingExtraError: if msgpack, which comes with ``hutch[bluesky]``, is not installed.
    """
    place = Path(path)
    found = read_persistent_dict(place) if place.is_dir() else read_history_dict(place)
    stash = Stash(store)
    imported = ImportedMetadata(place)
    for key, value in found.items():
        if key in stash:
            imported.known.append(key)
            continue
        try:
            stash[key] = value
        except DocumentError as error:
            imported.refused[key] = str(error)
        else:
            imported.taken.append(key)
    return imported
