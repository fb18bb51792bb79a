"""Tables of the monitor: how plots stand, what they had accumulated, names of references, frozen pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    _add_tiles()
    _add_references()
    op.create_table(
        "frozen_figures",
        sa.Column("posted", INTEGER, autoincrement=False, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("plot", sa.Text(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=True, comment="a PNG; null if there was none"),
        sa.ForeignKeyConstraint(["posted"], ["posted.id"]),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("posted"),
        comment="verdicts that turned bad, with the picture as it was at that moment",
    )
    op.create_index("frozen_figures_run", "frozen_figures", ["run"])


def _add_tiles() -> None:
    op.create_table(
        "tiles",
        sa.Column("source", TEXT, nullable=False, comment="the path of a file, or uid/stream"),
        sa.Column("plot", TEXT, nullable=False),
        sa.Column("run", INTEGER, nullable=True, comment="null if it belongs to none"),
        sa.Column("base", sa.Text(), nullable=False, comment="how the names of its pictures begin"),
        sa.Column("updated", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("meta", sa.LargeBinary(), nullable=False, comment="rows, times, what went wrong, verdicts"),
        sa.Column("picture", sa.LargeBinary(), nullable=True, comment="a PNG; null if there is none yet"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("source", "plot"),
        comment="how each plot of each source stands; the newest only",
    )
    op.create_index("tiles_run", "tiles", ["run"])


def _add_references() -> None:
    op.create_table(
        "plot_states",
        sa.Column("source", TEXT, nullable=False, comment="the path of a file, or uid/stream"),
        sa.Column("plot", TEXT, nullable=False),
        sa.Column("run", INTEGER, nullable=True, comment="null if it belongs to none"),
        sa.Column("version", sa.Text(), nullable=False, comment="of the plot"),
        sa.Column("time", FLOAT, nullable=False, comment="of the last rows, s since 1970"),
        sa.Column("rows", INTEGER, nullable=False),
        sa.Column("meta", sa.LargeBinary(), nullable=False, comment="its format, its verdicts at the end"),
        sa.Column(
            "state", sa.LargeBinary(), nullable=False, comment="arrays by name, an npz without objects"
        ),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("source", "plot"),
        comment="what plots had accumulated of sources that are complete: what others are compared with",
    )
    op.create_index("plot_states_run", "plot_states", ["run"])
    op.create_index("plot_states_plot", "plot_states", ["plot", "time"])
    op.create_table(
        "saved_references",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("sources", sa.LargeBinary(), nullable=False, comment="uids of runs, paths of files"),
        sa.Column("time", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="names for what checks compare with",
    )
