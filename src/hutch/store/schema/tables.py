"""The schema of a store, the same for every database.

Documents and values are bytes (:mod:`hutch.documents.encoding`), so a database never sees, and never
changes, what is in them. The index table is a pure function of the documents.
"""

from __future__ import annotations

import sqlalchemy as sa

from hutch.store.schema.logbook_tables import (
    audit,
    blobs,
    chains,
    entries,
    entry_terms,
    entry_versions,
    jobs,
    run_numbers,
    run_tables,
    workflows,
)
from hutch.store.schema.monitor_tables import frozen_figures, plot_states, saved_references, tiles
from hutch.store.schema.table_types import Float, Id, Text, metadata

__all__ = [
    "HEAD",
    "activations",
    "amendments",
    "api_keys",
    "audit",
    "batches",
    "blobs",
    "chains",
    "changes",
    "cursors",
    "discarded",
    "documents",
    "entries",
    "entry_terms",
    "entry_versions",
    "executables",
    "experiments",
    "frozen_figures",
    "index",
    "jobs",
    "marks",
    "metadata",
    "owners",
    "plot_states",
    "posted",
    "properties",
    "quarantine",
    "retention",
    "roles",
    "run_numbers",
    "run_tables",
    "runs",
    "saved_references",
    "segments",
    "stash",
    "tiles",
    "tombstones",
    "users",
    "workflows",
]

HEAD = "0007"
"""The migration that this module describes; a test compares the two."""

properties = sa.Table(
    "properties",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    comment="facts about the store: its uid, when and by which version it was made",
)

