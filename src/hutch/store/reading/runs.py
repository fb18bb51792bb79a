"""Questions to the database, and their rows; each answer is one statement, so one consistent view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.documents import Leaf
from hutch.documents.text import is_storable
from hutch.errors import CorruptBatchError, FeedPrunedError, RunNotFoundError
from hutch.store.protocols.store import (
    AmendmentRow,
    Batch,
    Change,
    DocumentRow,
    Mark,
    OwnerRow,
    PostedRow,
    QuarantineRow,
    RetentionRow,
    RunRow,
    Segment,
    TombstoneRow,
    Topic,
)
from hutch.store.reading.access import AccessReader
from hutch.store.reading.index import IndexReader
from hutch.store.reading.logbook import LogbookReader
from hutch.store.reading.monitor import MonitorReader
from hutch.store.reading.surveying import Survey
from hutch.store.statements.runs import Statement, Statements

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DatabaseReader"]

_NO_LIMIT = 2**62
_LAST_CHARACTER = "\U0010ffff"

Query = Callable[[Statement, dict[str, Any]], list[Any]]
"""Executes a statement and returns all rows."""


class DatabaseReader(Survey, IndexReader, AccessReader, MonitorReader, LogbookReader):
    """The reading half of a :class:`~hutch.store.protocols.store.Store`, for any database."""

    def __init__(self, query: Query, statements: Statements, files: Path) -> None:
        self._query = query
        self._say = statements
        self._ask_index = statements.index
        self._ask_access = statements.access
        self._ask_monitor = statements.monitor
        self._files = files
        self._uid = ""

    @property
    def uid(self) -> str:
        """What tells this store from every other one, wherever it is moved."""
        if not self._uid:
            self._uid = str(self._query(self._say.fact, {"key": "store"})[0][0])
        return self._uid

    @property
    def files(self) -> Path:
        """The folder of Arrow files."""
        return self._files

    # runs

    def count_runs(self) -> int:
        """Return the number of runs."""
        return int(self._query(self._say.count_runs, {})[0][0])

    def runs(self, *, start: int = 0, limit: int | None = None, newest_first: bool = False) -> list[RunRow]:
        """Return runs in order of time, ``limit`` of them from the ``start``-th on."""
        statement = self._say.runs_newest_first if newest_first else self._say.runs_oldest_first
        values = {"start": start, "limit": _NO_LIMIT if limit is None else limit}
        return [RunRow(*row) for row in self._query(statement, values)]

    def run_uids(self) -> list[str]:
        """Return all uids, oldest first."""
        return [row[0] for row in self._query(self._say.run_uids, {})]

    def runs_by_uid(self, uids: Sequence[str]) -> list[RunRow]:
        """Return the runs that have these uids, in no order."""
        found = (self._query(self._say.run_by_uid, {"uid": uid}) for uid in uids if is_storable(uid))
        return [RunRow(*row) for rows in found for row in rows]

    def runs_by_prefix(self, prefix: str, limit: int) -> list[RunRow]:
        """Return runs whose uid begins with a text, newest first."""
        if not is_storable(prefix):
            return []
        values = {"prefix": prefix, "end": prefix + _LAST_CHARACTER, "limit": limit}
        return [RunRow(*row) for row in self._query(self._say.runs_by_prefix, values)]

    def run_by_scan_id(self, scan_id: int) -> RunRow | None:
        """Return the newest run with a scan_id."""
        if not -(2**63) <= scan_id < 2**63:
            return None
        rows = self._query(self._say.run_by_scan_id, {"scan_id": scan_id})
        return RunRow(*rows[0]) if rows else None

    def run_by_id(self, run: int) -> RunRow:
        """Return a run by its number.

        :raises RunNotFoundError: if there is none.
        """
        rows = self._query(self._say.run_by_id, {"id": run})
        if not rows:
            msg = f"There is no run with the internal number {run} in this store."
            raise RunNotFoundError(msg)
        return RunRow(*rows[0])

    def owned_runs(self) -> list[RunRow]:
        """Return the open runs that have an owner, dead or alive, oldest first."""
        return [RunRow(*row) for row in self._query(self._say.owned_runs, {})]

    def owner(self, uid: str) -> OwnerRow | None:
        """Return what is known of an owner, for people."""
        rows = self._query(self._say.owner, {"uid": uid})
        return OwnerRow(*rows[0]) if rows else None

    def tombstones(self, prefix: str = "") -> list[TombstoneRow]:
        """Return what is left of deleted runs whose uid begins with a text, the last deleted first."""
        if not is_storable(prefix):
            return []
        values = {"prefix": prefix, "end": prefix + _LAST_CHARACTER}
        return [TombstoneRow(*row) for row in self._query(self._say.tombstones, values)]

    # one run

    def documents(self, run: int, kinds: Sequence[str] | None = None) -> list[DocumentRow]:
        """Return a run's documents in order of arrival, of some kinds only if given."""
        if kinds is None:
            rows = self._query(self._say.documents, {"run": run})
        else:
            said = self._say.documents_of_kind
            rows = [row for kind in kinds for row in self._query(said, {"run": run, "kind": kind})]
        return sorted((DocumentRow(*row) for row in rows), key=lambda row: row.number)

    def bodies_of_kind(self, run: int, kind: str) -> list[bytes]:
        """Return a run's documents of one kind as bytes, in order of arrival."""
        return [row[0] for row in self._query(self._say.bodies_of_kind, {"run": run, "kind": kind})]

    def find_document(self, kind: str, uid: str) -> tuple[int, DocumentRow] | None:
        """Return the newest document of this kind and uid in any run, and the run's id."""
        rows = self._query(self._say.find_document, {"kind": kind, "uid": uid})
        return (rows[0][0], DocumentRow(*rows[0][1:])) if rows else None

    def segments(self, run: int) -> list[Segment]:
        """Return a run's segments."""
        return [Segment(*row) for row in self._query(self._say.segments, {"run": run})]

    def batches(self, run: int, segment: int | None = None) -> list[Batch]:
        """Return what is committed of a run's events, by first arrival."""
        statement = self._say.batches if segment is None else self._say.batches_of_segment
        return [Batch(*row) for row in self._query(statement, {"run": run, "segment": segment})]

    def load(
        self, batches: Sequence[Batch], schema: pa.Schema, *, checked: bool = False
    ) -> list[pa.RecordBatch]:
        """Return record batches of one segment; those in files are memory-mapped.

        :param checked: compares the bytes with their checksums, which reads all of them.
        :raises CorruptBatchError: if a body or a file is gone, cut short or, if checked, changed.
        """
        from hutch.store.batches import arrow_files

        bodies = self._bodies([batch for batch in batches if batch.file is None])
        found: list[pa.RecordBatch] = []
        for batch in batches:
            if batch.file is not None:
                found += arrow_files.open_file(self._files / batch.file, batch, checked=checked)
            elif bodies.get(batch.id) is not None:
                found.append(arrow_files.parse_body(bodies[batch.id], schema, batch, checked=checked))
            else:
                msg = f"Batch {batch.id} is gone from the database. Check the store with: hutch verify"
                raise CorruptBatchError(msg)
        return found

    def read_bytes(self, batch: Batch) -> bytes:
        """Return the bytes of a batch as they were committed, to compare with its crc32.

        :raises CorruptBatchError: if they are gone.
        """
        from hutch.store.batches import arrow_files

        if batch.file is not None:
            return arrow_files.body_of(self._files / batch.file)
        rows = self._query(self._say.body, {"id": batch.id})
        if not rows or rows[0][0] is None:
            msg = f"Batch {batch.id} is gone from the database."
            raise CorruptBatchError(msg)
        return bytes(rows[0][0])

    def _bodies(self, batches: Sequence[Batch]) -> dict[int, bytes]:
        if not batches:
            return {}
        arrivals = [batch.first_arrival for batch in batches]
        values = {"first": min(arrivals), "last": max(arrivals), "segment": batches[0].segment}
        return dict(self._query(self._say.bodies, values))

    def crowded_runs(self, least: int) -> dict[int, int]:
        """Return how many batches each run has that has at least so many (slow: a scan of an index)."""
        return dict(self._query(self._say.crowded_runs, {"least": least}))

    def discarded(self, before: float) -> list[str]:
        """Return files that were discarded before a time, in s since 1970."""
        return [row[0] for row in self._query(self._say.discarded, {"before": before})]

    def amendments(self, run: int) -> list[AmendmentRow]:
        """Return the corrections of a run's start document, oldest first."""
        return [AmendmentRow(*row) for row in self._query(self._say.amendments, {"run": run})]

    def posted(self, run: int) -> list[PostedRow]:
        """Return everything that was posted to a run, oldest first."""
        return [PostedRow(*row) for row in self._query(self._say.posted, {"run": run})]

    def marks(self, run: int) -> list[Mark]:
        """Return the nonconforming values of a run."""
        return [Mark(*row) for row in self._query(self._say.marks, {"run": run})]

    def quarantined(self, run: int | None = None) -> list[QuarantineRow]:
        """Return what is in quarantine, of one run if given."""
        statement = self._say.quarantined if run is None else self._say.quarantined_of_run
        return [QuarantineRow(*row) for row in self._query(statement, {"run": run})]

    def leaves(self, run: int) -> set[Leaf]:
        """Return the index rows of a run (slow: a scan; for verification)."""
        return {Leaf(*row) for row in self._query(self._say.leaves, {"run": run})}

    def missing_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> set[Leaf]:
        """Return those of some index rows of a run that are not there."""
        place = {"time": time, "run": run}
        return {leaf for leaf in leaves if not self._query(self._say.find_leaf, {**leaf._asdict(), **place})}

    def count_leaves(self) -> dict[int, int]:
        """Return the number of index rows of each run (slow: one scan)."""
        return dict(self._query(self._say.count_leaves, {}))

    # changes and the stash

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Return what was committed after a cursor, oldest first.

        :raises FeedPrunedError: if entries after the cursor have been pruned.
        """
        rows = self._query(self._say.changes, {"after": after, "limit": limit})
        if rows and after > 0 and rows[0][0] > after + 1:
            msg = f"Changes after {after} are no longer kept, the oldest is {rows[0][0]}. Start over from 0."
            raise FeedPrunedError(msg)
        return [Change(number, Topic(topic), run, reference) for number, topic, run, reference in rows]

    def last_change(self) -> int:
        """Return the cursor of now."""
        return self._query(self._say.last_change, {})[0][0] or 0

    def stash(self) -> dict[str, bytes]:
        """Return the metadata stash."""
        return dict(self._query(self._say.stash, {}))

    def cursor(self, name: str) -> bytes | None:
        """Return how far a reader of something has come; None if it has not begun."""
        rows = self._query(self._say.cursor, {"name": name})
        return rows[0][0] if rows else None

    def cursors(self) -> dict[str, bytes]:
        """Return all cursors."""
        return dict(self._query(self._say.cursors, {}))

    def retention(self) -> list[RetentionRow]:
        """Return the rules of retention, by name."""
        return [RetentionRow(*row) for row in self._query(self._say.retention, {})]
