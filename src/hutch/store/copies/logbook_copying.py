"""The logbook from one store's database to another's.

What is never changed later (versions, attachments, numbers of runs, who did what) is copied from where the
copy ends. Entries and what they are found by follow from their versions, and are made anew where these came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hutch.documents import decode
from hutch.store.copies.file_copying import Wanted
from hutch.store.copies.needed_files import NeededFiles
from hutch.store.copies.table_copying import Row, TableCopier, in_groups
from hutch.store.schema import tables as t
from hutch.store.statements.entry_terms import terms_of

__all__ = ["copy_logbook", "copy_some_of_logbook"]

_APPENDED = (t.blobs, t.entry_versions, t.run_numbers, t.audit)
"""What entries refer to comes before them."""

_CHANGED: dict[sa.Table, str | None] = {
    t.chains: None,
    t.run_tables: "definition",
    t.workflows: None,
    t.jobs: None,
}
_AT_ONCE = 500

_ENTRY = tuple(t.entries.columns)


def copy_some_of_logbook(copier: TableCopier, files: NeededFiles) -> bool:
    """Copy a part of what is never changed, and the entries of it; tell whether there is more."""
    more = False
    for table in _APPENDED:
        more |= _append(copier, table, files, _AT_ONCE)
    return _settle_entries(copier, _AT_ONCE) or more


def copy_logbook(copier: TableCopier, files: NeededFiles) -> None:
    """Make the logbook of the target what it is in the source."""
    for table in _APPENDED:
        while _append(copier, table, files, _AT_ONCE):
            continue
    while _settle_entries(copier, _AT_ONCE):
        continue
    copier.settle(_CHANGED)


def _append(copier: TableCopier, table: sa.Table, files: NeededFiles, most: int) -> bool:
    """Add rows that came since; tell whether there may be more."""
    last = copier.target.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
    asked = sa.select(table.c.id).where(table.c.id > last).order_by(table.c.id).limit(most)
    ids = list(copier.source.execute(asked).scalars())
    if not ids:
        return False
    these = sa.and_(table.c.id > last, table.c.id <= ids[-1])
    if table is t.blobs:
        named = sa.select(t.blobs.c.file, t.blobs.c.size, t.blobs.c.crc32).where(
            these, t.blobs.c.file.is_not(None)
        )
        files.bring_or_tell([Wanted(*row) for row in copier.source.execute(named)])
    copier.add(table, these)
    return len(ids) == most


def _settle_entries(copier: TableCopier, most: int) -> bool:
    """Make entries of the target follow from the versions that it has; tell whether there may be more.

    Those that have more versions in the source wait for these.
    """
    versions = t.entry_versions.c
    newest = (
        sa.select(versions.entry, sa.func.max(versions.version).label("version"))
        .group_by(versions.entry)
        .subquery()
    )
    behind = (
        sa.select(newest.c.entry, newest.c.version)
        .outerjoin(t.entries, t.entries.c.id == newest.c.entry)
        .where(sa.func.coalesce(t.entries.c.version, 0) < newest.c.version)
        .order_by(newest.c.entry)
        .limit(most)
    )
    wanted = {row.entry: row.version for row in copier.target.execute(behind)}
    done = 0
    for some in in_groups(sorted(wanted)):
        now = {row.id: row for row in _entries(copier.source, some) if row.version == wanted[row.id]}
        before = [row for row in _entries(copier.target, some) if row.id in now]
        old = {term for row in before for term in _terms(row)}
        new = {term for row in now.values() for term in _terms(row)}
        copier.write.delete(t.entry_terms, sorted(old - new))
        copier.write.insert(t.entry_terms, sorted(new - old), leave_known=True)
        copier.write.delete(t.entries, [(row.id,) for row in before])
        copier.write.insert(t.entries, [tuple(row)[: len(_ENTRY)] for row in now.values()])
        done += len(now)
    return done > 0 and len(wanted) == most


def _entries(side: sa.Connection, entries: Sequence[int]) -> list[sa.Row[Any]]:
    """Return entries with the bodies of their last versions."""
    versions = t.entry_versions.c
    last = sa.and_(versions.entry == t.entries.c.id, versions.version == t.entries.c.version)
    asked = sa.select(*_ENTRY, versions.body).join_from(t.entries, t.entry_versions, last)
    return list(side.execute(asked.where(t.entries.c.id.in_(entries))))


def _terms(row: sa.Row[Any]) -> set[Row]:
    """Return the rows by which an entry is found; none of what cannot be read."""
    if row.deleted is not None:
        return set()
    try:
        found = terms_of(decode(row.body), row.author)
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {(row.experiment, term, row.id) for term in found}
