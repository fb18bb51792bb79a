"""How the monitor's pictures look, and how one is drawn again without being made again.

They are read across a control room: large type, few marks, colours that everybody can tell apart (the
palette of Okabe and Ito, https://jfly.uni-koeln.de/color/; viridis and cividis). They are drawn every few
seconds: a figure is laid out once at fixed places, and keeps its parts by name; pixels are one image.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from hutch.monitor.plots.picture import GREY, SIZE, Picture, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "GREY",
    "PALETTE",
    "Picture",
    "color_range",
    "duration",
    "fit",
    "image_panel",
    "number",
    "picture",
    "plain",
    "set_image",
    "set_scale",
    "style",
    "timed",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
_UNITS = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (60 * 3, 60, "min"), (0, 1, "s"))


def style(axes: Axes, *, x: str = "", y: str = "", is_log: bool = False, is_counts: bool = False) -> None:
    """Give axes their labels and a plain look.

    :param is_log: the y axis is logarithmic.
    :param is_counts: a line goes down to its foot where there is nothing, and is not interrupted.
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#666666")
    axes.tick_params(labelsize=SIZE, color="#666666")
    if x:
        axes.set_xlabel(x, fontsize=SIZE)
    if y:
        axes.set_ylabel(y, fontsize=SIZE)
    if is_log:
        axes.set_yscale("log", nonpositive="clip" if is_counts else "mask")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.grid(visible=True, color="#e4e4e4")
    axes.set_axisbelow(True)


def fit(
    axes: Axes,
    x: npt.NDArray[Any],
    ys: Sequence[npt.NDArray[Any]],
    *,
    is_log: bool = False,
    from_zero: float | None = None,
) -> None:
    """Set the limits of axes so that they hold lines.

    :param from_zero: the y axis begins at 0 and goes up to this at least.
    """
    if len(x):
        low, high = float(np.min(x)), float(np.max(x))
        margin = 0.02 * (high - low) or max(0.5, 1e-9 * abs(high))
        axes.set_xlim(low - margin, high + margin)
    values = np.concatenate([np.asarray(y, dtype=float).ravel() for y in ys]) if len(ys) else np.zeros(0)
    values = values[np.isfinite(values) & (values > 0)] if is_log else values[np.isfinite(values)]
    if not len(values):
        axes.set_ylim(0.5 if is_log else 0, 2)
        return
    low, high = float(values.min()), float(values.max())
    if is_log:
        # At least one decade, and a mark of one at the axis' foot.
        axes.set_ylim(10 ** np.floor(np.log10(low) - 0.02), max(high * 1.6, low * 12))
    elif from_zero is not None:
        axes.set_ylim(-0.03 * max(high, from_zero), 1.08 * max(high, from_zero))
    else:
        margin = 0.06 * (high - low) or max(1.0, 0.02 * abs(high))
        axes.set_ylim(low - margin, high + margin)


def timed(time_s: npt.NDArray[Any], start: float) -> tuple[npt.NDArray[np.float64], str]:
    """Return times since a start in a unit that suits their range, and the label of their axis."""
    since = np.asarray(time_s, dtype=float) - start
    span = float(since.max()) if len(since) else 0.0
    _, unit, name = next(entry for entry in _UNITS if span >= entry[0])
    return since / unit, f"time since {_clock(start)} [{name}]"


def _clock(second: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


def duration(first: float, last: float) -> str:
    """Return a range of time as people read it, in the time zone of this machine."""
    if first < 0:
        return "no timestamp yet"
    days = _clock(first), _clock(last)
    same = days[0][:10] == days[1][:10]
    zone = time.strftime("%Z", time.localtime(last))
    return f"{days[0]} – {days[1][11:] if same else days[1]} {zone}"


def number(value: float) -> str:
    """Return a number as short as it can be read: ``20k``, ``1.5M``."""
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def plain(text: object, most: int = 80) -> str:
    """Return text that is not too long, without characters that cannot be printed."""
    shown = "".join(char if char.isprintable() else " " for char in str(text))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


# images


def image_panel(
    made: Picture, name: str, place: tuple[float, float, float, float], label: str, colors: str = "viridis"
) -> None:
    """Make axes for an image, with a scale of its colours on the right.

    :param place: left, bottom, width and height of the image, as parts of the figure.
    """
    axes = made.add_axes(place)
    style(axes, x="x [mm]", y="y [mm]")
    axes.grid(visible=False)
    axes.set_facecolor("#eeeeee")
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(label, fontsize=14, loc="left")
    image = axes.imshow(
        np.zeros((1, 1)), origin="lower", cmap=colors, interpolation="nearest", aspect="equal"
    )
    beside = made.add_axes((place[0] + place[2] + 0.006, place[1], 0.010, place[3]))
    made.kept[name] = axes, image, beside


def set_image(
    made: Picture,
    name: str,
    values: npt.NDArray[Any],
    extent: tuple[float, float, float, float],
    limits: tuple[float, float],
    *,
    is_log: bool = False,
) -> None:
    """Show values as an image; NaN has no colour."""
    axes, image, _ = made.kept[name]
    image.set_data(values)
    image.set_extent(extent)
    axes.set_xlim(*extent[:2])
    axes.set_ylim(*extent[2:])
    image.set_norm(LogNorm(*limits) if is_log else Normalize(*limits))
    set_scale(made, name, image, limits, is_log=is_log)


def set_scale(
    made: Picture, name: str, image: Any, limits: tuple[float, float], *, is_log: bool = False
) -> None:
    """Show a scale of colours beside an image: matplotlib's own takes longer than all the rest.

    :param image: what has the colours, drawn on the axes of that name.
    """
    axes, _, beside = made.kept[name]
    axes.apply_aspect()
    box = axes.get_position()
    beside.set_position((box.x1 + 0.006, box.y0, 0.010, box.height))
    if name + " scale" not in made.kept:
        ramp = np.linspace(0, 1, 128)[:, None]
        made.kept[name + " scale"] = beside.imshow(
            ramp, origin="lower", cmap=image.get_cmap(), aspect="auto", extent=(0, 1, 0, 1)
        )
        beside.xaxis.set_major_locator(NullLocator())
        beside.yaxis.tick_right()
        beside.tick_params(labelsize=12, length=3, color="#666666")
        beside.spines[:].set_visible(False)
        made.scales.append(beside)
    ticks = _ticks(limits, is_log)
    beside.yaxis.set_major_locator(FixedLocator([float(image.norm(tick)) for tick in ticks]))
    beside.yaxis.set_major_formatter(FuncFormatter(lambda _, at: number(ticks[at]) if at is not None else ""))


def _ticks(limits: tuple[float, float], is_log: bool) -> list[float]:
    low, high = limits
    if is_log:
        some = [10.0**power * part for power in range(-9, 16) for part in (1, 2, 5)]
        found = [tick for tick in some if low <= tick <= high]
        return found if len(found) <= 6 else [tick for tick in found if f"{tick:e}"[0] == "1"]
    found = np.asarray(MaxNLocator(5).tick_values(low, high)).tolist()
    return [tick for tick in cast("list[float]", found) if low <= tick <= high]


def color_range(values: npt.NDArray[Any], *, is_log: bool = False) -> tuple[float, float]:
    """Return between which values colours are worth telling apart: all but the outermost percent."""
    good = values[np.isfinite(values) & (values > 0)] if is_log else values[np.isfinite(values)]
    if not len(good):
        return 1.0, 10.0
    low, high = (float(edge) for edge in np.percentile(good, (1, 99)))
    if is_log:
        return (low, high) if high > 1.5 * low else (low / 1.5, low * 1.5)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
