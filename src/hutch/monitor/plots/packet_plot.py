"""What all plots of LArPix packets have: whose packets they saw, when, and a title that says so."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.packets import moments, packet_types
from hutch.monitor.plots.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hutch.monitor.plots.drawing import Picture

__all__ = ["PacketPlot"]


class PacketPlot:
    """A plot of packets.

    State arrays of all of them: ``source`` (text), ``packets`` (how many), ``time_s`` (the beginning of each
    bin of time, Unix s, shape (bins,)), ``bin_width_s``, ``time_range_s`` (first and last timestamp, Unix s),
    ``parts`` (first row, row after the last and last timestamp of each part without a gap) and
    ``before_time`` (of each part, what no time is known of yet).
    """

    formats: tuple[str, ...] = ("packets", "raw")

    headline: ClassVar[str]
    """What the picture shows, in a few words."""
    size: ClassVar[tuple[float, float]] = (12.0, 8.0)
    """Of the picture, inches of 100 pixels."""
    per_bin: ClassVar[str] = ""
    """What the state calls the counts of each bin of time; empty if nothing is counted over time."""
    columns: ClassVar[int] = 0
    """How many things are counted over time."""

    def __init__(self) -> None:
        self.source = ""
        self.packets = 0
        self.timeline = Timeline(self.columns)

    # accumulating

    def update(self, batch: Batch) -> None:
        """Take packets into account."""
        self.source = self.source or batch.source
        self.packets += len(batch.once(packet_types))
        self.timeline.add(batch.start, batch.stop, batch.once(moments), self._counts(batch))
        self._take(batch)

    def merge(self, other: Self) -> None:
        """Take into account what another has accumulated."""
        self.source = min(filter(None, (self.source, other.source)), default="")
        self.packets += other.packets
        self.timeline.merge(other.timeline)
        self._take_over(other)

    def state(self) -> State:
        """Return what has been accumulated."""
        counts = {self.per_bin: self.timeline.counts.copy()} if self.per_bin else {}
        head = {"source": np.array(self.source), "packets": np.array(self.packets)}
        return {**head, **self.timeline.state(), **counts, **self._kept()}

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        self.source = str(state["source"])
        self.packets = int(state["packets"])
        none = np.zeros((len(state["time_s"]), 0), dtype=np.int64)
        self.timeline.restore(state, state[self.per_bin] if self.per_bin else none)
        self._put_back(state)

    # what a plot of its own kind adds

    def _counts(self, batch: Batch) -> npt.NDArray[np.int64]:
        """Return what is counted over time: the first row of what precedes the first timestamp packet."""
        return np.zeros((len(batch.once(moments).bins) + 1, 0), dtype=np.int64)

    def _take(self, batch: Batch) -> None:
        """Take into account what is not counted over time."""

    def _take_over(self, other: Self) -> None:
        """Merge what is not counted over time."""

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is not counted over time."""
        return {}

    def _put_back(self, state: State) -> None:
        """Restore what is not counted over time."""

    # drawing

    def figure(self, fig: Figure | None = None) -> Figure:
        """Draw what has been accumulated."""
        from hutch.monitor.plots import drawing
        from hutch.monitor.plots.captions import below_title

        made = drawing.picture(fig, type(self), self.size, self._build)
        missing = "" if self.packets else "no packets yet"
        missing = missing or self._missing()
        made.kept["title"].set_text(
            f"{self.headline} · {drawing.plain(PurePath(self.source).name, 70)}"
            if self.source
            else self.headline
        )
        many = "packet" if self.packets == 1 else "packets"
        foot = [f"{self.packets:,} {many}", drawing.duration(self.timeline.first, self.timeline.latest)]
        said = [*foot, *self._remarks()] if self.packets else []
        made.kept["below"].set_text(below_title(said, self.size[0]))
        made.kept["empty"].set_text(missing)
        for axes in made.axes:
            axes.set_visible(not missing)
        if not missing:
            self._draw(made)
        return made

    def _build(self, made: Picture) -> None:
        """Lay a new picture out."""
        raise NotImplementedError

    def _draw(self, made: Picture) -> None:
        """Show what has been accumulated."""
        raise NotImplementedError

    def _missing(self) -> str:
        """Return why there is nothing to draw, though there are packets; empty if there is."""
        return ""

    def _remarks(self) -> list[str]:
        """Return what else the line below the title says."""
        return []
