"""Pictures of runs: lines for scans along one axis, images for grids, frames beside them, as the hints say.

The start document's hints name the axes and the stream, the descriptors' hints name what is worth
seeing. Without hints every number is drawn against time. Colours can be told apart by everybody: the
palette of Okabe and Ito (https://jfly.uni-koeln.de/color/), and viridis.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from hutch.catalogs.metadata import PRIMARY
from hutch.catalogs.showing.array_drawing import array_keys, draw_array, lazy_arrays
from hutch.catalogs.showing.gridding import Grid, find_grid
from hutch.catalogs.showing.hints import hinted_fields, scanned_axes
from hutch.catalogs.summary import local_time
from hutch.errors import ConfigurationError, StreamNotFoundError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from hutch.catalogs.run import Run
    from hutch.catalogs.stream import Stream

__all__ = ["draw", "save"]

_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MOST_PANELS = 6
_MOST_ARRAYS = 2
_BESIDE_INCH = 5.4
"""The width of what is drawn beside lines and maps."""
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "axes.edgecolor": "#666666",
    "svg.fonttype": "none",
}
_ENDINGS = (".pdf", ".png", ".svg")

# It tells of a font cache that it builds once.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


class Picture(Figure):
    """A figure that a notebook shows, whether or not it was told to show figures."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write the picture to a file."""
        with warnings.catch_warnings():
            # Names in scripts that the font lacks are drawn as boxes; nobody can do anything about it here.
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=100)
        return out.getvalue()


@dataclass
class _Plan:
    """What is drawn: one panel for each of ``y``, against ``axes``; against time if there are none."""

    axes: list[str] = field(default_factory=list)
    y: list[str] = field(default_factory=list)
    arrays: dict[str, Any] = field(default_factory=dict)
    """Frames and waveforms, a panel each beside the others."""
    left_out: int = 0
    """How many keys there is no panel for."""


