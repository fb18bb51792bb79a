"""The tables of the logbook: entries and their versions, attachments, run numbers, run tables, workflows.

Versions are never changed or removed; the rows of entries and of their terms follow from them. No row
refers to another by a foreign key: a copy deletes and adds rows one by one, and the number of a run that
was deleted stays taken.
"""

from __future__ import annotations

import sqlalchemy as sa

from hutch.store.schema.table_types import Float, Id, Text, metadata

__all__ = [
    "audit",
    "blobs",
    "chains",
    "entries",
    "entry_terms",
    "entry_versions",
    "jobs",
    "run_numbers",
    "run_tables",
    "workflows",
]

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("experiment", Text, nullable=False),
    sa.Column("parent", Id, comment="the entry that it answers"),
    sa.Column("root", Id, comment="the first entry of its thread; null if that is itself"),
    sa.Column("run_num", Id),
    sa.Column("author", sa.Text, nullable=False, comment="of the first version"),
    sa.Column("time", Float, nullable=False, comment="s since 1970"),
    sa.Column("version", Id, nullable=False, comment="number of the last version"),
    sa.Column("edited", Float, comment="when it was changed last; null if never"),
    sa.Column("deleted", Float, comment="since when; null if it is not"),
    sa.Column("key", Text, comment="of whoever posts it, so that it is not posted twice"),
    sa.Index("entries_time", "experiment", "time", "id"),
    sa.Index("entries_run", "experiment", "run_num", "id"),
    sa.Index("entries_root", "root"),
    sa.Index("entries_key", "experiment", "key", unique=True),
    sqlite_autoincrement=True,
    comment="entries of the logbook as they are now",
)

entry_versions = sa.Table(
    "entry_versions",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("experiment", Text, nullable=False),
    sa.Column("number", Id, nullable=False, comment="counts up in the experiment, from 1 on"),
    sa.Column("entry", Id, nullable=False),
    sa.Column("version", Id, nullable=False, comment="counts up in the entry, from 1 on"),
    sa.Column("action", sa.Text, nullable=False, comment="post, edit, delete or restore"),
    sa.Column("time", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("before", sa.LargeBinary, nullable=False, comment="digest of the version before in the chain"),
    sa.Column("digest", sa.LargeBinary, nullable=False, comment="SHA-256 of all this and of before"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="the whole entry, as a document"),
    sa.Index("entry_versions_chain", "experiment", "number", unique=True),
    sa.Index("entry_versions_entry", "entry", "version", unique=True),
    sqlite_autoincrement=True,
    comment="everything that was ever written; nothing here is changed or removed later",
)

chains = sa.Table(
    "chains",
    metadata,
    sa.Column("experiment", Text, primary_key=True),
    sa.Column("number", Id, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    comment="the last version in each experiment",
)

entry_terms = sa.Table(
    "entry_terms",
    metadata,
    sa.Column("experiment", Text, primary_key=True),
    sa.Column("term", Text, primary_key=True, comment="a word, a tag, an author, with its kind before it"),
    sa.Column("entry", Id, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
    comment="what searches of entries scan; a function of the last versions",
)

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("digest", Text, nullable=False, unique=True, comment="SHA-256, in hexadecimal digits"),
    sa.Column("size", Id, nullable=False),
    sa.Column("crc32", Id, nullable=False),
    sa.Column("type", sa.Text, nullable=False, comment="as the bytes say"),
    sa.Column("time", Float, nullable=False),
    sa.Column("file", sa.Text, comment="below the folder of files; null if the bytes are here"),
    sa.Column("thumbnail", sa.LargeBinary, comment="a small PNG; null if there is none"),
    sa.Column("body", sa.LargeBinary, comment="null if in a file"),
    sqlite_autoincrement=True,
    comment="the bytes of attachments; nothing here is changed later",
)

run_numbers = sa.Table(
    "run_numbers",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("experiment", Text, nullable=False),
    sa.Column("number", Id, nullable=False),
    sa.Column("run", Id, nullable=False),
    sa.Index("run_numbers_number", "experiment", "number", unique=True),
    sa.Index("run_numbers_run", "experiment", "run", unique=True),
    sqlite_autoincrement=True,
    comment="the numbers of runs in experiments; nothing here is changed later",
)

run_tables = sa.Table(
    "run_tables",
    metadata,
    sa.Column("experiment", Text, primary_key=True),
    sa.Column("name", Text, primary_key=True),
    sa.Column("definition", sa.LargeBinary, nullable=False),
    sa.Column("time", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    comment="tables of runs that people have defined",
)

workflows = sa.Table(
    "workflows",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("experiment", Text, nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("owner", Text, nullable=False),
    sa.Column("definition", sa.LargeBinary, nullable=False),
    sa.Column("version", Id, nullable=False),
    sa.Column("time", Float, nullable=False),
    sa.Column("removed", Float, comment="since when; null if it is not"),
    sa.Index("workflows_name", "experiment", "name", "owner", unique=True),
    sqlite_autoincrement=True,
    comment="what is to be done with runs",
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("experiment", Text, nullable=False),
    sa.Column("run_num", Id),
    sa.Column("workflow", Id, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", Float, nullable=False),
    sa.Column("updated", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("counters", sa.LargeBinary, nullable=False, comment="a list of documents"),
    sa.Column("token", Text, comment="SHA-256 of what lets a job report, in hexadecimal digits"),
    sa.Column("expires", Float, comment="until when it does"),
    sa.Index("jobs_experiment", "experiment", "id"),
    sa.Index("jobs_token", "token"),
    sqlite_autoincrement=True,
    comment="what workflows were asked to do, and what came of it",
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("experiment", Text, nullable=False),
    sa.Column("time", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.LargeBinary),
    sa.Index("audit_experiment", "experiment", "id"),
    sqlite_autoincrement=True,
    comment="who did what in experiments; nothing here is changed later",
)
