"""The statements of the monitor, compiled once for a database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hutch.store.schema import tables as t
from hutch.store.statement import Statement

__all__ = ["MonitorStatements"]


class MonitorStatements:
    """The statements, as attributes.

    :param dialect: of the database.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        self._tiles()
        self._states()
        self._frozen()

    def _tiles(self) -> None:
        say, tiles = self._say, t.tiles.c
        source, plot = _asked("source"), _asked("plot")
        columns = [column for column in tiles if column is not tiles.picture]
        row = sa.select(*columns, sa.func.length(tiles.picture)).order_by(tiles.source, tiles.plot)
        self.tiles = say(row)
        self.tiles_of_source = say(row.where(tiles.source == source))
        self.tiles_of_run = say(row.where(tiles.run == _asked("run")))
        self.tile_picture = say(sa.select(tiles.picture).where(tiles.source == source, tiles.plot == plot))
        added = self._insert(t.tiles).values({column.name: sa.bindparam(column.name) for column in tiles})
        new = added.excluded
        self.publish_tile = say(
            added.on_conflict_do_update(
                index_elements=["source", "plot"],
                set_={
                    **{name: new[name] for name in ("run", "base", "updated", "meta")},
                    "picture": sa.func.coalesce(new.picture, tiles.picture),
                },
                where=new.updated >= tiles.updated,
            )
        )
        newest = (
            sa.select(tiles.source)
            .group_by(tiles.source)
            .order_by(sa.func.max(tiles.updated).desc(), tiles.source)
            .limit(sa.bindparam("keep"))
        )
        self.prune_tiles = say(sa.delete(t.tiles).where(tiles.source.not_in(newest)))

    def _states(self) -> None:
        say, states = self._say, t.plot_states.c
        source, plot = _asked("source"), _asked("plot")
        row = sa.select(t.plot_states)
        self.plot_state = say(row.where(states.source == source, states.plot == plot))
        self.plot_states_of_run = say(
            row.where(states.run == _asked("run"), states.plot == plot).order_by(states.source)
        )
        loose = (states.plot == plot, states.run.is_(None))
        newest = (states.time.desc(), states.source)
        self.newest_plot_states = say(row.where(*loose).order_by(*newest).limit(sa.bindparam("limit")))
        self.keep_plot_state = self._put(t.plot_states)
        kept = sa.select(states.source).where(*loose).order_by(*newest).limit(sa.bindparam("keep"))
        self.prune_plot_states = say(sa.delete(t.plot_states).where(*loose, states.source.not_in(kept)))
        references = t.saved_references.c
        self.saved_references = say(sa.select(t.saved_references).order_by(references.name))
        named = references.name == _asked("name")
        self.saved_reference = say(sa.select(t.saved_references).where(named))
        self.save_reference = self._put(t.saved_references)
        self.drop_reference = say(sa.delete(t.saved_references).where(named))

    def _frozen(self) -> None:
        frozen, posted = t.frozen_figures, t.posted.c
        self.frozen_figure = self._say(sa.select(frozen).where(frozen.c.posted == _asked("posted")))
        self.newest_posted = self._say(
            sa.select(sa.func.max(posted.id)).where(
                posted.run == _asked("run"), posted.source == "dqm", posted.name == _asked("name")
            )
        )
        self.freeze_figure = self._put(frozen)

    def _put(self, table: sa.Table) -> Statement:
        """Add a row, or put it in the place of the one with the same key."""
        added = self._insert(table).values({column.name: sa.bindparam(column.name) for column in table.c})
        key = [column.name for column in table.primary_key.columns]
        others = {column.name: added.excluded[column.name] for column in table.c if column.name not in key}
        return self._say(added.on_conflict_do_update(index_elements=key, set_=others))

    def _say(self, statement: sa.sql.ClauseElement) -> Statement:
        return Statement(statement, self._dialect)


def _asked(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name)
