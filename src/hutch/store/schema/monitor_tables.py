"""The tables of the monitor: how plots stand, what they had accumulated, and pictures of the moment.

A source that is a stream of a run is named ``uid/stream``, every other one by its path.
"""

from __future__ import annotations

import sqlalchemy as sa

from hutch.store.schema.table_types import Float, Id, Text, metadata

__all__ = ["frozen_figures", "plot_states", "saved_references", "tiles"]

tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("source", Text, primary_key=True, comment="the path of a file, or uid/stream"),
    sa.Column("plot", Text, primary_key=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), comment="null if it belongs to none"),
    sa.Column("base", sa.Text, nullable=False, comment="how the names of its pictures begin"),
    sa.Column("updated", Float, nullable=False, comment="s since 1970"),
    sa.Column("meta", sa.LargeBinary, nullable=False, comment="rows, times, what went wrong, verdicts"),
    sa.Column("picture", sa.LargeBinary, comment="a PNG; null if there is none yet"),
    sa.Index("tiles_run", "run"),
    comment="how each plot of each source stands; the newest only",
)

plot_states = sa.Table(
    "plot_states",
    metadata,
    sa.Column("source", Text, primary_key=True, comment="the path of a file, or uid/stream"),
    sa.Column("plot", Text, primary_key=True),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), comment="null if it belongs to none"),
    sa.Column("version", sa.Text, nullable=False, comment="of the plot"),
    sa.Column("time", Float, nullable=False, comment="of the last rows, s since 1970"),
    sa.Column("rows", Id, nullable=False),
    sa.Column("meta", sa.LargeBinary, nullable=False, comment="its format, its verdicts at the end"),
    sa.Column("state", sa.LargeBinary, nullable=False, comment="arrays by name, an npz without objects"),
    sa.Index("plot_states_run", "run"),
    sa.Index("plot_states_plot", "plot", "time"),
    comment="what plots had accumulated of sources that are complete: what others are compared with",
)

saved_references = sa.Table(
    "saved_references",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("sources", sa.LargeBinary, nullable=False, comment="uids of runs, paths of files"),
    sa.Column("time", Float, nullable=False, comment="s since 1970"),
    sa.Column("author", sa.Text, nullable=False),
    comment="names for what checks compare with",
)

frozen_figures = sa.Table(
    "frozen_figures",
    metadata,
    sa.Column("posted", Id, sa.ForeignKey("posted.id"), primary_key=True, autoincrement=False),
    sa.Column("run", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("plot", sa.Text, nullable=False),
    sa.Column("picture", sa.LargeBinary, comment="a PNG; null if there was none"),
    sa.Index("frozen_figures_run", "run"),
    comment="verdicts that turned bad, with the picture as it was at that moment",
)
