"""Tables of who may do what: API keys, users, experiments, roles, and which experiment was active when."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    _add_who()
    _add_experiments()


def _add_who() -> None:
    op.create_table(
        "api_keys",
        sa.Column("prefix", sa.Text(), nullable=False, comment="the beginning of the key, for people"),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the key, which is kept nowhere",
        ),
        sa.Column(
            "owner", sa.Text(), nullable=True, comment="the user whose roles it has; null if it has none"
        ),
        sa.Column("scopes", sa.Text(), nullable=False, comment="words"),
        sa.Column(
            "catalogs",
            sa.LargeBinary(),
            nullable=True,
            comment="names of those it is limited to; null if to none",
        ),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("expires", FLOAT, nullable=True, comment="s since 1970; null if never"),
        sa.Column("revoked", FLOAT, nullable=True, comment="since when; null if it is not"),
        sa.Column("used", FLOAT, nullable=True, comment="when it was used last, to about an hour"),
        sa.PrimaryKeyConstraint("prefix"),
        comment="what programs show to be let in",
    )
    op.create_table(
        "users",
        sa.Column("name", TEXT, nullable=False),
        sa.Column(
            "password",
            sa.Text(),
            nullable=True,
            comment="an argon2 hash; null if there is none to log in with",
        ),
        sa.Column("scopes", sa.Text(), nullable=False, comment="words"),
        sa.Column(
            "catalogs",
            sa.LargeBinary(),
            nullable=True,
            comment="names of those they are limited to; null if to none",
        ),
        sa.Column("created", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("disabled", FLOAT, nullable=True, comment="since when; null if they are not"),
        sa.PrimaryKeyConstraint("name"),
        comment="people and accounts that may log in",
    )


def _add_experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False, comment="in capitals"),
        sa.Column("station", INTEGER, nullable=False),
        sa.Column("leader", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("begins", FLOAT, nullable=True, comment="s since 1970"),
        sa.Column("ends", FLOAT, nullable=True, comment="s since 1970"),
        sa.Column("created", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("locked", FLOAT, nullable=True, comment="since when nobody writes; null if they may"),
        sa.Column(
            "opened", FLOAT, nullable=True, comment="since when all may read; null if only its members"
        ),
        sa.PrimaryKeyConstraint("name"),
        comment="what runs and entries belong to",
    )
    op.create_table(
        "roles",
        sa.Column("experiment", TEXT, nullable=False),
        sa.Column("member", TEXT, nullable=False, comment="a user"),
        sa.Column("role", sa.Text(), nullable=False, comment="reader, writer, editor or operator"),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "member"),
        comment="what users may do in experiments",
    )
    op.create_table(
        "activations",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("station", INTEGER, nullable=False),
        sa.Column("experiment", sa.Text(), nullable=True, comment="null if none is active from then on"),
        sa.Column("time", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="which experiment is active at a station from a moment on; nothing here is changed later",
        sqlite_autoincrement=True,
    )
