"""Every statement the store says, compiled once for a database.

They are written in SQLAlchemy Core, so that one text serves all databases, compiled when the store is
opened, and given to the driver as they are: the hot ones are said hundreds of times a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hutch.store.schema import tables as t
from hutch.store.statement import RUN_COLUMNS, Statement
from hutch.store.statements.access import AccessStatements
from hutch.store.statements.index import IndexStatements
from hutch.store.statements.monitor import MonitorStatements

if TYPE_CHECKING:
    from hutch.store.statements.logbook import LogbookStatements

__all__ = ["Statement", "Statements"]


def _columns(table: sa.Table, *names: str) -> Sequence[sa.Column[Any]]:
    return [table.c[name] for name in names]


_DOCUMENT = ("number", "kind", "uid", "body")
_BATCH = ("id", "segment", "first_arrival", "rows", "size", "crc32", "file")


class Statements:
    """The statements, as attributes."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self.index = IndexStatements(dialect)
        self.access = AccessStatements(dialect)
        self.monitor = MonitorStatements(dialect)
        insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        run = sa.select(*_columns(t.runs, *RUN_COLUMNS))
        newest = (t.runs.c.time.desc(), t.runs.c.id.desc())
        oldest = (t.runs.c.time, t.runs.c.id)
        say = self._say
        self.fact = say(sa.select(t.properties.c.value).where(t.properties.c.key == sa.bindparam("key")))
        # runs
        self.count_runs = say(sa.select(sa.func.count()).select_from(t.runs))
        page = run.limit(sa.bindparam("limit")).offset(sa.bindparam("start"))
        self.runs_oldest_first = say(page.order_by(*oldest))
        self.runs_newest_first = say(page.order_by(*newest))
        self.run_uids = say(sa.select(t.runs.c.uid).order_by(*oldest))
        self.run_by_id = say(run.where(t.runs.c.id == sa.bindparam("id")))
        self.run_by_uid = say(run.where(t.runs.c.uid == sa.bindparam("uid")))
        self.runs_by_prefix = say(
            run.where(t.runs.c.uid >= sa.bindparam("prefix"), t.runs.c.uid < sa.bindparam("end"))
            .order_by(*newest)
            .limit(sa.bindparam("limit"))
        )
        self.run_by_scan_id = say(
            run.where(t.runs.c.scan_id == sa.bindparam("scan_id")).order_by(*newest).limit(1)
        )
        self.add_run = say(
            insert(t.runs)
            .values(_named("uid", "time", "scan_id", "owner", "start"))
            .on_conflict_do_nothing()
            .returning(t.runs.c.id)
        )
        this_run = t.runs.c.id == sa.bindparam("run")
        self.end_run = say(
            sa.update(t.runs).where(this_run).values(stop=sa.bindparam("stop"), owner=sa.null())
        )
        self.set_owner = say(sa.update(t.runs).where(this_run).values(owner=sa.bindparam("owner")))
        self.add_owner = say(
            insert(t.owners)
            .values(_named("uid", "host", "pid", "program", "since", "heartbeat"))
            .on_conflict_do_nothing()
        )
        idle = ~sa.exists().where(t.runs.c.owner == t.owners.c.uid)
        self.forget_owners = say(sa.delete(t.owners).where(t.owners.c.since < sa.bindparam("before"), idle))
        # documents
        document = sa.select(*_columns(t.documents, *_DOCUMENT))
        self.documents = say(
            document.where(t.documents.c.run == sa.bindparam("run")).order_by(t.documents.c.number)
        )
        self.bodies_of_kind = say(
            sa.select(t.documents.c.body)
            .where(t.documents.c.run == sa.bindparam("run"), t.documents.c.kind == sa.bindparam("kind"))
            .order_by(t.documents.c.number)
        )
        self.documents_of_kind = say(
            document.where(
                t.documents.c.run == sa.bindparam("run"), t.documents.c.kind == sa.bindparam("kind")
            ).order_by(t.documents.c.number)
        )
        self.find_document = say(
            sa.select(t.documents.c.run, *_columns(t.documents, *_DOCUMENT))
            .where(t.documents.c.uid == sa.bindparam("uid"), t.documents.c.kind == sa.bindparam("kind"))
            .order_by(t.documents.c.run.desc())
            .limit(1)
        )
        self.add_document = say(
            insert(t.documents)
            .values(_named("run", *_DOCUMENT))
            .on_conflict_do_nothing()
            .returning(t.documents.c.number)
        )
        # events
        self.segments = say(
            sa.select(*_columns(t.segments, "id", "run", "stream", "descriptor", "schema"))
            .where(t.segments.c.run == sa.bindparam("run"))
            .order_by(t.segments.c.id)
        )
        self.add_segment = say(
            insert(t.segments)
            .values(_named("run", "stream", "descriptor", "schema"))
            .returning(t.segments.c.id)
        )
        batch = sa.select(*_columns(t.batches, *_BATCH))
        self.batches = say(
            batch.where(t.batches.c.run == sa.bindparam("run")).order_by(
                t.batches.c.first_arrival, t.batches.c.id
            )
        )
        self.batches_of_segment = say(
            batch.where(
                t.batches.c.run == sa.bindparam("run"), t.batches.c.segment == sa.bindparam("segment")
            ).order_by(t.batches.c.first_arrival, t.batches.c.id)
        )
        self.bodies = say(
            sa.select(t.batches.c.id, t.batches.c.body).where(
                # By the index: merged batches have late ids, far from their neighbours'.
                t.batches.c.run
                == sa.select(t.segments.c.run)
                .where(t.segments.c.id == sa.bindparam("segment"))
                .scalar_subquery(),
                t.batches.c.first_arrival >= sa.bindparam("first"),
                t.batches.c.first_arrival <= sa.bindparam("last"),
                t.batches.c.segment == sa.bindparam("segment"),
                t.batches.c.file.is_(None),
            )
        )
        self.body = say(sa.select(t.batches.c.body).where(t.batches.c.id == sa.bindparam("id")))
        self.add_batch = say(
            insert(t.batches).values(
                _named("run", "segment", "first_arrival", "rows", "size", "crc32", "file", "body")
            )
        )
        self.remove_batch = say(
            sa.delete(t.batches).where(
                t.batches.c.id == sa.bindparam("id"), t.batches.c.run == sa.bindparam("run")
            )
        )
        self.crowded_runs = say(
            sa.select(t.batches.c.run, sa.func.count())
            .group_by(t.batches.c.run)
            .having(sa.func.count() >= sa.bindparam("least"))
            .order_by(t.batches.c.run)
        )
        self._marks_and_quarantine(insert)
        self._index_and_changes(insert)
        self._stash(insert)
        self._care(insert)

    @cached_property
    def logbook(self) -> LogbookStatements:
        """Those of the logbook, compiled when they are first needed."""
        from hutch.store.statements.logbook import LogbookStatements

        return LogbookStatements(self._dialect)

    def _marks_and_quarantine(self, insert: Any) -> None:
        say = self._say
        self.marks = say(
            sa.select(*_columns(t.marks, "stream", "key", "reason", "count", "first_arrival"))
            .where(t.marks.c.run == sa.bindparam("run"))
            .order_by(t.marks.c.first_arrival, t.marks.c.key)
        )
        mark = insert(t.marks).values(_named("run", "stream", "key", "reason", "count", "first_arrival"))
        self.add_mark = say(
            mark.on_conflict_do_update(
                index_elements=["run", "stream", "key", "reason"],
                set_={"count": t.marks.c.count + mark.excluded.count},
            )
        )
        quarantined = sa.select(*_columns(t.quarantine, "id", "run", "time", "kind", "reason", "body"))
        self.quarantined = say(quarantined.order_by(t.quarantine.c.id))
        self.quarantined_of_run = say(
            quarantined.where(t.quarantine.c.run == sa.bindparam("run")).order_by(t.quarantine.c.id)
        )
        self.quarantine = say(insert(t.quarantine).values(_named("run", "time", "kind", "reason", "body")))

    def _index_and_changes(self, insert: Any) -> None:
        say = self._say
        leaf = ("key", "type", "number", "text", "time", "run")
        self.add_leaf = say(insert(t.index).values(_named(*leaf)).on_conflict_do_nothing())
        self.leaves = say(
            sa.select(*_columns(t.index, "key", "type", "number", "text")).where(
                t.index.c.run == sa.bindparam("run")
            )
        )
        self.remove_leaf = say(
            sa.delete(t.index).where(*(t.index.c[name] == sa.bindparam(name) for name in leaf))
        )
        self.remove_strange_leaves = say(sa.delete(t.index).where(t.index.c.run == sa.bindparam("run")))
        self.count_leaves = say(sa.select(t.index.c.run, sa.func.count()).group_by(t.index.c.run))
        self.find_leaf = say(
            sa.select(t.index.c.run).where(*(t.index.c[name] == sa.bindparam(name) for name in leaf))
        )
        self.changes = say(
            sa.select(*_columns(t.changes, "number", "topic", "run", "reference"))
            .where(t.changes.c.number > sa.bindparam("after"))
            .order_by(t.changes.c.number)
            .limit(sa.bindparam("limit"))
        )
        self.last_change = say(sa.select(sa.func.max(t.changes.c.number)))
        self.first_change = say(sa.select(sa.func.min(t.changes.c.number)))
        # Both in the order of their columns.
        change = insert(t.changes).values(_named("topic", "run", "reference", "time"))
        self.add_changes = say(change)
        self.add_change = say(change.returning(t.changes.c.number))
        self.prune_changes = say(sa.delete(t.changes).where(t.changes.c.number <= sa.bindparam("number")))

    def _stash(self, insert: Any) -> None:
        say = self._say
        self.stash = say(sa.select(t.stash.c.key, t.stash.c.value))
        value = insert(t.stash).values(_named("key", "value"))
        self.set_stash = say(
            value.on_conflict_do_update(index_elements=["key"], set_={"value": value.excluded.value})
        )
        self.drop_stash = say(sa.delete(t.stash).where(t.stash.c.key == sa.bindparam("key")))

    def _care(self, insert: Any) -> None:
        say = self._say
        run: sa.BindParameter[int] = sa.bindparam("run")
        self.owned_runs = say(
            sa.select(*_columns(t.runs, *RUN_COLUMNS))
            .where(t.runs.c.owner.is_not(None))
            .order_by(t.runs.c.time, t.runs.c.id)
        )
        self.owner = say(
            sa.select(*_columns(t.owners, "uid", "host", "pid", "program", "since")).where(
                t.owners.c.uid == sa.bindparam("uid")
            )
        )
        self.amend_run = say(
            sa.update(t.runs)
            .where(t.runs.c.id == run)
            .values(amended=sa.bindparam("amended"), scan_id=sa.bindparam("number"))
        )
        amendment = ("run", "time", "author", "reason", "edits")
        self.add_amendment = say(insert(t.amendments).values(_named(*amendment)))
        self.amendments = say(
            sa.select(*_columns(t.amendments, "id", *amendment))
            .where(t.amendments.c.run == run)
            .order_by(t.amendments.c.id)
        )
        posted = ("run", "source", "name", "value", "time", "author", "origin")
        self.post = say(insert(t.posted).values(_named(*posted)))
        self.posted = say(
            sa.select(*_columns(t.posted, "id", *posted)).where(t.posted.c.run == run).order_by(t.posted.c.id)
        )
        # What refers to something goes before it.
        of_monitor = (t.frozen_figures, t.tiles, t.plot_states)
        of_a_run = (t.posted, t.amendments, t.marks, t.quarantine, t.batches, t.segments, t.documents)
        self.delete_run = [
            say(sa.delete(table).where(table.c.run == run)) for table in (*of_monitor, *of_a_run)
        ]
        self.delete_run.append(say(sa.delete(t.runs).where(t.runs.c.id == run)))
        self.files_of_run = say(
            sa.select(t.batches.c.file).where(t.batches.c.run == run, t.batches.c.file.is_not(None))
        )
        tombstone = ("uid", "run", "time", "scan_id", "deleted", "author", "reason", "summary")
        self.add_tombstone = say(insert(t.tombstones).values(_named(*tombstone)))
        self.tombstones = say(
            sa.select(*_columns(t.tombstones, *tombstone))
            .where(t.tombstones.c.uid >= sa.bindparam("prefix"), t.tombstones.c.uid < sa.bindparam("end"))
            .order_by(t.tombstones.c.id.desc())
        )
        self.discard_file = say(insert(t.discarded).values(_named("file", "time")).on_conflict_do_nothing())
        self.discarded = say(
            sa.select(t.discarded.c.file)
            .where(t.discarded.c.time < sa.bindparam("before"))
            .order_by(t.discarded.c.time)
        )
        self.forget_file = say(sa.delete(t.discarded).where(t.discarded.c.file == sa.bindparam("file")))
        self._positions_and_rules(insert)
        self._survey()

    def _survey(self) -> None:
        """Statements about many runs at once, and about everything."""
        say = self._say
        first: sa.BindParameter[int] = sa.bindparam("first")
        last: sa.BindParameter[int] = sa.bindparam("last")

        def of_runs(table: sa.Table, *names: str) -> sa.Select[Any]:
            columns = _columns(table, "run", *names)
            return sa.select(*columns).where(table.c.run >= first, table.c.run <= last)

        self.runs_after = say(
            sa.select(*_columns(t.runs, *RUN_COLUMNS))
            .where(t.runs.c.id > sa.bindparam("run"))
            .order_by(t.runs.c.id)
            .limit(sa.bindparam("limit"))
        )
        batches = t.batches.c
        self.batches_of_runs = say(
            of_runs(t.batches, *_BATCH).order_by(batches.run, batches.first_arrival, batches.id)
        )
        segment = ("id", "stream", "descriptor", "schema")
        self.segments_of_runs = say(of_runs(t.segments, *segment).order_by(t.segments.c.id))
        documents = t.documents.c
        self.documents_of_runs = say(
            of_runs(t.documents, *_DOCUMENT).order_by(documents.run, documents.number)
        )
        mark = ("stream", "key", "reason", "count", "first_arrival")
        self.marks_of_runs = say(of_runs(t.marks, *mark).order_by(t.marks.c.first_arrival, t.marks.c.key))
        self.refused_of_runs = say(of_runs(t.quarantine, "kind", "reason").order_by(t.quarantine.c.id))
        self.posted_of_runs = say(of_runs(t.posted, "source", "name", "value").order_by(t.posted.c.id))
        self.bodies_of_runs = say(
            sa.select(batches.id, batches.body).where(
                batches.run >= first, batches.run <= last, batches.body.is_not(None)
            )
        )
        self.count_bytes = say(sa.select(sa.func.coalesce(sa.func.sum(batches.size), 0)))
        names = ("key", "type", "number", "text", "time", "run")
        page = (
            sa.select(*_columns(t.index, "run", "time", "key", "type", "number", "text"))
            .order_by(*_columns(t.index, *names))
            .limit(sa.bindparam("limit"))
        )
        self.first_leaves = say(page)
        place = sa.tuple_(*_columns(t.index, *names))
        self.leaves_after = say(page.where(place > sa.tuple_(*(sa.bindparam(name) for name in names))))
        marks = t.marks.c
        self.remove_mark = say(
            sa.delete(t.marks).where(
                marks.run == sa.bindparam("run"),
                *(marks[name] == sa.bindparam(name) for name in ("stream", "key", "reason")),
            )
        )

    def _positions_and_rules(self, insert: Any) -> None:
        say = self._say
        self.cursors = say(sa.select(t.cursors.c.name, t.cursors.c.value).order_by(t.cursors.c.name))
        self.cursor = say(sa.select(t.cursors.c.value).where(t.cursors.c.name == sa.bindparam("name")))
        cursor = insert(t.cursors).values(_named("name", "value", "time"))
        self.set_cursor = say(
            cursor.on_conflict_do_update(
                index_elements=["name"],
                set_={"value": cursor.excluded.value, "time": cursor.excluded.time},
            )
        )
        self.drop_cursor = say(sa.delete(t.cursors).where(t.cursors.c.name == sa.bindparam("name")))
        columns = ("name", "rule", "time", "author")
        self.retention = say(sa.select(*_columns(t.retention, *columns)).order_by(t.retention.c.name))
        rule = insert(t.retention).values(_named(*columns))
        self.set_retention = say(
            rule.on_conflict_do_update(
                index_elements=["name"],
                set_={name: rule.excluded[name] for name in ("rule", "time", "author")},
            )
        )
        self.drop_retention = say(sa.delete(t.retention).where(t.retention.c.name == sa.bindparam("name")))

    def _say(self, statement: sa.sql.ClauseElement) -> Statement:
        return Statement(statement, self._dialect)


def _named(*names: str) -> dict[str, Any]:
    return {name: sa.bindparam(name) for name in names}