def draw(run: Run, *, stream: str | None = None, x: str | None = None, y: Iterable[str] = ()) -> Figure:
    """Return a picture of a run.

    :param stream: else the one that the hints name, else ``primary``, else the first.
    :param x: the key to draw against, or ``time``; else the axes that the hints name.
    :param y: the keys to draw, a panel each; else those that the hints name, else every number.
    :raises StreamNotFoundError: if there is no such stream or key, or no number to draw.
    """
    dimensions, hinted_stream = scanned_axes(run.start)
    name = stream or next((name for name in (hinted_stream, PRIMARY) if name in run), None)
    chosen = run[name if name is not None else next(iter(run), PRIMARY)]
    data = chosen.read(_not_frames(chosen), datetimes=False)
    plan = _plan(chosen, data, dimensions if chosen.name == hinted_stream else [], x, list(y))
    with rc_context(_STYLE):
        figure = Picture(layout="constrained")
        lines, beside = _divided(figure, plan)
        if len(plan.axes) > 1 and plan.y:
            slow, fast = plan.axes[-2:]
            grid = find_grid(data[fast].values, data[slow].values, *_promised(run.start, len(plan.axes)))
            _draw_maps(lines, data, plan, slow, fast, grid)
        elif plan.y:
            _draw_lines(lines, data, plan, run.start.get("time"))
        seen = _draw_arrays(beside, chosen, data, plan)
        _add_title(figure, run, chosen.name, plan, seen)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a picture; the ending of the name tells the format, PNG if it has none.

    :returns: the path of the file.
    :raises ConfigurationError: if the ending is no format of pictures.
    :raises OSError: if the file cannot be written.
    """
    path = path if path.suffix else path.with_suffix(".png")
    if path.suffix.lower() not in _ENDINGS:
        msg = f"{path.name!r} ends in no format of pictures: {', '.join(_ENDINGS)}"
        raise ConfigurationError(msg)
    with rc_context(_STYLE):
        picture = io.BytesIO()
        figure.savefig(picture, dpi=144, format=path.suffix[1:].lower())
    _write_whole(path, picture.getbuffer())
    return path


def _write_whole(path: Path, content: memoryview) -> None:
    """Write a file as a whole or not at all; one that is there stays until the new one is written.

    :raises OSError: that names the file, if it cannot be written.
    """
    early = path.with_name(f".{path.name}.part")
    try:
        early.write_bytes(content)
        early.replace(path)
    except OSError as error:
        early.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


# what to draw


def _not_frames(stream: Stream) -> list[str]:
    """Return the keys that are read to be drawn: all but those whose files have more than a number a row."""
    external = stream.external_keys()
    return [key for key in stream.data if key not in external or stream.frames(key).ndim == 1]


def _plan(stream: Stream, data: xr.Dataset, dimensions: Sequence[str], x: str | None, y: list[str]) -> _Plan:
    numbers = [str(key) for key in data.data_vars if _is_numbers(data[key])]
    arrays = lazy_arrays(stream, data)
    for key in [*y, *([x] if x not in (None, "time") else [])]:
        if key not in numbers and (key not in arrays or key == x):
            what = "has no numbers, one a row" if key in stream.data else "is not there"
            known = ", ".join([*numbers, *arrays]) or "nothing"
            msg = f"Key {key!r} of stream {stream.name!r} {what}. To draw: {known}"
            raise StreamNotFoundError(msg)
    axes = [key for key in dimensions if key in numbers] if x is None else [x] if x != "time" else []
    hinted = hinted_fields(stream.descriptors)
    chosen = array_keys(arrays, y, hinted)
    keys = [key for key in (y or hinted) if key in numbers and (y or key not in axes)]
    if not keys and not chosen:
        # A set point of what is scanned is seen last of all.
        moved = {data[key].attrs.get("object") for key in axes}
        keys = [key for key in numbers if key not in axes and data[key].attrs.get("object") not in moved]
        chosen = list(arrays) if not keys else []
        if not keys and not chosen:
            keys = [key for key in numbers if key not in axes] or [key for key in numbers if not x]
    if not keys and not chosen:
        msg = f"Stream {stream.name!r} of run {stream.run.uid!r} has no numbers to draw."
        raise StreamNotFoundError(msg)
    left_out = max(0, len(keys) - _MOST_PANELS) + max(0, len(chosen) - _MOST_ARRAYS)
    shown = {key: arrays[key] for key in chosen[:_MOST_ARRAYS]}
    return _Plan(axes, keys[:_MOST_PANELS], shown, left_out)


def _is_numbers(column: xr.DataArray) -> bool:
    return column.dtype.kind in "fiub" and column.ndim == 1


def _promised(start: Mapping[str, Any], axes: int) -> tuple[Any, Any]:
    """Return shape and extents of a grid as the start document has them, of its two fast axes."""
    shape, extents = start.get("shape"), start.get("extents")
    if not isinstance(shape, list) or not isinstance(extents, list) or not len(shape) == len(extents) == axes:
        return None, None
    return shape[-2:], extents[-2:]


# drawing


def _divided(figure: Figure, plan: _Plan) -> tuple[Any, Any]:
    """Size a figure for what is drawn, and return the parts for lines or maps, and for arrays."""
    rows, arrays = len(plan.y), len(plan.arrays)
    if len(plan.axes) > 1:
        width, height = (6.6 if rows == 1 else 10.4), 0.7 + 4.5 * -(-rows // (1 if rows == 1 else 2))
    else:
        width, height = 7.2, 1.6 + 2.6 * rows if rows < 3 else 1.4 + 1.9 * rows
    if not rows:
        figure.set_size_inches(_BESIDE_INCH + 1.0, 0.8 + 4.2 * arrays)
        return figure, figure
    if not arrays:
        figure.set_size_inches(width, height)
        return figure, figure
    figure.set_size_inches(width + _BESIDE_INCH, max(height, 0.8 + 3.9 * arrays))
    parts: Any = figure.subfigures(1, 2, width_ratios=(width, _BESIDE_INCH))
    return parts[0], parts[1]


def _draw_arrays(figure: Any, stream: Stream, data: xr.Dataset, plan: _Plan) -> list[str]:
    """Draw frames and waveforms below each other; return what is seen of each."""
    if not plan.arrays:
        return []
    panels = figure.subplots(len(plan.arrays), 1, squeeze=False)[:, 0]
    time_s, seen = _since(data, stream.run.start.get("time")), []
    for panel, (key, array) in zip(panels, plan.arrays.items(), strict=True):
        units = stream.data[key].attrs.get("units")
        what = draw_array(panel, array, time_s, _plain(f"{key} [{units}]" if units else key))
        seen.append(f"{key}: {what}")
        if plan.y or len(panels) > 1:
            panel.set_title(_plain(seen[-1]), fontsize=10, loc="left", color="#555555")
    return seen


def _since(data: xr.Dataset, started: Any) -> Any:
    """Return the times of rows in s since the start of the run."""
    zero = started if isinstance(started, (int, float)) else data["time"].values.min(initial=0.0)
    return data["time"].values - zero


def _draw_lines(figure: Any, data: xr.Dataset, plan: _Plan, started: Any) -> None:
    rows = len(plan.y)
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    if plan.axes:
        x, label = data[plan.axes[0]].values, _label(data, plan.axes[0])
    else:
        x, label = _since(data, started), "time since the start [s]"
    for number, (panel, key) in enumerate(zip(panels, plan.y, strict=True)):
        colour = _PALETTE[number % len(_PALETTE)]
        marker = "o" if len(x) <= 200 else ""
        panel.plot(x, data[key].values, color=colour, marker=marker, markersize=4, linewidth=1.3)
        panel.set_ylabel(_label(data, key))
        panel.margins(x=0.02)
    panels[-1].set_xlabel(label)
    figure.align_ylabels(panels)


def _draw_maps(figure: Any, data: xr.Dataset, plan: _Plan, slow: str, fast: str, grid: Grid | None) -> None:
    columns = 1 if len(plan.y) == 1 else 2
    rows = -(-len(plan.y) // columns)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, key in zip(panels, plan.y, strict=False):
        values = data[key].values.astype(float)
        if grid is not None:
            mesh: Any = panel.pcolormesh(
                grid.x_edges, grid.y_edges, grid.image(values), cmap="viridis", rasterized=True
            )
        else:
            # The way that was gone, and what was measured on it.
            panel.plot(data[fast].values, data[slow].values, color="#bbbbbb", linewidth=0.8, zorder=1)
            mesh = panel.scatter(
                data[fast].values, data[slow].values, c=values, cmap="viridis", s=24, zorder=2
            )
        panel.set(xlabel=_label(data, fast), ylabel=_label(data, slow), facecolor="#eeeeee")
        panel.grid(visible=False)
        panel.spines[:].set_visible(False)
        if data[fast].attrs.get("units") == data[slow].attrs.get("units"):
            _equalize(panel)
        beside = panel.inset_axes((1.03, 0, 0.04, 1))
        bar = figure.colorbar(mesh, cax=beside, label=_label(data, key))
        bar.outline.set_visible(False)
    for panel in panels[len(plan.y) :]:
        panel.set_visible(False)


def _equalize(panel: Axes) -> None:
    """Draw both axes to one scale, unless that made a ribbon of the picture."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    ratio = abs(right - left) / max(abs(top - bottom), 1e-300)
    if 1 / 3 < ratio < 3:
        panel.set_aspect("equal")


