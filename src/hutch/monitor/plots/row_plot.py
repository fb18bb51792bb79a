"""What plots of rows with named columns have: events of a stream of a run, and rows of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from hutch.catalogs.showing.hints import scanned_axes
from hutch.monitor.batch import Batch
from hutch.monitor.forms import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hutch.monitor.plots.drawing import Picture

__all__ = [
    "ROOM_FOR_NAME",
    "RowPlot",
    "described",
    "floats_of",
    "is_number",
    "labelled",
    "name_panel",
    "own_axes",
    "stream_of",
    "title_of",
]

Floats = npt.NDArray[np.float64]


def described(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the descriptor documents among what is known of a stream."""
    found = facts.get("descriptors") or facts.get("descriptor") or ()
    return [found] if isinstance(found, Mapping) else [one for one in found if isinstance(one, Mapping)]


def stream_of(facts: Mapping[str, Any]) -> str:
    """Return the name of the stream, empty if it is not known."""
    return next((str(one["name"]) for one in described(facts) if "name" in one), "")


def title_of(batch: Batch) -> str:
    """Return what tells a source from others, for people: of a run its number, plan, sample, and uid."""
    start = batch.facts.get("start") or {}
    parts = [start.get(key) for key in ("scan_id", "plan_name", "sample")]
    told = [str(part) for part in parts if isinstance(part, (str, int))]
    uid = str(start.get("uid", ""))[:8]
    return " · ".join([*told, *([uid] if uid else [])]) or PurePath(batch.source).name


def own_axes(facts: Mapping[str, Any]) -> list[str]:
    """Return the keys that were scanned, slow to fast, if it is this stream that tells of them."""
    keys, stream = scanned_axes(facts.get("start") or {})
    return keys if stream in (None, stream_of(facts)) else []


def is_number(column: npt.NDArray[Any]) -> bool:
    """Tell whether a column has one number a row."""
    return column.ndim == 1 and column.dtype.kind in "fiub"


def floats_of(batch: Batch, names: Sequence[str]) -> Floats:
    """Return columns as float64, shape (rows, columns); NaN where one is missing or has no numbers."""
    found = np.full((len(batch), len(names)), np.nan)
    for at, name in enumerate(names):
        if name in batch and is_number(batch[name]):
            found[:, at] = batch[name][: len(batch)]
    return found


ROOM_FOR_NAME = 0.035
"""Part of a picture's height that :func:`name_panel` takes."""


def name_panel(axes: Axes, name: str, many: int) -> None:
    """Write above a panel what it shows: beside it there is no room for a name where panels are low.

    :param many: how many panels there are, one above the other.
    """
    from matplotlib.ticker import MaxNLocator

    # On the left is what matplotlib takes out of the numbers: 1e6.
    axes.set_title(name, fontsize=13, loc="right", pad=3, parse_math=False)
    if many > 3:  # noqa: PLR2004
        axes.yaxis.set_major_locator(MaxNLocator(3))


def labelled(name: str, unit: str, most: int = 44) -> str:
    """Return the name of a column with its unit, in no more characters than these."""
    from hutch.monitor.plots.captions import shortened

    told = f" [{shortened(unit, most // 3)}]" if unit else ""
    return f"{shortened(name, most - len(told))}{told}"


