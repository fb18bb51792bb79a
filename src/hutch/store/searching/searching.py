"""Searches: which runs fulfil a condition, by the index as far as it tells, and by their documents beyond.

Whoever wants the newest ten gets them from a walk: along rows of the index that are in order of time, or
along all runs. A walk that misses too often gives up and lets the index say which runs come into question.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from hutch.errors import QueryError
from hutch.queries.conditions import And, Condition, Equal, Field, NewestOfScanId, Path, sources_of
from hutch.queries.matching import matcher
from hutch.store.rows.index import (
    EVERYTHING,
    Everything,
    Meet,
    Rest,
    Rows,
    RunSet,
    Union,
    grouped,
    is_plain,
    meet,
    rest,
    union,
)
from hutch.store.rows.runs import RunRow
from hutch.store.searching.planning import MOST_APART, Plan, Planner
from hutch.store.searching.run_documents import read_documents
from hutch.store.statements.index import AT_ONCE

if TYPE_CHECKING:
    from hutch.store.reading.index import IndexReader, Place

__all__ = ["Search"]

_MOST_MISSES = 1000
"""Runs that a walk looks at in vain before it asks the index."""

_FEW = 300
"""So few runs are sooner looked at one by one than compared with other sets."""

_MANY = 20_000
"""So many runs are sooner put in order with all others, or read beside others, than looked up one by one."""

_MOST_JOINED = 50  # sets in one statement: SQLite takes a thousand, and more are sooner asked for alone
_MOST_COUNTED = 10
"""Sets of which the runs of all of them are counted one set after the other."""

_PAGE, _LARGEST_PAGE = 20, 500

_MORE = 20
"""So many times as many runs are put in order the next time."""

_SCAN_ID = Path("start", ("scan_id",))


class Search:
    """The runs that fulfil a condition; each answer is of the moment when it is given.

    :param reader: the store.
    """

    def __init__(self, reader: IndexReader, condition: Condition) -> None:
        self.condition = condition
        self._reader = reader
        self._matcher = matcher(condition)
        self._sources = sources_of(condition)
        self._sizes: dict[RunSet, int] = {}
        """Of sets, as they were when the plan was made."""

    def count(self) -> int:
        """Return how many runs there are."""
        plan = self._plan()
        few = self._few(plan)
        if few is not None or not plan.is_exact:
            return len(self._tested_ids(plan) if few is None else few)
        match plan.runs:
            case Rows() | Everything():
                return self._reader.count_in(plan.runs)
            case Union(parts) if len(parts) <= _MOST_COUNTED and all(map(is_plain, parts)):
                # Each run where it is found first.
                rows = [part for part in parts if isinstance(part, Rows)]
                alone = (replace(part, without=tuple(rows[:place])) for place, part in enumerate(rows))
                return sum(map(self._reader.count_in, alone))
        return len(self._ids(plan.runs))

    def rows(
        self, *, start: int = 0, limit: int | None = None, newest_first: bool = False
    ) -> Iterator[RunRow]:
        """Yield runs in order of time, ``limit`` of them from the ``start``-th on."""
        stop = None if limit is None else start + limit
        plan = self._plan()
        if plan.is_exact and isinstance(plan.runs, (Rows, Everything)) and self._is_ordered(plan.runs):
            places: Iterable[Place] = self._paged(plan.runs, newest_first, start, limit)
        elif plan.is_exact and (limit is None or self._is_ordered(plan.runs)):
            places = islice(self._places(plan.runs, newest_first), start, stop)
        else:
            yield from islice(self._found(plan, newest_first), start, stop)
            return
        yield from self._fetched(places)

    def ids(self) -> set[int]:
        """Return the ids of all runs."""
        plan = self._plan()
        few = self._few(plan)
        if few is not None or not plan.is_exact:
            return self._tested_ids(plan) if few is None else few
        return self._ids(plan.runs)

    def places(self, *, newest_first: bool = False) -> list[Place]:
        """Return time and id of all runs in order of time."""
        plan = self._plan()
        if plan.is_exact:
            return list(self._places(plan.runs, newest_first))
        return self._sorted(self._tested_ids(plan), newest_first)

    def filter(self, ids: Sequence[int]) -> list[int]:
        """Return those of some runs that are among these, in the same order."""
        if len(ids) > _MOST_MISSES:
            found: Container[int] = self.ids()
        else:
            found = self._passed(ids)
        return [run for run in ids if run in found]

    # plans

    def _plan(self) -> Plan:
        self._sizes = {}
        plan = Planner(self._reader.has_pointers, self._reader.texts_in).plan(self.condition)
        return Plan(self._simplified(plan.runs), plan.is_exact)

    def _simplified(self, part: RunSet) -> RunSet:
        """Return a set without what is empty in it, and what the database can put together as one."""
        match part:
            case Union(parts):
                some = map(self._simplified, parts if len(parts) <= MOST_APART else grouped(parts))
                return union(*(one for one in some if not isinstance(one, Rows) or self._size(one)))
            case Meet(parts):
                return self._joined([self._simplified(one) for one in parts])
            case Rest(inner):
                return rest(self._simplified(inner))
            case Rows() if not part.is_single:
                return replace(part, is_single=self._reader.is_single(part))
        return part

    def _joined(self, parts: Sequence[RunSet]) -> RunSet:
        """Return what several sets have in common; that of rows is one question to the database."""
        rows = sorted((one for one in parts if isinstance(one, Rows)), key=self._size)
        if not rows:
            return meet(*parts)
        first, *others = rows
        also = [one for one in others if is_plain(one)][:_MOST_JOINED]
        rests = [one for one in parts if isinstance(one, Rest) and is_plain(one.part)][:_MOST_JOINED]
        joined = {id(one) for one in (first, *also, *rests)}
        without = [one.part for one in rests if isinstance(one.part, Rows)]
        also, without = [*first.also, *also], [*first.without, *without]
        is_short = self._size(first) <= _MOST_MISSES
        is_long = is_plain(first) and bool(also) and not without and all(map(self._is_long, (first, *also)))
        together = replace(
            first, also=tuple(also), without=tuple(without), is_short=is_short, is_long=is_long
        )
        return meet(together, *(one for one in parts if id(one) not in joined))

    def _is_long(self, rows: Rows) -> bool:
        """Tell whether there are many rows."""
        return self._size(rows) > _MOST_MISSES and self._reader.count_rows_in(rows, _MANY + 1) > _MANY

    def _size(self, part: RunSet) -> int:
        """Return about how many runs a set has, at most one more than a walk looks at in vain."""
        match part:
            case Rows() | Everything():
                if part not in self._sizes:
                    self._sizes[part] = self._reader.count_rows_in(part, _MOST_MISSES + 1)
                return self._sizes[part]
            case Union(parts):
                return min(sum(map(self._size, parts)), _MOST_MISSES + 1)
            case Meet(parts):
                return min(map(self._size, parts))
        return _MOST_MISSES + 1

    def _is_ordered(self, part: RunSet) -> bool:
        """Tell whether just the runs of a set can be read in order, a few at a time."""
        match part:
            case Rows():
                return part.is_ordered or self._size(part) <= _MOST_MISSES
            case Everything():
                return True
            case Union(parts):
                return all(map(self._is_ordered, parts))
        return False

    # sets

    def _ids(self, part: RunSet) -> set[int]:
        """Return the ids of the runs of a set."""
        match part:
            case Rows() | Everything():
                return self._reader.ids_in(part)
            case Union(parts):
                return set[int]().union(*map(self._ids, parts))
            case Rest(inner):
                return self._reader.ids_in(EVERYTHING) - self._ids(inner)
            case Meet(parts):
                first, *others = sorted(parts, key=lambda one: (isinstance(one, Rest), self._size(one)))
                found = self._ids(first)
                for one in others:
                    if isinstance(one, Rest):
                        found -= self._ids(one.part)
                    else:
                        found &= self._ids(one)
                return found

    def _few(self, plan: Plan) -> set[int] | None:
        """Return the runs that several sets have in common, if they are sooner looked at than compared."""
        if not isinstance(plan.runs, Meet):
            return None
        for part in plan.runs.parts:
            if isinstance(part, Rows) and part.is_single:
                ids = [run for _, run in self._reader.places_in(part, newest_first=False, limit=_FEW + 1)]
                if len(ids) <= _FEW:
                    return set(self._passed(ids))
        return None

    def _tested_ids(self, plan: Plan) -> set[int]:
        """Return the ids of the runs that pass the test, of a plan that is not exact."""
        candidates = plan.runs
        if isinstance(candidates, Meet):
            smallest = min(candidates.parts, key=self._size)
            if self._size(smallest) <= _FEW:
                candidates = smallest
        ids = iter(sorted(self._ids(candidates)))
        found: set[int] = set()
        while some := list(islice(ids, AT_ONCE)):
            found.update(self._passed(some))
        return found

    def _places(self, part: RunSet, newest_first: bool) -> Iterable[Place]:
        """Return where the runs of a set stand, in order."""
        if isinstance(part, (Rows, Everything)) and not self._is_ordered(part):
            return self._reader.places_in(part, newest_first=newest_first)
        if self._is_ordered(part):
            return self._ordered(part, newest_first)
        return self._sorted(self._ids(part), newest_first)

    def _sorted(self, ids: set[int], newest_first: bool) -> list[Place]:
        """Return where runs stand, in order."""
        if len(ids) > _MANY:
            all_of_them = self._reader.places_in(EVERYTHING, newest_first=newest_first)
            return [place for place in all_of_them if place[1] in ids]
        return sorted(self._reader.places_by_id(list(ids)), reverse=newest_first)

    # walks

    def _found(self, plan: Plan, newest_first: bool) -> Iterator[RunRow]:
        """Yield all runs that fulfil the condition, in order."""
        misses = 0
        places = iter(self._ordered(plan.runs, newest_first))
        size = _PAGE
        while some := list(islice(places, size)):
            passed = self._passed([run for _, run in some])
            for _, run in some:
                misses = 0 if run in passed else misses + 1
                if run in passed:
                    yield passed[run]
            if misses > _MOST_MISSES:
                yield from self._remaining(plan, some[-1], newest_first)
                return
            size = min(2 * size, _LARGEST_PAGE)

    def _remaining(self, plan: Plan, last: Place, newest_first: bool) -> Iterator[RunRow]:
        """Yield the runs that come after a place, as the index names them."""
        if plan.is_exact and isinstance(plan.runs, (Rows, Everything)):
            yield from self._fetched(self._after(plan.runs, last, newest_first))
            return
        places = self._sorted(self._ids(plan.runs), newest_first)
        left = iter([place for place in places if (place < last if newest_first else place > last)])
        if plan.is_exact:
            yield from self._fetched(left)
            return
        while some := [run for _, run in islice(left, AT_ONCE)]:
            passed = self._passed(some)
            yield from (passed[run] for run in some if run in passed)

    def _after(self, part: Rows | Everything, last: Place, newest_first: bool) -> Iterator[Place]:
        """Yield the runs of a set after a place, few first: the database puts all in order each time."""
        size = _LARGEST_PAGE
        while places := self._reader.places_in(part, newest_first=newest_first, limit=size, after=last):
            yield from places
            if len(places) < size:
                return
            last = places[-1]
            size *= _MORE

    def _ordered(self, part: RunSet, newest_first: bool) -> Iterable[Place]:
        """Return the runs of a set, or of one that holds it, in order and without reading far ahead."""
        match part:
            case Rows() if not part.is_ordered and self._size(part) <= _MOST_MISSES:
                return self._reader.places_in(part, newest_first=newest_first)
            case Rows() if part.is_ordered:
                return self._paged(part, newest_first)
            case Everything():
                return self._paged(part, newest_first)
            case Union(parts) if all(map(self._is_narrow, parts)):
                return _merged([self._ordered(one, newest_first) for one in parts], newest_first)
            case Meet(parts):
                narrow = [one for one in parts if self._is_narrow(one)]
                if narrow:
                    return self._ordered(min(narrow, key=self._size), newest_first)
        return self._paged(EVERYTHING, newest_first)

    def _is_narrow(self, part: RunSet) -> bool:
        """Tell whether a walk along a set, or one that holds it, is shorter than one along all runs."""
        match part:
            case Union(parts):
                return all(map(self._is_narrow, parts))
            case Meet(parts):
                return any(map(self._is_narrow, parts))
        return part != EVERYTHING and self._is_ordered(part)

    def _paged(
        self, part: Rows | Everything, newest_first: bool, start: int = 0, limit: int | None = None
    ) -> Iterator[Place]:
        """Yield runs of ordered rows, read page by page."""
        size = _PAGE if limit is None else _LARGEST_PAGE
        last: Place | None = None
        while limit is None or limit > 0:
            wanted = size if limit is None else min(size, limit)
            page = self._reader.places_in(
                part,
                newest_first=newest_first,
                start=start if last is None else 0,
                limit=wanted,
                after=last,
            )
            yield from page
            if len(page) < wanted:
                return
            last = page[-1]
            limit = None if limit is None else limit - wanted
            size = min(2 * size, _LARGEST_PAGE)

    # runs

    def _fetched(self, places: Iterable[Place]) -> Iterator[RunRow]:
        """Yield the runs at some places, of those that are still there."""
        rest = iter(places)
        while some := [run for _, run in islice(rest, AT_ONCE)]:
            rows = self._reader.runs_by_id(some)
            yield from (rows[run] for run in some if run in rows)

    def _passed(self, ids: Sequence[int]) -> dict[int, RunRow]:
        """Return those of some runs whose documents fulfil the condition."""
        found = read_documents(self._reader, ids, sources=self._sources)
        holds = self._matcher
        return {row.id: row for row, documents in found if holds(documents, partial(self._is_newest, row))}

    def _is_newest(self, row: RunRow, asked: NewestOfScanId) -> bool:
        """Tell whether a run is the newest of its scan_id.

        :raises QueryError: if it must be and is not.
        """
        newest = None if row.scan_id is None else self._newest_of(row.scan_id, asked.among)
        if newest is None or newest.id == row.id:
            return True
        if asked.is_required:
            msg = (
                f"Several runs have the scan_id {row.scan_id}: the newest is {newest.uid!r}, another is "
                f"{row.uid!r}. Give duplicates='latest' or 'all'."
            )
            raise QueryError(msg)
        return False

    def _newest_of(self, scan_id: int, among: Condition | None) -> RunRow | None:
        """Return the newest run with a scan_id, of those that fulfil a condition if there is one."""
        if among is None:
            return self._reader.run_by_scan_id(scan_id)
        found = Search(self._reader, And((among, Field(_SCAN_ID, Equal(scan_id)))))
        return next(found.rows(limit=1, newest_first=True), None)


def _merged(streams: Sequence[Iterable[Place]], newest_first: bool) -> Iterator[Place]:
    last: Place | None = None
    for place in heapq.merge(*streams, reverse=newest_first):
        if place != last:
            yield place
        last = place
