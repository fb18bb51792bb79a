"""The last resort: documents that the store cannot take, in a file that ``hutch import`` reads.

It lies where the disk of the store being full does not matter: ``$HUTCH_SPOOL``, else the user's state
folder (``$XDG_STATE_HOME/hutch/spool``, ``~/.local/state/hutch/spool``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hutch.documents import encode

__all__ = ["spool_folder", "write_lines"]


def spool_folder() -> Path:
    """Return the folder of rescued documents; it may not exist yet."""
    if chosen := os.environ.get("HUTCH_SPOOL"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "hutch" / "spool"


def write_lines(uid: str, documents: Iterable[tuple[str, dict[str, Any]]]) -> Path:
    """Write documents as JSON lines of ``[name, document]`` and put them onto the disk.

    :param uid: of the run; a file of it that is there already is replaced, whole or not at all.
    :raises OSError: if that is not possible.
    """
    folder = spool_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub('[^A-Za-z0-9-]', '_', uid)[:80]}.jsonl"
    early = path.with_suffix(".part")
    with early.open("wb") as file:
        for name, document in documents:
            file.write(encode([name, document]) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    early.replace(path)
    return path
