"""The pages of run tables: the runs of an experiment, sorted as one likes, with cells that can be changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from hutch.catalogs.summary import local_time, printable
from hutch.errors import AccessDeniedError, HutchError, QueryError
from hutch.logbook import Column, ColumnType, Logbook, TableData
from hutch.logbook.run_tables import DEFAULT
from hutch.server.asking import Reader, typed_number
from hutch.server.pages.logbook_pages import find_logbook, kept_of, page_of
from hutch.server.pages.showing import Text, add_headers, keep_key, link
from hutch.server.statuses import status_of

__all__ = ["make_table_pages"]

_PAGE = 100
_MOST_OFFSET = 2**31
_LONGEST_CELL = 120
_TIMES = ("begin", "end")
_MOST_GROUPS = 50
_NOTHING = "nothing"
"""What is shown of runs that have nothing where rows are grouped."""


def make_table_pages() -> APIRouter:
    """Return the routes of the pages of run tables."""
    router = APIRouter(include_in_schema=False)
    add = router.add_api_route
    add("/logbook/{experiment}/tables", table_page, methods=["GET"], response_class=HTMLResponse)
    add("/logbook/{experiment}/tables", set_cell, methods=["POST"], response_class=HTMLResponse)
    add("/logbook/{experiment}/tables.csv", table_csv, methods=["GET"])
    return router


@dataclass(frozen=True)
class _View:
    """What is looked at: a table, its order, its groups, from which row on, and the cell that is edited."""

    name: str = DEFAULT
    sort: str = ""
    group: str = ""
    offset: int = 0
    edit: str = ""

    def address(self) -> dict[str, Any]:
        """Return what addresses have of it."""
        return {"name": self.name, "sort": self.sort, "group": self.group, "offset": self.offset}

    def data(self, logbook: Logbook, experiment: str, limit: int | None) -> TableData:
        """Return its rows."""
        return logbook.table_data(
            experiment,
            self.name,
            sort=self.sort.lstrip("-") or None,
            descending=self.sort.startswith("-"),
            group_by=self.group or None,
            start=self.offset,
            limit=limit,
        )


def table_page(
    request: Request,
    identity: Reader,
    experiment: str,
    name: Text = DEFAULT,
    sort: Text = "",
    group: Text = "",
    offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
    edit: Text = "",
) -> Response:
    """Show a run table; with ``edit`` one cell as a field to type in, as in ``7:param.gain``."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    logbook = find_logbook(request, identity, experiment)
    return _page(request, identity, logbook, experiment, _View(name, sort, group, offset, edit))


def table_csv(
    request: Request,
    identity: Reader,
    experiment: str,
    name: Text = DEFAULT,
    sort: Text = "",
    group: Text = "",
) -> Response:
    """Give a run table as a file for spreadsheets, in which no text is a formula."""
    logbook = find_logbook(request, identity, experiment)
    data = _View(name, sort, group).data(logbook, experiment, None)
    response = Response(data.to_csv(), media_type="text/csv; charset=utf-8")
    add_headers(response)
    response.headers["Content-Disposition"] = 'attachment; filename="runs.csv"'
    return response


async def set_cell(request: Request, identity: Reader, experiment: str) -> Response:
    """Change a cell, which posts a parameter to the run, with who did it and when."""
    async with request.form(max_files=0, max_fields=10) as form:
        given = {key: value for key, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_set, request, identity, experiment, given)


def _set(request: Request, identity: Reader, experiment: str, given: dict[str, str]) -> Response:
    logbook = find_logbook(request, identity, experiment)
    cell = given.get("cell", "")
    offset = typed_number(given.get("offset", "")) or 0
    view = _View(given.get("name") or DEFAULT, given.get("sort", ""), given.get("group", ""), offset, cell)
    number, _, source = cell.partition(":")
    num = typed_number(number)
    try:
        if num is None:
            raise QueryError(f"{cell[:40]!r} is no cell of a run table.")
        logbook.set_cell(experiment, num, source, _typed(given.get("value", "")))
    except AccessDeniedError:
        raise
    except HutchError as error:
        problem, status = str(error), status_of(error)
        return _page(request, identity, logbook, experiment, view, problem=problem, status=status)
    return RedirectResponse(
        link(f"/logbook/{experiment}/tables", {**view.address(), **kept_of(request)}), 303
    )


def _page(
    request: Request,
    identity: Reader,
    logbook: Logbook,
    experiment: str,
    view: _View,
    *,
    problem: str = "",
    status: int = 200,
) -> Response:
    data = view.data(logbook, experiment, _PAGE)
    asked = {**view.address(), **kept_of(request)}
    rows = [
        [(column, f"{num}:{column.source}", value) for column, value in zip(data.columns, row, strict=True)]
        for num, row in zip(data.runs, data.rows, strict=True)
    ]
    grouping = _grouping(data, view.group)
    return page_of(
        "table.html",
        request,
        identity,
        logbook,
        experiment,
        status=status,
        problem=problem,
        tables=[table.name for table in logbook.run_tables(experiment)],
        name=view.name,
        sort=view.sort,
        group=view.group,
        grouping=grouping,
        groups=[
            (_shown(column, value) or _NOTHING, count)
            for column in grouping
            if column.source == view.group
            for value, count in data.groups[:_MOST_GROUPS]
        ],
        more_groups=max(len(data.groups) - _MOST_GROUPS, 0),
        data=data,
        rows=list(zip(data.runs, rows, strict=True)),
        offset=view.offset,
        page=_PAGE,
        edit=view.edit,
        shown=_shown,
        typed=_to_type,
        numeric={column.source for place, column in enumerate(data.columns) if _is_numeric(data, place)},
        url=lambda **changes: link(f"/logbook/{experiment}/tables", {**asked, **changes}),
    )


def _grouping(data: TableData, group: str) -> list[Column]:
    """Return the columns by which rows may be grouped: those of the table, and the one by which they are."""
    found = [column for column in data.columns if column.source != "tags"]
    if group and all(column.source != group for column in found):
        found.append(Column.parse(group))
    return found


def _is_numeric(data: TableData, place: int) -> bool:
    kinds = {type(row[place]) for row in data.rows} - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def _shown(column: Column, value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int):
        if column.type is ColumnType.TIME or column.source in _TIMES:
            return local_time(value)
        if column.source == "duration":
            return f"{value:,.2f}"
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    if isinstance(value, dict) and isinstance(value.get("name"), str) and not column.is_editable:
        # As people call it; what else is known of it stands in the CSV, and in the run.
        value = value["name"]
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return printable(text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…")


def _to_type(value: Any) -> str:
    """Return what somebody would type so that a cell has a value: the reverse of :func:`_typed`."""
    if value is None:
        return ""
    is_plain = isinstance(value, str) and _typed(value) == value
    return value if is_plain else json.dumps(value, ensure_ascii=False, default=str)


def _typed(text: str) -> Any:
    """Return what somebody typed into a cell: a number, true, false, null, or else text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if not isinstance(found, dict | list) else text
