"""The form by which people define run tables: a table is made, changed, taken as a model, or deleted.

Whatever cannot be taken is shown again as it was typed, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from hutch.access import Action, Identity
from hutch.errors import AccessDeniedError, HutchError
from hutch.logbook import ColumnType, Logbook, RunTable
from hutch.logbook.run_tables import DEFAULT
from hutch.server.asking import Reader, typed_number
from hutch.server.pages.logbook_pages import find_logbook, kept_of, page_of
from hutch.server.pages.showing import Text, keep_key, link
from hutch.server.statuses import status_of

__all__ = ["make_table_forms"]

_LIMITS: dict[str, Any] = {"max_files": 0, "max_fields": 1000}
_FREE = 4
"""Lines for more columns."""


def make_table_forms() -> APIRouter:
    """Return the routes by which run tables are defined."""
    router = APIRouter(include_in_schema=False)
    place = "/logbook/{experiment}/tables/define"
    router.add_api_route(place, show_definition, methods=["GET"], response_class=HTMLResponse)
    router.add_api_route(place, post_definition, methods=["POST"], response_class=HTMLResponse)
    return router


@dataclass
class _Draft:
    """A run table as it is typed.

    :ivar table: the one that is changed, or whose columns another one begins with.
    :ivar new: the name of that other one; empty changes the table.
    :ivar columns: the source, the label and the type of each.
    """

    table: str
    new: str
    description: str
    columns: list[tuple[str, str, str]]

    @classmethod
    def of_table(cls, table: RunTable) -> _Draft:
        """Return what there is to change in a table."""
        columns = [(column.source, column.label, column.type.value) for column in table.columns]
        return cls(table.name, "", table.description, columns)

    @classmethod
    def of_form(cls, form: FormData) -> _Draft:
        """Return what a form says; its columns by their places, those without a source left out."""

        def texts(name: str) -> list[str]:
            return [one.strip() for one in form.getlist(name) if isinstance(one, str)]

        names = ("source", "label", "type", "place")
        lines = list(zip_longest(*map(texts, names), fillvalue=""))
        lines.sort(key=lambda line: typed_number(line[3]) or 0)
        columns = [(source, label, kind or ColumnType.AUTO) for source, label, kind, _ in lines if source]
        one = {name: next(iter(texts(name)), "") for name in ("table", "new", "description")}
        return cls(one["table"] or DEFAULT, one["new"], one["description"], columns)


def show_definition(request: Request, identity: Reader, experiment: str, name: Text = DEFAULT) -> Response:
    """Show the form with the columns of a table."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    logbook = find_logbook(request, identity, experiment)
    draft = _Draft.of_table(logbook.run_table(experiment, name))
    return _form(request, identity, logbook, experiment, draft)


async def post_definition(request: Request, identity: Reader, experiment: str) -> Response:
    """Do what the form asks for, and show the table."""
    async with request.form(**_LIMITS) as form:
        draft, is_deletion = _Draft.of_form(form), form.get("do") == "delete"
    return await run_in_threadpool(_done, request, identity, experiment, draft, is_deletion)


def _done(
    request: Request, identity: Identity, experiment: str, draft: _Draft, is_deletion: bool
) -> Response:
    logbook = find_logbook(request, identity, experiment)
    try:
        shown = _delete(logbook, experiment, draft) if is_deletion else _save(logbook, experiment, draft)
    except AccessDeniedError:
        raise
    except HutchError as error:
        problem, status = str(error), status_of(error)
        return _form(request, identity, logbook, experiment, draft, problem=problem, status=status)
    place = f"/logbook/{experiment}/tables"
    return RedirectResponse(link(place, {"name": shown, **kept_of(request)}), 303)


def _delete(logbook: Logbook, experiment: str, draft: _Draft) -> str:
    logbook.delete_run_table(experiment, draft.table)
    return DEFAULT


def _save(logbook: Logbook, experiment: str, draft: _Draft) -> str:
    """Make or change a table; return its name."""
    columns = [{"source": source, "label": label, "type": kind} for source, label, kind in draft.columns]
    save = logbook.create_run_table if draft.new else logbook.update_run_table
    return save(experiment, draft.new or draft.table, columns, description=draft.description).name


def _form(
    request: Request,
    identity: Identity,
    logbook: Logbook,
    experiment: str,
    draft: _Draft,
    *,
    problem: str = "",
    status: int = 200,
) -> Response:
    if not problem:
        logbook.check(Action.EDIT, experiment)
    tables = {table.name: table for table in logbook.run_tables(experiment)}
    return page_of(
        "table_form.html",
        request,
        identity,
        logbook,
        experiment,
        status=status,
        problem=problem,
        draft=draft,
        lines=[*draft.columns, *[("", "", ColumnType.AUTO.value)] * _FREE],
        types=[kind.value for kind in ColumnType],
        sources=[source for sources in logbook.sources(experiment).values() for source in sources],
        can_go=draft.table in tables and not tables[draft.table].is_system,
    )
