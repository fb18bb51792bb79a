"""Tables of the logbook: entries, attachments, run numbers, run tables, workflows, who did what."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    _add_entries()
    _add_versions()
    _add_terms_and_blobs()
    _add_runs()
    _add_workflows()
    _add_audit()


def _add_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("parent", INTEGER, nullable=True, comment="the entry that it answers"),
        sa.Column(
            "root", INTEGER, nullable=True, comment="the first entry of its thread; null if that is itself"
        ),
        sa.Column("run_num", INTEGER, nullable=True),
        sa.Column("author", sa.Text(), nullable=False, comment="of the first version"),
        sa.Column("time", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("version", INTEGER, nullable=False, comment="number of the last version"),
        sa.Column("edited", FLOAT, nullable=True, comment="when it was changed last; null if never"),
        sa.Column("deleted", FLOAT, nullable=True, comment="since when; null if it is not"),
        sa.Column("key", TEXT, nullable=True, comment="of whoever posts it, so that it is not posted twice"),
        sa.PrimaryKeyConstraint("id"),
        comment="entries of the logbook as they are now",
        sqlite_autoincrement=True,
    )
    op.create_index("entries_key", "entries", ["experiment", "key"], unique=True)
    op.create_index("entries_root", "entries", ["root"])
    op.create_index("entries_run", "entries", ["experiment", "run_num", "id"])
    op.create_index("entries_time", "entries", ["experiment", "time", "id"])


def _add_versions() -> None:
    op.create_table(
        "entry_versions",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("number", INTEGER, nullable=False, comment="counts up in the experiment, from 1 on"),
        sa.Column("entry", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False, comment="counts up in the entry, from 1 on"),
        sa.Column("action", sa.Text(), nullable=False, comment="post, edit, delete or restore"),
        sa.Column("time", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "before", sa.LargeBinary(), nullable=False, comment="digest of the version before in the chain"
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of all this and of before"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the whole entry, as a document"),
        sa.PrimaryKeyConstraint("id"),
        comment="everything that was ever written; nothing here is changed or removed later",
        sqlite_autoincrement=True,
    )
    op.create_index("entry_versions_chain", "entry_versions", ["experiment", "number"], unique=True)
    op.create_index("entry_versions_entry", "entry_versions", ["entry", "version"], unique=True)
    op.create_table(
        "chains",
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("number", INTEGER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("experiment"),
        comment="the last version in each experiment",
    )


def _add_terms_and_blobs() -> None:
    op.create_table(
        "entry_terms",
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("term", TEXT, nullable=False, comment="a word, a tag, an author, with its kind before it"),
        sa.Column("entry", INTEGER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("experiment", "term", "entry"),
        comment="what searches of entries scan; a function of the last versions",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blobs",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("digest", TEXT, nullable=False, comment="SHA-256, in hexadecimal digits"),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("crc32", INTEGER, nullable=False),
        sa.Column("type", sa.Text(), nullable=False, comment="as the bytes say"),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column(
            "file", sa.Text(), nullable=True, comment="below the folder of files; null if the bytes are here"
        ),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=True, comment="a small PNG; null if there is none"),
        sa.Column("body", sa.LargeBinary(), nullable=True, comment="null if in a file"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        comment="the bytes of attachments; nothing here is changed later",
        sqlite_autoincrement=True,
    )


def _add_runs() -> None:
    op.create_table(
        "run_numbers",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("number", INTEGER, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="the numbers of runs in experiments; nothing here is changed later",
        sqlite_autoincrement=True,
    )
    op.create_index("run_numbers_number", "run_numbers", ["experiment", "number"], unique=True)
    op.create_index("run_numbers_run", "run_numbers", ["experiment", "run"], unique=True)
    op.create_table(
        "run_tables",
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "name"),
        comment="tables of runs that people have defined",
    )


def _add_workflows() -> None:
    op.create_table(
        "workflows",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("removed", FLOAT, nullable=True, comment="since when; null if it is not"),
        sa.PrimaryKeyConstraint("id"),
        comment="what is to be done with runs",
        sqlite_autoincrement=True,
    )
    op.create_index("workflows_name", "workflows", ["experiment", "name", "owner"], unique=True)
    op.create_table(
        "jobs",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("run_num", INTEGER, nullable=True),
        sa.Column("workflow", INTEGER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created", FLOAT, nullable=False),
        sa.Column("updated", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("counters", sa.LargeBinary(), nullable=False, comment="a list of documents"),
        sa.Column(
            "token", TEXT, nullable=True, comment="SHA-256 of what lets a job report, in hexadecimal digits"
        ),
        sa.Column("expires", FLOAT, nullable=True, comment="until when it does"),
        sa.PrimaryKeyConstraint("id"),
        comment="what workflows were asked to do, and what came of it",
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_experiment", "jobs", ["experiment", "id"])
    op.create_index("jobs_token", "jobs", ["token"])


def _add_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="who did what in experiments; nothing here is changed later",
        sqlite_autoincrement=True,
    )
    op.create_index("audit_experiment", "audit", ["experiment", "id"])
