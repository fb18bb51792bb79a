"""Pictures of what is more than a number a row: frames of cameras, waveforms over time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hutch.errors import ExternalDataError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from hutch.catalogs.stream import Stream

__all__ = ["array_keys", "colour_limits", "draw_array", "lazy_arrays"]

_MOST_PIXELS = 1024
"""Along each side of a frame; more is not seen, and every so many are left out."""
_MOST_ROWS = 2000
_DARKEST, _BRIGHTEST = 0.5, 99.8
"""Percentiles between which colours are spread."""


def lazy_arrays(stream: Stream, data: xr.Dataset) -> dict[str, Any]:
    """Return the keys of a stream that have arrays of numbers, unread if they are in files.

    :param data: what was read of it.
    """
    found: dict[str, Any] = {}
    external = stream.external_keys()
    for key in stream.data:
        if key in external:
            frames = stream.frames(key)
            if frames.ndim > 1 and len(frames):
                found[key] = frames
        elif key in data and data[key].ndim > 1 and data[key].dtype.kind in "fiub" and data[key].size:
            found[key] = data[key].values
    return found


def array_keys(arrays: Mapping[str, Any], asked: Sequence[str], hinted: Sequence[str]) -> list[str]:
    """Return which arrays are drawn: those that are asked for, else those that the hints name."""
    return [key for key in (asked or hinted) if key in arrays]


def draw_array(panel: Axes, array: Any, time_s: np.ndarray, label: str) -> str:
    """Draw an array into a panel: the newest frame, or waveforms over time.

    :param array: shape (rows, …), read as far as it is drawn.
    :param time_s: of the rows, in s since the start.
    :param label: what the values are.
    :returns: what is seen, in a few words.
    """
    try:
        if array.ndim == 2:  # noqa: PLR2004 - a waveform each row
            return _draw_waveforms(panel, array, time_s, label)
        return _draw_frame(panel, array, label)
    except ExternalDataError as error:
        panel.set_axis_off()
        why = textwrap.fill(str(error).partition(". ")[0].replace("$", r"\$"), 56, break_long_words=True)
        panel.text(0.5, 0.5, why, ha="center", va="center", transform=panel.transAxes, fontsize=9)
        return "cannot be read"


def _draw_frame(panel: Axes, array: Any, label: str) -> str:
    shape = array.shape
    is_coloured = len(shape) == 4 and shape[-1] in (3, 4) and array.dtype == np.uint8  # noqa: PLR2004
    rows, columns = shape[-3:-1] if is_coloured else shape[-2:]
    step = max(-(-max(rows, columns) // _MOST_PIXELS), 1)
    pixels = (slice(None, None, step), slice(None, None, step))
    frame = np.asarray(array[(-1, ..., *pixels, slice(None)) if is_coloured else (-1, ..., *pixels)])
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    panel.grid(visible=False)
    panel.set(xlabel="column [pixel]", ylabel="row [pixel]")
    if is_coloured:
        panel.imshow(frame, extent=extent)
    else:
        while frame.ndim > 2:  # noqa: PLR2004 - several frames of one event
            frame = frame.mean(axis=0)
        low, high = colour_limits(frame)
        mesh = panel.imshow(
            frame, cmap="viridis", vmin=low, vmax=high, extent=extent, interpolation="nearest"
        )
        _add_bar(panel, mesh, label)
    return f"frame {shape[0]:,} of {shape[0]:,}"


def colour_limits(frame: np.ndarray) -> tuple[float, float]:
    """Return the values between which colours are spread, so that a hot pixel does not make the rest dark."""
    known = frame[np.isfinite(frame)]
    low, high = np.percentile(known, [_DARKEST, _BRIGHTEST]) if known.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)


def _draw_waveforms(panel: Axes, array: Any, time_s: np.ndarray, label: str) -> str:
    rows = array.shape[0]
    if rows == 1:
        panel.plot(np.asarray(array[0]), color="#0072B2", linewidth=1.3)
        panel.set(xlabel="element", ylabel=label)
        return "one row"
    step = max(-(-rows // _MOST_ROWS), 1)
    values, times = np.asarray(array[::step], dtype=float), time_s[::step]
    is_timed = np.isfinite(times).all() and (np.diff(times) > 0).all()
    edges = _edges(times) if is_timed else np.arange(len(values) + 1) * step
    mesh = panel.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5, edges, values, cmap="viridis", rasterized=True
    )
    panel.grid(visible=False)
    panel.set(xlabel="element", ylabel="time since the start [s]" if is_timed else "row")
    _add_bar(panel, mesh, label)
    return f"{rows:,} rows"


def _add_bar(panel: Axes, mesh: Any, label: str) -> None:
    bar = panel.figure.colorbar(mesh, cax=panel.inset_axes((1.03, 0, 0.04, 1)), label=label)
    bar.outline.set_visible(False)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Return the edges between times, half way."""
    middles = (centres[1:] + centres[:-1]) / 2
    first, last = centres[0] - (middles[0] - centres[0]), centres[-1] + (centres[-1] - middles[-1])
    return np.concatenate([[first], middles, [last]])
