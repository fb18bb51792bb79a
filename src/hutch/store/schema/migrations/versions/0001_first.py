"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables, as they were when stores began."""
    op.create_table(
        "changes",
        sa.Column("number", INTEGER, autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("run", INTEGER, nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        comment="what each transaction did, in the order in which it became visible",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leaves",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("number", FLOAT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("key", "type", "number", "text", "time", "run"),
        comment="every scalar leaf of the documents: what searches scan",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "owners",
        sa.Column("uid", sa.Text(), nullable=False, comment="also the name of its lock"),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", INTEGER, nullable=False),
        sa.Column("program", sa.Text(), nullable=False),
        sa.Column("since", FLOAT, nullable=False),
        sa.Column("heartbeat", FLOAT, nullable=False),
        sa.PrimaryKeyConstraint("uid"),
        comment="processes that record; an open run belongs to one",
    )
    op.create_table(
        "properties",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        comment="facts about the store: its uid, when and by which version it was made",
    )
    op.create_table(
        "runs",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("uid", TEXT, nullable=False),
        sa.Column("time", FLOAT, nullable=False, comment="of the start document, s since 1970"),
        sa.Column("scan_id", INTEGER, nullable=True, comment="null if there is none of 64 bit"),
        sa.Column("owner", sa.Text(), nullable=True, comment="of an open run"),
        sa.Column("start", sa.LargeBinary(), nullable=False),
        sa.Column("stop", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_scan_id", "runs", ["scan_id", "time", "id"], unique=False)
    op.create_index("runs_time", "runs", ["time", "id"], unique=False)
    op.create_table(
        "stash",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        comment="metadata that is reused for every run",
    )
    op.create_table(
        "documents",
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("number", INTEGER, nullable=False, comment="arrival number in the run"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "number"),
        comment="descriptors and documents about external files, whole",
    )
    op.create_index("documents_uid", "documents", ["uid", "kind", "run"], unique=True)
    op.create_table(
        "marks",
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", INTEGER, nullable=False),
        sa.Column("first_arrival", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "stream", "key", "reason"),
        comment="values that contradict their descriptor: kept, and counted here",
    )
    op.create_table(
        "quarantine",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("run", INTEGER, nullable=True),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="documents that could not be placed, whole",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "segments",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("descriptor", sa.Text(), nullable=False),
        sa.Column("schema", sa.LargeBinary(), nullable=False, comment="Arrow schema, an IPC message"),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("segments_run", "segments", ["run"], unique=False)
    op.create_table(
        "batches",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("segment", INTEGER, nullable=False),
        sa.Column("first_arrival", INTEGER, nullable=False),
        sa.Column("rows", INTEGER, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("crc32", INTEGER, nullable=False),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column(
            "body",
            sa.LargeBinary(),
            nullable=True,
            comment="an Arrow record batch message; null if in a file",
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["segment"],
            ["segments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="a batch of events exists when its row is committed",
        sqlite_autoincrement=True,
    )
    op.create_index("batches_run", "batches", ["run", "first_arrival"], unique=False)
