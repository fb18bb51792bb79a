"""What each column of a run comes to: how many values, from where to where, their mean, the last."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch, Deferred
from hutch.monitor.forms import State
from hutch.monitor.plots.row_plot import labelled, stream_of, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hutch.monitor.plots.drawing import Picture

__all__ = ["ColumnStatistics", "KnownColumn"]

Floats = npt.NDArray[np.float64]

_FIXED = ("time", "seq_num")
_KEPT = 256
"""Values of each column that are kept of the beginning, and of the end."""
_MOST_STRIPS = 8
_ROOMY = 5
"""So many strips have room for large type."""


@dataclass(frozen=True, slots=True)
class KnownColumn:
    """What one column comes to, over the values that are numbers.

    :ivar count: how many values are numbers.
    :ivar missing: how many are not: NaN.
    :ivar last: the value of the last row; NaN if it is none.
    """

    count: int
    missing: int
    minimum: float
    maximum: float
    mean: float
    last: float
    units: str


class ColumnStatistics:
    """Columns of numbers, a strip for each: values, their mean, and from where to where they go.

    State: ``title`` and ``stream``, text; ``names`` of the columns, shape ``(columns,)``; ``units`` alike;
    ``count``, ``missing``, ``minimum``, ``maximum`` and ``total``, shape ``(columns,)``, ``total`` the sum to
    rounding; ``first`` and ``last``, shape ``(columns, kept)``, values by row, with the rows' numbers in
    ``first_rows`` and ``last_rows``.
    """

    formats = ("run", "hdf5")
    version = "1"

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._title = self._stream = ""

    def update(self, batch: Batch) -> None:
        """Take rows into account; of arrays, and of what detectors have in files, nothing is kept."""
        if not len(batch):
            return
        if not self._title:
            self._title, self._stream = title_of(batch), stream_of(batch.facts)
        units = _units(batch.facts)
        passed = _FIXED if batch.format == "run" else ()
        for name in batch.names:
            if name in passed or isinstance(batch.columns[name], Deferred):
                continue
            values = batch[name]
            if values.ndim != 1 or values.dtype.kind not in "buif":
                continue
            part = _Column.of(values.astype(float), batch.start, units.get(name, ""))
            known = self._columns.get(name)
            self._columns[name] = part if known is None else known.joined(part)

    def merge(self, other: Self) -> None:
        """Take into account what another instance has accumulated."""
        if not self._title:
            self._title, self._stream = other._title, other._stream
        for name, part in other._columns.items():
            known = self._columns.get(name)
            self._columns[name] = part if known is None else known.joined(part)

    def state(self) -> State:
        """Return what has been accumulated."""
        names = sorted(self._columns)
        columns = [self._columns[name] for name in names]
        numbers = {
            name: np.array([getattr(column, name) for column in columns], dtype=float)
            for name in ("minimum", "maximum", "total")
        }
        counts = {
            name: np.array([getattr(column, name) for column in columns], dtype=np.int64)
            for name in ("count", "missing")
        }
        texts = {
            "title": np.array(self._title),
            "stream": np.array(self._stream),
            "names": np.array(names, dtype=np.str_),
            "units": np.array([column.units for column in columns], dtype=np.str_),
        }
        kept = {}
        for name, row_kind in (("first", float), ("last", float), ("first_rows", int), ("last_rows", int)):
            rows = [getattr(column, name) for column in columns]
            width = max(map(len, rows), default=0)
            filler = math.nan if row_kind is float else -1
            table = np.full((len(rows), width), filler, dtype=row_kind)
            for number, row in enumerate(rows):
                table[number, : len(row)] = row
            kept[name] = table
        return {**texts, **counts, **numbers, **kept}

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        if "title" in state:
            self._title, self._stream = str(state["title"]), str(state["stream"])
        for number, name in enumerate(state["names"].tolist()):
            used = {end: state[f"{end}_rows"][number] >= 0 for end in ("first", "last")}
            self._columns[name] = _Column(
                count=int(state["count"][number]),
                missing=int(state["missing"][number]),
                minimum=float(state["minimum"][number]),
                maximum=float(state["maximum"][number]),
                total=float(state["total"][number]),
                units=str(state["units"][number]),
                first=state["first"][number][used["first"]],
                first_rows=state["first_rows"][number][used["first"]],
                last=state["last"][number][used["last"]],
                last_rows=state["last_rows"][number][used["last"]],
            )

    def column(self, name: str) -> KnownColumn | None:
        """Return what a column comes to; None if there is none of this name, or no value yet."""
        known = self._columns.get(name)
        if known is None:
            return None
        mean = known.total / known.count if known.count else math.nan
        last = float(known.last[-1])
        return KnownColumn(known.count, known.missing, known.minimum, known.maximum, mean, last, known.units)

    def series(self, name: str) -> Floats:
        """Return the first and the last values of a column in order, what is between left out."""
        known = self._columns.get(name)
        return np.zeros(0) if known is None else np.concatenate([known.first, known.last[known.is_fresh]])

    def figure(self, fig: Figure | None = None) -> Figure:
        """Draw a strip for each column: its values over their rows, and what they come to."""
        from hutch.monitor.plots import drawing
        from hutch.monitor.plots.captions import below_title

        names = sorted(self._columns)
        shown = names[:_MOST_STRIPS]
        made = drawing.picture(fig, (type(self), tuple(shown)), (12.0, 8.0), partial(_build, names=shown))
        foot = [f"stream {self._stream}"] if self._stream else []
        foot += [f"{len(names) - len(shown)} more are not drawn"] if len(names) > len(shown) else []
        made.kept["title"].set_text(drawing.plain(" · ".join(filter(None, ("Statistics", self._title))), 100))
        is_cut = any(
            len(one.last_rows) and one.last_rows[0] > one.first_rows[-1] + 1 for one in self._columns.values()
        )
        foot += [f"of each the first and the last {_KEPT} rows are drawn"] if is_cut else []
        made.kept["below"].set_text(below_title(foot, 12.0))
        made.kept["empty"].set_text("" if names else "no values yet")
        for name in shown:
            self._draw(made, name)
        return made

    def _draw(self, made: Picture, name: str) -> None:
        from hutch.monitor.plots.drawing import fit

        known, column = self._columns[name], self.column(name)
        assert column is not None  # noqa: S101 - it is known
        axes, beginning, end, named, said = made.kept[f"strip {name}"]
        rows = known.last_rows[known.is_fresh]
        beginning.set_data(known.first_rows, known.first)
        end.set_data(rows, known.last[known.is_fresh])
        for line in (beginning, end):
            line.set_marker("o" if len(known.first) + len(rows) <= 60 else "")
        fit(axes, np.concatenate([known.first_rows, rows]), [known.first, known.last])
        named.set_text(labelled(name, known.units, 30))
        if column.count:
            missing = f", {column.missing:,} missing" if column.missing else ""
            many = "" if column.count == 1 else "s"
            said.set_text(
                f"last {column.last:,.6g} · mean {column.mean:,.6g}\n"
                f"{column.minimum:,.6g} to {column.maximum:,.6g}"
                + ("\n" if len(made.axes) <= _ROOMY else " · ")
                + f"{column.count:,} value{many}{missing}"
            )
        else:
            said.set_text("no numbers")


def _build(made: Picture, names: Sequence[str]) -> None:
    """Lay out a strip for each of some columns, one above the other."""
    from matplotlib.ticker import MaxNLocator

    from hutch.monitor.plots.drawing import PALETTE, style

    height = 0.83 / max(len(names), 1)
    large = 15 if len(names) <= _ROOMY else 12
    for at, name in enumerate(names):
        bottom = 0.085 + height * (len(names) - 1 - at)
        axes = made.add_axes((0.075, bottom, 0.6, height - 0.025))
        style(axes, x="row" if name == names[-1] else "")
        axes.tick_params(labelbottom=name == names[-1])
        if len(names) > 3:
            axes.yaxis.set_major_locator(MaxNLocator(3))
        color = PALETTE[at % 7]
        lines = [axes.plot([], [], color=color, linewidth=1.5, markersize=4)[0] for _ in range(2)]
        top = bottom + height - 0.025
        named = made.text(0.695, top, "", fontsize=large, fontweight="bold", va="top", parse_math=False)
        said = made.text(
            0.695, top - 0.03, "", fontsize=large - 1, va="top", linespacing=1.25, parse_math=False
        )
        made.kept[f"strip {name}"] = axes, *lines, named, said


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: exact but for its sum; the kept values know their rows, so that parts come in any order."""

    count: int
    missing: int
    minimum: float
    maximum: float
    total: float
    units: str
    first: Floats
    first_rows: npt.NDArray[np.int64]
    last: Floats
    last_rows: npt.NDArray[np.int64]

    @property
    def is_fresh(self) -> npt.NDArray[np.bool_]:
        """Which of the last values are not among the first ones; shape of ``last``."""
        return self.last_rows > (self.first_rows[-1] if len(self.first_rows) else -1)

    @classmethod
    def of(cls, values: Floats, start: int, units: str) -> Self:
        is_number = ~np.isnan(values)
        numbers = values[is_number]
        rows = np.arange(start, start + len(values))
        return cls(
            count=len(numbers),
            missing=len(values) - len(numbers),
            minimum=float(numbers.min(initial=math.inf)),
            maximum=float(numbers.max(initial=-math.inf)),
            total=math.fsum(numbers) if np.isfinite(numbers).all() else float(numbers.sum()),
            units=units,
            first=values[:_KEPT],
            first_rows=rows[:_KEPT],
            last=values[-_KEPT:],
            last_rows=rows[-_KEPT:],
        )

    def joined(self, other: _Column) -> _Column:
        first_rows, first = _in_order(self.first_rows, self.first, other.first_rows, other.first)
        last_rows, last = _in_order(self.last_rows, self.last, other.last_rows, other.last)
        return _Column(
            count=self.count + other.count,
            missing=self.missing + other.missing,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
            total=self.total + other.total,
            units=self.units or other.units,
            first=first[:_KEPT],
            first_rows=first_rows[:_KEPT],
            last=last[-_KEPT:],
            last_rows=last_rows[-_KEPT:],
        )


def _in_order(
    rows: npt.NDArray[np.int64], values: Floats, more_rows: npt.NDArray[np.int64], more: Floats
) -> tuple[npt.NDArray[np.int64], Floats]:
    all_rows, all_values = np.concatenate([rows, more_rows]), np.concatenate([values, more])
    order = np.argsort(all_rows, kind="stable")
    return all_rows[order], all_values[order]


def _units(facts: Mapping[str, Any]) -> dict[str, str]:
    keys = facts.get("data_keys")
    about = keys if isinstance(keys, Mapping) else {}
    return {name: str(key.get("units") or "") for name, key in about.items() if isinstance(key, Mapping)}
