"""The statements that find entries of the logbook, compiled once for each shape of a search."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import sqlalchemy as sa

from hutch.store.rows.logbook import EntryFilter
from hutch.store.schema import logbook_tables as t
from hutch.store.statement import Statement, is_one_of, several

__all__ = [
    "MOST_WORDS",
    "EntrySearches",
    "Terms",
    "counts_of",
    "selected_entry",
    "shape_of",
    "values_of",
    "values_of_terms",
]

_LATEST = 3000
"""Entries that a walk along the newest looks at."""

MOST_WORDS = 64
"""Words that a beginning of a word may stand for."""

Terms = tuple[tuple[str, ...], ...]
"""What entries must have: a term, or one of several."""


class EntrySearches:
    """The statements, as functions of what is asked.

    :param dialect: of the database.
    :ivar terms_between: selects the different terms between two.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self.terms_between = self._say(_terms_between())
        self.page = cache(self._page)
        self.candidates = cache(self._candidates)
        self.some_entries = cache(self._some_entries)

    def _page(self, shape: EntryFilter, counts: tuple[int, ...]) -> Statement:
        """Return the newest entries of a filter; with terms, of the latest few that have all but these.

        :param shape: of which only what is there counts; see :func:`shape_of`.
        :param counts: of the terms; see :func:`counts_of`.
        """
        limit: sa.BindParameter[int] = sa.bindparam("limit")
        e = t.entries.c
        order = (e.time.desc(), e.id.desc())
        if not counts:
            return self._say(selected_entry().where(*_conditions(shape)).order_by(*order).limit(limit))
        latest = sa.select(t.entries).where(*_conditions(shape)).order_by(*order).limit(_LATEST).subquery()
        n = latest.c
        one: sa.ColumnClause[int] = sa.literal_column("1")
        # Looked up for each entry. PostgreSQL makes a join of an EXISTS, and one that takes seconds where
        # it expects few entries to have a term that many have.
        terms = (
            self._term_of(place, count, n.id).limit(one).scalar_subquery().is_not(None)
            for place, count in enumerate(counts)
        )
        asked = (
            sa.select(*n, t.entry_versions.c.body)
            .join_from(latest, t.entry_versions, _is_version_of(n))
            .where(*terms)
            .order_by(n.time.desc(), n.id.desc())
        )
        return self._say(asked.limit(limit))

    def _candidates(self, counts: tuple[int, ...], *, is_common: bool) -> Statement:
        """Return the entries that have all terms, some maybe twice; the first should be the rarest.

        :param counts: of the terms; see :func:`counts_of`.
        :param is_common: many entries have the first one.
        """
        entry = t.entry_terms.c.entry
        has = [
            sa.select(entry).where(*self._is_term(t.entry_terms, place, count))
            for place, count in enumerate(counts)
        ]
        if is_common and len(has) > 1 and self._dialect.name == "sqlite":
            # It merges what is intersected in an order, and else looks up each entry by itself.
            return self._say(sa.intersect(*has).order_by(sa.desc("entry")))
        others = (
            sa.exists(self._term_of(place, count, entry)) for place, count in enumerate(counts) if place > 0
        )
        return self._say(has[0].where(*others))

    def _term_of(self, place: int, count: int, entry: Any) -> sa.Select[Any]:
        """Select the term of a place if an entry has it."""
        table = t.entry_terms.alias(f"has_{place}")
        is_term = self._is_term(table, place, count)
        return sa.select(sa.literal_column("1")).where(*is_term, table.c.entry == entry)

    def _is_term(self, table: sa.FromClause, place: int, count: int) -> tuple[sa.ColumnElement[bool], ...]:
        """Return the conditions that a row is that of the term of a place, or one of several."""
        name, term = f"term_{place}", table.c.term
        is_it = term == sa.bindparam(name) if count == 1 else is_one_of(term, name, MOST_WORDS, self._dialect)
        return table.c.experiment == sa.bindparam("experiment"), is_it

    def _some_entries(self, count: int) -> Statement:
        """Return entries by their ids."""
        return self._say(selected_entry().where(is_one_of(t.entries.c.id, "id", count, self._dialect)))

    def _say(self, statement: sa.sql.ClauseElement) -> Statement:
        return Statement(statement, self._dialect)


