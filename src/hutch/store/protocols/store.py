"""The seam between the store and everything above it: a small protocol.

A backend gives a :class:`Store`. Reading never blocks writing; writing happens in
:meth:`Store.transaction`, which yields a :class:`Writer` and either commits everything that was
written in it or nothing. Each transaction appends what it did to the changes feed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hutch.documents import Leaf
from hutch.store.protocols.access import AccessStore
from hutch.store.protocols.logbook import LogbookStore
from hutch.store.protocols.monitor import MonitorStore
from hutch.store.protocols.writer import Writer
from hutch.store.rows.runs import (
    AmendmentRow,
    Batch,
    Change,
    DocumentRow,
    Mark,
    NewBatch,
    OwnerRow,
    Posted,
    PostedRow,
    QuarantineRow,
    RetentionRow,
    RunContents,
    RunRow,
    Segment,
    TombstoneRow,
    Topic,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from hutch.queries.conditions import Condition
    from hutch.queries.conditions import Path as QueryPath
    from hutch.store.searching.path_values import PathValues
    from hutch.store.searching.searching import Search

__all__ = [
    "AmendmentRow",
    "Batch",
    "Change",
    "DocumentRow",
    "Mark",
    "NewBatch",
    "OwnerRow",
    "Posted",
    "PostedRow",
    "QuarantineRow",
    "RetentionRow",
    "RunContents",
    "RunRow",
    "Segment",
    "Store",
    "TombstoneRow",
    "Topic",
    "Writer",
]


class Store(AccessStore, MonitorStore, LogbookStore, Protocol):
    """Where runs are kept. Safe to use from several threads and processes."""

    @property
    def location(self) -> str:
        """What :func:`hutch.store.open_store` was given, for people."""
        ...

    @property
    def uid(self) -> str:
        """What tells this store from every other one, wherever it is moved."""
        ...

    @property
    def files(self) -> Path:
        """The folder of Arrow files."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether it was closed in this process, and can't be used any more."""
        ...

    # runs; "order" is by start time, then id

    def count_runs(self) -> int:
        """Return the number of runs."""
        ...

    def runs(self, *, start: int = 0, limit: int | None = None, newest_first: bool = False) -> list[RunRow]:
        """Return runs in order, ``limit`` of them from the ``start``-th on."""
        ...

    def run_uids(self) -> list[str]:
        """Return all uids, oldest first."""
        ...

    def runs_by_uid(self, uids: Sequence[str]) -> list[RunRow]:
        """Return the runs that have these uids, in no order."""
        ...

    def runs_by_prefix(self, prefix: str, limit: int) -> list[RunRow]:
        """Return runs whose uid begins with a text, newest first."""
        ...

    def run_by_scan_id(self, scan_id: int) -> RunRow | None:
        """Return the newest run with a scan_id."""
        ...

    def run_by_id(self, run: int) -> RunRow:
        """Return a run by its number."""
        ...

    def runs_by_id(self, ids: Sequence[int]) -> dict[int, RunRow]:
        """Return the runs with some numbers, of those that are there."""
        ...

    def uids_by_id(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the uids of the runs with some numbers, of those that are there."""
        ...

    def values(self, path: QueryPath) -> PathValues:
        """Return what is asked of all values of a path."""
        ...

    def search(self, condition: Condition) -> Search:
        """Return the runs that fulfil a condition, to be counted or fetched."""
        ...

    def is_live(self, owner: str | None) -> bool:
        """Tell whether the owner of an open run is a process that lives."""
        ...

    def owned_runs(self) -> list[RunRow]:
        """Return the open runs that have an owner, dead or alive, oldest first."""
        ...

    def owner(self, uid: str) -> OwnerRow | None:
        """Return what is known of an owner, for people."""
        ...

    def tombstones(self, prefix: str = "") -> list[TombstoneRow]:
        """Return what is left of deleted runs whose uid begins with a text, the last deleted first."""
        ...

    # one run

    def documents(self, run: int, kinds: Sequence[str] | None = None) -> list[DocumentRow]:
        """Return a run's documents in order of arrival, of some kinds only if given."""
        ...

    def bodies_of_kind(self, run: int, kind: str) -> list[bytes]:
        """Return a run's documents of one kind as bytes, in order of arrival."""
        ...

    def find_document(self, kind: str, uid: str) -> tuple[int, DocumentRow] | None:
        """Return the newest document of this kind and uid in any run, and the run's id."""
        ...

    def segments(self, run: int) -> list[Segment]:
        """Return a run's segments."""
        ...

    def batches(self, run: int, segment: int | None = None) -> list[Batch]:
        """Return what is committed of a run's events, by first arrival."""
        ...

    def load(
        self, batches: Sequence[Batch], schema: pa.Schema, *, checked: bool = False
    ) -> list[pa.RecordBatch]:
        """Return record batches of one segment; those in files are memory-mapped.

        :param checked: compares the bytes with their checksums, which reads all of them.
        :raises CorruptBatchError: if a body or a file is gone, cut short or, if checked, changed.
        """
        ...

    def read_bytes(self, batch: Batch) -> bytes:
        """Return the bytes of a batch as they were committed, to compare with its crc32."""
        ...

    def crowded_runs(self, least: int) -> dict[int, int]:
        """Return how many batches each run has that has at least so many (slow: a scan of an index)."""
        ...

    def discarded(self, before: float) -> list[str]:
        """Return files that were discarded before a time, in s since 1970."""
        ...

    def amendments(self, run: int) -> list[AmendmentRow]:
        """Return the corrections of a run's start document, oldest first."""
        ...

    def posted(self, run: int) -> list[PostedRow]:
        """Return everything that was posted to a run, oldest first."""
        ...

    def posted_now(self, runs: Sequence[int], names: Collection[str] | None = None) -> dict[int, Posted]:
        """Return what holds of what was posted to some runs.

        :param names: what was posted under others may be left out.
        """
        ...

    def marks(self, run: int) -> list[Mark]:
        """Return the nonconforming values of a run."""
        ...

    def quarantined(self, run: int | None = None) -> list[QuarantineRow]:
        """Return what is in quarantine, of one run if given."""
        ...

    def leaves(self, run: int) -> set[Leaf]:
        """Return the index rows of a run (slow: a scan; for verification)."""
        ...

    def missing_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> set[Leaf]:
        """Return those of some index rows of a run that are not there."""
        ...

    def count_leaves(self) -> dict[int, int]:
        """Return the number of index rows of each run (slow: one scan)."""
        ...

    # all of it at once

    def runs_after(self, run: int, limit: int) -> list[RunRow]:
        """Return runs in the order of their ids, from the first one after an id on."""
        ...

    def contents(self, first: int, last: int) -> dict[int, RunContents]:
        """Return what the runs between two ids hold, of those that hold something."""
        ...

    def bodies(self, first: int, last: int) -> dict[int, bytes]:
        """Return the bytes of all batches in rows, by id, of the runs between two ids."""
        ...

    def count_bytes(self) -> int:
        """Return the size of all batches, in rows and in files (slow: a scan)."""
        ...

    def leaf_pages(self) -> Iterator[list[tuple[int, float, str, int, float, str]]]:
        """Yield the whole index, page by page: run, its time, and the four fields of a leaf."""
        ...

    def check_database(self) -> list[str]:
        """Return what the database itself finds wrong in its tables (slow: it reads them all)."""
        ...

    # changes

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Return what was committed after a cursor, oldest first."""
        ...

    def last_change(self) -> int:
        """Return the cursor of now."""
        ...

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is a change after a cursor; tell whether there is."""
        ...

    # writing

    def transaction(self) -> AbstractContextManager[Writer]:
        """Open a transaction: committed on leaving, rolled back on an error.

        What is committed survives the death of the process; :meth:`sync` makes it survive a
        power cut.
        """
        ...

    def sync(self) -> None:
        """Put what is committed onto the disk."""
        ...

    def tidy(self) -> None:
        """Do at leisure what some commit would else have to do, and be slow."""
        ...

    def stash(self) -> dict[str, bytes]:
        """Return the metadata stash."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """Return how far a reader of something has come; None if it has not begun."""
        ...

    def cursors(self) -> dict[str, bytes]:
        """Return all cursors."""
        ...

    def retention(self) -> list[RetentionRow]:
        """Return the rules of retention, by name."""
        ...

    def close(self) -> None:
        """Close connections and let owned runs go."""
        ...
