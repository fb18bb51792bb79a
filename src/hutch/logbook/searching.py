"""What people type to find entries, as in ``beam lost t:alignment run:5-9 since:2026-01-01 author:ada``.

=====================  ==========================================================================
``word``               in the title, the text, the tags or the names of files; all words must be there
``align*``             a word that begins so
``t:tag``              a tag, also as ``tag:tag``; several must all be there
``run:7``, ``run:5-9``  the run that an entry is attached to; ``run:5-`` and ``run:-9`` are open ranges
``since:2026-01-01``   not before; ``until:`` is before
``author:ada``         who wrote it
``shift:night``        in which shift
``is:deleted``         only those that are deleted; ``is:thread`` only those that answer no other
=====================  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from hutch.errors import QueryError
from hutch.queries.times import parse_time
from hutch.store.rows.logbook import EntryFilter
from hutch.store.statements.entry_terms import ANY, author_term, shift_term, tag_term, word_terms, words_with

__all__ = ["parse_search"]

_PART = re.compile(r'(?:(?P<key>[A-Za-z]{1,10}):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))')
_RUNS = re.compile(r"(?P<first>\d{1,18})?(?P<dash>-)?(?P<last>\d{1,18})?")
_MOST_PARTS = 50

_Bound = TypeVar("_Bound", int, float)


def parse_search(text: str, where: EntryFilter) -> EntryFilter:
    """Return a filter narrowed by what some words stand for.

    :raises QueryError: if a part cannot be understood, naming it.
    """
    parts = list(_PART.finditer(text[:10_000]))
    if len(parts) > _MOST_PARTS:
        raise QueryError(f"The search has {len(parts)} parts. Give at most {_MOST_PARTS}.")
    for part in parts:
        key = (part["key"] or "").lower()
        value = part["quoted"] if part["quoted"] is not None else part["plain"]
        if key in _PARTS:
            where = _PARTS[key](where, value)
        elif value.endswith(ANY) and (words := words_with(part[0].rstrip(ANY))) is not None:
            where = _with_terms(where, words)
        else:
            # "12:30", or a name with a colon, is just words.
            where = _with_terms(where, *word_terms(part[0]))
    return where


def _with_terms(where: EntryFilter, *terms: str) -> EntryFilter:
    return replace(where, terms=tuple(dict.fromkeys((*where.terms, *sorted(terms)))))


def _tag(where: EntryFilter, value: str) -> EntryFilter:
    return _with_terms(where, tag_term(value))


def _author(where: EntryFilter, value: str) -> EntryFilter:
    return _with_terms(where, author_term(value))


def _shift(where: EntryFilter, value: str) -> EntryFilter:
    return _with_terms(where, shift_term(value))


def _run(where: EntryFilter, value: str) -> EntryFilter:
    found = _RUNS.fullmatch(value)
    if found is None or not (found["first"] or found["last"]):
        raise QueryError(f"'run:{value}' names no runs. Write run:7, run:5-9, run:5- or run:-9.")
    first = int(found["first"]) if found["first"] else None
    last = int(found["last"]) if found["last"] else None
    if not found["dash"]:
        last = first
    if first is not None and last is not None and first > last:
        raise QueryError(f"'run:{value}' goes backwards. Write run:{last}-{first}.")
    return replace(where, first_run=_later(where.first_run, first), last_run=_earlier(where.last_run, last))


def _since(where: EntryFilter, value: str) -> EntryFilter:
    return replace(where, since=_later(where.since, parse_time(value)))


def _until(where: EntryFilter, value: str) -> EntryFilter:
    return replace(where, until=_earlier(where.until, parse_time(value)))


def _is(where: EntryFilter, value: str) -> EntryFilter:
    if value == "deleted":
        return replace(where, is_deleted=True)
    if value == "thread":
        return replace(where, is_root=True)
    raise QueryError(f"'is:{value}' is not known. Write is:deleted or is:thread.")


def _later(one: _Bound | None, other: _Bound | None) -> _Bound | None:
    """Return the greater of two lower bounds, either of which may not be there."""
    return max((bound for bound in (one, other) if bound is not None), default=None)


def _earlier(one: _Bound | None, other: _Bound | None) -> _Bound | None:
    """Return the lesser of two upper bounds, either of which may not be there."""
    return min((bound for bound in (one, other) if bound is not None), default=None)


_PARTS: dict[str, Callable[[EntryFilter, str], EntryFilter]] = {
    "t": _tag,
    "tag": _tag,
    "run": _run,
    "since": _since,
    "until": _until,
    "author": _author,
    "shift": _shift,
    "is": _is,
}
