"""The statements of the logbook, compiled once for a database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hutch.store.schema import logbook_tables as t
from hutch.store.schema.tables import runs
from hutch.store.statement import Statement
from hutch.store.statements.entry_searches import EntrySearches, selected_entry

__all__ = ["LogbookStatements"]

_VERSION = tuple(t.entry_versions.columns.keys())
_BLOB = ("id", "digest", "size", "crc32", "type", "time", "file")


class LogbookStatements:
    """The statements, as attributes.

    :param dialect: of the database.
    :ivar search: those that find entries.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        self._entries()
        self._versions()
        self._blobs()
        self._runs()
        self._workflows()
        self._audit()
        self.search = EntrySearches(dialect)

    def _entries(self) -> None:
        e = t.entries.c
        entry = selected_entry()
        this: sa.BindParameter[Any] = sa.bindparam("id")
        self.entry = self._say(entry.where(e.id == this))
        self.entry_by_key = self._say(
            entry.where(e.experiment == sa.bindparam("experiment"), e.key == sa.bindparam("key"))
        )
        self.thread = self._say(entry.where(sa.or_(e.id == this, e.root == this)).order_by(e.time, e.id))
        self.count_replies = self._say(sa.select(sa.func.count()).where(e.root == this, e.deleted.is_(None)))
        names = ("experiment", "parent", "root", "run_num", "author", "time", "key")
        added = self._insert(t.entries).values({**_named(*names), "version": sa.literal_column("0")})
        self.add_entry = self._say(added.on_conflict_do_nothing().returning(e.id))
        changed = _named("version", "run_num", "edited", "deleted")
        self.set_entry = self._say(sa.update(t.entries).where(e.id == this).values(changed))
        signed = _named("time", "author")
        self.sign_entry = self._say(sa.update(t.entries).where(e.id == this).values(signed))
        term = t.entry_terms.c
        self.add_term = self._say(
            self._insert(t.entry_terms).values(_named("experiment", "term", "entry")).on_conflict_do_nothing()
        )
        self.remove_term = self._say(
            sa.delete(t.entry_terms).where(
                *(term[name] == sa.bindparam(name) for name in ("experiment", "term", "entry"))
            )
        )
        here = term.experiment == sa.bindparam("experiment")
        some: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
            here, term.term == sa.bindparam("term")
        )
        self.count_term = self._say(
            sa.select(sa.func.count()).select_from(some.limit(sa.bindparam("most")).subquery())
        )
        self.term_counts = self._say(
            sa.select(term.term, sa.func.count(), sa.func.max(term.entry))
            .where(here, term.term >= sa.bindparam("first"), term.term < sa.bindparam("last"))
            .group_by(term.term)
            .order_by(term.term)
        )
        self.runs_of_term = self._say(
            sa.select(e.run_num)
            .join_from(t.entry_terms, t.entries, e.id == term.entry)
            .where(here, term.term == sa.bindparam("term"), e.run_num.is_not(None))
            .distinct()
            .order_by(e.run_num)
        )
        self.terms_of_run = self._say(
            sa.select(term.term, sa.func.max(term.entry))
            .join_from(t.entries, t.entry_terms, e.id == term.entry)
            .where(
                e.experiment == sa.bindparam("experiment"),
                e.run_num == sa.bindparam("run_num"),
                term.experiment == sa.bindparam("experiment"),
                term.term >= sa.bindparam("first"),
                term.term < sa.bindparam("last"),
            )
            .group_by(term.term)
            .order_by(term.term)
        )
        self.terms_of_entry = self._say(sa.select(term.term).where(here, term.entry == sa.bindparam("entry")))
        self.terms_after = self._say(
            sa.select(t.entry_terms)
            .where(
                sa.tuple_(term.experiment, term.term, term.entry)
                > sa.tuple_(sa.bindparam("experiment"), sa.bindparam("term"), sa.bindparam("entry"))
            )
            .order_by(term.experiment, term.term, term.entry)
            .limit(sa.bindparam("limit"))
        )
        self.entries_after = self._say(entry.where(e.id > this).order_by(e.id).limit(sa.bindparam("limit")))
        self.count_entries = self._say(sa.select(sa.func.count()).select_from(t.entries))

    def _versions(self) -> None:
        v = t.entry_versions.c
        version = sa.select(t.entry_versions)
        self.versions = self._say(version.where(v.entry == sa.bindparam("entry")).order_by(v.version))
        self.versions_after = self._say(
            version.where(v.experiment == sa.bindparam("experiment"), v.number > sa.bindparam("number"))
            .order_by(v.number)
            .limit(sa.bindparam("limit"))
        )
        self.add_version = self._say(
            self._insert(t.entry_versions).values(_named(*(name for name in _VERSION if name != "id")))
        )
        self.experiments = self._say(
            sa.union(
                sa.select(t.chains.c.experiment), sa.select(v.experiment), sa.select(t.entries.c.experiment)
            )
        )
        self.chain = self._say(sa.select(t.chains).where(t.chains.c.experiment == sa.bindparam("experiment")))
        self.set_chain = self._put(t.chains)

        newest = sa.select(v.entry, sa.func.max(v.version).label("version")).group_by(v.entry).subquery()
        first, last = t.entry_versions.alias(), t.entry_versions.alias()
        e = t.entries.c
        self.entries_behind = self._say(
            sa.select(newest.c.entry)
            .join_from(newest, last, (last.c.entry == newest.c.entry) & (last.c.version == newest.c.version))
            .outerjoin(first, (first.c.entry == newest.c.entry) & (first.c.version == 1))
            .outerjoin(t.entries, e.id == newest.c.entry)
            .where(
                sa.or_(
                    e.version.is_distinct_from(newest.c.version),
                    e.time.is_distinct_from(first.c.time),
                    e.author.is_distinct_from(first.c.author),
                    e.edited.is_distinct_from(sa.case((newest.c.version > 1, last.c.time))),
                    e.deleted.is_distinct_from(sa.case((last.c.action == "delete", last.c.time))),
                )
            )
            .order_by(newest.c.entry)
        )

    def _blobs(self) -> None:
        b = t.blobs.c
        self.add_blob = self._say(
            self._insert(t.blobs)
            .values(_named(*(column.name for column in t.blobs.columns if column.name != "id")))
            .on_conflict_do_nothing()
        )
        known = sa.select(*(b[name] for name in _BLOB), b.thumbnail.is_not(None))
        digest: sa.BindParameter[str] = sa.bindparam("digest")
        self.blob = self._say(known.where(b.digest == digest))
        self.blobs_after = self._say(
            known.where(b.id > sa.bindparam("id")).order_by(b.id).limit(sa.bindparam("limit"))
        )
        self.blob_body = self._say(sa.select(b.body).where(b.digest == digest))
        self.thumbnail = self._say(sa.select(b.thumbnail).where(b.digest == digest))
        self.blob_by_file = self._say(sa.select(b.id).where(b.file == sa.bindparam("file")))

    def _runs(self) -> None:
        n = t.run_numbers.c
        here = n.experiment == sa.bindparam("experiment")
        number = sa.select(t.run_numbers)
        self.run_numbers = self._say(number.where(here).order_by(n.number))
        there = number.join_from(t.run_numbers, runs, runs.c.id == n.run)
        self.run_numbers_page = self._say(
            there.where(here)
            .order_by(n.number.desc())
            .limit(sa.bindparam("limit"))
            .offset(sa.bindparam("start"))
        )
        bounds = (n.number >= sa.bindparam("first"), n.number <= sa.bindparam("last"))
        self.numbered_runs = self._say(
            sa.select(n.run, n.number)
            .join_from(t.run_numbers, runs, runs.c.id == n.run)
            .where(here, *bounds)
            .order_by(n.number.desc())
        )
        self.run_number = self._say(number.where(here, n.number == sa.bindparam("number")))
        self.number_of_run = self._say(number.where(here, n.run == sa.bindparam("run")))
        self.latest_run_numbers = self._say(
            there.where(here).order_by(n.run.desc()).limit(sa.bindparam("limit"))
        )
        self.add_run_number = self._say(
            self._insert(t.run_numbers)
            .values(_named("experiment", "number", "run"))
            .on_conflict_do_nothing()
            .returning(n.id)
        )
        r = t.run_tables.c
        self.run_tables = self._say(
            sa.select(t.run_tables).where(r.experiment == sa.bindparam("experiment")).order_by(r.name)
        )
        self.put_run_table = self._put(t.run_tables)
        self.drop_run_table = self._say(
            sa.delete(t.run_tables).where(
                r.experiment == sa.bindparam("experiment"), r.name == sa.bindparam("name")
            )
        )

    def _workflows(self) -> None:
        w, j = t.workflows.c, t.jobs.c
        self.workflows = self._say(
            sa.select(t.workflows)
            .where(w.experiment == sa.bindparam("experiment"), w.removed.is_(None))
            .order_by(w.name, w.id)
        )
        self.workflow = self._say(sa.select(t.workflows).where(w.id == sa.bindparam("id")))
        names = ("experiment", "name", "owner", "definition", "time")
        added = self._insert(t.workflows).values({**_named(*names), "version": sa.literal_column("1")})
        self.put_workflow = self._say(
            added.on_conflict_do_update(
                index_elements=["experiment", "name", "owner"],
                set_={
                    "definition": added.excluded.definition,
                    "time": added.excluded.time,
                    "version": w.version + 1,
                    "removed": sa.null(),
                },
            ).returning(w.id)
        )
        self.remove_workflow = self._say(
            sa.update(t.workflows).where(w.id == sa.bindparam("id")).values(removed=sa.bindparam("time"))
        )
        self.job = self._say(sa.select(t.jobs).where(j.id == sa.bindparam("id")))
        self.job_by_token = self._say(sa.select(t.jobs).where(j.token == sa.bindparam("token")))
        self.jobs = self._say(
            sa.select(t.jobs)
            .where(j.experiment == sa.bindparam("experiment"))
            .order_by(j.id.desc())
            .limit(sa.bindparam("limit"))
            .offset(sa.bindparam("start"))
        )
        columns = tuple(name for name in t.jobs.columns.keys() if name != "id")
        self.add_job = self._say(self._insert(t.jobs).values(_named(*columns)).returning(j.id))
        changed = _named("status", "updated", "counters", "expires")
        self.set_job = self._say(sa.update(t.jobs).where(j.id == sa.bindparam("id")).values(changed))

    def _audit(self) -> None:
        a = t.audit.c
        names = tuple(name for name in t.audit.columns.keys() if name != "id")
        self.add_audit = self._say(self._insert(t.audit).values(_named(*names)))
        self.audit = self._say(
            sa.select(t.audit)
            .where(a.experiment == sa.bindparam("experiment"), a.id < sa.bindparam("before"))
            .order_by(a.id.desc())
            .limit(sa.bindparam("limit"))
        )

    def _put(self, table: sa.Table) -> Statement:
        added = self._insert(table).values(_named(*table.columns.keys()))
        key = [column.name for column in table.primary_key.columns]
        others = {name: added.excluded[name] for name in table.columns.keys() if name not in key}
        return self._say(added.on_conflict_do_update(index_elements=key, set_=others))

    def _say(self, statement: sa.sql.ClauseElement) -> Statement:
        return Statement(statement, self._dialect)


def _named(*names: str) -> dict[str, Any]:
    return {name: sa.bindparam(name) for name in names}