def selected_entry() -> sa.Select[Any]:
    """Select entries with their last versions."""
    e = t.entries
    columns = (*e.c, t.entry_versions.c.body)
    return sa.select(*columns).join_from(e, t.entry_versions, _is_version_of(e.c))


def shape_of(where: EntryFilter) -> EntryFilter:
    """Return a filter of the same shape as another, for which the same statement serves."""
    return replace(
        where,
        experiment="",
        terms=(),
        first_run=None if where.first_run is None else 0,
        last_run=None if where.last_run is None else 0,
        since=None if where.since is None else 0.0,
        until=None if where.until is None else 0.0,
        before=None if where.before is None else (0.0, 0),
    )


def values_of(where: EntryFilter) -> dict[str, Any]:
    """Return the values of a filter by the names that statements have for them."""
    time, entry = where.before or (None, None)
    return {
        "experiment": where.experiment,
        "first_run": where.first_run,
        "last_run": where.last_run,
        "since": where.since,
        "until": where.until,
        "before_time": time,
        "before_id": entry,
    }


def counts_of(terms: Terms) -> tuple[int, ...]:
    """Return the shape of terms: 1 for each, or more than that if it is one of several."""
    return tuple(1 if len(some) == 1 else MOST_WORDS for some in terms)


def values_of_terms(terms: Terms) -> dict[str, Any]:
    """Return the values of terms by the names that statements have for them."""
    found: dict[str, Any] = {}
    for place, some in enumerate(terms):
        found |= {f"term_{place}": some[0]} if len(some) == 1 else several(f"term_{place}", some, MOST_WORDS)
    return found


def _conditions(shape: EntryFilter) -> list[sa.ColumnElement[bool]]:
    """Return all conditions of a filter but those on terms."""
    e = t.entries.c
    found: list[sa.ColumnElement[bool]] = [e.experiment == sa.bindparam("experiment")]
    if shape.first_run is not None:
        found.append(e.run_num >= sa.bindparam("first_run"))
    if shape.last_run is not None:
        found.append(e.run_num <= sa.bindparam("last_run"))
    if shape.since is not None:
        found.append(e.time >= sa.bindparam("since"))
    if shape.until is not None:
        found.append(e.time < sa.bindparam("until"))
    if shape.is_deleted is not None:
        found.append(e.deleted.is_not(None) if shape.is_deleted else e.deleted.is_(None))
    if shape.is_root:
        found.append(e.parent.is_(None))
    if shape.before is not None:
        place = sa.tuple_(sa.bindparam("before_time"), sa.bindparam("before_id"))
        found.append(sa.tuple_(e.time, e.id) < place)
    return found


def _terms_between() -> sa.Select[Any]:
    """Select the different terms between two, and one more than ``MOST_WORDS`` at most."""

    def least(*bounds: Any) -> sa.Select[Any]:
        here = (term.experiment == sa.bindparam("experiment"), term.term < sa.bindparam("last"))
        return sa.select(sa.func.min(term.term).label("term")).where(*here, *bounds)

    term = t.entry_terms.c
    first = least(term.term >= sa.bindparam("first")).cte("known", recursive=True)
    # Each is the least of those after the one before, so that many rows of a term are passed over.
    following = sa.select(least(term.term > first.c.term).scalar_subquery()).where(first.c.term.is_not(None))
    known = first.union_all(following)
    return sa.select(known.c.term).where(known.c.term.is_not(None)).limit(MOST_WORDS + 1)


def _is_version_of(entries: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a version is the last one of an entry."""
    versions = t.entry_versions.c
    return sa.and_(versions.entry == entries.id, versions.version == entries.version)
