"""The pages: runs in a table, and one run; rendered here, they need no JavaScript to be read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.datastructures import URL

from hutch.access import Identity
from hutch.catalogs import Catalog, Run
from hutch.catalogs.summary import local_time, printable
from hutch.catalogs.verdicts import summary_of
from hutch.errors import LookupFailedError, QueryError
from hutch.queries.typed import typed_queries
from hutch.server.access import KEY_COOKIE, Gate
from hutch.server.asking import Reader
from hutch.server.run_views import metadata_rows, stream_views

__all__ = ["STATIC", "add_headers", "error_page", "find_run_of_page", "make_pages", "wants_page"]

STATIC = Path(__file__).parent / "static"
"""The folder of style and scripts."""

_PAGE = 50
_MOST_OFFSET = 2**31
_SORTABLE = {"scan_id": "scan_id", "plan": "plan_name", "time": "time", "points": "num_points"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

_environment = Environment(
    loader=PackageLoader("hutch.server"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
)
_environment.filters.update(
    time=local_time,
    iso=lambda time: datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds"),
    printable=printable,
)

Text = Annotated[str, Query(max_length=4000)]


def make_pages() -> APIRouter:
    """Return the routes of the pages, which the description of the routes for programs leaves out."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/", list_page, response_class=HTMLResponse)
    router.add_api_route("/runs/{uid}", run_page, response_class=HTMLResponse)
    router.add_api_route("/login", enter_key, methods=["GET"], response_class=HTMLResponse)
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
    kept = _keep_key(request)
    if kept is not None:
        return kept
    name, chosen = _catalog(request, identity, catalog)
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
    return _page(
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
        columns=_SORTABLE,
        sort=sort,
        url=lambda **changes: _url(request, {**asked, **changes}),
        status=400 if problem else 200,
    )


def run_page(request: Request, identity: Reader, uid: str, catalog: Text = "") -> Response:
    """Show one run: what it is, its picture, its streams, its metadata."""
    kept = _keep_key(request)
    if kept is not None:
        return kept
    run = find_run_of_page(request, identity, catalog, uid)
    name, stop = _name(request, run), run.stop
    return _page(
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
        routes=f"/hutch/v1/catalogs/{name}/runs/{run.uid}",
        picture=f"/runs/{run.uid}/picture.png?catalog={name}",
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


def enter_key(request: Request) -> Response:
    """Ask for a key; it arrives in the address of the page that was asked for, and is kept in a cookie."""
    html = _environment.get_template("login.html").render(to=_local(request.query_params.get("to", "/")))
    return HTMLResponse(html, headers=_HEADERS)


def wants_page(request: Request) -> bool:
    """Tell whether a person asks, whose browser shows pages, and not a program."""
    path = request.url.path
    is_page = path == "/" or path.startswith(("/runs/", "/login"))
    return is_page and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, message: str) -> Response:
    """Return the page that says what is wrong, and nothing else; without a key the one that asks for it."""
    if status == 401:  # noqa: PLR2004
        to = URL(str(request.url)).remove_query_params("api_key")
        path = _local(to.path + (f"?{to.query}" if to.query else ""))
        html = _environment.get_template("login.html").render(to=path, is_wrong=_gave_key(request))
    else:
        html = _environment.get_template("error.html").render(status=status, message=message)
    headers = {**_HEADERS, "WWW-Authenticate": "Apikey"} if status == 401 else _HEADERS  # noqa: PLR2004
    return HTMLResponse(html, status, headers)


def add_headers(response: Response) -> None:
    """Say what a browser may do with an answer."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


# what pages share


def _page(
    template: str, request: Request, identity: Identity, *, status: int = 200, **values: Any
) -> Response:
    html = _environment.get_template(template).render(
        catalogs=request.app.state.gate.names(identity), identity=identity, request=request, **values
    )
    return HTMLResponse(html, status, _HEADERS)


def _catalog(request: Request, identity: Identity, name: str) -> tuple[str, Catalog]:
    """Return a catalog, the first if none is named, of which only what somebody may read is there."""
    gate: Gate = request.app.state.gate
    name = name or next(iter(gate.names(identity)), "")
    return name, gate.open(name, identity)


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


def _url(request: Request, values: Mapping[str, Any]) -> str:
    given = {key: value for key, value in values.items() if value not in ("", None, 0)}
    return str(URL(path=request.url.path).include_query_params(**given)) if given else request.url.path


def _local(path: str) -> str:
    """Return an address on this server; one that leads elsewhere leads to the first page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _gave_key(request: Request) -> bool:
    return "api_key" in request.query_params or KEY_COOKIE in request.cookies


def _keep_key(request: Request) -> Response | None:
    """Take a key out of the address, into a cookie that scripts cannot read."""
    key = request.query_params.get("api_key")
    if key is None:
        return None
    clean = URL(str(request.url)).remove_query_params("api_key")
    response = RedirectResponse(_local(clean.path + (f"?{clean.query}" if clean.query else "")), 303)
    is_secure = request.url.scheme == "https"
    response.set_cookie(KEY_COOKIE, key, httponly=True, samesite="lax", secure=is_secure)
    add_headers(response)
    return response
