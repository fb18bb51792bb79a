"""Deletion of runs: first a plan that says what would go, then run after run, each whole or not at all.

A run goes in one transaction that leaves a tombstone: who, when, why, and what there was. Its Arrow
files are unlinked later, when nobody reads them any more. Files that detectors wrote are never touched.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hutch.catalogs.changing.retention_rules import Facts, RuleBook
from hutch.catalogs.expected_leaves import leaves_now
from hutch.catalogs.metadata import dictionary
from hutch.catalogs.signatures import Signature, sign
from hutch.catalogs.tombstones import present_row
from hutch.documents import decode, encode
from hutch.errors import HutchError, RunHeldError, RunNotFoundError, RunOwnedError, StoreFullError
from hutch.store.pacing import Pace
from hutch.store.protocols.store import DocumentRow, RunRow, Store, TombstoneRow

__all__ = ["Deletion", "DeletionResult", "PlannedRun", "Progress", "plan_run"]

Progress = Callable[[int, int], object]
"""Called with how many runs are done, and how many there are."""

_MANY_ROWS, _MANY_BYTES = 1000, 16_000_000
"""Batches in rows of the database, and their bytes, that are deleted within some hundredths of a second."""

_CHANGED = "it has changed since it was looked at; look again"
_RULES_CHANGED = "the rules of retention have changed since it was looked at; look again"


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be deleted, and what goes with it."""

    row: RunRow = field(repr=False)
    uid: str
    scan_id: int | None
    plan: str
    time: float
    """Of the start, s since 1970."""
    status: str
    streams: Mapping[str, int]
    """Rows of each stream."""
    documents: int
    """Start, stop and other documents that are no events."""
    size_bytes: int
    """Of documents and events."""
    external: tuple[str, ...]
    """Files of detectors that its documents name; they stay."""
    reason: str = ""
    """Why it goes; empty if whoever deletes it says so."""
    obstacle: HutchError | None = None
    """Why it can't be deleted, or None."""

    @property
    def events(self) -> int:
        """The number of events of all streams."""
        return sum(self.streams.values())

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        words = ("uid", "scan_id", "plan", "time", "status", "streams", "events", "documents", "size_bytes")
        found = {word: getattr(self, word) for word in (*words, "external", "reason")}
        return {**found, "obstacle": None if self.obstacle is None else str(self.obstacle)}


@dataclass
class DeletionResult:
    """What became of a deletion; uids of runs."""

    deleted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Somebody else deleted them since they were looked at."""
    spared: dict[str, str] = field(default_factory=dict)
    """Still there, and why."""


class Deletion:
    """Runs that are to be deleted; nothing is done before :meth:`execute`.

    :ivar runs: what is to go, in the order in which it was named.
    :ivar kept: what rules of retention would delete if others did not keep it, and the rule that does.
    """

    def __init__(self, store: Store, book: RuleBook) -> None:
        self.runs: list[PlannedRun] = []
        self.kept: dict[str, str] = {}
        self._store = store
        self._book = book

    @property
    def events(self) -> int:
        """The number of events that go."""
        return sum(run.events for run in self.runs)

    @property
    def size_bytes(self) -> int:
        """What the documents and events take up in the store."""
        return sum(run.size_bytes for run in self.runs)

    @property
    def external(self) -> list[str]:
        """Files of detectors that the documents name; they stay."""
        return list(dict.fromkeys(path for run in self.runs for path in run.external))

    @property
    def obstacles(self) -> list[HutchError]:
        """Why some of the runs can't be deleted."""
        return [run.obstacle for run in self.runs if run.obstacle is not None]

    def execute(
        self, reason: str = "", author: str | None = None, progress: Progress | None = None
    ) -> DeletionResult:
        """Delete the runs, one after the other; a run that changed since it was looked at is spared.

        :param reason: why, for whoever looks for one of them.
        :param author: who; else the user of this process and the host's name.
        :param progress: called after every run.
        :raises RunOwnedError: if one of the runs is being recorded; then none is deleted.
        :raises RunHeldError: if a rule of retention keeps one of them; then none is deleted.
        :raises ConfigurationError: if there is no reason.
        """
        if self.obstacles:
            msg = "\n".join(["Nothing was deleted.", *map(str, self.obstacles)])
            raise type(self.obstacles[0])(msg)
        signatures = [sign(run.reason or reason, author) for run in self.runs]
        result, pace = DeletionResult(), Pace()
        try:
            for done, (run, signature) in enumerate(zip(self.runs, signatures, strict=True), 1):
                self._delete(run, signature, pace, result)
                if progress is not None:
                    progress(done, len(self.runs))
        finally:
            self._store.sync()
        from hutch.store.batches.compacting import sweep

        with contextlib.suppress(OSError):  # files of earlier deletions; whoever records tries it as well
            sweep(self._store)
        return result

    def _delete(self, run: PlannedRun, signature: Signature, pace: Pace, result: DeletionResult) -> None:
        _lighten(self._store, run.row)
        with pace.transaction(self._store) as writer:
            writer.lock("retention")
            if not self._book.is_current:
                result.spared[run.uid] = _RULES_CHANGED
                return
            writer.lock(f"run/{run.row.id}")
            try:
                now = present_row(self._store, run.row.id)
            except RunNotFoundError:
                result.gone.append(run.uid)
                return
            if now != run.row or (now.stop is None and self._store.is_live(now.owner)):
                result.spared[run.uid] = _CHANGED
                return
            rows = leaves_now(self._store, now)
            if rows is None:
                writer.remove_strange_leaves(now.id)
            else:
                writer.remove_leaves(now.id, now.time, rows)
            writer.delete_run(now.id, _tombstone(run, signature))
        result.deleted.append(run.uid)

    def __repr__(self) -> str:
        count = len(self.runs)
        runs = f"{count:,} run{'' if count == 1 else 's'}"
        return f"<Deletion of {runs}, {self.events:,} events, {self.size_bytes:,} bytes; not yet done>"


