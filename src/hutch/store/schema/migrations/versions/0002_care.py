"""Tables for the care of a store: amendments, tombstones, retention, cursors, discarded files."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables, and the amended start document to runs."""
    op.add_column(
        "runs",
        sa.Column(
            "amended",
            sa.LargeBinary(),
            nullable=True,
            comment="the start document as amended since; null if never",
        ),
    )
    owned = sa.text("owner IS NOT NULL")
    op.create_index("runs_owner", "runs", ["owner"], sqlite_where=owned, postgresql_where=owned)
    op.create_table(
        "amendments",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "edits",
            sa.LargeBinary(),
            nullable=False,
            comment="what changed: paths, values before and after",
        ),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="who corrected what of a start document, and when",
        sqlite_autoincrement=True,
    )
    op.create_index("amendments_run", "amendments", ["run", "id"])
    op.create_table(
        "tombstones",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("uid", TEXT, nullable=False),
        sa.Column("run", INTEGER, nullable=False, comment="the id that the run had"),
        sa.Column("time", FLOAT, nullable=False, comment="of the start document, s since 1970"),
        sa.Column("scan_id", INTEGER, nullable=True),
        sa.Column("deleted", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "summary",
            sa.LargeBinary(),
            nullable=False,
            comment="what there was: plan, streams, events, bytes",
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="runs that were deleted",
        sqlite_autoincrement=True,
    )
    op.create_index("tombstones_uid", "tombstones", ["uid"])
    op.create_table(
        "retention",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", sa.LargeBinary(), nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="rules that say which runs may be deleted",
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="how far a reader of something has come: of the changes feed, of a stream of documents",
    )
    op.create_table(
        "discarded",
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.PrimaryKeyConstraint("file"),
        comment="Arrow files that no batch names any more; readers may have them open for a while",
    )
