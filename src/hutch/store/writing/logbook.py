"""What is written about the logbook; of entries the feed tells the experiment and the number."""

from __future__ import annotations

import time as clock
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from hutch.documents.text import storable
from hutch.store.rows.logbook import (
    JobRow,
    NewBlob,
    NewEntry,
    RunNumberRow,
    RunTableRow,
    VersionRow,
    WorkflowRow,
)
from hutch.store.rows.runs import Topic
from hutch.store.statements.runs import Statement, Statements
from hutch.store.writing.entry_chain import FIRST, link

__all__ = ["LogbookWriter"]


class LogbookWriter:
    """The part of a :class:`~hutch.store.protocols.store.Writer` that writes the logbook."""

    # What is more of a writer than this says these.
    _cursor: Any
    _say: Statements

    def add_entry(self, entry: NewEntry) -> int | None:
        """Add an entry without a version; return its number, or None if its key is there already."""
        row = self._execute(self._say.logbook.add_entry, _storable(asdict(entry))).fetchone()
        return None if row is None else int(row[0])

    def add_version(
        self, experiment: str, entry: int, version: int, action: str, time: float, author: str, body: bytes
    ) -> VersionRow:
        """Add a version of an entry to the end of the chain of its experiment.

        :param version: its number in the entry.
        :param action: ``post``, ``edit``, ``delete`` or ``restore``.
        :param time: s since 1970.
        """
        self.lock(f"logbook/{experiment}")
        row = self._execute(self._say.logbook.chain, {"experiment": experiment}).fetchone()
        number, before = (1, FIRST) if row is None else (row[1] + 1, bytes(row[2]))
        author = storable(author)
        digest = link(before, experiment, number, entry, version, action, time, author, body)
        found = VersionRow(0, experiment, number, entry, version, action, time, author, before, digest, body)
        self._execute(self._say.logbook.add_version, asdict(found))
        values = {"experiment": experiment, "number": number, "digest": digest}
        self._execute(self._say.logbook.set_chain, values)
        self._change(Topic.ENTRY, None, f"{experiment} {entry}")
        return found

    def set_entry(
        self, entry: int, version: int, run_num: int | None, edited: float | None, deleted: float | None
    ) -> None:
        """Let the row of an entry say what its last version says.

        :param edited: when it was changed last, s since 1970.
        :param deleted: since when it is, s since 1970.
        """
        values = {"id": entry, "version": version, "run_num": run_num, "edited": edited, "deleted": deleted}
        self._execute(self._say.logbook.set_entry, values)

    def sign_entry(self, entry: int, time: float, author: str) -> None:
        """Let the row of an entry say what its first version says.

        :param time: when it was written, s since 1970.
        """
        self._execute(self._say.logbook.sign_entry, {"id": entry, "time": time, "author": storable(author)})

    def add_terms(self, experiment: str, entry: int, terms: Iterable[str]) -> None:
        """Let an entry be found by terms."""
        rows = [(experiment, term, entry) for term in sorted(terms)]
        self._cursor.executemany(self._say.logbook.add_term.text, rows)

    def remove_terms(self, experiment: str, entry: int, terms: Iterable[str]) -> None:
        """Let an entry not be found by terms any more."""
        rows = [(experiment, term, entry) for term in sorted(terms)]
        self._cursor.executemany(self._say.logbook.remove_term.text, rows)

    def add_blob(self, blob: NewBlob) -> None:
        """Add the bytes of an attachment; those that are there already are left alone."""
        self._execute(self._say.logbook.add_blob, asdict(blob))

    def run_numbers(self, experiment: str) -> list[RunNumberRow]:
        """Return all numbers in an experiment; nobody else gives any before this transaction ends."""
        self.lock(f"run_numbers/{experiment}")
        rows = self._execute(self._say.logbook.run_numbers, {"experiment": experiment}).fetchall()
        return [RunNumberRow(*row) for row in rows]

    def add_run_number(self, experiment: str, number: int, run: int) -> bool:
        """Give a run a number in an experiment; tell whether it was free and the run had none."""
        values = {"experiment": experiment, "number": number, "run": run}
        is_new = self._execute(self._say.logbook.add_run_number, values).fetchone() is not None
        if is_new:
            self._change(Topic.NUMBER, run, f"{experiment} {number}")
        return is_new

    def put_run_table(self, row: RunTableRow) -> None:
        """Put a run table in the place of the one of the same name."""
        self._execute(self._say.logbook.put_run_table, _storable(asdict(row)))

    def drop_run_table(self, experiment: str, name: str) -> None:
        """Remove a run table."""
        self._execute(self._say.logbook.drop_run_table, {"experiment": experiment, "name": name})

    def put_workflow(self, row: WorkflowRow) -> int:
        """Put a workflow in the place of the one of the same name and owner; return its number."""
        values = _storable(asdict(row))
        return int(self._execute(self._say.logbook.put_workflow, values).fetchone()[0])

    def remove_workflow(self, workflow: int) -> None:
        """Remove a workflow from those that are defined; its row stays for the jobs that it had."""
        self._execute(self._say.logbook.remove_workflow, {"id": workflow, "time": clock.time()})

    def add_job(self, row: JobRow) -> int:
        """Add a job; return its number."""
        number = int(self._execute(self._say.logbook.add_job, _storable(asdict(row))).fetchone()[0])
        self._change(Topic.JOB, None, f"{row.experiment} {number}")
        return number

    def set_job(self, row: JobRow) -> None:
        """Let a job say how it stands: its status, its counters, and until when it may report."""
        self._execute(self._say.logbook.set_job, _storable(asdict(row)))
        self._change(Topic.JOB, None, f"{row.experiment} {row.id}")

    def add_audit(
        self, experiment: str, time: float, author: str, action: str, subject: str, details: bytes | None
    ) -> None:
        """Note that somebody did something in an experiment.

        :param details: a document.
        """
        values = {
            "experiment": experiment,
            "time": time,
            "author": author,
            "action": action,
            "subject": subject,
            "details": details,
        }
        self._execute(self._say.logbook.add_audit, _storable(values))

    @abstractmethod
    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this name, and hold it until this one ends."""

    @abstractmethod
    def _change(self, topic: Topic, run: int | None, reference: str) -> None: ...

    @abstractmethod
    def _execute(self, statement: Statement, values: dict[str, Any]) -> Any: ...


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
