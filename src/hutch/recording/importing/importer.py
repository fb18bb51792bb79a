"""Documents from a file into a store.

What the store has already is left alone, so a file may be imported twice, and again after it has grown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hutch.documents import decode
from hutch.documents.digests import digest
from hutch.errors import DocumentError, ImportFileError
from hutch.recording.events.duplicates import batches_of
from hutch.recording.events.paging import bulk_events, page_events
from hutch.recording.importing.document_files import Progress, read_documents
from hutch.recording.recorder import Recorder
from hutch.recording.spooling.spool import SpoolName, whereabouts
from hutch.store import RunRow, Store
from hutch.store.pacing import Pace

__all__ = ["Imported", "import_file"]


@dataclass
class Imported:
    """What came of importing one file."""

    path: Path
    documents: Counter[str] = field(default_factory=Counter)
    """What the file holds, by kind."""
    skipped: int = 0
    """Documents that the store had already."""
    runs: list[str] = field(default_factory=list)
    """Uids of runs that are new in the store."""
    known_runs: list[str] = field(default_factory=list)
    """Uids of runs that the store had already."""
    open_runs: list[str] = field(default_factory=list)
    """Uids of runs without a stop document, in the file or in the store; they are ``interrupted``."""
    marked: int = 0
    """Values that contradict their descriptor; kept, and marked in their runs."""
    quarantined: int = 0
    """Documents that have no place; kept whole in quarantine."""


def import_file(store: Store, path: str | os.PathLike[str], progress: Progress | None = None) -> Imported:
    """Record the documents of a file, less those that the store has.

    :param progress: called now and then with bytes done and bytes in all.
    :raises ImportFileError: if the file cannot be read or is something else, naming where; what came
        before that place stays in the store.
    :raises StoreError: if the store cannot take all of it; what it has taken stays there.
    :raises RunOwnedError: if another process records one of the runs.
    """
    spooled = SpoolName.parse(Path(path))
    if spooled is not None:
        path = whereabouts(Path(path))
        if not path.exists():
            msg = f"{str(path)!r} is not there any more: a recorder of its store has taken it in."
            raise ImportFileError(msg)
    importer = _Importer(store, Path(path), spooled.first_arrival if spooled else 0)
    try:
        for name, document in read_documents(path, progress, spooled=spooled is not None):
            importer.take(name, document)
    except ImportFileError as error:
        importer.finish()
        done = importer.imported.documents.total()
        msg = f"{error}\nThe {done:,} documents before that are imported." if done else str(error)
        raise ImportFileError(msg) from error
    finally:
        importer.finish()
    return importer.imported


class _Importer:
    """Gives a recorder what the store lacks.

    :param since: nothing in the file is known by a lower arrival number, but descriptors.
    """

    def __init__(self, store: Store, path: Path, since: int = 0) -> None:
        self.imported = Imported(path)
        self._store = store
        self._since = since
        self._recorder = Recorder(store, retried=True, pace=Pace())
        self._known: dict[str, _KnownRun] = {}
        self._run_of: dict[str, str] = {}
        self._ended: set[str] = set()
        self._counts_before: dict[str, int] = {}
        in_quarantine = store.quarantined()
        self._quarantined_before = {row.id for row in in_quarantine}
        self._quarantine = {digest(row.kind, decode(row.body)) for row in in_quarantine}
        self._is_finished = False

    def take(self, name: str, document: dict[str, Any]) -> None:
        """Record one document, or skip it."""
        self.imported.documents[name] += 1
        if name == "start":
            self._begin(document)
        uid = self._run_uid(name, document)
        run = self._known.get(uid)
        if digest(name, document) in self._quarantine or (run is not None and run.has(name, document)):
            self.imported.skipped += 1
        else:
            if run is not None:
                run.reopen(self._recorder)
            self._recorder(name, document)
        if name == "stop":
            self._known.pop(uid, None)
            self._ended.add(uid or str(document.get("run_start")))

    def finish(self) -> None:
        """Let go of runs without a stop, and count what was wrong."""
        if self._is_finished:
            return
        self._is_finished = True
        self._recorder.close()
        found = self.imported
        for uid, before in self._counts_before.items():
            for row in self._store.runs_by_uid([uid]):
                found.marked += self._count_marks(row) - before
                if row.stop is None:
                    found.open_runs.append(uid)
        present = {row.id for row in self._store.quarantined()}
        found.quarantined = len(present - self._quarantined_before)

    def _begin(self, start: dict[str, Any]) -> None:
        uid = start.get("uid")
        if not isinstance(uid, str) or (uid in self._counts_before and uid not in self._ended):
            return
        self._ended.discard(uid)
        rows = self._store.runs_by_uid([uid])
        if not rows:
            self._counts_before[uid] = 0
            self.imported.runs.append(uid)
            return
        if uid not in self._counts_before:
            self._counts_before[uid] = self._count_marks(rows[0])
            self.imported.known_runs.append(uid)
        self._known[uid] = known = _KnownRun(self._store, rows[0], self._since)
        self._run_of.update(dict.fromkeys(known.names, uid))

    def _run_uid(self, kind: str, document: dict[str, Any]) -> str:
        """Return the uid of the known run that a document belongs to, or an empty text."""
        if kind == "bulk_events":
            document = next(iter(_events_of(kind, document)), {})
        for key in ("run_start", "descriptor", "resource", "stream_resource", "uid"):
            name = document.get(key)
            if isinstance(name, str) and name in self._run_of:
                return self._run_of[name]
        return ""

    def _count_marks(self, row: RunRow) -> int:
        return sum(mark.count for mark in self._store.marks(row.id))


class _KnownRun:
    """What a store has of a run, as digests of its documents (16 bytes each).

    :param since: arrival number from which on events count.
    :ivar names: uids of the documents that others refer to.
    """

    def __init__(self, store: Store, row: RunRow, since: int = 0) -> None:
        self._start = decode(row.start)
        self._digests = {digest("start", self._start)}
        self._is_open = False
        self.names = [row.uid]
        if row.stop is not None:
            self._digests.add(digest("stop", decode(row.stop)))
        for document in store.documents(row.id):
            self._digests.add(digest(document.kind, decode(document.body)))
            self.names.append(document.uid)
        self._digests.update(digest("event", event) for event in _stored_events(store, row, since))

    def has(self, name: str, document: dict[str, Any]) -> bool:
        """Tell whether the store has a document, of a page all of its events."""
        if name not in ("event_page", "bulk_events"):
            return digest(name, document) in self._digests
        events = _events_of(name, document)
        return bool(events) and all(digest("event", event) in self._digests for event in events)

    def reopen(self, recorder: Recorder) -> None:
        """Let a recorder go on with the run."""
        if not self._is_open:
            recorder("start", self._start)
            self._is_open = True


def _events_of(kind: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events in a page or a bulk document; none if it is no such thing."""
    try:
        return page_events(document) if kind == "event_page" else bulk_events(document)
    except DocumentError:
        return []


def _stored_events(store: Store, row: RunRow, since: int) -> Iterator[dict[str, Any]]:
    from hutch.store.batches.unpacking import events

    for batch, layout, descriptor in batches_of(store, row.id, []):
        first = int(batch.column("arrival").to_numpy().searchsorted(since))
        yield from (event for _, event in events(batch.slice(first), layout, descriptor))
