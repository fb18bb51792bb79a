"""Reading the SQLite file of a ``HistoryDict``, where bluesky kept metadata before ``PersistentDict``.

Table ``HISTORY_1_1`` has one row for each value that a key ever had: ``_id``, the SHA-1 of the key in
hexadecimal; ``N``, which grows with each value; and ``blob``, the value as JSON. The keys themselves are
the newest value of a key of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from hutch.errors import ImportFileError

__all__ = ["read_history_dict"]

_KEYS = "__list_of_currently_known_about_keys"


def read_history_dict(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the newest value of each key that a ``HistoryDict`` holds.

    :raises ImportFileError: if the file is not there or is something else.
    """
    path = Path(file).expanduser().absolute()
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return {key: _newest(connection, key) for key in _newest(connection, _KEYS)}
    except (sqlite3.Error, TypeError, ValueError) as error:
        msg = f"{str(file)!r} is no file of a HistoryDict: {error}."
        raise ImportFileError(msg) from error


def _newest(connection: sqlite3.Connection, key: str) -> Any:
    digest = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
    statement = "SELECT blob FROM HISTORY_1_1 WHERE _id = ? ORDER BY N DESC LIMIT 1"
    (blob,) = connection.execute(statement, (digest,)).fetchone()
    return json.loads(blob)
