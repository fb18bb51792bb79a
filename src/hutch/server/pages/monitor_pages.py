"""The pages of the monitor: plots with what checks say of them, which follow the data."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from hutch.catalogs import Catalog
from hutch.errors import FeedPrunedError, HutchError, LookupFailedError
from hutch.server.asking import Reader
from hutch.server.pages.showing import Text, add_headers, choose_catalog, keep_key, show
from hutch.server.tiles import find_tile, narrowed, source_views
from hutch.store.protocols.store import Store, Topic

__all__ = ["make_monitor_pages"]

_MOST_FOLLOWERS = 64
"""So many pages are told of changes by one process; others ask by themselves."""
_LOOK_S = 0.25
"""So often it is looked whether there is something new."""
_LONGEST_S = 300.0
"""After so long a page connects anew: keys end, and roles change."""
_QUIET_S = 15.0
"""After so long without news a word is sent, so that nothing in between gives up."""
_AT_ONCE = 1000
_VERDICTS = ("bad", "medium", "good", "none", "failed")


def make_monitor_pages() -> APIRouter:
    """Return the routes of the monitor's pages."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/monitor", monitor_page, response_class=HTMLResponse)
    router.add_api_route("/monitor/plot", plot_page, response_class=HTMLResponse)
    router.add_api_route("/monitor/picture.png", picture)
    router.add_api_route("/monitor/news", news)
    return router


def monitor_page(
    request: Request,
    identity: Reader,
    catalog: Text = "",
    source: Text = "",
    plot: Text = "",
    verdict: Text = "",
    wall: bool = False,
) -> Response:
    """Show all plots, what was updated last first."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    name, chosen = choose_catalog(request, identity, catalog)
    everything = source_views(chosen)
    asked = {"catalog": catalog, "source": source, "plot": plot, "verdict": verdict}
    return show(
        "monitor.html",
        request,
        identity,
        catalog=name,
        views=narrowed(everything, source=source, plot=plot, verdict=verdict),
        sources=[(view.name, view.title) for view in everything],
        plots=sorted({tile.row.plot for view in everything for tile in view.tiles}),
        verdicts=_VERDICTS,
        asked=asked,
        wall=wall,
        is_filtered=any(asked[key] for key in ("source", "plot", "verdict")),
    )


def plot_page(request: Request, identity: Reader, source: Text, plot: Text, catalog: Text = "") -> Response:
    """Show one plot large, with all that is known of it."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    name, chosen = choose_catalog(request, identity, catalog)
    view = find_tile(chosen, source, plot)
    (tile,) = view.tiles
    return show(
        "plot.html",
        request,
        identity,
        catalog=name,
        view=view,
        tile=tile,
        history=[] if view.run is None else _history(chosen, view.run, {one["name"] for one in tile.said}),
        wall=False,
    )


def picture(request: Request, identity: Reader, source: Text, plot: Text, catalog: Text = "") -> Response:
    """Give the newest picture of a plot."""
    _, chosen = choose_catalog(request, identity, catalog)
    (tile,) = find_tile(chosen, source, plot).tiles
    tag = f'"{tile.row.updated:.6f}-{tile.row.picture_bytes}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    found = chosen.store.tile_picture(source, plot)
    if found is None:
        raise LookupFailedError(f"There is no picture yet of {plot!r}.")
    response = Response(found, media_type="image/png", headers={"ETag": tag})
    add_headers(response)
    # The address of a picture on a page names its moment; it is asked for again all the same.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


async def news(
    request: Request,
    identity: Reader,
    catalog: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Tell a page, as events that the server sends, that plots have changed; which ones it asks then.

    An event says nothing but that there was a change, so that it tells nobody of what they may not see.
    """
    followers: set[object] = request.app.state.__dict__.setdefault("followers", set())
    if len(followers) >= _MOST_FOLLOWERS:
        raise HTTPException(503, "Too many pages are followed at once.", {"Retry-After": "30"})
    _, chosen = await run_in_threadpool(choose_catalog, request, identity, catalog)
    given = request.headers.get("last-event-id", "")
    last = int(given) if re.fullmatch(r"\d{1,18}", given) else None
    token = object()
    followers.add(token)

    async def lines() -> AsyncIterator[str]:
        try:
            async for line in _follow(request, chosen.store, last):
                yield line
        finally:
            followers.discard(token)

    response = StreamingResponse(lines(), media_type="text/event-stream")
    add_headers(response)
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _follow(request: Request, store: Store, last: int | None) -> AsyncIterator[str]:
    """Yield an event whenever a plot has changed."""
    loop = asyncio.get_running_loop()
    begun = said = loop.time()
    cursor = await run_in_threadpool(store.last_change) if last is None else last
    yield f"retry: 2000\nid: {cursor}\ndata: begin\n\n"
    while loop.time() - begun < _LONGEST_S and not await request.is_disconnected():
        try:
            cursor, has_changed = await run_in_threadpool(_look, store, cursor)
        except HutchError:
            # The store is away; the page stays as it is, and connects anew.
            return
        if has_changed:
            said = loop.time()
            yield f"id: {cursor}\nevent: tiles\ndata: changed\n\n"
        elif loop.time() - said > _QUIET_S:
            said = loop.time()
            yield "event: quiet\ndata: nothing new\n\n"
        await asyncio.sleep(_LOOK_S)


def _look(store: Store, cursor: int) -> tuple[int, bool]:
    """Return the cursor of now, and whether a plot has changed since another."""
    newest = store.last_change()
    if newest <= cursor:
        return newest, False
    try:
        changes = store.changes(cursor, _AT_ONCE)
    except FeedPrunedError:
        return newest, True
    topics = (Topic.TILE, Topic.POST, Topic.DELETE)
    last = changes[-1].number if changes else newest
    return last, any(change.topic in topics for change in changes)


def _history(catalog: Catalog, uid: str, names: set[str]) -> list[dict[str, Any]]:
    """Return what was said of a run under some names, the last first."""
    found = catalog[uid].verdict_history()
    return [one.to_json() for one in reversed(found) if one.name in names]
