"""A table of what is posted to runs; the index anew: with words, and pointers where it is not exact."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

from hutch.documents import decode, leaves

revision = "0003"
down_revision = "0002"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")

RUNS = sa.table("runs", *map(sa.column, ("id", "time", "start", "stop", "amended")))
INDEX = sa.table("leaves", *map(sa.column, ("key", "type", "number", "text", "time", "run")))
RUNS_AT_ONCE = 1000


def upgrade() -> None:
    """Add the table, and make the index anew."""
    op.create_table(
        "posted",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("run", INTEGER, nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="param or dqm"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True, comment="null if it was removed"),
        sa.Column("time", FLOAT, nullable=False, comment="s since 1970"),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("origin", sa.LargeBinary(), nullable=True, comment="where it comes from: a job, a check"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="parameters and verdicts of runs; of each name the last is what holds",
        sqlite_autoincrement=True,
    )
    op.create_index("posted_run", "posted", ["run", "id"])
    connection = op.get_bind()
    connection.execute(sa.delete(INDEX))
    last = -1
    while runs := connection.execute(
        sa.select(RUNS).where(RUNS.c.id > last).order_by(RUNS.c.id).limit(RUNS_AT_ONCE)
    ).all():
        last = runs[-1].id
        rows = iter(sorted({row for run in runs for row in _rows(run)}))
        while some := list(islice(rows, 5000)):
            connection.execute(
                sa.insert(INDEX), [dict(zip(INDEX.c.keys(), row, strict=True)) for row in some]
            )


def _rows(run: sa.Row[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the index that follow from a run's documents; none from what cannot be read."""
    for body, source in ((run.start if run.amended is None else run.amended, "start"), (run.stop, "stop")):
        try:
            document = {} if body is None else decode(body)
        except (ValueError, RecursionError):
            continue
        if body is not None and isinstance(document, dict):
            for leaf in leaves(document, source):
                yield (*leaf, run.time, run.id)
