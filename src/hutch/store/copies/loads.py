"""How much the runs of a store are: rows and bytes, for portions of a copy, its progress, and its disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hutch.store.schema import tables as t

__all__ = ["Load", "load_after", "load_of_attachments", "loads"]

_BYTES_OF_A_RUN = 6000
"""What a run and its index rows take in a database, besides its documents and batches; an estimate."""
_BYTES_OF_A_ROW = 100


@dataclass(frozen=True)
class Load:
    """What some runs are, or one."""

    runs: int = 0
    rows: int = 0
    """Documents and batches."""
    document_bytes: int = 0
    body_bytes: int = 0
    """Of batches in rows."""
    file_bytes: int = 0
    """Of batches in files."""

    @property
    def batch_bytes(self) -> int:
        """All batches."""
        return self.body_bytes + self.file_bytes

    @property
    def database_bytes(self) -> int:
        """What they take in a database, more or less."""
        rows = self.runs * _BYTES_OF_A_RUN + self.rows * _BYTES_OF_A_ROW
        return rows + self.document_bytes + self.body_bytes

    def __add__(self, other: Load) -> Load:
        return Load(
            self.runs + other.runs,
            self.rows + other.rows,
            self.document_bytes + other.document_bytes,
            self.body_bytes + other.body_bytes,
            self.file_bytes + other.file_bytes,
        )

    def __sub__(self, other: Load) -> Load:
        """Return what is left; never less than nothing."""
        return Load(
            max(0, self.runs - other.runs),
            max(0, self.rows - other.rows),
            max(0, self.document_bytes - other.document_bytes),
            max(0, self.body_bytes - other.body_bytes),
            max(0, self.file_bytes - other.file_bytes),
        )


_documents = (sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(t.documents.c.body)), 0))
_in_files = t.batches.c.file.is_not(None)
_batches = (
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(sa.case((_in_files, 0), else_=t.batches.c.size)), 0),
    sa.func.coalesce(sa.func.sum(sa.case((_in_files, t.batches.c.size), else_=0)), 0),
)


def loads(side: sa.Connection, runs: Sequence[int]) -> dict[int, Load]:
    """Return what each of some runs is; nothing of those that are not there."""
    found = dict.fromkeys(runs, Load())

    def ask(table: sa.Table, run: sa.Column[Any], *sums: Any) -> Any:
        return side.execute(sa.select(run, *sums).select_from(table).where(run.in_(runs)).group_by(run))

    for run, count in ask(t.runs, t.runs.c.id, sa.func.count()):
        found[run] += Load(count)
    for run, count, size in ask(t.documents, t.documents.c.run, *_documents):
        found[run] += Load(0, count, int(size))
    for run, count, *sizes in ask(t.batches, t.batches.c.run, *_batches):
        found[run] += Load(0, count, 0, *map(int, sizes))
    return found


def load_after(side: sa.Connection, run: int) -> Load:
    """Return what all runs after an id are (slow: a scan)."""

    def ask(table: sa.Table, column: sa.Column[Any], *sums: Any) -> list[int]:
        asked = sa.select(*sums).select_from(table)
        return [int(value) for value in side.execute(asked.where(column > run) if run else asked).one()]

    (runs,) = ask(t.runs, t.runs.c.id, sa.func.count())
    count, documents = ask(t.documents, t.documents.c.run, *_documents)
    batches, bodies, files = ask(t.batches, t.batches.c.run, *_batches)
    return Load(runs, count + batches, documents, bodies, files)


def load_of_attachments(side: sa.Connection) -> Load:
    """Return what the attachments of the logbook are."""
    blob = t.blobs.c
    size = sa.func.coalesce(sa.func.sum(blob.size), 0)
    in_files, in_rows = (
        int(side.execute(sa.select(size).where(where)).scalar() or 0)
        for where in (blob.file.is_not(None), blob.file.is_(None))
    )
    return Load(document_bytes=in_rows, file_bytes=in_files)
