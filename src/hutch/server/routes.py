"""hutch's own routes for programs, below ``/hutch/v1``; each calls what a program in Python would call."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from hutch.catalogs import Run
from hutch.errors import RunDeletedError
from hutch.server.access import Gate
from hutch.server.asking import Asked, Reader, Searched, find_run
from hutch.server.models import (
    CatalogItem,
    Count,
    Distinct,
    Failure,
    RunDetails,
    RunList,
    StreamDetails,
    TileItem,
)
from hutch.server.stream_data import MEDIA_TYPES, DataFormat, stream_data
from hutch.server.tiled.documents import MEDIA_TYPE, document_lines
from hutch.server.tiled.metadata import run_metadata, servable
from hutch.server.tiles import source_views, tile_item

__all__ = ["make_router"]

_MOST_RUNS = 1000

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "what was asked cannot be understood"},
    401: {"model": Failure, "description": "no key, or none that is known"},
    403: {"model": Failure, "description": "the key does not allow this"},
    404: {"model": Failure, "description": "there is no such thing"},
    409: {"model": Failure, "description": "several runs fit"},
    410: {"model": Failure, "description": "the run was deleted"},
    422: {"model": Failure, "description": "a parameter is not what it should be"},
    424: {"model": Failure, "description": "a detector's file cannot be read"},
    503: {"model": Failure, "description": "the store does not answer now"},
}

_DATA: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "time, seq_num and readings, a column each",
        "content": {
            MEDIA_TYPES["json"]: {"schema": {"type": "object", "additionalProperties": {"type": "array"}}},
            MEDIA_TYPES["arrow"]: {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
        },
    }
}
_DOCUMENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "a JSON text sequence", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}

Found = Annotated[Run, Depends(find_run)]


def make_router() -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/hutch/v1", responses=_FAILURES)
    one = "/catalogs/{catalog:path}"
    run = f"{one}/runs/{{run:path}}"
    add = router.add_api_route
    add("/catalogs", list_catalogs, response_model=list[CatalogItem])
    add(f"{one}/runs", list_runs, response_model=RunList)
    add(f"{one}/count", count_runs, response_model=Count)
    add(f"{one}/distinct", list_distinct, response_model=Distinct)
    add(f"{one}/tiles", list_tiles, response_model=list[TileItem])
    # Uids and names may have slashes: what is longer is tried before what it begins with.
    add(f"{run}/streams/{{stream:path}}/data", show_data, responses=_DATA, response_class=Response)
    add(f"{run}/streams/{{stream:path}}", show_stream, response_model=StreamDetails)
    add(f"{run}/documents", list_documents, responses=_DOCUMENTS, response_class=StreamingResponse)
    add(run, show_run, response_model=RunDetails)
    return router


def list_catalogs(request: Request, identity: Reader) -> Response:
    """List the catalogs, and how many runs each has."""
    gate: Gate = request.app.state.gate
    return _json([{"name": name, "runs": len(gate.open(name, identity))} for name in gate.names(identity)])


def list_runs(
    found: Searched,
    sort: Annotated[
        list[str] | None, Query(description="keys in this order, a '-' before one sorts descending")
    ] = None,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=0, le=_MOST_RUNS)] = 100,
    metadata: Annotated[bool, Query(description="whether start and stop come along")] = False,
) -> Response:
    """List a page of the runs that are asked for, the newest first if nothing else is said."""
    arranged = found.sort(
        *((key.lstrip("+-"), -1 if key.startswith("-") else 1) for key in sort or ["-time"])
    )
    items = []
    for run in arranged[offset : offset + limit].runs():
        with suppress(RunDeletedError):  # a moment ago
            items.append(_run_item(run, metadata))
    return _json({"runs": items, "total": len(found), "offset": offset, "limit": limit})


def count_runs(found: Searched) -> Response:
    """Count the runs that are asked for."""
    return _json({"count": len(found)})


def list_distinct(found: Searched, key: Annotated[str, Query(description="as in plan_name")]) -> Response:
    """List the different values that runs have at a key, those of most runs first."""
    values = found.distinct(key, counts=True)
    return _json(
        {"key": key, "values": [{"value": servable(value), "count": n} for value, n in values.items()]}
    )


def list_tiles(
    catalog: Asked, source: Annotated[str, Query(description="only of this file, or uid/stream")] = ""
) -> Response:
    """List how the plots of the monitor stand, what was updated last first."""
    return _json(
        [tile_item(tile, view.run) for view in source_views(catalog, source=source) for tile in view.tiles]
    )


def show_run(run: Found) -> Response:
    """Show a run: by uid, beginning of a uid, scan_id, or -1 for the newest."""
    details = {
        "uid": run.uid,
        "status": run.status,
        "streams": {**dict.fromkeys(run.keys(), 0), **run.count_rows()},
        "metadata": run_metadata(run),
    }
    return _json(details)


def list_documents(run: Found) -> StreamingResponse:
    """Send the documents of a run as they were recorded, a JSON text sequence."""
    return StreamingResponse(document_lines(run), media_type=MEDIA_TYPE)


def show_stream(run: Found, stream: str) -> Response:
    """Show a stream: its rows, and what its keys are."""
    snapshot = run[stream].snapshot()
    details = {
        "name": stream,
        "rows": snapshot.rows,
        "data_keys": servable(snapshot.data_keys),
        "descriptors": servable(snapshot.descriptors),
    }
    return _json(details)


def show_data(
    run: Found,
    stream: str,
    key: Annotated[list[str] | None, Query(description="only these keys")] = None,
    format: Annotated[DataFormat, Query(description="json, arrow or csv")] = "json",
) -> Response:
    """Send the readings of a stream."""
    return Response(stream_data(run[stream], key, format), media_type=MEDIA_TYPES[format])


def _run_item(run: Run, with_metadata: bool) -> dict[str, Any]:
    summary = run.summary()
    return {
        "uid": servable(summary.uid),
        "scan_id": summary.scan_id,
        "plan": servable(summary.plan),
        "time": summary.time,
        "status": summary.status,
        "points": summary.points,
        "metadata": run_metadata(run) if with_metadata else None,
    }


def _json(content: Any) -> Response:
    return Response(orjson.dumps(servable(content)), media_type="application/json")
