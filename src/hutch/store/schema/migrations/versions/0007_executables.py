"""The table of the programs that workflows may run."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "executables",
        sa.Column("path", TEXT, nullable=False, comment="of a program, where it is run"),
        sa.Column("time", FLOAT, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        comment="what workflows may run",
    )
