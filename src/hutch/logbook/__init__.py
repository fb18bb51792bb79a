"""The electronic logbook: entries, run tables and parameters of an experiment."""

from hutch.logbook.afterwards import settle
from hutch.logbook.attachments import NewFile, shown_name
from hutch.logbook.entries import Attachment, Content, Entry, EntryPage, Format, Version
from hutch.logbook.logbook import Logbook
from hutch.logbook.rendering import render
from hutch.logbook.run_book import NumberedRun
from hutch.logbook.run_tables import Column, ColumnType, RunTable
from hutch.logbook.table_data import TableData
from hutch.logbook.verdicts import VerdictEntries, enter_verdicts
from hutch.logbook.workflow_book import Job, JobStatus, MadeJob, Trigger, Workflow

__all__ = [
    "Attachment",
    "Column",
    "ColumnType",
    "Content",
    "Entry",
    "EntryPage",
    "Format",
    "Job",
    "JobStatus",
    "Logbook",
    "MadeJob",
    "NewFile",
    "NumberedRun",
    "RunTable",
    "TableData",
    "Trigger",
    "VerdictEntries",
    "Version",
    "Workflow",
    "enter_verdicts",
    "render",
    "settle",
    "shown_name",
]
