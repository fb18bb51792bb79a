"""The rows of a run table: values of runs, in order, as JSON, CSV or Arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from hutch.catalogs.open_runs import open_status
from hutch.documents import decode
from hutch.documents.spreadsheets import csv_text
from hutch.errors import QueryError
from hutch.logbook.run_tables import OWN_SOURCES, Column
from hutch.logbook.tags import written_tags
from hutch.queries.conditions import Path
from hutch.queries.matching import ABSENT, reach
from hutch.queries.paths import POSTED, parse_path
from hutch.queries.values import bracket
from hutch.store.searching.path_values import MISSING, Rank
from hutch.store.searching.run_documents import read_documents

if TYPE_CHECKING:
    import pyarrow as pa

    from hutch.logbook.run_book import NumberedRun
    from hutch.store.protocols.store import Store

__all__ = ["Counters", "RunOrder", "TableData", "cells_of"]

Counters = Callable[[], Mapping[int, Mapping[str, Any]]]
"""Returns the counters of jobs by the number of their run."""

_PATHS = {"begin": "start.time", "end": "stop.time", "uid": "start.uid", "scan_id": "start.scan_id"}
"""Fields in which the index has what some columns show."""

_OPEN: dict[Rank, str] = {(3, f"\U0010ffff{status}"): status for status in ("interrupted", "running")}
"""Where runs stand that have not ended, among texts: last."""

_RANK_OF_OPEN = {status: rank for rank, status in _OPEN.items()}

_PLACES = {"number": 2, "text": 3, "dictionary": 4, "list": 5, "bool": 6}
_NUMBER = 2


@dataclass(frozen=True)
class TableData:
    """Some rows of a run table.

    :ivar runs: the numbers of the runs, a row each.
    :ivar rows: the values in the order of the columns; None where there is none.
    :ivar total: how many runs there are without ``start`` and ``limit``.
    :ivar groups: if they are grouped: each value, and how many of all runs have it, in order.
    """

    columns: tuple[Column, ...]
    runs: tuple[int, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int
    start: int = 0
    groups: tuple[tuple[Any, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it: each row by the sources of the columns."""
        sources = [column.source for column in self.columns]
        return {
            "columns": [column.to_json() for column in self.columns],
            "runs": list(self.runs),
            "rows": [dict(zip(sources, row, strict=True)) for row in self.rows],
            "total": self.total,
            "start": self.start,
            "groups": [{"value": value, "count": count} for value, count in self.groups],
        }

    def to_csv(self) -> str:
        """Return it as CSV, in which no text is a formula and numbers are numbers."""
        return csv_text([column.heading for column in self.columns], self.rows)

    def to_arrow(self) -> pa.Table:
        """Return it as an Arrow table, with columns named by their sources.

        A column whose values are not all of one type becomes text.
        """
        import pyarrow as pa

        found = {}
        for place, column in enumerate(self.columns):
            values = [row[place] for row in self.rows]
            try:
                found[column.source] = pa.array(values)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                found[column.source] = pa.array([None if value is None else str(value) for value in values])
        return pa.table(found)


# values


