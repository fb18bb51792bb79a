"""What all pages share: how they are rendered, and what a browser may do with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.datastructures import URL

from hutch.access import Identity
from hutch.catalogs import Catalog
from hutch.catalogs.summary import local_time, printable
from hutch.server.access import KEY_COOKIE, Gate

__all__ = [
    "STATIC",
    "Text",
    "add_headers",
    "choose_catalog",
    "error_page",
    "keep_key",
    "link",
    "local_address",
    "login_page",
    "show",
    "wants_page",
]

STATIC = Path(__file__).parent / "static"
"""The folder of style and scripts."""

Text = Annotated[str, Query(max_length=4000)]

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
_PAGES = ("/runs/", "/login", "/logbook", "/monitor")


def _iso(time: float) -> str:
    """Return s since 1970 as programs read a time; nothing for what no calendar has, as of a clock in ms."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


_environment = Environment(
    loader=PackageLoader("hutch.server"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
)
_STATUSES = ("success", "fail", "abort", "running", "interrupted")
"""Statuses of runs that have a look of their own; documents may say others."""

_environment.filters.update(
    status_class=lambda status: status if status in _STATUSES else "",
    time=local_time,
    iso=_iso,
    printable=printable,
)


def show(
    template: str, request: Request, identity: Identity, *, status: int = 200, **values: Any
) -> Response:
    """Return a page.

    :param values: what the template names.
    """
    html = _environment.get_template(template).render(
        catalogs=request.app.state.gate.names(identity), identity=identity, request=request, **values
    )
    return HTMLResponse(html, status, _HEADERS)


def choose_catalog(request: Request, identity: Identity, name: str) -> tuple[str, Catalog]:
    """Return a catalog, the first if none is named, of which only what somebody may read is there."""
    gate: Gate = request.app.state.gate
    name = name or next(iter(gate.names(identity)), "")
    return name, gate.open(name, identity)


def link(path: str, values: Mapping[str, Any]) -> str:
    """Return an address on this server, with those values that there are."""
    given = {key: value for key, value in values.items() if value not in ("", None, 0)}
    return str(URL(path=path).include_query_params(**given)) if given else path


def local_address(path: str) -> str:
    """Return an address on this server; one that leads elsewhere leads to the first page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


_environment.globals["link"] = link


def wants_page(request: Request) -> bool:
    """Tell whether a person asks, whose browser shows pages, and not a program."""
    path = request.url.path
    return (path == "/" or path.startswith(_PAGES)) and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, message: str) -> Response:
    """Return the page that says what is wrong, and nothing else; without a key the one that asks for it."""
    if status == 401:  # noqa: PLR2004
        to = URL(str(request.url)).remove_query_params("api_key")
        path = local_address(to.path + (f"?{to.query}" if to.query else ""))
        return login_page(path, is_wrong=_gave_key(request), status=status)
    html = _environment.get_template("error.html").render(status=status, message=message)
    return HTMLResponse(html, status, _HEADERS)


def login_page(to: str, *, is_wrong: bool = False, status: int = 200) -> Response:
    """Return the page that asks for a key.

    :param to: which page to go on to.
    """
    html = _environment.get_template("login.html").render(to=local_address(to), is_wrong=is_wrong)
    headers = {**_HEADERS, "WWW-Authenticate": "Apikey"} if status == 401 else _HEADERS  # noqa: PLR2004
    return HTMLResponse(html, status, headers)


def keep_key(request: Request) -> Response | None:
    """Take a key out of the address, into a cookie that scripts cannot read."""
    key = request.query_params.get("api_key")
    if key is None:
        return None
    clean = URL(str(request.url)).remove_query_params("api_key")
    response = RedirectResponse(local_address(clean.path + (f"?{clean.query}" if clean.query else "")), 303)
    is_secure = request.url.scheme == "https"
    response.set_cookie(KEY_COOKIE, key, httponly=True, samesite="lax", secure=is_secure)
    add_headers(response)
    return response


def add_headers(response: Response) -> None:
    """Say what a browser may do with an answer."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _gave_key(request: Request) -> bool:
    return "api_key" in request.query_params or KEY_COOKIE in request.cookies