def _lighten(store: Store, run: RunRow) -> None:
    """Put what a run has in many or large rows into files, which go without a long transaction.

    It stays whole meanwhile, and whoever records does not wait.
    """
    rows = [batch for batch in store.batches(run.id) if batch.file is None]
    if len(rows) <= _MANY_ROWS and sum(batch.size for batch in rows) <= _MANY_BYTES:
        return
    from hutch.store.batches.compacting import Compaction

    # Without room for that, those who record wait for once: the deletion makes room.
    with contextlib.suppress(StoreFullError):
        for _ in Compaction(store, run.id, is_open=False).steps():
            pass


def plan_run(store: Store, row: RunRow, book: RuleBook, reason: str = "") -> PlannedRun:
    """Return what would go with a run.

    :param book: the rules of retention, which may keep it.
    :param reason: why it goes; empty if :meth:`Deletion.execute` is told.
    """
    start = _read(row.current)
    documents = store.documents(row.id)
    batches = store.batches(row.id)
    stream_of = {segment.id: segment.stream for segment in store.segments(row.id)}
    streams = dict.fromkeys(stream_of.values(), 0)
    for batch in batches:
        if batch.segment in stream_of:
            streams[stream_of[batch.segment]] += batch.rows
    whole = [body for body in (row.start, row.amended, row.stop) if body is not None]
    bodies = [*whole, *(document.body for document in documents)]
    status = _status(store, row)
    plan = start.get("plan_name", "")
    return PlannedRun(
        row=row,
        uid=row.uid,
        scan_id=row.scan_id,
        plan=plan if isinstance(plan, str) else repr(plan),
        time=row.time,
        status=status,
        streams=streams,
        documents=len(documents) + (1 if row.stop is None else 2),
        size_bytes=sum(map(len, bodies)) + sum(batch.size for batch in batches),
        external=tuple(dict.fromkeys(_external_files(documents))),
        reason=reason,
        obstacle=_obstacle(row, status, book),
    )


def _obstacle(row: RunRow, status: str, book: RuleBook) -> HutchError | None:
    name = repr(row.uid[:8]) if row.scan_id is None else f"{row.scan_id} ({row.uid[:8]!r})"
    if status == "running":
        return RunOwnedError(f"Run {name} is being recorded. Delete it when it has ended.")
    rule = book.keeping(row)
    if rule is None:
        return None
    return RunHeldError(
        f"Run {name} is kept by the rule {rule.name!r}: {rule}. "
        f"Lift the rule with: hutch retention remove {rule.name}"
    )


def _status(store: Store, row: RunRow) -> str:
    try:
        return Facts(store, row).status
    except (ValueError, RecursionError):
        return "unknown"


def _external_files(documents: Sequence[DocumentRow]) -> Iterator[str]:
    """Yield the files that documents of a run name."""
    for row in documents:
        if row.kind not in ("resource", "stream_resource"):
            continue
        document = _read(row.body)
        path = document.get("resource_path")
        if isinstance(path, str):
            root = document.get("root")
            yield os.path.join(root if isinstance(root, str) else "", path)
        elif "uri" in document:
            yield str(document["uri"])


def _tombstone(run: PlannedRun, signature: Signature) -> TombstoneRow:
    summary = {
        "plan_name": run.plan,
        "status": run.status,
        "streams": dict(run.streams),
        "events": run.events,
        "documents": run.documents,
        "size_bytes": run.size_bytes,
    }
    return TombstoneRow(
        run.uid,
        run.row.id,
        run.time,
        run.scan_id,
        time.time(),
        signature.author,
        signature.reason,
        encode(summary),
    )


def _read(body: bytes) -> dict[str, Any]:
    """Return a document, or an empty one if it is damaged."""
    try:
        return dictionary(decode(body))
    except (ValueError, RecursionError):
        return {}
