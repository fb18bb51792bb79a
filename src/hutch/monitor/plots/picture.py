"""A figure that is drawn every few seconds, and most of which stays as it was.

Text is what takes matplotlib longest: titles, labels and ticks. They are the ground, which is drawn once and
put back as pixels for as long as it is the same; what shows data is drawn on it each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hutch.monitor.plots.png import encoded

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["GREY", "SIZE", "Picture", "picture"]

GREY = "#555555"
SIZE = 13
"""Of most text, points."""
_DPI = 100


class Picture(Figure):
    """A figure that keeps its parts by name.

    Between two drawings limits, scales, ticks, labels, titles and legends of its axes may change, and all
    that they show; how ticks and labels look is settled when it is laid out.

    :ivar layout: what it is a picture of; a figure with another layout is made anew.
    :ivar kept: its parts. The text named ``title`` is part of the ground.
    :ivar scales: axes of which the ticks tell of data, and the rest stays.
    """

    def __init__(self, layout: object, size: tuple[float, float]) -> None:
        super().__init__(figsize=size, dpi=_DPI, facecolor="white")
        FigureCanvasAgg(self)
        self.layout = layout
        self.kept: dict[str, Any] = {}
        self.scales: list[Axes] = []
        self._ground: tuple[object, Any] | None = None

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write the picture; a PNG of which nothing else is asked is drawn and packed quickly."""
        given = {name for name, value in options.items() if value is not None}
        kind = options.get("format") or (Path(fname).suffix[1:] if isinstance(fname, (str, Path)) else "png")
        if given - {"format"} or kind.lower() != "png" or not isinstance(self.canvas, FigureCanvasAgg):
            super().savefig(fname, **options)
            return
        data = encoded(self._pixels(), self.dpi)
        if isinstance(fname, (str, Path)):
            Path(fname).write_bytes(data)
        else:
            fname.write(data)

    def _pixels(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return what the picture looks like, shape (height, width, 4)."""
        canvas: Any = self.canvas  # which has no types
        moving = [*self._moving()]
        looks = self._looks()
        if self._ground is None or self._ground[0] != looks:
            with _left_out(moving):
                canvas.draw()
            self._ground = looks, canvas.copy_from_bbox(self.bbox)
        else:
            canvas.restore_region(self._ground[1])
        renderer = canvas.get_renderer()
        for artist in moving:
            artist.draw(renderer)
        return np.asarray(canvas.buffer_rgba())

    def _looks(self) -> tuple[object, ...]:
        """Return what the look of the ground depends on."""
        title = self.kept.get("title")
        return (
            None if title is None else title.get_text(),
            *(_looks(axes, is_scale=axes in self.scales) for axes in self.axes),
        )

    def _moving(self) -> Iterator[Artist]:
        """Yield what is drawn each time, what is below first."""
        for axes in filter(methodcaller("get_visible"), self.axes):
            if axes in self.scales:
                yield axes.yaxis
                continue
            some = (axes.artists, axes.images, axes.collections, axes.patches, axes.lines, axes.texts)
            shown: list[Artist] = [artist for kind in some for artist in kind]
            legend = axes.get_legend()
            yield from sorted([*shown, *([legend] if legend else [])], key=methodcaller("get_zorder"))
        yield from (text for text in self.texts if text is not self.kept.get("title"))


def _looks(axes: Axes, *, is_scale: bool) -> tuple[object, ...]:
    """Return what the look of axes depends on, beside what they show."""
    if not axes.get_visible():
        return ()
    axes.apply_aspect()
    place: tuple[float, ...] = axes.get_position().bounds
    if is_scale:
        return place
    titles = [axes.get_title(loc) for loc in ("left", "center", "right")]
    return (*place, *titles, *_ticks(axes.xaxis), *_ticks(axes.yaxis))


def _ticks(axis: Axis) -> tuple[object, ...]:
    places = axis.get_majorticklocs().tolist()
    texts = axis.get_major_formatter().format_ticks(places)
    return axis.get_scale(), *axis.get_view_interval(), *places, *texts, axis.get_label_text()


@contextmanager
def _left_out(artists: Sequence[Artist]) -> Iterator[None]:
    """Have some artists not drawn with the figure that they are on."""
    for artist in artists:
        artist.set_animated(True)
    try:
        yield
    finally:
        for artist in artists:
            artist.set_animated(False)


def picture(
    fig: Figure | None, layout: object, size: tuple[float, float], build: Callable[[Picture], None]
) -> Picture:
    """Return a figure to draw on: the former one if it has this layout, else a new one.

    :param size: width and height in inches, 100 pixels each.
    :param build: makes the parts of a new one.
    """
    if isinstance(fig, Picture) and fig.layout == layout:
        return fig
    made = Picture(layout, size)
    made.kept["title"] = made.text(
        0.012, 0.985, "", fontsize=16, fontweight="bold", va="top", parse_math=False
    )
    below = 0.985 - 0.33 / size[1]
    made.kept["below"] = made.text(0.012, below, "", fontsize=SIZE, color=GREY, va="top", parse_math=False)
    made.kept["empty"] = made.text(
        0.5, 0.5, "", fontsize=22, color="#888888", ha="center", va="center", parse_math=False
    )
    build(made)
    return made
