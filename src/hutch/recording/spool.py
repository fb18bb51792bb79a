"""The last resort: documents that the store cannot take, in a file that ``hutch import`` reads.

It lies where the disk of the store being full does not matter: ``$HUTCH_SPOOL``, else the user's state
folder (``$XDG_STATE_HOME/hutch/spool``, ``~/.local/state/hutch/spool``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.documents import encode_lossy

if TYPE_CHECKING:
    from hutch.recording.run_writer import RunWriter

__all__ = ["rescue", "spool_folder", "write_lines"]

logger = logging.getLogger("hutch.recording")


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
    path = folder / f"{_file_name(uid)}.jsonl"
    early = path.with_suffix(".part")
    with early.open("wb") as file:
        for name, document in documents:
            file.write(encode_lossy([name, document])[0] + b"\n")
        file.flush()
        os.fsync(file.fileno())
    early.replace(path)
    return path


def _file_name(uid: str) -> str:
    """Return a uid as part of a file's name; two uids never have the same."""
    if re.fullmatch("[A-Za-z0-9-]{1,80}", uid):
        return uid
    digest = hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub('[^A-Za-z0-9-]', '_', uid)[:60]}_{digest[:16]}"


def rescue(run: RunWriter, error: BaseException | None, *, say: bool = True) -> None:
    """Write what the store cannot take of a run into a file, and say how it gets back.

    :param say: False if that has been said before.
    """
    try:
        path = run.rescue(lambda documents: write_lines(run.row.uid, documents))
    except OSError as second:
        logger.critical(
            "Run %s is only in the memory of this process (%s; %s). Make room before you leave it.",
            run.row.uid,
            error,
            second,
        )
        return
    if path is None or not say:
        return
    logger.error(
        "%s What the store lacks of run %s is kept in %s. When there is room: hutch import %s --store %s",
        error,
        run.row.uid,
        path,
        path,
        run.store.location,
    )
