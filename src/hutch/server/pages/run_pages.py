"""The pages: runs in a table, and one run; rendered here, they need no JavaScript to be read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from hutch.access import Identity
from hutch.catalogs import Catalog, Run
from hutch.catalogs.verdicts import summary_of
from hutch.errors import LookupFailedError, QueryError
from hutch.queries.typed import typed_queries
from hutch.server.access import BASIC, Gate, is_foreign_page, presented_user
from hutch.server.asking import Reader
from hutch.server.pages.run_views import metadata_rows, stream_views
from hutch.server.pages.showing import (
    Text,
    choose_catalog,
    forget_key,
    keep_key,
    link,
    local_address,
    login_page,
    show,
)

__all__ = ["find_run_of_page", "make_pages"]

_PAGE = 50
_MOST_OFFSET = 2**31
_LEFT = (
    "This browser was told to forget the name and the password. If pages go on showing your name, it keeps "
    "them until it is closed: close it."
)
_SORTABLE = {"scan_id": "scan_id", "plan": "plan_name", "time": "time", "points": "num_points"}


def make_pages() -> APIRouter:
    """Return the routes of the pages, which the description of the routes for programs leaves out."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/", list_page, response_class=HTMLResponse)
    router.add_api_route("/runs/{uid:path}", run_page, response_class=HTMLResponse)
    router.add_api_route("/login", enter_key, methods=["GET"], response_class=HTMLResponse)
    router.add_api_route("/logout", forget, methods=["POST"], response_class=HTMLResponse)
    return router


def list_page(
    request: Request,
    identity: Reader,
    catalog: Text = "",
    q: Text = "",
    since: Text = "",
    until: Text = "",
    sort: Text = "-time",
    offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
) -> Response:
    """Show runs, the newest first, those that are asked for."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    name, chosen = choose_catalog(request, identity, catalog)
    problem, rows, total = "", [], 0
    try:
        found = _searched(chosen, q, since, until)
        key = _SORTABLE.get(sort.lstrip("-"), "time")
        direction = -1 if sort.startswith("-") else 1
        total = len(found)
        rows = [_row(run) for run in found.sort((key, direction))[offset : offset + _PAGE].runs()]
    except QueryError as error:
        problem = str(error)
    asked = {"catalog": catalog, "q": q, "since": since, "until": until, "sort": sort}
    asked = {key: value for key, value in asked.items() if value and (key, value) != ("sort", "-time")}
    return show(
        "runs.html",
        request,
        identity,
        catalog=name,
        rows=rows,
        is_judged=any(row["verdicts"] for row in rows),
        total=total,
        offset=offset,
        page=_PAGE,
        problem=problem,
        asked=asked,
        is_filtered=bool(q or since or until),
        columns=_SORTABLE,
        sort=sort,
        url=lambda **changes: link("/", {**asked, **changes}),
        status=400 if problem else 200,
    )


def run_page(request: Request, identity: Reader, uid: str, catalog: Text = "") -> Response:
    """Show one run: what it is, its picture, its streams, its metadata."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    if not uid:
        return RedirectResponse(link("/", {"catalog": catalog}), 303)
    run = find_run_of_page(request, identity, catalog, uid)
    name, stop = _name(request, run), run.stop
    return show(
        "run.html",
        request,
        identity,
        catalog=name,
        run=run,
        summary=run.summary(),
        duration=None if stop is None else stop.get("time", run.row.time) - run.row.time,
        reason=stop.get("reason") if stop is not None else None,
        streams=stream_views(run),
        verdicts=list(run.verdicts().values()),
        start=metadata_rows(run.start),
        stop=metadata_rows(stop or {}),
        amended=run.row.amended is not None,
        routes=f"/hutch/v1/catalogs/{quote(name)}/runs/{quote(run.uid, safe='')}",
        picture=f"/runs/{quote(run.uid, safe='')}/picture.png?catalog={quote(name)}",
    )


def find_run_of_page(request: Request, identity: Identity, catalog: str, uid: str) -> Run:
    """Return a run, of any catalog if none is named: an address may name the run alone.

    :raises LookupFailedError: if there is none that who asks may read.
    """
    gate: Gate = request.app.state.gate
    if catalog:
        return gate.open(catalog, identity)[uid]
    missing: LookupFailedError | None = None
    for name in gate.names(identity):
        try:
            return gate.open(name, identity)[uid]
        except LookupFailedError as error:
            missing = missing or error
    raise missing or LookupFailedError(f"No run {uid!r}.")


def enter_key(request: Request, to: str = "/", by: str = "") -> Response:
    """Ask for a key; it arrives in the address of the page that was asked for, and is kept in a cookie.

    Or, by password, have the browser ask for a name and a password, which it sends from then on by itself.
    """
    if by != "password":
        return login_page(to)
    given = presented_user(request)
    gate: Gate = request.app.state.gate
    if given is not None and gate.identify(request) is not None:
        return RedirectResponse(local_address(to), 303)
    problem = "" if given is None else "There is no such user with this password, or they are disabled."
    return login_page(to, problem=problem, challenge=BASIC)


def forget(request: Request, name: Text = "") -> Response:
    """Have the browser forget the key that it keeps, or the password, as far as it does so when asked to.

    :param name: of who logs out; who has logged in as somebody else meanwhile stays so.
    :raises HTTPException: if a page of another site asks.
    """
    if is_foreign_page(request):
        raise HTTPException(403, "Pages of other sites change nothing here.")
    given = presented_user(request)
    gate: Gate = request.app.state.gate
    response: Response
    if given is None:
        response = login_page("/", left="This browser has forgotten the key.")
    elif given[0] == name or gate.identify(request) is None:
        # Browsers forget what is refused, and ask for it anew; whoever cancels that sees the page.
        response = login_page("/", left=_LEFT, challenge=BASIC)
    else:
        response = RedirectResponse("/", 303)
    forget_key(request, response)
    return response


def _name(request: Request, run: Run) -> str:
    """Return the name of the catalog that a run is in."""
    catalogs: Mapping[str, Catalog] = request.app.state.catalogs
    return next(name for name, one in catalogs.items() if one.store is run.store)


def _searched(catalog: Catalog, q: str, since: str, until: str) -> Catalog:
    try:
        words = shlex.split(q) if not q.lstrip().startswith("{") else [q]
    except ValueError:
        # A quotation mark without another is a character like any other.
        words = q.split()
    for asked in typed_queries(words, since=since or None, until=until or None):
        catalog = catalog.search(asked)
    return catalog


def _row(run: Run) -> dict[str, Any]:
    summary = run.summary()
    sample = run.start.get("sample", "")
    if isinstance(sample, Mapping):
        sample = sample.get("name", "")
    verdicts = {name: one.verdict for name, one in run.verdicts().items()}
    return {
        "summary": summary,
        "verdicts": summary_of(verdicts),
        "sample": sample if isinstance(sample, str) else json.dumps(sample, default=str),
    }
