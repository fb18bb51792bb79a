"""Pictures in pages: that of a run, and single frames, as PNG."""

from __future__ import annotations

import io
import threading
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text

from hutch.catalogs import Run
from hutch.catalogs.showing.array_drawing import colour_limits
from hutch.catalogs.showing.plotting import draw
from hutch.errors import QueryError, StreamNotFoundError
from hutch.server.asking import Reader
from hutch.server.pages.run_pages import find_run_of_page
from hutch.server.pages.showing import add_headers

__all__ = ["make_pictures"]

_DPI = 110
_MOST_PIXELS = 1024
_MOST_BYTES = 2**28
_KEPT_S = 3600
_PAPER, _INK, _LINES = "#1b2025", "#d5dade", "#3a434c"

_drawing = threading.Lock()
"""matplotlib's settings are those of the process."""

CatalogName = Annotated[str, Query(alias="catalog", max_length=400)]


def make_pictures() -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/runs/{uid:path}/picture.png", picture)
    router.add_api_route("/runs/{uid:path}/frames/{stream:path}/{row}.png", frame)
    return router


def picture(
    request: Request,
    identity: Reader,
    uid: str,
    catalog: CatalogName = "",
    stream: str = "",
    dark: bool = False,
) -> Response:
    """Send the picture of a run, as its hints say; of dark paper for a page that is dark."""
    run = find_run_of_page(request, identity, catalog, uid)
    out = io.BytesIO()
    with _drawing:
        figure = draw(run, stream=stream or None)
        if dark:
            _darken(figure)
        figure.savefig(out, format="png", dpi=_DPI)
    return _png(run, out.getvalue())


def _darken(figure: Figure) -> None:
    """Turn paper and ink of a figure round; what was measured keeps its colours."""
    figure.set_facecolor(_PAPER)
    for part in figure.findobj(SubFigure):
        part.set_facecolor(_PAPER)
    for panel in figure.axes:
        panel.set_facecolor(_PAPER)
        panel.tick_params(colors=_INK)
        for text in panel.findobj(Text):
            text.set_color(_INK)
        for spine in panel.spines.values():
            spine.set_edgecolor(_LINES)
        for line in (*panel.get_xgridlines(), *panel.get_ygridlines()):
            line.set_color(_LINES)


def frame(
    request: Request,
    identity: Reader,
    uid: str,
    stream: str,
    row: int,
    key: str,
    catalog: CatalogName = "",
) -> Response:
    """Send one row of a key of frames; colours leave out what is very bright."""
    run = find_run_of_page(request, identity, catalog, uid)
    return _png(run, _encoded(_frame(run, stream, key, row)))


def _frame(run: Run, stream: str, key: str, row: int) -> np.ndarray:
    chosen = run[stream]
    found = chosen.data[key]
    shape = found.shape
    if len(shape) < 3:  # noqa: PLR2004 - time, rows, columns
        msg = f"Key {key!r} of stream {stream!r} has no frames."
        raise StreamNotFoundError(msg)
    if not -shape[0] <= row < shape[0]:
        msg = f"There is no row {row} in {key!r} of stream {stream!r}: it has {shape[0]:,}."
        raise QueryError(msg)
    if np.prod(shape[1:], dtype=float) * 8 > _MOST_BYTES:
        msg = f"A frame of {shape[1:]} is too large for a picture."
        raise QueryError(msg)
    return np.asarray(found[row])


def _encoded(frame: np.ndarray) -> bytes:
    """Return a frame as a PNG file, of at most 1024 pixels along each side."""
    from matplotlib import colormaps
    from PIL import Image

    is_coloured = frame.ndim == 3 and frame.shape[-1] in (3, 4) and frame.dtype == np.uint8  # noqa: PLR2004
    while frame.ndim > 2 and not is_coloured:  # noqa: PLR2004 - several frames of one event
        frame = frame.mean(axis=0)
    step = max(-(-max(frame.shape[:2]) // _MOST_PIXELS), 1)
    frame = frame[::step, ::step]
    if is_coloured:
        pixels = frame
    else:
        values = frame.astype(float)
        low, high = colour_limits(values)
        scaled = np.clip((values - low) / (high - low), 0, 1)
        pixels = (colormaps["viridis"](np.nan_to_num(scaled))[..., :3] * 255).astype(np.uint8)
        pixels[~np.isfinite(values)] = 200
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()


def _png(run: Run, content: bytes) -> Response:
    response = Response(content, media_type="image/png")
    if run.stop is not None:
        response.headers["Cache-Control"] = f"private, max-age={_KEPT_S}"
    add_headers(response)
    return response
