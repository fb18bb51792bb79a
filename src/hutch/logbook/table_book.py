"""Run tables of an experiment: defined, filled, edited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import Any

from hutch.access import Action
from hutch.documents import decode, encode
from hutch.errors import DocumentError, QueryError, RunTableNotFoundError
from hutch.logbook.param_book import ParamBook
from hutch.logbook.run_tables import (
    DEFAULT,
    OWN_SOURCES,
    Column,
    RunTable,
    check_table_name,
    default_table,
    parse_columns,
)
from hutch.logbook.table_data import RunOrder, TableData, cells_of
from hutch.store.rows.logbook import RunNumberRow, RunTableRow
from hutch.store.searching.run_documents import read_documents

__all__ = ["TableBook"]

_LOOKED_AT = 300
"""Runs, the latest, whose fields are offered as columns."""

_PREFIXES = ("start.", "stop.", "param.", "dqm.", "counter.")
"""What sources begin with that are none of the run's own."""

_JOBS = 100_000
_DEEPEST = 3


class TableBook(ParamBook):
    """The part of a logbook that is run tables."""

    # definitions

    def run_tables(self, experiment: str) -> list[RunTable]:
        """Return the run tables of an experiment, the default first, the others by name."""
        self.check(Action.READ, experiment)
        found = {row.name: RunTable.of(row) for row in self.store.run_tables(experiment)}
        first = found.pop(DEFAULT, default_table())
        return [first, *found.values()]

    def run_table(self, experiment: str, name: str = DEFAULT) -> RunTable:
        """Return a run table.

        :raises RunTableNotFoundError: if there is none of this name.
        """
        for table in self.run_tables(experiment):
            if table.name == name:
                return table
        raise _no_table(experiment, name)

    def create_run_table(
        self,
        experiment: str,
        name: str,
        columns: Iterable[Column | str | Mapping[str, Any]],
        *,
        description: str = "",
        author: str | None = None,
    ) -> RunTable:
        """Define a run table.

        :param columns: or their sources, as in ``param.gain``.
        :raises DocumentError: if there is one of this name, or something cannot be taken.
        """
        return self._put(experiment, name, columns, description, author, "create")

    def update_run_table(
        self,
        experiment: str,
        name: str,
        columns: Iterable[Column | str | Mapping[str, Any]],
        *,
        description: str | None = None,
        author: str | None = None,
    ) -> RunTable:
        """Define a run table anew; the default one gets columns that hold for this experiment.

        :raises RunTableNotFoundError: if there is none of this name.
        """
        return self._put(experiment, name, columns, description, author, "update")

    def clone_run_table(self, experiment: str, name: str, to: str, *, author: str | None = None) -> RunTable:
        """Define a run table that is what another one is.

        :raises RunTableNotFoundError: if there is none to be cloned.
        :raises DocumentError: if there is one of the new name.
        """
        known = self.run_table(experiment, name)
        return self._put(experiment, to, known.columns, known.description, author, "create")

    def delete_run_table(self, experiment: str, name: str, *, author: str | None = None) -> None:
        """Delete a run table; the default one is what it is everywhere again.

        :raises RunTableNotFoundError: if there is none of this name.
        """
        self.check(Action.EDIT, experiment)
        signed = self._signed(author)
        if self.run_table(experiment, name).is_system:
            raise DocumentError(f"The table {name!r} is what every experiment has; it cannot be deleted.")
        with self.store.transaction() as writer:
            writer.drop_run_table(experiment, name)
            self._note(writer, experiment, signed, "table.delete", name)
        self.store.sync()

    def _put(
        self,
        experiment: str,
        name: str,
        columns: Iterable[Column | str | Mapping[str, Any]],
        description: str | None,
        author: str | None,
        what: str,
    ) -> RunTable:
        self.check(Action.EDIT, experiment)
        signed = self._signed(author)
        check_table_name(name)
        parsed = parse_columns(columns)
        with self.store.transaction() as writer:
            writer.lock(f"run_tables/{experiment}")
            known = {table.name: table for table in self.run_tables(experiment)}.get(name)
            if what == "create" and known is not None:
                raise DocumentError(f"There is a run table {name!r} already. Choose another name.")
            if what == "update" and known is None:
                raise _no_table(experiment, name)
            said = (known.description if known else "") if description is None else description
            found = RunTable(name, parsed, said, author=signed, time=self._clock())
            body = encode(found.to_definition())
            writer.put_run_table(RunTableRow(experiment, name, body, found.time or 0.0, signed))
            self._note(writer, experiment, signed, f"table.{what}", name, found.to_definition())
        self.store.sync()
        return found

    # rows

    def table_data(
        self,
        experiment: str,
        table: str = DEFAULT,
        *,
        columns: Iterable[Column | str | Mapping[str, Any]] | None = None,
        sort: str | None = None,
        descending: bool = False,
        group_by: str | None = None,
        runs: tuple[int | None, int | None] = (None, None),
        start: int = 0,
        limit: int | None = 100,
    ) -> TableData:
        """Return rows of a run table.

        :param columns: in place of those of the table.
        :param sort: the source of a column; without one the latest run comes first. Runs that have nothing
            there come first, in descending order last.
        :param group_by: the source of a column by which rows stand together.
        :param runs: numbers of the first and the last run; None where it does not matter.
        :raises RunTableNotFoundError: if there is no such table.
        :raises QueryError: if there is no such column, or no order by it.
        """
        chosen = self.run_table(experiment, table).columns if columns is None else parse_columns(columns)
        if start < 0 or (limit is not None and limit < 0):
            raise QueryError("Rows are counted from 0 on.")
        self._number(experiment)
        numbers = self.store.numbered_runs(experiment, *runs)
        counters = cache(lambda: self.counters_of_runs(experiment))
        keys = [] if group_by is None else [(group_by, 1)]
        keys += [] if sort is None else [(sort, -1 if descending else 1)]
        for source, _ in keys:
            _check_order(source, chosen)
        order = RunOrder(self.store, numbers, counters)
        ids = order.sorted(keys) if keys else list(numbers)
        groups = order.groups(group_by, ids) if group_by is not None else []
        page = ids[start:] if limit is None else ids[start : start + limit]
        found = self._numbered(experiment, [RunNumberRow(0, experiment, numbers[run], run) for run in page])
        cells = tuple(cells_of(self.store, found, chosen, counters))
        return TableData(chosen, tuple(run.num for run in found), cells, len(ids), start, tuple(groups))

    def set_cell(
        self, experiment: str, num: int, source: str, value: Any, *, author: str | None = None
    ) -> None:
        """Change a cell of a run table, which posts a parameter to the run.

        :param source: of its column, as in ``param.gain``.
        :raises DocumentError: if the column shows something that was recorded.
        """
        column = Column.parse(source)
        if not column.is_editable:
            msg = f"The column {source!r} shows what was recorded. Cells of parameters can be changed."
            raise DocumentError(msg)
        name = source.partition(".")[2]
        self.add_run_params(experiment, num, {name: value}, author=author, origin={"table": True})

    def sources(self, experiment: str) -> dict[str, list[str]]:
        """Return what columns can show, by kind: as found in the latest runs."""
        self.check(Action.READ, experiment)
        self._number(experiment)
        ids = [row.run for row in self.store.latest_run_numbers(experiment, _LOOKED_AT)]
        found: dict[str, set[str]] = {"start": set(), "stop": set(), "param": set(), "dqm": set()}
        for _, documents in read_documents(self.store, ids, sources={"start", "stop", "param", "dqm"}):
            for kind in ("start", "stop"):
                if isinstance(documents.get(kind), dict):
                    found[kind].update(f"{kind}.{name}" for name in _fields(documents[kind]))
            for kind in ("param", "dqm"):
                found[kind].update(f"{kind}.{name}" for name in documents.get(kind) or ())
        counters = {name for values in self.counters_of_runs(experiment).values() for name in values}
        named = {kind: sorted(names) for kind, names in found.items()}
        return {"run": list(OWN_SOURCES), **named, "counter": sorted(f"counter.{name}" for name in counters)}

    def counters_of_runs(self, experiment: str) -> dict[int, dict[str, Any]]:
        """Return the counters of jobs by the number of their run; of several jobs those of the newest."""
        self.check(Action.READ, experiment)
        found: dict[int, dict[str, Any]] = {}
        for job in reversed(self.store.jobs(experiment, limit=_JOBS)):
            if job.run_num is not None:
                counters = decode(job.counters)
                found.setdefault(job.run_num, {}).update({one["key"]: one["value"] for one in counters})
        return found


