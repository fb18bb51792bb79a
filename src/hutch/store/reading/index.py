"""Questions to the index, and the runs that it names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hutch.store.rows import index as index_rows
from hutch.store.rows.index import Everything, Rows
from hutch.store.rows.runs import Posted, RunRow, posted_of
from hutch.store.statement import Statement
from hutch.store.statements.index import AT_ONCE, MOST_NAMES, IndexStatements, ids_of, names_of

if TYPE_CHECKING:
    from hutch.queries.conditions import Condition, Path
    from hutch.store.searching.path_values import PathValues
    from hutch.store.searching.searching import Search

__all__ = ["IndexReader", "Place"]

Place = tuple[float, int]
"""Where a run stands in the order of all: its time, in s since 1970, and its id."""

_NO_LIMIT = 2**62


class IndexReader:
    """The part of a :class:`~hutch.store.protocols.store.Store` that searches."""

    # What is more of a store than this says these.
    _query: Callable[[Statement, dict[str, Any]], list[Any]]
    _ask_index: IndexStatements

    def search(self, condition: Condition) -> Search:
        """Return a search; it asks when it is asked, so that each answer is of that moment."""
        from hutch.store.searching.searching import Search

        return Search(self, condition)

    @abstractmethod
    def run_by_scan_id(self, scan_id: int) -> RunRow | None:
        """Return the newest run with a scan_id."""

    def values(self, path: Path) -> PathValues:
        """Return what is asked of all values of a path."""
        from hutch.store.searching.path_values import PathValues

        return PathValues(self, path)

    def runs_by_id(self, ids: Sequence[int]) -> dict[int, RunRow]:
        """Return the runs with some ids, of those that are there."""
        found: dict[int, RunRow] = {}
        for some in _in_groups(ids):
            rows = [RunRow(*row) for row in self._query(self._ask_index.runs(), ids_of(some))]
            found.update((row.id, row) for row in rows)
        return found

    def uids_by_id(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the uids of the runs with some ids, of those that are there."""
        statement = self._ask_index.runs("id", "uid")
        found = (self._query(statement, ids_of(some)) for some in _in_groups(ids))
        return {row[0]: row[1] for rows in found for row in rows}

    def places_by_id(self, ids: Sequence[int]) -> list[Place]:
        """Return where the runs with some ids stand, of those that are there, in no order."""
        statement = self._ask_index.runs("time", "id")
        found = (self._query(statement, ids_of(some)) for some in _in_groups(ids))
        return [(row[0], row[1]) for rows in found for row in rows]

    def posted_now(self, runs: Sequence[int], names: Collection[str] | None = None) -> dict[int, Posted]:
        """Return what holds of what was posted to some runs.

        :param names: what was posted under others may be left out.
        """
        found: dict[int, Posted] = {}
        named = names_of(sorted(names)) if names and len(names) <= MOST_NAMES else {}
        statement = self._ask_index.posted(is_named=bool(named))
        for some in _in_groups(runs):
            found.update(posted_of(self._query(statement, {**ids_of(some), **named})))
        return found

    # what searches ask

    def count_in(self, where: Rows | Everything) -> int:
        """Return the number of runs of some rows."""
        return int(self._query(self._ask_index.count(where), where.values())[0][0])

    def count_rows_in(self, where: Rows | Everything, most: int) -> int:
        """Return the number of rows between bounds, at most so many."""
        statement = self._ask_index.count(where, is_bounded=True)
        return int(self._query(statement, {**where.values(), "most": most})[0][0])

    def ids_in(self, where: Rows | Everything) -> set[int]:
        """Return the ids of the runs of some rows."""
        return {row[0] for row in self._query(self._ask_index.ids(where), where.values())}

    def places_in(
        self,
        where: Rows | Everything,
        *,
        newest_first: bool,
        start: int = 0,
        limit: int | None = None,
        after: Place | None = None,
    ) -> list[Place]:
        """Return runs of some rows in order, ``limit`` of them from the ``start``-th after a place on."""
        is_continued = after is not None
        statement = self._ask_index.places(where, newest_first=newest_first, is_continued=is_continued)
        values = {**where.values(), "start": start, "limit": _NO_LIMIT if limit is None else limit}
        if after is not None:
            values["last_time"], values["last_run"] = after
        return [(row[0], row[1]) for row in self._query(statement, values)]

    def texts_in(self, where: Rows, most: int) -> list[str] | None:
        """Return the different texts of some rows, None if there are more than so many."""
        found: list[str] = []
        values = where.values()
        while rows := self._query(self._ask_index.next_text(where, is_first=not found), values):
            if len(found) == most:
                return None
            found.append(rows[0][0])
            values["after"] = found[-1]
        return found

    def leaves_in(self, where: Rows) -> list[tuple[int, float, str, int]]:
        """Return type, number and text of rows, with their runs."""
        return self._query(self._ask_index.leaves(where), where.values())

    def count_leaves_in(self, where: Rows) -> list[tuple[int, float, str, int, int]]:
        """Return type, number and text of rows, with how many runs have each, and one of them."""
        return self._query(self._ask_index.leaves(where, is_counted=True), where.values())

    def is_single(self, where: Rows) -> bool:
        """Tell whether no run has several of some rows."""
        (column, operator, key), *_ = where.bounds
        # Of words every run has several.
        is_of_one = column == "key" and operator == "=" and not key.startswith(".")
        return is_of_one and not self.count_rows_in(index_rows.several(key), 1)

    def has_pointers(self, key: str) -> bool:
        """Tell whether the index says of any run that a key must be looked up in the document."""
        return bool(self.count_rows_in(index_rows.pointer(key), 1))


def _in_groups(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
