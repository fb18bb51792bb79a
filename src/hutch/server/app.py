"""The application: hutch's own routes and Tiled's beside each other, in one process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from hutch import __version__
from hutch.catalogs import Catalog
from hutch.errors import HutchError
from hutch.server.access import Admission, Gate
from hutch.server.asking import Reader
from hutch.server.books import open_books
from hutch.server.heads import Heads
from hutch.server.lcls import PREFIXES, build_lcls
from hutch.server.models import Failure, Health
from hutch.server.pages.logbook_forms import make_logbook_forms
from hutch.server.pages.logbook_pages import make_logbook_pages
from hutch.server.pages.monitor_pages import make_monitor_pages
from hutch.server.pages.pictures import make_pictures
from hutch.server.pages.run_pages import make_pages
from hutch.server.pages.showing import STATIC, error_page, wants_page
from hutch.server.pages.table_forms import make_table_forms
from hutch.server.pages.table_pages import make_table_pages
from hutch.server.routes import make_router
from hutch.server.statuses import status_of, tell
from hutch.server.tiled.app import build_tiled_app
from hutch.server.verdict_entries import entering_verdicts
from hutch.server.watching import BodyLimit, Metrics, Watch

__all__ = ["build_app"]

_TILED = "/api/v1"

_logger = logging.getLogger("hutch.server")


def build_app(
    catalogs: Mapping[str, Catalog],
    admission: Admission,
    *,
    closes: bool = False,
    enters_verdicts: bool = False,
) -> FastAPI:
    """Return the application that serves catalogs.

    :param catalogs: by name.
    :param admission: who is let in besides those that the catalogs' stores know.
    :param closes: True closes the catalogs when the application ends; else who opened them does.
    :param enters_verdicts: True writes an entry of the logbook for each verdict that turns bad meanwhile.
    """
    gate = Gate(catalogs, admission)
    books = open_books(catalogs, gate)
    tiled = build_tiled_app(gate)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with tiled.router.lifespan_context(tiled), entering_verdicts(books if enters_verdicts else ()):
            yield
        if closes:
            for catalog in catalogs.values():
                catalog.close()

    app = FastAPI(
        title="hutch",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/hutch/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.state.catalogs, app.state.gate, app.state.metrics = dict(catalogs), gate, Metrics()
    app.state.books = books
    app.add_exception_handler(HutchError, _tell_error)
    app.add_exception_handler(HTTPException, _tell_refusal)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(Exception, _tell_mistake)
    _add_health(app)
    app.include_router(make_router())
    app.include_router(make_pictures())
    app.include_router(make_pages())
    app.include_router(make_monitor_pages())
    app.include_router(make_table_pages())
    app.include_router(make_table_forms())
    app.include_router(make_logbook_forms())
    app.include_router(make_logbook_pages())
    app.mount("/static", StaticFiles(directory=STATIC))
    app.router.routes.append(_Below(_TILED, tiled))
    lcls = build_lcls(books, gate, acceptor=admission.acceptor, has_get_control=admission.has_get_control)
    app.router.routes.extend(_Below(f"/{prefix}", lcls) for prefix in PREFIXES)
    app.add_middleware(Heads)
    app.add_middleware(BodyLimit)
    app.add_middleware(Watch, metrics=app.state.metrics)
    return app


def _add_health(app: FastAPI) -> None:
    def healthz() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    def readyz(request: Request) -> JSONResponse:
        """Tell whether all stores answer."""
        for name, catalog in request.app.state.catalogs.items():
            try:
                catalog.store.last_change()
            except HutchError as error:
                _logger.warning("Catalog %r does not answer: %s", name, error)
                return JSONResponse({"error": "A store does not answer now."}, 503)
        return JSONResponse({"status": "ready"})

    def metrics(request: Request, identity: Reader) -> Response:
        """Give counts and times of requests to Prometheus."""
        return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", healthz, response_model=Health)
    app.add_api_route("/readyz", readyz, response_model=Health, responses={503: {"model": Failure}})
    app.add_api_route("/metrics", metrics, include_in_schema=False)


async def _tell_error(request: Request, error: Exception) -> Response:
    """Tell an error of hutch: to a person as a page, to a program as JSON."""
    if isinstance(error, HutchError) and wants_page(request):
        return error_page(request, status_of(error), str(error))
    return await tell(request, error)


async def _tell_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return await _tell_mistake(request, error)
    if wants_page(request):
        is_unknown = error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase
        said = "There is no page of this address." if is_unknown else str(error.detail)
        return error_page(request, error.status_code, said)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _tell_invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    texts = [f"{'.'.join(map(str, problem['loc'][1:]))}: {problem['msg']}" for problem in problems]
    message = "; ".join(texts) or "A parameter is not what it should be."
    return error_page(request, 422, message) if wants_page(request) else JSONResponse({"error": message}, 422)


async def _tell_mistake(request: Request, error: Exception) -> Response:
    """Return as little as possible; the log has the rest."""
    said = "The server has made a mistake; its log tells which."
    return error_page(request, 500, said) if wants_page(request) else JSONResponse({"error": said}, 500)


class _Below(BaseRoute):
    """Hands everything below a path to another application, which knows its paths in full.

    Starlette's ``Mount`` would take the path off, and Tiled would put it twice into the links that it gives.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        self.path = path
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for the other application."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        is_below = path == self.path or path.startswith(f"{self.path}/")
        return (Match.FULL if is_below and scope["type"] in ("http", "websocket") else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        await self._app(scope, receive, send)
