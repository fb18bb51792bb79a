"""The seam through which everything above the store writes: what can be said in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from hutch.documents import Leaf
from hutch.store.protocols.access import AccessSink
from hutch.store.protocols.logbook import LogbookSink
from hutch.store.protocols.monitor import MonitorSink
from hutch.store.rows.runs import Batch, DocumentRow, Mark, NewBatch, RunRow, TombstoneRow

__all__ = ["Writer"]


class Writer(AccessSink, MonitorSink, LogbookSink, Protocol):
    """What can be written in one transaction."""

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this name, and hold it until this one ends."""
        ...

    def claim(self) -> str:
        """Make this process known as an owner, and return the name it goes by there."""
        ...

    def add_run(self, uid: str, time: float, scan_id: int | None, start: bytes) -> int | None:
        """Add an open run that this process owns; return its id, or None if the uid is there."""
        ...

    def end_run(self, run: int, stop: bytes, exit_status: str) -> None:
        """Store the stop document and let the run go."""
        ...

    def own_run(self, run: int) -> None:
        """Take over a run whose owner has died."""
        ...

    def disown_run(self, run: int) -> None:
        """Let an open run go, so that it is ``interrupted``."""
        ...

    def add_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> None:
        """Add rows to the index; rows that are there already are left alone."""
        ...

    def remove_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> None:
        """Remove rows from the index."""
        ...

    def remove_strange_leaves(self, run: int) -> None:
        """Remove all index rows that bear the id of a run (slow: a scan)."""
        ...

    def add_documents(self, run: int, documents: Sequence[DocumentRow]) -> list[DocumentRow]:
        """Add documents; return those whose ``(kind, uid)`` the run already has."""
        ...

    def add_segment(self, run: int, stream: str, descriptor: str, schema: bytes) -> int:
        """Add a segment; return its id."""
        ...

    def add_batches(self, run: int, stream: str, batches: Sequence[NewBatch]) -> None:
        """Commit batches of one stream."""
        ...

    def replace_batches(self, run: int, stream: str, old: Sequence[Batch], new: Sequence[NewBatch]) -> None:
        """Put batches in the place of others that hold the same events; files of these are discarded.

        :raises CorruptBatchError: if one of the old ones is gone.
        """
        ...

    def discard_files(self, names: Iterable[str]) -> None:
        """Note files that no batch names any more, to be deleted when nobody reads them."""
        ...

    def forget_files(self, names: Iterable[str]) -> None:
        """Forget discarded files that have been deleted."""
        ...

    def amend_run(self, run: RunRow, amended: bytes, author: str, reason: str, edits: bytes) -> None:
        """Keep a correction of a start document; its scan_id is the row's. The index is left alone.

        :param run: the run, with the ``scan_id`` that it has from now on.
        """
        ...

    def post(
        self, run: int, source: str, name: str, value: bytes | None, author: str, origin: bytes | None = None
    ) -> None:
        """Post a parameter or a verdict to a run, or with None remove it. The index is left alone.

        :param source: ``param`` or ``dqm``.
        :param origin: where it comes from, as a document.
        """
        ...

    def delete_run(self, run: int, tombstone: TombstoneRow) -> None:
        """Delete a run but for its index rows, and leave a tombstone; its files are discarded."""
        ...

    def add_marks(self, run: int, marks: Sequence[Mark]) -> None:
        """Add to the counts of nonconforming values."""
        ...

    def remove_mark(self, run: int, mark: Mark) -> None:
        """Remove a mark that no longer holds."""
        ...

    def quarantine(self, run: int | None, kind: str, reason: str, body: bytes) -> None:
        """Put a document away that cannot be placed."""
        ...

    def set_stash(self, key: str, value: bytes | None) -> None:
        """Set, or with None remove, one key of the metadata stash."""
        ...

    def stash(self) -> dict[str, bytes]:
        """Return the stash, which nobody else can change before this transaction ends."""
        ...

    def set_cursor(self, name: str, value: bytes | None) -> None:
        """Keep, or with None forget, how far a reader of something has come."""
        ...

    def set_retention(self, name: str, rule: bytes | None, author: str) -> None:
        """Set, or with None remove, a rule of retention."""
        ...