def cells_of(
    store: Store,
    runs: Sequence[NumberedRun],
    columns: Sequence[Column],
    counters: Counters,
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of runs in some columns.

    :param counters: returns those of jobs by the number of the run.
    """
    paths = {column.source: parse_path(column.source) for column in columns if _is_field(column.source)}
    ids = [run.run.row.id for run in runs]
    documents = _documents(store, ids, list(paths.values()))
    counted = counters() if any(column.counter for column in columns) else {}
    tags = _tags_of(store, runs) if any(column.source == "tags" for column in columns) else {}
    for run in runs:
        known = documents.get(run.run.row.id, {})
        cells = []
        for column in columns:
            if column.source in paths:
                path = paths[column.source]
                reached = [
                    value for value in reach(known.get(path.source), path.parts) if value is not ABSENT
                ]
                cells.append(reached[0] if len(reached) == 1 else reached or None)
            elif column.counter is not None:
                cells.append(counted.get(run.num, {}).get(column.counter))
            elif column.source == "tags":
                cells.append(tags[run.num])
            else:
                cells.append(_own(store, column.source, run, known))
        yield tuple(cells)


def _documents(store: Store, ids: Sequence[int], paths: Iterable[Path]) -> dict[int, dict[str, Any]]:
    """Return the documents of runs, with what was posted of the names that are wanted: there may be many."""
    documents = {row.id: found for row, found in read_documents(store, ids, sources={"start", "stop"})}
    names = {(path.source, path.parts[0]) for path in paths if path.source in POSTED}
    posted = store.posted_now(ids, {name for _, name in names}) if names else {}
    for run, found in documents.items():
        for source, values in posted.get(run, {}).items():
            wanted = {name: value for name, value in values.items() if (source, name) in names}
            found[source] = {name: decode(value) for name, value in wanted.items()}
    return documents


def _own(store: Store, source: str, run: NumberedRun, documents: Mapping[str, Any]) -> Any:
    row, stop = run.run.row, documents.get("stop")
    match source:
        case "run_num":
            return run.num
        case "uid":
            return row.uid
        case "scan_id":
            return row.scan_id
        case "begin":
            return row.time
        case "end":
            return stop.get("time") if isinstance(stop, dict) else None
        case "duration":
            end = stop.get("time") if isinstance(stop, dict) else None
            return end - row.time if isinstance(end, (int, float)) else None
        case "status":
            if isinstance(stop, dict):
                return stop.get("exit_status")
            return open_status(store, row)
    return None


def _tags_of(store: Store, runs: Sequence[NumberedRun]) -> dict[int, str]:
    """Return the tags of runs, by number; the entries that have them are read together."""
    terms = {run.num: store.terms_of_run(run.experiment, run.num, "t") for run in runs}
    written = iter(written_tags(store, [term for some in terms.values() for term in some]))
    return {num: " ".join(islice(written, len(some))) for num, some in terms.items()}


def _is_field(source: str) -> bool:
    return source not in OWN_SOURCES and not source.startswith("counter.")


# order


class RunOrder:
    """The order of runs by columns.

    :param numbers: of the runs, by id, the greatest first.
    :param counters: returns those of jobs by the number of the run.
    """

    def __init__(self, store: Store, numbers: Mapping[int, int], counters: Counters) -> None:
        self._store = store
        self._numbers = numbers
        self._counters = counters
        self._known: dict[tuple[str, bool], Mapping[int, Rank]] = {}

    def sorted(self, keys: Sequence[tuple[str, int]]) -> list[int]:
        """Return the runs by some columns, the first of them first; where all are the same, the latest first.

        :param keys: sources, each with 1 for ascending order or -1 for descending.
        :raises QueryError: if there is no order by one.
        """
        found = list(self._numbers)
        for source, direction in reversed(keys):
            ranks = self._ranks(source, highest=direction < 0)
            found.sort(key=ranks.__getitem__, reverse=direction < 0)
        return found

    def groups(self, source: str, runs: Iterable[int]) -> list[tuple[Any, int]]:
        """Return the values of a column, as runs in its order have them, and how many have each."""
        ranks = self._ranks(source, highest=False)
        counts: Counter[Rank] = Counter(map(ranks.__getitem__, runs))
        return [(None if rank == MISSING else _value(rank), count) for rank, count in counts.items()]

    def _ranks(self, source: str, *, highest: bool) -> Mapping[int, Rank]:
        """Return where all runs stand by a column."""
        place = (source, highest)
        if place not in self._known:
            nowhere = dict.fromkeys(self._numbers, MISSING)
            self._known[place] = nowhere | self._looked_up(source, highest)
        return self._known[place]

    def _looked_up(self, source: str, highest: bool) -> dict[int, Rank]:
        """Return where runs stand by a column, of those that have something there."""
        match source:
            case "run_num":
                return {run: (_NUMBER, number) for run, number in self._numbers.items()}
            case "duration":
                begin, end = (self._of_path(path, highest) for path in ("start.time", "stop.time"))
                return {
                    run: (_NUMBER, last - begin[run][1])
                    for run, (kind, last) in end.items()
                    if kind == _NUMBER and begin.get(run, MISSING)[0] == _NUMBER
                }
            case "status":
                found = self._of_path("stop.exit_status", highest)
                rest = self._store.runs_by_id([run for run in self._numbers if run not in found])
                still = {
                    run: _RANK_OF_OPEN[open_status(self._store, row)]
                    for run, row in rest.items()
                    if row.stop is None
                }
                return found | still
            case "tags":
                msg = "Runs have no order by tags: a run may have several. Sort by another column."
                raise QueryError(msg)
        if source.startswith("counter."):
            name = source.partition(".")[2]
            counters = self._counters()
            values = ((run, counters.get(number, {}).get(name)) for run, number in self._numbers.items())
            return {run: _rank_of(value) for run, value in values if value is not None}
        return self._of_path(_PATHS.get(source, source), highest)

    def _of_path(self, path: str, highest: bool) -> dict[int, Rank]:
        return self._store.values(parse_path(path)).ranks(list(self._numbers), highest=highest)


def _rank_of(value: Any) -> Rank:
    kind = bracket(value)
    return _PLACES.get(kind, 4), value if kind in ("number", "text", "bool") else str(value)


def _value(rank: Rank) -> Any:
    place, value = rank
    if isinstance(value, bytes):
        return decode(value)
    if rank in _OPEN:
        return _OPEN[rank]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if place > 1 else None
