"""What all pages share: how they are rendered, and what a browser may do with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.datastructures import URL

from hutch.access import PUBLIC, Identity
from hutch.catalogs import Catalog
from hutch.catalogs.summary import local_time, printable
from hutch.server.access import Gate, key_cookie, presented_user

__all__ = [
    "STATIC",
    "Text",
    "add_headers",
    "choose_catalog",
    "error_page",
    "forget_key",
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
_FOR_PROGRAMS = ("/hutch/", "/api/", "/ws", "/static/", "/healthz", "/readyz", "/metrics")


def _iso(time: float) -> str:
    """Return s since 1970 as programs read a time; nothing for what no calendar has, as of a clock in ms."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


_environment = Environment(
    loader=PackageLoader("hutch.server.pages"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
_STATUSES = ("success", "fail", "abort", "running", "interrupted")
"""Statuses of runs that have a look of their own; documents may say others."""

_environment.filters.update(
    status_class=lambda status: status if status in _STATUSES else "",
    time=local_time,
    iso=_iso,
    printable=printable,
    part=lambda name: quote(name, safe="", errors="replace"),
)


def show(
    template: str, request: Request, identity: Identity, *, status: int = 200, **values: Any
) -> Response:
    """Return a page.

    :param values: what the template names.
    """
    has_password = presented_user(request) is not None
    html = _environment.get_template(template).render(
        catalogs=request.app.state.gate.names(identity),
        identity=identity,
        is_public=identity == PUBLIC,
        can_log_out=key_cookie(request) in request.cookies or has_password,
        has_password=has_password,
        here_now=_without_key(request),
        request=request,
        **values,
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
    # Browsers leave tabs and ends of lines out of addresses.
    is_local = path.startswith("/") and path.isprintable() and not path.startswith(("//", "/\\"))
    return path if is_local else "/"


_environment.globals["link"] = link


def wants_page(request: Request) -> bool:
    """Tell whether a person asks, whose browser shows pages, and not a program."""
    is_for_programs = request.url.path.startswith(_FOR_PROGRAMS)
    return not is_for_programs and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, message: str) -> Response:
    """Return the page that says what is wrong, and nothing else; without a key the one that asks for it."""
    if status == 401:  # noqa: PLR2004
        problem = "This key is not known, or has ended." if _gave_key(request) else ""
        return login_page(_without_key(request), problem=problem, challenge="Apikey")
    html = _environment.get_template("error.html").render(status=status, message=message)
    return HTMLResponse(html, status, _HEADERS)


def login_page(to: str, *, problem: str = "", left: str = "", challenge: str = "") -> Response:
    """Return the page that asks for a key.

    :param to: which page to go on to.
    :param problem: what is wrong with what was given.
    :param left: what is said to who has just logged out.
    :param challenge: by which the browser is asked to say who asks; empty if nothing is refused.
    """
    address = local_address(to)
    path, _, query = address.partition("?")
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "api_key"]
    said = {"to": address, "path": path, "kept": kept, "problem": problem, "left": left}
    html = _environment.get_template("login.html").render(said)
    headers = {**_HEADERS, "WWW-Authenticate": challenge} if challenge else _HEADERS
    return HTMLResponse(html, 401 if challenge else 200, headers)


def keep_key(request: Request) -> Response | None:
    """Take a key out of the address, into a cookie that scripts cannot read."""
    key = request.query_params.get("api_key")
    if key is None:
        return None
    response = RedirectResponse(_without_key(request), 303)
    is_secure = request.url.scheme == "https"
    response.set_cookie(key_cookie(request), key, httponly=True, samesite="lax", secure=is_secure)
    add_headers(response)
    return response


def forget_key(request: Request, response: Response) -> None:
    """Take the cookie away in which a browser keeps a key."""
    is_secure = request.url.scheme == "https"
    response.delete_cookie(key_cookie(request), httponly=True, samesite="lax", secure=is_secure)
    add_headers(response)


def add_headers(response: Response) -> None:
    """Say what a browser may do with an answer."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _without_key(request: Request) -> str:
    """Return what a request asks for as an address on this server, without the key that is in it."""
    clean = URL(str(request.url)).remove_query_params("api_key")
    return local_address(clean.path + (f"?{clean.query}" if clean.query else ""))


def _gave_key(request: Request) -> bool:
    return "api_key" in request.query_params or key_cookie(request) in request.cookies
