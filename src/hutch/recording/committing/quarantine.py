"""Documents that have no place: into the store's quarantine, or aside while the store takes nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hutch.documents import decode, encode_lossy
from hutch.errors import StoreError
from hutch.recording.spooling.spool import SpoolFile, line_of
from hutch.recording.uids import uid_in
from hutch.store import RunRow, Store
from hutch.store.pacing import Pace

__all__ = ["Quarantine", "stored_run", "why_no_descriptor"]

logger = logging.getLogger("hutch.recording")

_MEMORY_BYTES = 32_000_000
"""Bytes of documents in memory beyond which only the file has them."""

_GROUP = 500


@dataclass(frozen=True)
class _Waiting:
    run: int | None
    kind: str
    reason: str
    body: bytes


class Quarantine:
    """Takes documents for the quarantine of one store, whatever happens to the store meanwhile.

    It is true while some of them wait to be stored.

    :param mark: of the store, see :func:`hutch.recording.spooling.spool.mark_of`.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._size = 0
        self._file: SpoolFile | None = None
        self._has_more = False
        """The file has what is not in memory any more."""
        self._is_doubtful = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(
        self,
        store: Store,
        run: int | None,
        kind: str,
        reason: str,
        doc: Any,
        *,
        is_away: bool = False,
        retried: bool = False,
    ) -> None:
        """Put a document away.

        :param run: the run that it is known to belong to.
        :param is_away: the store need not be tried.
        :param retried: the caller has the document still.
        :raises StoreError: if ``retried`` and the store cannot take it.
        """
        logger.warning("A document of kind %r was put into quarantine: %s", kind, reason)
        refused = _Waiting(run, kind, reason, encode_lossy(doc)[0])
        error: StoreError | None = None
        if retried or not (is_away or self._waiting):
            try:
                _store(store, [refused])
            except StoreError as first:
                if retried:
                    raise
                error = first
            else:
                return
        with self._lock:
            self._keep(refused, error)

    def commit(self, store: Store) -> bool:
        """Store what waits.

        :returns: whether there is more in a file that was left to whoever comes.
        """
        pace = Pace()
        while self._waiting:
            group = self._waiting[:_GROUP]
            try:
                known = {row.body for row in store.quarantined()} if self._is_doubtful else set()
                _store(store, [refused for refused in group if refused.body not in known], pace)
            except StoreError:
                self._is_doubtful = True
                return False
            self._is_doubtful = False
            with self._lock:
                del self._waiting[: len(group)]
                self._size -= sum(len(refused.body) for refused in group)
        store.sync()
        with self._lock:
            if self._file is None or self._waiting:
                return False
            if not self._has_more:
                self._file.discard()
                self._file = None
                return False
            self._leave()
            return True

    def leave(self) -> None:
        """Leave what waits to whoever comes."""
        with self._lock:
            if self._file is not None:
                path = self._leave()
                logger.error("Documents without a place are kept in %s", path)
            elif self._waiting:
                logger.critical("%d documents without a place are lost", len(self._waiting))

    def _keep(self, refused: _Waiting, error: StoreError | None) -> None:
        try:
            if self._file is None:
                self._file = SpoolFile.create("quarantine", self._mark)
                logger.error("%s Documents without a place are kept in %s", error or "", self._file.path)
            self._file.append(line_of(refused.kind, refused.body))
        except (OSError, ValueError) as second:
            logger.critical("A document of kind %r is only in memory: %s", refused.kind, second)
        else:
            if self._size > _MEMORY_BYTES:
                self._has_more = True
                return
        self._waiting.append(refused)
        self._size += len(refused.body)

    def _leave(self) -> str:
        assert self._file is not None  # noqa: S101 - whoever calls has looked
        path = self._file.let_go()
        self._file, self._has_more = None, False
        return str(path)


def stored_run(store: Store, doc: dict[str, Any]) -> RunRow | None:
    """Return the run of the store that a document names."""
    uid = uid_in(doc, "run_start")
    rows = store.runs_by_uid([uid]) if uid else []
    return rows[0] if rows else None


def why_no_descriptor(store: Store, doc: dict[str, Any]) -> str:
    """Return why the descriptor of an event is not among those of open runs."""
    uid = uid_in(doc, "descriptor")
    if uid and store.find_document("descriptor", uid) is not None:
        return "it came after the stop document of its run"
    return f"its descriptor {doc.get('descriptor')!r:.80} is not known"


def _store(store: Store, some: Sequence[_Waiting], pace: Pace | None = None) -> None:
    linked = [refused.run or _nearest_run(store, decode(refused.body)) for refused in some]
    with pace.transaction(store) if pace else store.transaction() as writer:
        for run, refused in zip(linked, some, strict=True):
            writer.quarantine(run, refused.kind, refused.reason, refused.body)


def _nearest_run(store: Store, doc: Any) -> int | None:
    """Return the run that a document without a place is nearest to, open or not."""
    if not isinstance(doc, dict):
        return None
    row = stored_run(store, doc)
    if row is not None:
        return row.id
    descriptor = uid_in(doc, "descriptor")
    found = store.find_document("descriptor", descriptor) if descriptor else None
    return found[0] if found else None
