"""What is written in one transaction, and the changes it appends to the feed."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Sequence
from typing import Any

from hutch.documents import Leaf
from hutch.documents.leaves import storable
from hutch.store.owners import Owner
from hutch.store.protocol import DocumentRow, Mark, NewBatch, Topic
from hutch.store.statements import Statement, Statements

__all__ = ["KEPT_CHANGES", "DatabaseWriter"]

KEPT_CHANGES = 1_000_000
"""Entries of the changes feed that are kept; a cursor older than that must start over."""

_PRUNE_EVERY = 10_000


class DatabaseWriter:
    """A :class:`~hutch.store.protocol.Writer` on the cursor of an open transaction."""

    def __init__(self, cursor: Any, statements: Statements, owner: Owner) -> None:
        self._cursor = cursor
        self._say = statements
        self._owner = owner

    def add_run(self, uid: str, time: float, scan_id: int | None, start: bytes) -> int | None:
        """Add an open run that this process owns; return its id, or None if the uid is there."""
        self._claim()
        values = {"uid": uid, "time": time, "scan_id": scan_id, "owner": self._owner.uid, "start": start}
        row = self._execute(self._say.add_run, values).fetchone()
        if row is None:
            return None
        self._change(Topic.START, row[0], uid)
        return int(row[0])

    def end_run(self, run: int, stop: bytes, exit_status: str) -> None:
        """Store the stop document and let the run go."""
        self._execute(self._say.end_run, {"run": run, "stop": stop})
        self._change(Topic.STOP, run, exit_status)

    def own_run(self, run: int) -> None:
        """Take over a run whose owner has died."""
        self._claim()
        self._execute(self._say.set_owner, {"run": run, "owner": self._owner.uid})

    def disown_run(self, run: int) -> None:
        """Let an open run go, so that it is ``interrupted``."""
        self._execute(self._say.set_owner, {"run": run, "owner": None})
        self._change(Topic.STOP, run, "interrupted")

    def add_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> None:
        """Add rows to the index; rows that are there already are left alone."""
        # The statement's own order is that of the leaf's fields, then time and run.
        rows = [(*leaf, time, run) for leaf in leaves]
        self._cursor.executemany(self._say.add_leaf.text, rows)

    def add_documents(self, run: int, documents: Sequence[DocumentRow]) -> list[DocumentRow]:
        """Add documents; return those whose ``(kind, uid)`` the run already has."""
        present = []
        for document in documents:
            values = {
                "run": run,
                "number": document.number,
                "kind": document.kind,
                "uid": document.uid,
                "body": document.body,
            }
            if self._execute(self._say.add_document, values).fetchone() is None:
                present.append(document)
        for kind in {document.kind for document in documents}:
            self._change(Topic.DOCUMENT, run, kind)
        return present

    def add_segment(self, run: int, stream: str, descriptor: str, schema: bytes) -> int:
        """Add a segment; return its id."""
        values = {"run": run, "stream": storable(stream), "descriptor": descriptor, "schema": schema}
        return int(self._execute(self._say.add_segment, values).fetchone()[0])

    def add_batches(self, run: int, stream: str, batches: Sequence[NewBatch]) -> None:
        """Commit batches of one stream."""
        for batch in batches:
            values = {
                "run": run,
                "segment": batch.segment,
                "first_arrival": batch.first_arrival,
                "rows": batch.rows,
                "size": batch.size,
                "crc32": batch.crc32,
                "file": batch.file,
                "body": batch.body,
            }
            self._execute(self._say.add_batch, values)
        self._change(Topic.DATA, run, stream)

    def add_marks(self, run: int, marks: Sequence[Mark]) -> None:
        """Add to the counts of nonconforming values."""
        for mark in marks:
            values = {
                "run": run,
                "stream": storable(mark.stream),
                "key": storable(mark.key),
                "reason": storable(mark.reason),
                "count": mark.count,
                "first_arrival": mark.first_arrival,
            }
            self._execute(self._say.add_mark, values)

    def quarantine(self, run: int | None, kind: str, reason: str, body: bytes) -> None:
        """Put a document away that cannot be placed."""
        values = {
            "run": run,
            "time": clock.time(),
            "kind": storable(kind),
            "reason": storable(reason),
            "body": body,
        }
        self._execute(self._say.quarantine, values)
        self._change(Topic.QUARANTINE, run, kind)

    def set_stash(self, key: str, value: bytes | None) -> None:
        """Set, or with None remove, one key of the metadata stash."""
        if value is None:
            self._execute(self._say.drop_stash, {"key": key})
        else:
            self._execute(self._say.set_stash, {"key": key, "value": value})

    def stash(self) -> dict[str, bytes]:
        """Return the stash as this transaction sees it."""
        return dict(self._execute(self._say.stash, {}).fetchall())

    def _claim(self) -> None:
        now = clock.time()
        values = {
            "uid": self._owner.uid,
            "host": self._owner.host,
            "pid": self._owner.pid,
            "program": self._owner.program,
            "since": now,
            "heartbeat": now,
        }
        self._execute(self._say.add_owner, values)

    def _change(self, topic: Topic, run: int | None, reference: str) -> None:
        values = {"topic": topic.value, "run": run, "reference": storable(reference), "time": clock.time()}
        number = self._execute(self._say.add_change, values).fetchone()[0]
        if number % _PRUNE_EVERY == 0 and number > KEPT_CHANGES:
            self._execute(self._say.prune_changes, {"number": number - KEPT_CHANGES})

    def _execute(self, statement: Statement, values: dict[str, Any]) -> Any:
        return self._cursor.execute(statement.text, statement.order(values))
