"""The logbooks of a store, from one object."""

from __future__ import annotations

from hutch.logbook.entry_book import EntryBook
from hutch.logbook.table_book import TableBook
from hutch.logbook.workflow_book import WorkflowBook

__all__ = ["Logbook"]


class Logbook(EntryBook, TableBook, WorkflowBook):
    """The logbooks of all experiments in a store; see :class:`~hutch.logbook.rights.Desk` for its making.

    A logbook has entries (:class:`~hutch.logbook.entry_book.EntryBook`), runs with numbers and parameters
    (:class:`~hutch.logbook.run_book.RunBook`), run tables (:class:`~hutch.logbook.table_book.TableBook`),
    and workflows (:class:`~hutch.logbook.workflow_book.WorkflowBook`).
    """