class RowPlot:
    """A plot of rows.

    State arrays of all of them: ``title`` (text), ``stream`` (text), ``count`` (how many rows), ``names`` and
    ``units`` of what is kept (text, shape (columns,)). They are settled with the first rows.
    """

    formats: tuple[str, ...] = ("run",)
    headline: ClassVar[str]
    size: ClassVar[tuple[float, float]] = (12.0, 8.0)

    def __init__(self) -> None:
        self.title = self.stream = ""
        self.count = 0
        self.names: list[str] | None = None
        self.units: list[str] = []

    # accumulating

    def update(self, batch: Batch) -> None:
        """Take rows into account."""
        if self.names is None:
            self._settle(batch)
        self.count += len(batch)
        if len(batch):
            self._take(batch)

    def merge(self, other: Self) -> None:
        """Take into account what another has accumulated."""
        if other.names is None:
            return
        if self.names is None:
            self.restore(other.state())
            return
        self.count += other.count
        self._take_over(other)

    def state(self) -> State:
        """Return what has been accumulated."""
        head: dict[str, npt.NDArray[Any]] = {
            "title": np.array(self.title),
            "stream": np.array(self.stream),
            "count": np.array(self.count),
        }
        if self.names is None:
            return head
        names = {"names": np.array(self.names, dtype=np.str_), "units": np.array(self.units, dtype=np.str_)}
        return {**head, **names, **self._kept()}

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        self.title, self.stream = str(state["title"]), str(state["stream"])
        self.count = int(state["count"])
        if "names" in state:
            self.names = [str(name) for name in state["names"]]
            self.units = [str(unit) for unit in state["units"]]
            self._make()
            self._put_back(state)

    def _settle(self, batch: Batch) -> None:
        """Decide what is kept, by the first rows."""
        facts = batch.facts
        self.title, self.stream = title_of(batch), stream_of(facts)
        self.names = self._chosen(batch)
        keys: dict[str, Any] = dict(facts.get("data_keys") or {})
        for one in described(facts):
            keys.update(one.get("data_keys") or {})
        self.units = [str((keys.get(name) or {}).get("units") or "") for name in self.names]
        self._make()

    def _chosen(self, batch: Batch) -> list[str]:
        """Return the names of the columns that are kept."""
        raise NotImplementedError

    def _make(self) -> None:
        """Make room for the columns that are kept."""

    def _take(self, batch: Batch) -> None:
        """Take rows into account, at least one."""
        raise NotImplementedError

    def _take_over(self, other: Self) -> None:
        """Merge what another, which keeps the same columns, has accumulated."""
        raise NotImplementedError

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        """Return what has been accumulated of the columns."""
        raise NotImplementedError

    def _put_back(self, state: State) -> None:
        """Restore what has been accumulated of the columns."""
        raise NotImplementedError

    def label(self, at: int) -> str:
        """Return the name of a column with its units."""
        assert self.names is not None  # noqa: S101 - columns are known
        return labelled(self.names[at], self.units[at])

    # drawing

    @property
    def is_idle(self) -> bool:
        """Whether the source has nothing that this plot shows, so that no picture is made."""
        return bool(self.count and self._missing())

    def figure(self, fig: Figure | None = None) -> Figure:
        """Draw what has been accumulated."""
        from hutch.monitor.plots import drawing
        from hutch.monitor.plots.captions import below_title

        missing = "" if self.count else "no rows yet"
        missing = missing or self._missing()
        layout = (type(self), bool(missing), tuple(self.names or ()), self._layout())
        made = drawing.picture(fig, layout, self.size, (lambda _: None) if missing else self._build)
        made.kept["title"].set_text(drawing.plain(" · ".join(filter(None, (self.headline, self.title))), 100))
        many = "row" if self.count == 1 else "rows"
        foot = [*([f"stream {self.stream}"] if self.stream else []), f"{self.count:,} {many}"]
        said = [*foot, *self._remarks()] if self.title else []
        made.kept["below"].set_text(below_title(said, self.size[0]))
        made.kept["empty"].set_text(missing)
        if not missing:
            self._draw(made)
        return made

    def _layout(self) -> object:
        """Return what else the arrangement of a picture depends on."""
        return None

    def _build(self, made: Picture) -> None:
        """Lay a new picture out."""
        raise NotImplementedError

    def _draw(self, made: Picture) -> None:
        """Show what has been accumulated."""
        raise NotImplementedError

    def _missing(self) -> str:
        """Return why there is nothing to draw, though there are rows; empty if there is."""
        return ""

    def _remarks(self) -> list[str]:
        """Return what else the line below the title says."""
        return []