owners = sa.Table(
    "owners",
    metadata,
    sa.Column("uid", sa.Text, primary_key=True, comment="also the name of its lock"),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", Id, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("since", Float, nullable=False),
    sa.Column("heartbeat", Float, nullable=False),
    comment="processes that record; an open run belongs to one",
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("uid", Text, nullable=False, unique=True),
    sa.Column("time", Float, nullable=False, comment="of the start document, s since 1970"),
    sa.Column("scan_id", Id, comment="null if there is none of 64 bit"),
    sa.Column("owner", sa.Text, comment="of an open run"),
    sa.Column("start", sa.LargeBinary, nullable=False),
    sa.Column("stop", sa.LargeBinary),
    sa.Column("amended", sa.LargeBinary, comment="the start document as amended since; null if never"),
    sa.Index("runs_time", "time", "id"),
    sa.Index("runs_scan_id", "scan_id", "time", "id"),
    # Only of the few that are open: who records now.
    sa.Index(
        "runs_owner",
        "owner",
        sqlite_where=sa.text("owner IS NOT NULL"),
        postgresql_where=sa.text("owner IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("run", Id, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("number", Id, primary_key=True, comment="arrival number in the run"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("documents_uid", "uid", "kind", "run", unique=True),
    comment="descriptors and documents about external files, whole",
)

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("descriptor", sa.Text, nullable=False),
    sa.Column("schema", sa.LargeBinary, nullable=False, comment="Arrow schema, an IPC message"),
    sa.Index("segments_run", "run"),
    sqlite_autoincrement=True,
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("segment", Id, sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("first_arrival", Id, nullable=False),
    sa.Column("rows", Id, nullable=False),
    sa.Column("size", Id, nullable=False),
    sa.Column("crc32", Id, nullable=False),
    sa.Column("file", sa.Text),
    sa.Column("body", sa.LargeBinary, comment="an Arrow record batch message; null if in a file"),
    sa.Index("batches_run", "run", "first_arrival"),
    sqlite_autoincrement=True,
    comment="a batch of events exists when its row is committed",
)

index = sa.Table(
    "leaves",
    metadata,
    sa.Column("key", Text, primary_key=True),
    sa.Column("type", sa.SmallInteger, primary_key=True),
    sa.Column("number", Float, primary_key=True),
    sa.Column("text", Text, primary_key=True),
    sa.Column("time", Float, primary_key=True),
    sa.Column("run", Id, primary_key=True),
    sqlite_with_rowid=False,
    comment="every scalar leaf of the documents: what searches scan",
)

marks = sa.Table(
    "marks",
    metadata,
    sa.Column("run", Id, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("count", Id, nullable=False),
    sa.Column("first_arrival", Id, nullable=False),
    comment="values that contradict their descriptor: kept, and counted here",
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id")),
    sa.Column("time", Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
    comment="documents that could not be placed, whole",
)

stash = sa.Table(
    "stash",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    comment="metadata that is reused for every run",
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("number", Id, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("run", Id),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("time", Float, nullable=False),
    sqlite_autoincrement=True,
    comment="what each transaction did, in the order in which it became visible",
)

amendments = sa.Table(
    "amendments",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("time", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column(
        "edits", sa.LargeBinary, nullable=False, comment="what changed: paths, values before and after"
    ),
    sa.Index("amendments_run", "run", "id"),
    sqlite_autoincrement=True,
    comment="who corrected what of a start document, and when",
)

posted = sa.Table(
    "posted",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("source", sa.Text, nullable=False, comment="param or dqm"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.LargeBinary, comment="null if it was removed"),
    sa.Column("time", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("origin", sa.LargeBinary, comment="where it comes from: a job, a check"),
    sa.Index("posted_run", "run", "id"),
    sqlite_autoincrement=True,
    comment="parameters and verdicts of runs; of each name the last is what holds",
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("uid", Text, nullable=False),
    sa.Column("run", Id, nullable=False, comment="the id that the run had"),
    sa.Column("time", Float, nullable=False, comment="of the start document, s since 1970"),
    sa.Column("scan_id", Id),
    sa.Column("deleted", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column(
        "summary", sa.LargeBinary, nullable=False, comment="what there was: plan, streams, events, bytes"
    ),
    sa.Index("tombstones_uid", "uid"),
    sqlite_autoincrement=True,
    comment="runs that were deleted",
)

retention = sa.Table(
    "retention",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("rule", sa.LargeBinary, nullable=False),
    sa.Column("time", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    comment="rules that say which runs may be deleted",
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("time", Float, nullable=False),
    comment="how far a reader of something has come: of the changes feed, of a stream of documents",
)

discarded = sa.Table(
    "discarded",
    metadata,
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("time", Float, nullable=False),
    comment="Arrow files that no batch names any more; readers may have them open for a while",
)

# Who may do what. No row refers to another by a foreign key: a copy deletes and adds rows one by one.

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True, comment="the beginning of the key, for people"),
    sa.Column("digest", sa.LargeBinary, nullable=False, comment="SHA-256 of the key, which is kept nowhere"),
    sa.Column("owner", sa.Text, comment="the user whose roles it has; null if it has none"),
    sa.Column("scopes", sa.Text, nullable=False, comment="words"),
    sa.Column("catalogs", sa.LargeBinary, comment="names of those it is limited to; null if to none"),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("expires", Float, comment="s since 1970; null if never"),
    sa.Column("revoked", Float, comment="since when; null if it is not"),
    sa.Column("used", Float, comment="when it was used last, to about an hour"),
    comment="what programs show to be let in",
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("password", sa.Text, comment="an argon2 hash; null if there is none to log in with"),
    sa.Column("scopes", sa.Text, nullable=False, comment="words"),
    sa.Column("catalogs", sa.LargeBinary, comment="names of those they are limited to; null if to none"),
    sa.Column("created", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("disabled", Float, comment="since when; null if they are not"),
    comment="people and accounts that may log in",
)

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("instrument", sa.Text, nullable=False, comment="in capitals"),
    sa.Column("station", Id, nullable=False),
    sa.Column("leader", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("begins", Float, comment="s since 1970"),
    sa.Column("ends", Float, comment="s since 1970"),
    sa.Column("created", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("locked", Float, comment="since when nobody writes; null if they may"),
    sa.Column("opened", Float, comment="since when all may read; null if only its members"),
    comment="what runs and entries belong to",
)

roles = sa.Table(
    "roles",
    metadata,
    sa.Column("experiment", Text, primary_key=True),
    sa.Column("member", Text, primary_key=True, comment="a user"),
    sa.Column("role", sa.Text, nullable=False, comment="reader, writer, editor or operator"),
    sa.Column("time", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    comment="what users may do in experiments",
)

executables = sa.Table(
    "executables",
    metadata,
    sa.Column("path", Text, primary_key=True, comment="of a program, where it is run"),
    sa.Column("time", Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    comment="what workflows may run",
)

activations = sa.Table(
    "activations",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("instrument", sa.Text, nullable=False),
    sa.Column("station", Id, nullable=False),
    sa.Column("experiment", sa.Text, comment="null if none is active from then on"),
    sa.Column("time", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    sqlite_autoincrement=True,
    comment="which experiment is active at a station from a moment on; nothing here is changed later",
)
