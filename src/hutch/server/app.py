"""The application: hutch's own routes and Tiled's beside each other, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from hutch.catalogs import Catalog
from hutch.errors import HutchError
from hutch.server.access import Gate
from hutch.server.statuses import tell
from hutch.server.tiled_app import build_tiled_app

__all__ = ["build_app"]

_TILED = "/api/v1"


def build_app(catalogs: Mapping[str, Catalog], gate: Gate) -> FastAPI:
    """Return the application that serves catalogs.

    :param catalogs: by name; whoever opened them closes them.
    :param gate: tells who asks.
    """
    tiled = build_tiled_app(catalogs, gate)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with tiled.router.lifespan_context(tiled):
            yield

    app = FastAPI(title="hutch", lifespan=lifespan, docs_url="/hutch/docs", redoc_url=None)
    app.add_exception_handler(HutchError, tell)
    app.router.routes.append(_Below(_TILED, tiled))
    return app


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