def _add_title(figure: Figure, run: Run, stream: str, plan: _Plan, seen: list[str]) -> None:
    start = run.start
    sample = start.get("sample")
    if isinstance(sample, Mapping):
        sample = sample.get("name")
    number = "" if run.scan_id is None else f"{run.scan_id}"
    head = [number, start.get("plan_name"), sample]
    foot = [local_time(run.row.time), run.uid[:8]]
    if stream != PRIMARY:
        foot.append(stream)
    if run.status != "success":
        foot.append(run.status)
    if not plan.y:
        foot += seen[:1]
    if plan.left_out:
        foot.append(f"{plan.left_out} more keys are not drawn")
    panel = figure.axes[0]
    title = _plain(" · ".join(str(part) for part in head if part))
    panel.set_title(title, fontsize=13, fontweight="bold", loc="left", pad=20)
    panel.annotate(
        _plain(" · ".join(foot)),
        (0, 1),
        (0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        color="#555555",
    )


def _label(data: xr.Dataset, key: str) -> str:
    units = data[key].attrs.get("units")
    return _plain(f"{key} [{units}]" if units else key)


def _plain(text: object) -> str:
    """Return text without what matplotlib would take for a formula, and not too long."""
    shown = "".join(char if char.isprintable() else " " for char in str(text)).replace("$", r"\$")
    return shown if len(shown) <= 70 else f"{shown[:69]}…"