def _check_order(source: str, columns: Iterable[Column]) -> None:
    """Raise if rows have no order by a source: no column shows it, and it is no field that a run may have.

    :param columns: of the table, which may show a field of the start document without its prefix.
    :raises QueryError: naming what there is.
    """
    Column.parse(source)
    known = {*OWN_SOURCES, *(column.source for column in columns)}
    if source not in known and not source.startswith(_PREFIXES):
        fields = ", ".join(f"{prefix}NAME" for prefix in _PREFIXES)
        msg = (
            f"There is no column {source!r} to order rows by. There are {', '.join(OWN_SOURCES)}, {fields}. "
            "List them with: hutch table sources"
        )
        raise QueryError(msg)


def _fields(document: Mapping[str, Any], depth: int = _DEEPEST) -> Iterable[str]:
    """Yield the fields of a document that hold no dictionary, with dots between names."""
    for name, value in islice(document.items(), 1000):
        if not name or "." in name:
            continue
        if isinstance(value, dict) and depth > 1:
            yield from (f"{name}.{inner}" for inner in _fields(value, depth - 1))
        elif not isinstance(value, dict):
            yield name


def _no_table(experiment: str, name: str) -> RunTableNotFoundError:
    msg = (
        f"Experiment {experiment!r} has no run table {name!r}. List them with: hutch table list --experiment "
        f"{experiment}"
    )
    return RunTableNotFoundError(msg)
