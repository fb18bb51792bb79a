"""Questions to the logbook, and their rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from hutch.errors import CorruptBatchError, QueryError
from hutch.store.rows.logbook import (
    AuditRow,
    BlobRow,
    ChainHead,
    EntryFilter,
    EntryRow,
    JobRow,
    RunNumberRow,
    RunTableRow,
    VersionRow,
    WorkflowRow,
)
from hutch.store.statement import several
from hutch.store.statements.entry_searches import (
    MOST_WORDS,
    Terms,
    counts_of,
    shape_of,
    values_of,
    values_of_terms,
)
from hutch.store.statements.entry_terms import ANY
from hutch.store.statements.runs import Statement, Statements

__all__ = ["LogbookReader"]

_FEW = 2000
"""A term that so many entries have is looked up; one that more have is met along the newest."""

_AT_ONCE = 500
_NO_LIMIT = 2**62


class LogbookReader:
    """The part of a :class:`~hutch.store.protocols.store.Store` that knows the logbook."""

    # What is more of a store than this says these.
    _query: Callable[[Statement, dict[str, Any]], list[Any]]
    _say: Statements
    _files: Path

    # entries

    def entry(self, entry: int) -> EntryRow | None:
        """Return an entry; None if there is none of this number."""
        if not 0 < entry < 2**63:
            return None
        rows = self._query(self._say.logbook.entry, {"id": entry})
        return EntryRow(*rows[0]) if rows else None

    def entry_by_key(self, experiment: str, key: str) -> EntryRow | None:
        """Return the entry that somebody posted with a key of their own."""
        rows = self._query(self._say.logbook.entry_by_key, {"experiment": experiment, "key": key})
        return EntryRow(*rows[0]) if rows else None

    def thread(self, root: int) -> list[EntryRow]:
        """Return an entry and all that answer it, oldest first."""
        return [EntryRow(*row) for row in self._query(self._say.logbook.thread, {"id": root})]

    def count_replies(self, root: int) -> int:
        """Return how many entries answer one, without those that are deleted."""
        return int(self._query(self._say.logbook.count_replies, {"id": root})[0][0])

    def entries(self, where: EntryFilter, limit: int) -> list[EntryRow]:
        """Return entries that a filter lets through, the newest first.

        :raises QueryError: if too many words begin as one that is asked for.
        """
        found = [self._counted(where.experiment, term) for term in dict.fromkeys(where.terms)]
        terms = tuple(some for _, some in sorted(found))
        if not terms:
            return self._page(where, (), limit)
        if found and min(count for count, _ in found) <= _FEW:
            return self._looked_up(where, terms, limit, is_common=False)
        rows = self._page(where, terms, limit)
        return rows if len(rows) >= limit else self._looked_up(where, terms, limit, is_common=True)

    def _page(self, where: EntryFilter, terms: Terms, limit: int) -> list[EntryRow]:
        """Return entries that are found along the newest; with terms, only the latest few are looked at."""
        statement = self._say.logbook.search.page(shape_of(where), counts_of(terms))
        values = {**values_of(where), **values_of_terms(terms), "limit": limit}
        return [EntryRow(*row) for row in self._query(statement, values)]

    def _counted(self, experiment: str, term: str) -> tuple[int, tuple[str, ...]]:
        """Return how many entries have a term, or about so many, and the term, or those it stands for."""
        terms = self._beginning(experiment, term) if term.startswith("w:") and term.endswith(ANY) else (term,)
        values = {"experiment": experiment, "most": _FEW + 1}
        counts = (self._query(self._say.logbook.count_term, {**values, "term": one}) for one in terms)
        return sum(int(rows[0][0]) for rows in counts), terms

    def _beginning(self, experiment: str, term: str) -> tuple[str, ...]:
        """Return the terms of words that begin as one does."""
        first = term.removesuffix(ANY)
        values = {"experiment": experiment, "first": first, "last": f"{first}\U0010ffff"}
        found = tuple(row[0] for row in self._query(self._say.logbook.search.terms_between, values))
        if len(found) > MOST_WORDS:
            word = first.removeprefix("w:")
            msg = f"More than {MOST_WORDS} words begin with {word!r}. Write more of the word."
            raise QueryError(msg)
        return found

    def _looked_up(self, where: EntryFilter, terms: Terms, limit: int, *, is_common: bool) -> list[EntryRow]:
        """Return entries by way of their terms; the first of these is the rarest.

        :param is_common: many entries have this one too.
        """
        if not all(terms):
            return []
        statement = self._say.logbook.search.candidates(counts_of(terms), is_common=is_common)
        values = {"experiment": where.experiment, **values_of_terms(terms)}
        # Most often newer ones have greater numbers: the others need not be read.
        ids = sorted({row[0] for row in self._query(statement, values)}, reverse=True)
        rows = self.entries_by_id(ids)
        found = sorted(
            (row for row in rows if _passes(row, where)), key=lambda row: (row.time, row.id), reverse=True
        )
        return found[:limit]

    def entries_by_id(self, ids: Sequence[int]) -> Iterator[EntryRow]:
        """Yield entries by their numbers, those that there are, in no order."""
        for start in range(0, len(ids), _AT_ONCE):
            values = several("id", ids[start : start + _AT_ONCE], _AT_ONCE)
            for row in self._query(self._say.logbook.search.some_entries(_AT_ONCE), values):
                yield EntryRow(*row)

    def entries_after(self, entry: int, limit: int) -> list[EntryRow]:
        """Return entries in the order of their numbers, of all experiments."""
        values = {"id": entry, "limit": limit}
        return [EntryRow(*row) for row in self._query(self._say.logbook.entries_after, values)]

    def count_entries(self) -> int:
        """Return the number of entries of all experiments."""
        return int(self._query(self._say.logbook.count_entries, {})[0][0])

    # terms

    def term_counts(self, experiment: str, kind: str) -> list[tuple[str, int, int]]:
        """Return the terms of a kind, how many entries have each, and the newest of these."""
        values = {"experiment": experiment, "first": f"{kind}:", "last": f"{kind};"}
        return [(row[0], row[1], row[2]) for row in self._query(self._say.logbook.term_counts, values)]

    def runs_of_term(self, experiment: str, term: str) -> list[int]:
        """Return the numbers of the runs that entries with a term are attached to."""
        values = {"experiment": experiment, "term": term}
        return [row[0] for row in self._query(self._say.logbook.runs_of_term, values)]

    def terms_of_run(self, experiment: str, run_num: int, kind: str) -> list[tuple[str, int]]:
        """Return the terms of a kind of the entries of a run, and the newest entry that has each."""
        values = {"experiment": experiment, "run_num": run_num, "first": f"{kind}:", "last": f"{kind};"}
        return [(row[0], row[1]) for row in self._query(self._say.logbook.terms_of_run, values)]

    def entry_terms_after(self, place: tuple[str, str, int], limit: int) -> list[tuple[str, str, int]]:
        """Return experiment, term and entry of terms, in this order, after a place."""
        experiment, term, entry = place
        values = {"experiment": experiment, "term": term, "entry": entry, "limit": limit}
        return [(row[0], row[1], row[2]) for row in self._query(self._say.logbook.terms_after, values)]

    # versions

    def terms_of_entry(self, experiment: str, entry: int) -> list[str]:
        """Return what an entry is found by (slow: a scan of the experiment's terms)."""
        values = {"experiment": experiment, "entry": entry}
        return [row[0] for row in self._query(self._say.logbook.terms_of_entry, values)]

    def entries_behind(self) -> list[int]:
        """Return entries whose rows are not of their last versions (slow: a scan)."""
        return [row[0] for row in self._query(self._say.logbook.entries_behind, {})]

    def versions(self, entry: int) -> list[VersionRow]:
        """Return all versions of an entry, oldest first."""
        return [VersionRow(*row) for row in self._query(self._say.logbook.versions, {"entry": entry})]

    def versions_after(self, experiment: str, number: int, limit: int) -> list[VersionRow]:
        """Return links of the chain of an experiment after one, in order."""
        values = {"experiment": experiment, "number": number, "limit": limit}
        return [VersionRow(*row) for row in self._query(self._say.logbook.versions_after, values)]

    def logbooks(self) -> list[str]:
        """Return the experiments that have entries, by name."""
        return sorted(row[0] for row in self._query(self._say.logbook.experiments, {}))

    def chain(self, experiment: str) -> ChainHead | None:
        """Return the last link of the chain of an experiment, as it was noted."""
        rows = self._query(self._say.logbook.chain, {"experiment": experiment})
        return ChainHead(*rows[0]) if rows else None

    # attachments

    def blob(self, digest: str) -> BlobRow | None:
        """Return what is known of the bytes of an attachment; None if they are not there."""
        rows = self._query(self._say.logbook.blob, {"digest": digest})
        return BlobRow(*rows[0]) if rows else None

    def blobs_after(self, blob: int, limit: int) -> list[BlobRow]:
        """Return what is known of the bytes of attachments, in the order of their numbers."""
        rows = self._query(self._say.logbook.blobs_after, {"id": blob, "limit": limit})
        return [BlobRow(*row) for row in rows]

    def open_blob(self, digest: str) -> IO[bytes]:
        """Return the bytes of an attachment as an open file, to be closed.

        :raises CorruptBatchError: if they are gone.
        """
        blob = self.blob(digest)
        if blob is not None and blob.file is not None:
            try:
                return (self._files / blob.file).open("rb")
            except OSError as error:
                msg = f"The file of an attachment, {blob.file!r}, cannot be read: {error.strerror}."
                raise CorruptBatchError(msg) from error
        rows = self._query(self._say.logbook.blob_body, {"digest": digest})
        if not rows or rows[0][0] is None:
            msg = f"The attachment {digest!r} is gone from the database. Check it with: hutch verify"
            raise CorruptBatchError(msg)
        return io.BytesIO(rows[0][0])

    def thumbnail(self, digest: str) -> bytes | None:
        """Return the small picture of an attachment, a PNG; None if there is none."""
        rows = self._query(self._say.logbook.thumbnail, {"digest": digest})
        return None if not rows or rows[0][0] is None else bytes(rows[0][0])

    def names_blob(self, file: str) -> bool:
        """Tell whether an attachment is in a file, by its name below the folder of files."""
        return bool(self._query(self._say.logbook.blob_by_file, {"file": file}))

    # runs

    def run_numbers(self, experiment: str, *, start: int = 0, limit: int | None = None) -> list[RunNumberRow]:
        """Return the numbers of the runs of an experiment that are there, the greatest first."""
        values = {"experiment": experiment, "start": start, "limit": _NO_LIMIT if limit is None else limit}
        return [RunNumberRow(*row) for row in self._query(self._say.logbook.run_numbers_page, values)]

    def numbered_runs(
        self, experiment: str, first: int | None = None, last: int | None = None
    ) -> dict[int, int]:
        """Return the numbers of the runs of an experiment that are there, by id, the greatest first.

        :param first: the least number; None if it does not matter.
        :param last: the greatest number.
        """
        values = {
            "experiment": experiment,
            "first": -_NO_LIMIT if first is None else first,
            "last": _NO_LIMIT if last is None else last,
        }
        return dict(self._query(self._say.logbook.numbered_runs, values))

    def run_number(self, experiment: str, number: int) -> RunNumberRow | None:
        """Return which run has a number in an experiment; it may have been deleted since."""
        if not -(2**63) <= number < 2**63:
            return None
        rows = self._query(self._say.logbook.run_number, {"experiment": experiment, "number": number})
        return RunNumberRow(*rows[0]) if rows else None

    def number_of_run(self, experiment: str, run: int) -> RunNumberRow | None:
        """Return the number that a run has in an experiment; None if it has none so far."""
        rows = self._query(self._say.logbook.number_of_run, {"experiment": experiment, "run": run})
        return RunNumberRow(*rows[0]) if rows else None

    def latest_run_numbers(self, experiment: str, limit: int) -> list[RunNumberRow]:
        """Return the numbers of the runs of an experiment that began last, of those that are there."""
        values = {"experiment": experiment, "limit": limit}
        return [RunNumberRow(*row) for row in self._query(self._say.logbook.latest_run_numbers, values)]

    def run_tables(self, experiment: str) -> list[RunTableRow]:
        """Return the run tables of an experiment, by name."""
        rows = self._query(self._say.logbook.run_tables, {"experiment": experiment})
        return [RunTableRow(*row) for row in rows]

    # workflows

    def workflows(self, experiment: str) -> list[WorkflowRow]:
        """Return the workflows of an experiment, by name."""
        rows = self._query(self._say.logbook.workflows, {"experiment": experiment})
        return [WorkflowRow(*row) for row in rows]

    def workflow(self, workflow: int) -> WorkflowRow | None:
        """Return a workflow, also one that was removed."""
        rows = self._query(self._say.logbook.workflow, {"id": workflow})
        return WorkflowRow(*rows[0]) if rows else None

    def job(self, job: int) -> JobRow | None:
        """Return a job; None if there is none of this number."""
        rows = self._query(self._say.logbook.job, {"id": job}) if 0 < job < 2**63 else []
        return JobRow(*rows[0]) if rows else None

    def job_by_token(self, token: str) -> JobRow | None:
        """Return the job that reports with a token, of which this is the digest."""
        rows = self._query(self._say.logbook.job_by_token, {"token": token})
        return JobRow(*rows[0]) if rows else None

    def jobs(self, experiment: str, *, start: int = 0, limit: int = 100) -> list[JobRow]:
        """Return the jobs of an experiment, the newest first."""
        values = {"experiment": experiment, "start": start, "limit": limit}
        return [JobRow(*row) for row in self._query(self._say.logbook.jobs, values)]

    def audit(self, experiment: str, *, before: int | None = None, limit: int = 100) -> list[AuditRow]:
        """Return who did what in an experiment, the newest first."""
        values = {"experiment": experiment, "before": before or _NO_LIMIT, "limit": limit}
        return [AuditRow(*row) for row in self._query(self._say.logbook.audit, values)]


def _passes(row: EntryRow, where: EntryFilter) -> bool:
    """Tell whether an entry that has all terms passes the rest of a filter."""
    run = row.run_num
    if where.first_run is not None and (run is None or run < where.first_run):
        return False
    if where.last_run is not None and (run is None or run > where.last_run):
        return False
    if where.since is not None and row.time < where.since:
        return False
    if where.until is not None and row.time >= where.until:
        return False
    if where.is_deleted is not None and where.is_deleted != (row.deleted is not None):
        return False
    if where.is_root and row.parent is not None:
        return False
    return where.before is None or (row.time, row.id) < where.before
