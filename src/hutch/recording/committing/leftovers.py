"""What processes that died have left in the spool, taken into the store in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from hutch.errors import HutchError, ImportFileError, RunDeletedError
from hutch.recording.spooling import spool
from hutch.store import Store

__all__ = ["take_in"]

logger = logging.getLogger("hutch.recording")


class _Ended(Exception):  # noqa: N818 - nothing is wrong
    """There is no more time."""


def take_in(
    store: Store, mark: str, is_over: Callable[[], bool], paths: Iterable[Path] | None = None
) -> list[Path]:
    """Store what abandoned files of a store hold, and remove them.

    What the store has already is left alone. A file that could not be stored to its end stays.

    :param mark: of the store.
    :param is_over: tells that there is no more time.
    :param paths: of the files; else all of the store.
    :returns: files that could not be stored.
    """
    left = []
    for path in spool.abandoned_files(mark) if paths is None else paths:
        if is_over():
            break
        try:
            mine = spool.claim(path)
        except OSError as error:
            logger.warning("%s cannot be taken in: %s", path, error)
            break
        free = None if mine is None else _take_in_one(store, mine, is_over)
        if free is not None:
            left.append(free)
    return left


def _take_in_one(store: Store, path: Path, is_over: Callable[[], bool]) -> Path | None:
    """Store what is in a file; return where it is if that was not possible."""
    from hutch.recording.importing.importer import import_file

    def look(done: int, total: int) -> None:
        if is_over():
            raise _Ended

    try:
        if path.stat().st_size:
            _check_not_deleted(store, path)
            imported = import_file(store, path, look)
            count, skipped = imported.documents.total(), imported.skipped
            store.sync()
            logger.warning(
                "Stored what another process had left in %s: %d documents, %d were there",
                path.name,
                count,
                skipped,
            )
        spool.remove(path)
    except _Ended:
        spool.release(path)
    except (HutchError, OSError) as error:
        free = spool.release(path)
        is_damaged = isinstance(error, ImportFileError)
        logger.log(
            logging.ERROR if is_damaged else logging.WARNING,
            "What another process has left in %s is not stored yet: %s",
            free,
            error,
        )
        return free
    except BaseException:
        spool.release(path)
        raise
    return None


def _check_not_deleted(store: Store, path: Path) -> None:
    """Raise if a file is of a run that was deleted since: only a person can want that back.

    :raises RunDeletedError: saying what to do.
    """
    from hutch.recording.importing.document_files import read_documents

    name, document = next(read_documents(path, spooled=True), ("", {}))
    uid = document.get("uid") if name == "start" else None
    if not isinstance(uid, str) or store.runs_by_uid([uid]):
        return
    for row in store.tombstones(uid):
        if row.uid == uid:
            msg = (
                f"run {uid!r} was deleted by {row.author}: {row.reason}. "
                "Delete the file, or bring back what is in it with: hutch import"
            )
            raise RunDeletedError(msg, uid)
