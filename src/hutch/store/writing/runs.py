"""What is written in one transaction, and the changes it appends to the feed."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from hutch.documents import Leaf
from hutch.documents.text import storable
from hutch.errors import CorruptBatchError
from hutch.store.owners import Process
from hutch.store.protocols.store import Batch, DocumentRow, Mark, NewBatch, RunRow, TombstoneRow, Topic
from hutch.store.statements.runs import Statement, Statements
from hutch.store.writing.access import AccessWriter
from hutch.store.writing.logbook import LogbookWriter
from hutch.store.writing.monitor import MonitorWriter

__all__ = ["KEPT_CHANGES", "DatabaseWriter"]

KEPT_CHANGES = 1_000_000
"""Entries of the changes feed that are kept; a cursor older than that must start over."""

_PRUNE_EVERY = 10_000

_FORGET_S = 7 * 86_400
"""Seconds after which a process that owns no run any more is forgotten."""


class DatabaseWriter(AccessWriter, MonitorWriter, LogbookWriter):
    """A :class:`~hutch.store.protocols.store.Writer` on the cursor of an open transaction.

    The changes are written at its end, all at once, by :meth:`finish`.
    """

    def __init__(self, cursor: Any, statements: Statements, owner: Process) -> None:
        self._cursor = cursor
        self._say = statements
        self._say_access = statements.access
        self._say_monitor = statements.monitor
        self._owner = owner
        self._changes: dict[tuple[str, int | None, str], float] = {}
        """Topic, run and reference of what was done, and when."""

    def lock(self, name: str) -> None:
        """Do nothing: a transaction of SQLite has the database for itself."""

    def claim(self) -> str:
        """Make this process known as an owner, and return the name it goes by there."""
        self._claim()
        return self._owner.uid

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

    def remove_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> None:
        """Remove rows from the index."""
        rows = [(*leaf, time, run) for leaf in leaves]
        self._cursor.executemany(self._say.remove_leaf.text, rows)

    def remove_strange_leaves(self, run: int) -> None:
        """Remove all index rows that bear the id of a run (slow: a scan)."""
        self._execute(self._say.remove_strange_leaves, {"run": run})

    def add_documents(self, run: int, documents: Sequence[DocumentRow]) -> list[DocumentRow]:
        """Add documents; return those whose ``(kind, uid)`` the run already has."""
        rows = [
            {
                "run": run,
                "number": document.number,
                "kind": document.kind,
                "uid": document.uid,
                "body": document.body,
            }
            for document in documents
        ]
        added = self._execute_each(self._say.add_document, rows)
        present = [document for document, is_new in zip(documents, added, strict=True) if not is_new]
        for kind in {document.kind for document in documents}:
            self._change(Topic.DOCUMENT, run, kind)
        return present

    def add_segment(self, run: int, stream: str, descriptor: str, schema: bytes) -> int:
        """Add a segment; return its id."""
        values = {"run": run, "stream": storable(stream), "descriptor": descriptor, "schema": schema}
        return int(self._execute(self._say.add_segment, values).fetchone()[0])

    def add_batches(self, run: int, stream: str, batches: Sequence[NewBatch]) -> None:
        """Commit batches of one stream."""
        self._insert_batches(run, batches)
        self._change(Topic.DATA, run, stream)

    def replace_batches(self, run: int, stream: str, old: Sequence[Batch], new: Sequence[NewBatch]) -> None:
        """Put batches in the place of others that hold the same events; files of these are discarded.

        :raises CorruptBatchError: if one of the old ones is gone.
        """
        rows = [self._say.remove_batch.order({"id": batch.id, "run": run}) for batch in old]
        self._cursor.executemany(self._say.remove_batch.text, rows)
        if self._cursor.rowcount != len(rows):
            msg = f"Batches of run {run} that were to be merged are gone: somebody else has replaced them."
            raise CorruptBatchError(msg)
        self.discard_files([batch.file for batch in old if batch.file is not None])
        self._insert_batches(run, new)
        self._change(Topic.COMPACT, run, stream)

    def discard_files(self, names: Iterable[str]) -> None:
        """Note files that no batch names any more, to be deleted when nobody reads them."""
        now = clock.time()
        for name in names:
            self._execute(self._say.discard_file, {"file": name, "time": now})

    def forget_files(self, names: Iterable[str]) -> None:
        """Forget discarded files that have been deleted."""
        for name in names:
            self._execute(self._say.forget_file, {"file": name})

    def amend_run(self, run: RunRow, amended: bytes, author: str, reason: str, edits: bytes) -> None:
        """Keep a correction of a start document; its scan_id is the row's. The index is left alone.

        :param run: the run, with the ``scan_id`` that it has from now on.
        """
        self._execute(self._say.amend_run, {"run": run.id, "amended": amended, "number": run.scan_id})
        values = {
            "run": run.id,
            "time": clock.time(),
            "author": storable(author),
            "reason": storable(reason),
            "edits": edits,
        }
        self._execute(self._say.add_amendment, values)
        self._change(Topic.AMEND, run.id, run.uid)

    def post(
        self, run: int, source: str, name: str, value: bytes | None, author: str, origin: bytes | None = None
    ) -> None:
        """Post a parameter or a verdict to a run, or with None remove it. The index is left alone."""
        values = {
            "run": run,
            "source": source,
            "name": storable(name),
            "value": value,
            "time": clock.time(),
            "author": storable(author),
            "origin": origin,
        }
        self._execute(self._say.post, values)
        self._change(Topic.POST, run, f"{source}.{name}")

    def delete_run(self, run: int, tombstone: TombstoneRow) -> None:
        """Delete a run but for its index rows, and leave a tombstone; its files are discarded."""
        files = self._execute(self._say.files_of_run, {"run": run}).fetchall()
        self.discard_files(row[0] for row in files)
        for statement in self._say.delete_run:
            self._execute(statement, {"run": run})
        values = asdict(tombstone)
        values["author"], values["reason"] = storable(tombstone.author), storable(tombstone.reason)
        self._execute(self._say.add_tombstone, values)
        self._change(Topic.DELETE, run, tombstone.uid)

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

    def remove_mark(self, run: int, mark: Mark) -> None:
        """Remove a mark that no longer holds."""
        values = {"run": run, "stream": mark.stream, "key": mark.key, "reason": mark.reason}
        self._execute(self._say.remove_mark, values)

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
        """Return the stash, which nobody else can change before this transaction ends."""
        self.lock("stash")
        return dict(self._execute(self._say.stash, {}).fetchall())

    def set_cursor(self, name: str, value: bytes | None) -> None:
        """Keep, or with None forget, how far a reader of something has come."""
        if value is None:
            self._execute(self._say.drop_cursor, {"name": name})
        else:
            self._execute(self._say.set_cursor, {"name": name, "value": value, "time": clock.time()})

    def set_retention(self, name: str, rule: bytes | None, author: str) -> None:
        """Set, or with None remove, a rule of retention."""
        if rule is None:
            self._execute(self._say.drop_retention, {"name": name})
        else:
            values = {"name": name, "rule": rule, "time": clock.time(), "author": storable(author)}
            self._execute(self._say.set_retention, values)

    def finish(self) -> None:
        """Append what was done to the feed; the transaction must end after that."""
        if not self._changes:
            return
        *others, last = [(*change, time) for change, time in self._changes.items()]
        self._changes = {}
        if others:
            self._cursor.executemany(self._say.add_changes.text, others)
        number = self._cursor.execute(self._say.add_change.text, last).fetchone()[0]
        self._prune(number, 1 + len(others))

    def _prune(self, number: int, added: int) -> None:
        """Shorten the feed now and then.

        :param number: of the last change, which is one of some that were just added.
        """
        if number % _PRUNE_EVERY < added and number > KEPT_CHANGES:
            self._execute(self._say.prune_changes, {"number": number - KEPT_CHANGES})

    def _insert_batches(self, run: int, batches: Sequence[NewBatch]) -> None:
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
        if self._execute(self._say.add_owner, values).rowcount:
            self._execute(self._say.forget_owners, {"before": now - _FORGET_S})

    def _change(self, topic: Topic, run: int | None, reference: str) -> None:
        # Readers look at what there is now, so one entry for several alike is enough.
        self._changes.setdefault((topic.value, run, storable(reference)), clock.time())

    def _execute_each(self, statement: Statement, rows: Iterable[dict[str, Any]]) -> list[bool]:
        """Execute a statement for several rows of values; tell for each whether it returned something."""
        return [self._execute(statement, values).fetchone() is not None for values in rows]

    def _execute(self, statement: Statement, values: dict[str, Any]) -> Any:
        return self._cursor.execute(statement.text, statement.order(values))
