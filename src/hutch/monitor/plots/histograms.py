"""Histograms of the readout's clock: how late data arrive, and how long its seconds are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.packet_plot import PacketPlot
from hutch.monitor.plots.packets import SYNC, SYNC_OF_PPS, column, data_columns, moments, packet_types

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hutch.monitor.plots.drawing import Picture

__all__ = ["GROUPS", "Bins", "PacmanSyncHistograms", "TimestampHistograms", "clean_data", "group_rows"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

GROUPS: Final = ("io group 1", "io group 2", "other io groups")
SECOND = 10_000_000
"""Ticks of 100 ns from one pulse to the next."""
_BITS_31 = 1 << 31


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of whole numbers, equally wide, with one below and one above them for all the rest.

    :ivar low: the least number of the first bin.
    :ivar width: how many numbers a bin holds.
    :ivar many: how many bins there are, beside the two outer ones.
    """

    low: int
    width: int
    many: int

    def count(self, values: Ints) -> Ints:
        """Return how many values each bin holds; shape (many + 2,), the outer ones first and last."""
        at = np.clip((values - self.low) // self.width, -1, self.many) + 1
        return np.bincount(at, minlength=self.many + 2)

    @property
    def middles(self) -> Floats:
        """The middle of each bin, without the outer ones."""
        inside = 0.0 if self.width == 1 else self.width / 2
        return np.arange(self.many, dtype=float) * self.width + (self.low + inside)


DELAY = Bins(0, 250, 200)
"""Ticks from a datum's timestamp to its arrival: 25 µs a bin, up to 5 ms."""
SYNC_NEAR = Bins(-100, 1, 201)
"""Ticks that a second is too long."""
_SANE_TICKS = 1_000_000
"""A second that is a tenth of a second wrong is lost, and no part of a mean."""


def group_rows(batch: Batch) -> npt.NDArray[Any]:
    """Return for each packet which of :data:`GROUPS` it is of."""
    group = column(batch, "io_group")
    return np.minimum(group - np.uint8(1), np.uint8(2))


def clean_data(batch: Batch) -> tuple[npt.NDArray[np.intp], Ints, npt.NDArray[Any]]:
    """Return rows, timestamps and groups of the data packets whose parity is right."""
    data = batch.once(data_columns)
    rows = data.rows[~data.has_wrong_parity] if data.has_wrong_parity.any() else data.rows
    return rows, batch["timestamp"][rows].astype(np.int64), batch.once(group_rows)[rows]


@dataclass(frozen=True, slots=True)
class _Syncs:
    rows: npt.NDArray[np.intp]
    off: Ints
    group: npt.NDArray[Any]


def _syncs(batch: Batch) -> _Syncs:
    """Return sync packets of the pulse each second: how many ticks more than a second they tell."""
    rows = np.flatnonzero(batch.once(packet_types) == SYNC)
    if len(rows) and "trigger_type" in batch:
        rows = rows[batch["trigger_type"][rows] == SYNC_OF_PPS]
    off = batch["timestamp"][rows].astype(np.int64) - SECOND
    return _Syncs(rows, off, batch.once(group_rows)[rows])


def by_group(bins: Bins, values: Ints, group: npt.NDArray[Any]) -> Ints:
    """Return how many values of each group each bin holds; shape (3, bins + 2)."""
    return np.stack([bins.count(values[group == number]) for number in range(len(GROUPS))])


def _delays(batch: Batch) -> Ints:
    """Return counts of how late data packets arrived, by group; shape (3, 202).

    The clock begins anew at each pulse, or at 2**31 if there are no pulses: what seems to arrive early came
    after that.
    """
    if "receipt_timestamp" not in batch:
        return np.zeros((len(GROUPS), DELAY.many + 2), dtype=np.int64)
    rows, stamps, group = batch.once(clean_data)
    late = (batch["receipt_timestamp"][rows].astype(np.int64) & (_BITS_31 - 1)) - stamps
    late[late < 0] += SECOND
    late[late < 0] += _BITS_31 - SECOND
    size = DELAY.many + 2
    at = np.clip((late - DELAY.low) // DELAY.width, -1, DELAY.many) + 1 + group.astype(np.int64) * size
    return np.bincount(at, minlength=len(GROUPS) * size).reshape(len(GROUPS), size)


def lines_by_group(axes: Axes) -> list[Any]:
    """Return a line for each group, on axes."""
    from hutch.monitor.plots.drawing import PALETTE

    add_remark(axes)
    return [
        axes.plot([], [], color=PALETTE[at], drawstyle="steps-mid", linewidth=1.8, label=name)[0]
        for at, name in enumerate(GROUPS)
    ]


def add_remark(axes: Axes) -> None:
    """Make room in axes for why they are empty; :func:`set_remark` says it."""
    axes.text(0.5, 0.5, "", transform=axes.transAxes, fontsize=16, color="#888888", ha="center", va="center")


def set_remark(axes: Axes, remark: str) -> None:
    """Say in axes why they are empty; nothing if they are not."""
    axes.texts[0].set_text(remark)


def show_by_group(axes: Axes, lines: list[Any], x: Floats, counts: Ints, what: str) -> None:
    """Show counts of bins, by group; the outermost are told in the legend.

    :param what: is counted, in the plural.
    """
    from hutch.monitor.plots.drawing import fit

    for line, values, name in zip(lines, counts, GROUPS, strict=True):
        inside, outside = values[1:-1], int(values[0] + values[-1])
        line.set_data(x, inside)
        line.set_visible(bool(values.any()))
        line.set_label(f"{name}, {outside:,} outside" if outside else name if values.any() else "_")
    fit(axes, x, [counts[:, 1:-1]], is_log=True)
    why = f"all {what} are outside" if counts.any() else f"no {what} yet"
    set_remark(axes, "" if counts[:, 1:-1].any() else why)
    shown = [line for line in lines if line.get_visible()]
    if shown:
        axes.legend(handles=shown, loc="upper right", fontsize=12, framealpha=0.9, edgecolor="none")
    elif legend := axes.get_legend():
        legend.remove()


class TimestampHistograms(PacketPlot):
    """Show how late data packets arrive after their timestamp, and how well the clock keeps to the second.

    State: ``delay_counts``, int64, shape (3, 202): packets of io group 1, 2 and others, right parity only,
    by delay in bins of 25 µs from 0 to 5 ms, the first and the last of what is below and above;
    ``sync_counts``, int64, shape (3, 203): sync packets by how many ticks of 100 ns more than 10⁷ they tell,
    from -100 to 100, and likewise what is outside.
    """

    headline = "Timestamps"

    def __init__(self) -> None:
        super().__init__()
        self.delays: Ints = np.zeros((len(GROUPS), DELAY.many + 2), dtype=np.int64)
        self.syncs: Ints = np.zeros((len(GROUPS), SYNC_NEAR.many + 2), dtype=np.int64)

    def _take(self, batch: Batch) -> None:
        syncs = batch.once(_syncs)
        self.delays += batch.once(_delays)
        self.syncs += by_group(SYNC_NEAR, syncs.off, syncs.group)

    def _take_over(self, other: Self) -> None:
        self.delays += other.delays
        self.syncs += other.syncs

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return {"delay_counts": self.delays.copy(), "sync_counts": self.syncs.copy()}

    def _put_back(self, state: State) -> None:
        self.delays = np.array(state["delay_counts"], dtype=np.int64)
        self.syncs = np.array(state["sync_counts"], dtype=np.int64)

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import style

        for bottom, key, label, what in (
            (0.56, "delays", "delay of the readout [ms]", "data packets"),
            (0.10, "syncs", "length of a second, less 1 s [µs]", "sync packets"),
        ):
            axes = made.add_axes((0.085, bottom, 0.895, 0.30))
            style(axes, x=label, y=what, is_log=True, is_counts=True)
            made.kept[key] = lines_by_group(axes)

    def _draw(self, made: Picture) -> None:
        show_by_group(made.axes[0], made.kept["delays"], DELAY.middles * 1e-4, self.delays, "data packets")
        show_by_group(made.axes[1], made.kept["syncs"], SYNC_NEAR.middles * 0.1, self.syncs, "sync packets")


class PacmanSyncHistograms(PacketPlot):
    """Show by how many ticks the seconds of the readout's clock are too long, over time and as a histogram.

    State: ``sync_per_bin``, int64, shape (bins, 9): for io group 1, 2 and others how many sync packets, the
    sum of their deviations from 10⁷ ticks of 100 ns, and the sum of the squares; those that are more than
    10⁶ ticks off are left out. ``sync_counts``, int64, shape (3, 203): as of :class:`TimestampHistograms`.
    """

    headline = "Sync packets"
    per_bin = "sync_per_bin"
    columns = 9

    def __init__(self) -> None:
        super().__init__()
        self.syncs: Ints = np.zeros((len(GROUPS), SYNC_NEAR.many + 2), dtype=np.int64)

    def _counts(self, batch: Batch) -> Ints:
        syncs, when = batch.once(_syncs), batch.once(moments)
        sums = np.zeros((len(when.bins) + 1, len(GROUPS), 3), dtype=np.int64)
        is_sane = np.abs(syncs.off) <= _SANE_TICKS
        off = syncs.off[is_sane]
        at = when.slots[syncs.rows[is_sane]], syncs.group[is_sane]
        np.add.at(sums, at, np.stack([np.ones_like(off), off, off * off], axis=1))
        return sums.reshape(len(sums), -1)

    def _take(self, batch: Batch) -> None:
        syncs = batch.once(_syncs)
        self.syncs += by_group(SYNC_NEAR, syncs.off, syncs.group)

    def _take_over(self, other: Self) -> None:
        self.syncs += other.syncs

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return {"sync_counts": self.syncs.copy()}

    def _put_back(self, state: State) -> None:
        self.syncs = np.array(state["sync_counts"], dtype=np.int64)

    def deviation_ticks(self) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation of how long seconds are too long, in ticks, by io group."""
        sums = (self.timeline.counts.sum(axis=0) + self.timeline.before).reshape(-1, 3)
        found = {}
        for name, (count, total, squares) in zip(GROUPS, sums.tolist(), strict=True):
            if count:
                # Whole numbers of any size: nothing is lost before the root.
                found[name] = total / count, ((count * squares - total * total) / count**2) ** 0.5
        return found

    def _build(self, made: Picture) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        from hutch.monitor.plots.drawing import PALETTE, number, style

        over, beside = made.add_axes((0.085, 0.10, 0.58, 0.76)), made.add_axes((0.70, 0.10, 0.285, 0.76))
        style(over, y="second − 10⁷ ticks [100 ns], mean")
        style(beside, x="sync packets")
        beside.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        beside.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        made.kept["over"] = [
            over.plot([], [], color=PALETTE[at], marker="o", markersize=4, linewidth=1.5, label=name)[0]
            for at, name in enumerate(GROUPS)
        ]
        made.kept["beside"] = [
            beside.plot([], [], color=PALETTE[at], linewidth=1.8)[0] for at in range(len(GROUPS))
        ]

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import fit, timed

        over, beside = made.axes[:2]
        shown = self.timeline.shown()
        times = self.timeline.time_s[shown]
        x, label = timed(times, float(times[0])) if len(times) else (times, "no timestamp packet yet")
        over.set_xlabel(label, fontsize=13)
        sums = self.timeline.counts[shown].reshape(-1, len(GROUPS), 3)
        told, means, drawn = self.deviation_ticks(), [], []
        for at, (name, line) in enumerate(zip(GROUPS, made.kept["over"], strict=True)):
            is_there = sums[:, at, 0] > 0
            mean = sums[is_there, at, 1] / sums[is_there, at, 0]
            line.set_data(x[is_there], mean)
            line.set_visible(name in told)
            if name in told:
                means.append(mean)
                drawn.append(line)
                line.set_label(f"{name}: {told[name][0]:.2f} ± {told[name][1]:.2f} ticks")
        inside = self.syncs[:, 1:-1]
        ticks = SYNC_NEAR.middles[inside.any(axis=0)]
        ticks = np.append(ticks - 1, ticks + 1)
        fit(over, x, [*means, *([ticks] if len(ticks) else [])])
        over.legend(handles=drawn, loc="upper left", fontsize=12, framealpha=0.9, edgecolor="none")
        middles = np.repeat(SYNC_NEAR.middles, 2) + np.tile([-0.5, 0.5], SYNC_NEAR.many)
        for line, counts in zip(made.kept["beside"], inside, strict=True):
            line.set_data(np.repeat(counts, 2), middles)
            line.set_visible(bool(counts.any()))
        beside.set(xlim=(0, max(1, int(inside.max())) * 1.08), ylim=over.get_ylim())
        beside.tick_params(labelleft=False)

    def _missing(self) -> str:
        return "" if self.syncs.any() else "no sync packets yet"

    def _remarks(self) -> list[str]:
        outside = int(self.syncs[:, 0].sum() + self.syncs[:, -1].sum())
        many = int(self.syncs.sum())
        told = f", {outside:,} of them more than 100 ticks off" if outside else ""
        return [f"{many:,} sync packet{'' if many == 1 else 's'}{told}", *self.timeline.left_out()]
