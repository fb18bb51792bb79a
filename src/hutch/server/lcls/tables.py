"""Run tables, as clients of LCLS's logbook read and define them.

Their columns have sources of other names: ``params.gain`` is ``param.gain`` here, ``num`` is ``run_num``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from hutch.access import Action
from hutch.errors import QueryError, RunTableNotFoundError
from hutch.logbook import Column, ColumnType, RunTable
from hutch.server.lcls.calls import Body, Call, Route, experiment_route
from hutch.server.lcls.replies import iso

__all__ = ["ROUTES"]

_OWN = {"num": "run_num", "begin_time": "begin", "end_time": "end"}
_THEIRS = {ours: theirs for theirs, ours in _OWN.items()}
_CATEGORIES = {
    "run": "Run Info",
    "start": "Start",
    "stop": "Stop",
    "param": "Run Parameters",
    "dqm": "Quality",
    "counter": "Counters",
}
_TYPES = {kind.value for kind in ColumnType}


def _tables(call: Call) -> list[dict[str, Any]]:
    return [_told(table) for table in call.logbook.run_tables(call.experiment)]


def _data(call: Call) -> list[dict[str, Any]]:
    """Return the rows of a table, the first run first; of each its columns, and what every run has."""
    table = call.logbook.run_table(call.experiment, call.needed("tableName", "table_name"))
    columns: list[Column | str | Mapping[str, Any]] = [*table.columns, "run_num", "begin", "end", "uid"]
    found = call.logbook.table_data(call.experiment, table.name, columns=columns, limit=call.number("limit"))
    sources = [column.source for column in found.columns]
    return [_row(dict(zip(sources, row, strict=True))) for row in reversed(found.rows)]


def _row(cells: dict[str, Any]) -> dict[str, Any]:
    begin, end = cells.pop("begin"), cells.pop("end")
    row = {
        "_id": cells.pop("uid"),
        "num": cells.pop("run_num"),
        "begin_time": iso(begin),
        "end_time": iso(end),
        "begin_time_epoch": _in_ms(begin),
        "end_time_epoch": _in_ms(end),
        "params": {},
    }
    for source, value in cells.items():
        if source.startswith("param."):
            row["params"][source.removeprefix("param.")] = value
        else:
            row[source] = value
    return row


def _in_ms(time: Any) -> int | None:
    """Return s since 1970 in ms."""
    return int(time * 1000) if isinstance(time, (int, float)) and math.isfinite(time * 1000) else None


def _csv(call: Call) -> Response:
    table = call.needed("runtable", "tableName", "table_name")
    found = call.logbook.table_data(call.experiment, table, sort="run_num", limit=None)
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="runtable.csv"',
    }
    return Response(found.to_csv(), 200, headers, media_type="text/csv")


def _sources(call: Call) -> dict[str, list[dict[str, str]]]:
    return {
        _CATEGORIES.get(kind, kind): [
            {"label": source.partition(".")[2] or source, "category": kind, "source": _theirs(source)}
            for source in sources
        ]
        for kind, sources in call.logbook.sources(call.experiment).items()
    }


# definitions


def _define(call: Call) -> dict[str, Any]:
    given = call.document()
    name, about = given.get("name"), given.get("description")
    if not isinstance(name, str) or not isinstance(given.get("coldefs"), list):
        raise QueryError("A run table needs a 'name', and 'coldefs': a list of columns.")
    columns = list(_columns(given["coldefs"]))
    described = None if about is None else str(about)
    known = {table.name for table in call.logbook.run_tables(call.experiment)}
    if name in known:
        return _told(call.logbook.update_run_table(call.experiment, name, columns, description=described))
    return _told(call.logbook.create_run_table(call.experiment, name, columns, description=described or ""))


def _clone(call: Call) -> dict[str, Any]:
    existing, new = call.needed("existing_run_table_name"), call.needed("new_run_table_name")
    return _told(call.logbook.clone_run_table(call.experiment, existing, new))


def _delete(call: Call) -> dict[str, Any]:
    name = call.needed("table_name", "tableName")
    if name not in {table.name for table in call.logbook.run_tables(call.experiment)}:
        raise RunTableNotFoundError(f"Experiment {call.experiment!r} has no run table {name[:100]!r}.")
    call.logbook.delete_run_table(call.experiment, name)
    return {"name": name}


def _edit_cell(call: Call) -> dict[str, Any]:
    num = call.number("runnum", "run_num")
    if num is None:
        raise QueryError("The parameter 'runnum' is missing.")
    source = _ours(call.needed("source"))
    call.logbook.set_cell(call.experiment, num, source, call.text("value") or "")
    return {"num": num, "source": _theirs(source)}


def _columns(given: Iterable[Any]) -> Iterable[dict[str, str]]:
    places = [one.get("position", 0) if isinstance(one, dict) else 0 for one in given]
    if not all(type(place) in (int, float) for place in places):
        raise QueryError("The 'position' of a column is a number.")
    for _, one in sorted(zip(places, given, strict=True), key=lambda pair: pair[0]):
        if not isinstance(one, dict) or not isinstance(one.get("source"), str):
            raise QueryError("A column is a dictionary with a 'source', as in 'params.gain'.")
        kind = str(one.get("type", "")).lower()
        yield {
            "source": _ours(one["source"]),
            "label": str(one.get("label") or ""),
            "type": kind if kind in _TYPES else ColumnType.AUTO.value,
        }


def _told(table: RunTable) -> dict[str, Any]:
    return {
        "_id": table.name,
        "name": table.name,
        "description": table.description,
        "is_system_run_table": table.is_system,
        "is_editable": not table.is_system,
        "coldefs": [_told_column(place, column) for place, column in enumerate(table.columns)],
    }


def _told_column(place: int, column: Column) -> dict[str, Any]:
    return {
        "label": column.heading,
        "type": column.type.value,
        "source": _theirs(column.source),
        "is_editable": column.is_editable,
        "position": place,
    }


def _ours(source: str) -> str:
    """Return the source of a column as the logbook has it."""
    if source.startswith("editable_params."):
        return f"param.{source.removeprefix('editable_params.').removesuffix('.value')}"
    if source.startswith("params."):
        return f"param.{source.removeprefix('params.')}"
    return _OWN.get(source, source)


def _theirs(source: str) -> str:
    """Return the source of a column as these clients have it."""
    if source.startswith("param."):
        return f"params.{source.removeprefix('param.')}"
    return _THEIRS.get(source, source)


def _change(
    path: str, answer: Any, body: Body = Body.FORM, action: Action = Action.EDIT, **more: Any
) -> Route:
    return experiment_route(path, answer, method="POST", body=body, action=action, **more)


ROUTES = (
    experiment_route("run_tables", _tables, by_job=True),
    experiment_route("run_table_data", _data, by_job=True),
    experiment_route("run_table_sources", _sources, by_job=True),
    experiment_route("runtables/export_as_csv", _csv, by_job=True),
    _change("create_update_user_run_table_def", _define, Body.JSON),
    _change("clone_run_table_def", _clone),
    _change("delete_run_table", _delete, deletes=True),
    _change("run_table_editable_update", _edit_cell, action=Action.RECORD),
)
