"""Reading the folder of a bluesky ``PersistentDict``, where its metadata was kept until now.

One file a key: the name is the key with URL escapes, then ``#`` and a number that grew with each time the
key was set (older versions of ``zict``, which writes the files, leave that out); the content is msgpack,
with numpy arrays as ``msgpack_numpy`` writes them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hutch.errors import ImportFileError, MissingExtraError

__all__ = ["read_persistent_dict"]


def read_persistent_dict(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a ``PersistentDict`` keeps in a folder.

    :raises ImportFileError: if the folder is not there or holds something else.
    :raises MissingExtraError: if msgpack is not installed.
    """
    try:
        import msgpack
        import msgpack_numpy  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        msg = "Reading a PersistentDict needs msgpack. Install it with: pip install 'hutch[bluesky]'"
        raise MissingExtraError(msg) from error
    place = Path(folder).expanduser()
    if not place.is_dir():
        msg = f"{str(folder)!r} is no folder; a PersistentDict is a folder with one file for each key."
        raise ImportFileError(msg)
    found: dict[str, Any] = {}
    for file in sorted(place.iterdir(), key=_age):
        if file.is_dir():
            msg = f"{str(file)!r} is no file of a PersistentDict: it is a folder."
            raise ImportFileError(msg)
        try:
            value = msgpack.unpackb(file.read_bytes(), object_hook=msgpack_numpy.decode, raw=False)
        except (OSError, ValueError, msgpack.UnpackException) as error:
            msg = f"{str(file)!r} is no file of a PersistentDict: {error}."
            raise ImportFileError(msg) from error
        found[unquote(file.name.partition("#")[0])] = value
    return found


def _age(file: Path) -> int:
    """Return the number that a newer file of the same key has greater."""
    number = file.name.rpartition("#")[2]
    return int(number) if number.isdecimal() else -1
