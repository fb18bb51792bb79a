"""The application of Tiled itself over hutch's catalogs: its routes, its protocol, and hutch's own access."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse
from tiled.access_control.scopes import NO_SCOPES, PUBLIC_SCOPES
from tiled.adapters.mapping import MapAdapter
from tiled.config import MetricsConfig
from tiled.media_type_registration import default_serialization_registry
from tiled.queries import QueryValueError
from tiled.server import authentication
from tiled.server.app import build_app
from tiled.server.dependencies import get_root_tree
from tiled.server.settings import Settings, get_settings

from hutch.access import Identity
from hutch.errors import HutchError
from hutch.server.access import Gate
from hutch.server.statuses import status_of
from hutch.server.tiled.array import MOST_BYTES
from hutch.server.tiled.catalog import CatalogAdapter
from hutch.server.tiled.documents import MEDIA_TYPE, export_documents
from hutch.server.tiled.run import RUN_SPEC

__all__ = ["build_tiled_app", "tree_for"]


def build_tiled_app(gate: Gate) -> FastAPI:
    """Return Tiled's application, with its routes below ``/api/v1``; whoever enters it runs its lifespan.

    A catalog whose name has slashes is in folders.
    """
    # It says its version when it starts, on a handler of its own.
    logging.getLogger("tiled.server.app").setLevel(logging.WARNING)
    formats = deepcopy(default_serialization_registry)
    formats.register(RUN_SPEC.name, MEDIA_TYPE, export_documents)
    app: FastAPI = build_app(
        # Whoever asks is given a tree of his own; where Tiled does not ask for one, there is nothing.
        MapAdapter({}),
        serialization_registry=formats,
        server_settings={"metrics": MetricsConfig(prometheus=False)},
    )
    settings = Settings(allow_anonymous_access=gate.public, response_bytesize_limit=MOST_BYTES)
    # Tiled's own settings are one object for the whole process.
    app.dependency_overrides[get_settings] = lambda: settings
    _put_access(app, gate)
    app.add_exception_handler(HutchError, _tell)
    app.add_exception_handler(QueryValueError, _tell_bad_query)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    return app


def tree_for(gate: Gate, identity: Identity | None) -> MapAdapter:
    """Return the tree of what somebody may read."""
    folder: dict[str, Any] = {}
    if identity is not None:
        for path in gate.names(identity):
            *above, name = path.split("/")
            place = folder
            for part in above:
                place = place.setdefault(part, {})
            place[name] = CatalogAdapter(gate.open(path, identity))
    return _as_tree(folder)


def _as_tree(folder: Mapping[str, Any]) -> MapAdapter:
    return MapAdapter(
        {name: _as_tree(below) if isinstance(below, dict) else below for name, below in folder.items()}
    )


def _put_access(app: FastAPI, gate: Gate) -> None:
    """Have Tiled ask hutch who somebody is, and what he may see."""

    # No coroutine: looking a key up may take a while, and is done by another thread, once a request.
    def identity(request: Request) -> Identity | None:
        return gate.identify(request)

    async def scopes(known: Identity | None = Depends(identity)) -> set[str]:
        may_read = known is not None and "read" in known.scopes
        return set(PUBLIC_SCOPES if may_read else NO_SCOPES)

    async def root_tree(known: Identity | None = Depends(identity)) -> MapAdapter:
        return tree_for(gate, known)

    async def nothing(request: Request) -> None:
        return None

    async def nothing_for_websocket(websocket: WebSocket) -> None:
        return None

    async def no_scopes_for_websocket(websocket: WebSocket) -> set[str]:
        return set(NO_SCOPES)

    app.dependency_overrides |= {
        authentication.get_current_principal: nothing,
        authentication.get_current_scopes: scopes,
        authentication.get_current_access_tags: nothing,
        authentication.get_session_state: nothing,
        authentication.get_current_principal_websocket: nothing_for_websocket,
        authentication.get_current_scopes_websocket: no_scopes_for_websocket,
        authentication.get_current_access_tags_websocket: nothing_for_websocket,
        get_root_tree: root_tree,
    }


async def _tell(request: Request, error: Exception) -> JSONResponse:
    """Return an error of hutch as Tiled's clients expect errors."""
    status = status_of(error) if isinstance(error, HutchError) else 500
    return JSONResponse({"detail": str(error)}, status)


async def _tell_invalid(request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a request, without what it holds: bytes are no JSON."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = [{key: problem[key] for key in ("loc", "msg", "type")} for problem in problems]
    return JSONResponse({"detail": told}, 422)


async def _tell_bad_query(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 400)
