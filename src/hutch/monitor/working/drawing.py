"""Figures of plots, and what matplotlib keeps of them.

Plots of the older form draw with ``matplotlib.pyplot``, which holds on to every figure; what a plot leaves
open beside the figure that it returns is closed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from hutch.errors import PluginError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["as_figure", "close", "close_leaked", "render", "set_up"]


def set_up() -> None:
    """Have this process draw into files only; before a plug-in is loaded."""
    import matplotlib

    matplotlib.use("agg")
    # Figures that are kept are many, and meant; the others are closed after each call.
    matplotlib.rcParams["figure.max_open_warning"] = 0


def as_figure(name: str, drawn: Any) -> Figure:
    """Return what a plot has drawn.

    :raises PluginError: if it is no figure.
    """
    from matplotlib.figure import Figure

    if isinstance(drawn, Figure):
        return drawn
    what = "nothing" if drawn is None else f"{type(drawn).__name__!r}"
    msg = f"The plot {name!r} returned {what}; it must return the matplotlib Figure that is to be saved."
    raise PluginError(msg)


def render(figure: Figure, format: str) -> bytes:
    """Return a figure as a file of a format: ``png``, ``pdf``, ``svg``."""
    buffer = io.BytesIO()
    # Without a date, the same figure gives the same file.
    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    figure.savefig(buffer, format=format, metadata=dates.get(format))
    return buffer.getvalue()


def close(figure: Figure | None) -> None:
    """Let go of a figure, also in pyplot."""
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is not None and figure is not None:
        plt.close(figure)


def close_leaked(kept: Container[int]) -> None:
    """Close pyplot's figures but those that are kept.

    :param kept: ``id`` of each.
    """
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is None:
        return
    for number in plt.get_fignums():
        figure = plt.figure(number)
        if id(figure) not in kept:
            plt.close(figure)
