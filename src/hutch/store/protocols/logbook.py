"""The seam of the logbook: what a store tells of it, and what is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Protocol

from hutch.store.rows.logbook import (
    AuditRow,
    BlobRow,
    ChainHead,
    EntryFilter,
    EntryRow,
    JobRow,
    NewBlob,
    NewEntry,
    RunNumberRow,
    RunTableRow,
    VersionRow,
    WorkflowRow,
)

__all__ = ["LogbookSink", "LogbookStore"]


class LogbookStore(Protocol):
    """The part of a :class:`~hutch.store.protocols.store.Store` that knows the logbook."""

    def entry(self, entry: int) -> EntryRow | None:
        """Return an entry; None if there is none of this number."""
        ...

    def entries_by_id(self, ids: Sequence[int]) -> Iterator[EntryRow]:
        """Yield entries by their numbers, those that there are, in no order."""
        ...

    def entry_by_key(self, experiment: str, key: str) -> EntryRow | None:
        """Return the entry that somebody posted with a key of their own."""
        ...

    def thread(self, root: int) -> list[EntryRow]:
        """Return an entry and all that answer it, oldest first."""
        ...

    def count_replies(self, root: int) -> int:
        """Return how many entries answer one, without those that are deleted."""
        ...

    def entries(self, where: EntryFilter, limit: int) -> list[EntryRow]:
        """Return entries that a filter lets through, the newest first."""
        ...

    def entries_after(self, entry: int, limit: int) -> list[EntryRow]:
        """Return entries in the order of their numbers, of all experiments."""
        ...

    def count_entries(self) -> int:
        """Return the number of entries of all experiments."""
        ...

    def term_counts(self, experiment: str, kind: str) -> list[tuple[str, int, int]]:
        """Return the terms of a kind, how many entries have each, and the newest of these."""
        ...

    def runs_of_term(self, experiment: str, term: str) -> list[int]:
        """Return the numbers of the runs that entries with a term are attached to."""
        ...

    def terms_of_run(self, experiment: str, run_num: int, kind: str) -> list[tuple[str, int]]:
        """Return the terms of a kind of the entries of a run, and the newest entry that has each."""
        ...

    def entry_terms_after(self, place: tuple[str, str, int], limit: int) -> list[tuple[str, str, int]]:
        """Return experiment, term and entry of terms, in this order, after a place."""
        ...

    def terms_of_entry(self, experiment: str, entry: int) -> list[str]:
        """Return what an entry is found by (slow: a scan of the experiment's terms)."""
        ...

    def entries_behind(self) -> list[int]:
        """Return entries whose rows are not of their last versions (slow: a scan)."""
        ...

    def versions(self, entry: int) -> list[VersionRow]:
        """Return all versions of an entry, oldest first."""
        ...

    def versions_after(self, experiment: str, number: int, limit: int) -> list[VersionRow]:
        """Return links of the chain of an experiment after one, in order."""
        ...

    def logbooks(self) -> list[str]:
        """Return the experiments that have entries, by name."""
        ...

    def chain(self, experiment: str) -> ChainHead | None:
        """Return the last link of the chain of an experiment, as it was noted."""
        ...

    def blob(self, digest: str) -> BlobRow | None:
        """Return what is known of the bytes of an attachment; None if they are not there."""
        ...

    def blobs_after(self, blob: int, limit: int) -> list[BlobRow]:
        """Return what is known of the bytes of attachments, in the order of their numbers."""
        ...

    def open_blob(self, digest: str) -> IO[bytes]:
        """Return the bytes of an attachment as an open file, to be closed.

        :raises CorruptBatchError: if they are gone.
        """
        ...

    def thumbnail(self, digest: str) -> bytes | None:
        """Return the small picture of an attachment, a PNG; None if there is none."""
        ...

    def names_blob(self, file: str) -> bool:
        """Tell whether an attachment is in a file, by its name below the folder of files."""
        ...

    def run_numbers(self, experiment: str, *, start: int = 0, limit: int | None = None) -> list[RunNumberRow]:
        """Return the numbers of the runs of an experiment that are there, the greatest first."""
        ...

    def numbered_runs(
        self, experiment: str, first: int | None = None, last: int | None = None
    ) -> dict[int, int]:
        """Return the numbers of the runs of an experiment that are there, by id, the greatest first.

        :param first: the least number; None if it does not matter.
        :param last: the greatest number.
        """
        ...

    def run_number(self, experiment: str, number: int) -> RunNumberRow | None:
        """Return which run has a number in an experiment; it may have been deleted since."""
        ...

    def number_of_run(self, experiment: str, run: int) -> RunNumberRow | None:
        """Return the number that a run has in an experiment; None if it has none so far."""
        ...

    def latest_run_numbers(self, experiment: str, limit: int) -> list[RunNumberRow]:
        """Return the numbers of the runs of an experiment that began last, of those that are there."""
        ...

    def run_tables(self, experiment: str) -> list[RunTableRow]:
        """Return the run tables of an experiment, by name."""
        ...

    def workflows(self, experiment: str) -> list[WorkflowRow]:
        """Return the workflows of an experiment, by name."""
        ...

    def workflow(self, workflow: int) -> WorkflowRow | None:
        """Return a workflow, also one that was removed."""
        ...

    def job(self, job: int) -> JobRow | None:
        """Return a job; None if there is none of this number."""
        ...

    def job_by_token(self, token: str) -> JobRow | None:
        """Return the job that reports with a token, of which this is the digest."""
        ...

    def jobs(self, experiment: str, *, start: int = 0, limit: int = 100) -> list[JobRow]:
        """Return the jobs of an experiment, the newest first."""
        ...

    def audit(self, experiment: str, *, before: int | None = None, limit: int = 100) -> list[AuditRow]:
        """Return who did what in an experiment, the newest first."""
        ...


class LogbookSink(Protocol):
    """The part of a :class:`~hutch.store.protocols.store.Writer` that writes the logbook."""

    def add_entry(self, entry: NewEntry) -> int | None:
        """Add an entry without a version; return its number, or None if its key is there already."""
        ...

    def add_version(
        self, experiment: str, entry: int, version: int, action: str, time: float, author: str, body: bytes
    ) -> VersionRow:
        """Add a version of an entry to the end of the chain of its experiment.

        :param version: its number in the entry.
        :param action: ``post``, ``edit``, ``delete`` or ``restore``.
        :param time: s since 1970.
        """
        ...

    def set_entry(
        self, entry: int, version: int, run_num: int | None, edited: float | None, deleted: float | None
    ) -> None:
        """Let the row of an entry say what its last version says.

        :param edited: when it was changed last, s since 1970.
        :param deleted: since when it is, s since 1970.
        """
        ...

    def sign_entry(self, entry: int, time: float, author: str) -> None:
        """Let the row of an entry say what its first version says.

        :param time: when it was written, s since 1970.
        """
        ...

    def add_terms(self, experiment: str, entry: int, terms: Iterable[str]) -> None:
        """Let an entry be found by terms."""
        ...

    def remove_terms(self, experiment: str, entry: int, terms: Iterable[str]) -> None:
        """Let an entry not be found by terms any more."""
        ...

    def add_blob(self, blob: NewBlob) -> None:
        """Add the bytes of an attachment; those that are there already are left alone."""
        ...

    def run_numbers(self, experiment: str) -> list[RunNumberRow]:
        """Return all numbers in an experiment; nobody else gives any before this transaction ends."""
        ...

    def add_run_number(self, experiment: str, number: int, run: int) -> bool:
        """Give a run a number in an experiment; tell whether it was free and the run had none."""
        ...

    def put_run_table(self, row: RunTableRow) -> None:
        """Put a run table in the place of the one of the same name."""
        ...

    def drop_run_table(self, experiment: str, name: str) -> None:
        """Remove a run table."""
        ...

    def put_workflow(self, row: WorkflowRow) -> int:
        """Put a workflow in the place of the one of the same name and owner; return its number."""
        ...

    def remove_workflow(self, workflow: int) -> None:
        """Remove a workflow from those that are defined; its row stays for the jobs that it had."""
        ...

    def add_job(self, row: JobRow) -> int:
        """Add a job; return its number."""
        ...

    def set_job(self, row: JobRow) -> None:
        """Let a job say how it stands: its status, its counters, and until when it may report."""
        ...

    def add_audit(
        self, experiment: str, time: float, author: str, action: str, subject: str, details: bytes | None
    ) -> None:
        """Note that somebody did something in an experiment.

        :param details: a document.
        """
        ...
