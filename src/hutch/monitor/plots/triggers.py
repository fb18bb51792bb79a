"""Where data lie in time around external triggers.

A data packet belongs to the last trigger of its io group before it in the file, if it is one of the first
:data:`MOST_AFTER` data packets after it. So a part of a file need keep no more than as many of those that
precede its first trigger, until the part before it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.histograms import (
    GROUPS,
    Bins,
    add_remark,
    clean_data,
    group_rows,
    lines_by_group,
    set_remark,
    show_by_group,
)
from hutch.monitor.plots.packet_plot import PacketPlot
from hutch.monitor.plots.packets import TRIGGER, packet_types
from hutch.monitor.plots.parts import joined

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["MOST_AFTER", "TriggerHistograms"]

Ints = npt.NDArray[np.int64]

MOST_AFTER: Final = 16_384
"""An io group cannot send as many data packets while electrons drift (0.2 ms), nor in 1 ms."""
_EXTERNAL = 2
"""The bit of ``trigger_type`` that says that a trigger came from outside."""
_DRIFT_TICKS: Final = 1818
"""30 cm at 1.65 mm/µs, in ticks of 100 ns."""
OFFSETS = Bins(-2 * _DRIFT_TICKS, 10, 6 * _DRIFT_TICKS // 10)
"""Ticks from a trigger to a datum: 1 µs a bin, from two drift times before to four after."""
GAPS = Bins(-1000, 1, 2001)
"""Ticks from a trigger to the next one, of whichever io group."""
_NONE = -1
_DATA = "data packets after a trigger"
_MOST_PARTS = 64


def _nothing() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class _Group:
    """Of one io group, what rows without a gap leave open.

    :ivar last: the timestamp of the last trigger; -1 if there is none.
    :ivar since: how many data packets come after it, or there are at all.
    :ivar head: timestamps of data packets that precede the first trigger, the first of them.
    """

    last: int = _NONE
    since: int = 0
    head: Ints = field(default_factory=_nothing)


@dataclass(slots=True)
class _Part:
    """Rows without a gap; ``first`` and ``last`` are timestamps of its triggers, -1 if there is none."""

    start: int
    stop: int
    first: int
    last: int
    groups: list[_Group]


def _offsets(batch: Batch) -> tuple[list[_Group], Ints, Ints, Ints]:
    """Return what a batch leaves open, and counts of offsets, of gaps; and the triggers' timestamps."""
    rows = np.flatnonzero(batch.once(packet_types) == TRIGGER)
    if len(rows) and "trigger_type" in batch:
        rows = rows[batch["trigger_type"][rows] & _EXTERNAL > 0]
    triggers = batch["timestamp"][rows].astype(np.int64)
    trigger_groups = batch.once(group_rows)[rows]
    data_rows, stamps, data_groups = batch.once(clean_data)
    groups, counts = [], []
    for number in range(len(GROUPS)):
        mine = data_groups == number
        theirs = trigger_groups == number
        group, offsets = _of_group(data_rows[mine], stamps[mine], rows[theirs], triggers[theirs])
        groups.append(group)
        counts.append(OFFSETS.count(offsets))
    return groups, np.stack(counts), GAPS.count(np.diff(triggers)), triggers


def _of_group(data_rows: Ints, stamps: Ints, rows: Ints, triggers: Ints) -> tuple[_Group, Ints]:
    if not len(rows):
        return _Group(_NONE, len(stamps), stamps[:MOST_AFTER].copy()), _nothing()
    begins = np.searchsorted(data_rows, rows)
    many = np.minimum(np.diff(begins, append=len(stamps)), MOST_AFTER)
    # Which data come soon enough after each trigger: places that begin anew at each.
    ends = np.cumsum(many)
    places = np.arange(ends[-1]) + np.repeat(begins - (ends - many), many)
    offsets = stamps[places] - np.repeat(triggers, many)
    head = stamps[: begins[0]][:MOST_AFTER].copy()
    return _Group(int(triggers[-1]), len(stamps) - int(begins[-1]), head), offsets


class TriggerHistograms(PacketPlot):
    """Show where data packets lie in time around external triggers, and how far apart triggers are.

    State: ``offset_counts``, int64, shape (3, 1092): data packets of io group 1, 2 and others, right parity
    only, by the time since the trigger in bins of 1 µs from -363.6 µs on, the first and the last of what is
    below and above; ``gap_counts``, int64, shape (2003,): triggers by the ticks of 100 ns since the one
    before, from -1000 to 1000, and likewise what is outside; ``triggers``: how many. ``trigger_parts`` and
    ``trigger_heads``: what parts of the file leave open until the parts before them are known.
    """

    headline = "Triggers"

    def __init__(self) -> None:
        super().__init__()
        self.offsets: Ints = np.zeros((len(GROUPS), OFFSETS.many + 2), dtype=np.int64)
        self.gaps: Ints = np.zeros(GAPS.many + 2, dtype=np.int64)
        self.triggers = 0
        self._parts: list[_Part] = []

    def _take(self, batch: Batch) -> None:
        groups, offsets, gaps, triggers = batch.once(_offsets)
        self.offsets += offsets
        self.gaps += gaps
        self.triggers += len(triggers)
        ends = (int(triggers[0]), int(triggers[-1])) if len(triggers) else (_NONE, _NONE)
        own = [_Group(group.last, group.since, group.head if batch.start else _nothing()) for group in groups]
        if batch.stop > batch.start:
            self._join([_Part(batch.start, batch.stop, *ends, own)])

    def _take_over(self, other: Self) -> None:
        self.offsets += other.offsets
        self.gaps += other.gaps
        self.triggers += other.triggers
        self._join(_parts_of(other._kept()))

    def _join(self, more: Sequence[_Part]) -> None:
        self._parts = joined([*self._parts, *more], self._meet, _MOST_PARTS)

    def _meet(self, left: _Part, right: _Part) -> None:
        """Add to a part the one that follows it."""
        if left.last != _NONE and right.first != _NONE:
            self.gaps += GAPS.count(np.array([right.first - left.last]))
        for number, (ours, theirs) in enumerate(zip(left.groups, right.groups, strict=True)):
            if ours.last != _NONE:
                near = theirs.head[: max(0, MOST_AFTER - ours.since)]
                self.offsets[number] += OFFSETS.count(near - ours.last)
            elif left.start:
                ours.head = np.concatenate([ours.head, theirs.head])[:MOST_AFTER]
            has_trigger = theirs.last != _NONE
            ours.since = theirs.since if has_trigger else ours.since + theirs.since
            ours.last = theirs.last if has_trigger else ours.last
        left.first = right.first if left.first == _NONE else left.first
        left.last = right.last if right.last != _NONE else left.last
        left.stop = right.stop

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        parts = [
            [part.start, part.stop, part.first, part.last]
            + [number for group in part.groups for number in (group.last, group.since, len(group.head))]
            for part in self._parts
        ]
        heads = [group.head for part in self._parts for group in part.groups]
        return {
            "offset_counts": self.offsets.copy(),
            "gap_counts": self.gaps.copy(),
            "triggers": np.array(self.triggers),
            "trigger_parts": np.array(parts, dtype=np.int64).reshape(-1, 4 + 3 * len(GROUPS)),
            "trigger_heads": np.concatenate([_nothing(), *heads]),
        }

    def _put_back(self, state: State) -> None:
        self.offsets = np.array(state["offset_counts"], dtype=np.int64)
        self.gaps = np.array(state["gap_counts"], dtype=np.int64)
        self.triggers = int(state["triggers"])
        self._parts = _parts_of(state)

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import PALETTE, style

        for bottom, label, what in (
            (0.56, "time since the trigger [µs]", "data packets"),
            (0.10, "time from a trigger to the next [µs]", "triggers"),
        ):
            axes = made.add_axes((0.085, bottom, 0.895, 0.30))
            style(axes, x=label, y=what, is_log=True, is_counts=True)
            axes.axvline(0, color="#888888", linewidth=1)
        add_remark(made.axes[1])
        made.kept["offsets"] = lines_by_group(made.axes[0])
        (made.kept["gaps"],) = made.axes[1].plot(
            [], [], color=PALETTE[2], drawstyle="steps-mid", linewidth=1.8
        )

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import fit

        show_by_group(made.axes[0], made.kept["offsets"], OFFSETS.middles * 0.1, self.offsets, _DATA)
        x = GAPS.middles * 0.1
        made.kept["gaps"].set_data(x, self.gaps[1:-1])
        fit(made.axes[1], x, [self.gaps[1:-1]], is_log=True)
        is_empty = not self.gaps[1:-1].any()
        set_remark(made.axes[1], "no trigger within 100 µs of the one before" if is_empty else "")

    def _missing(self) -> str:
        return "" if self.triggers else "no external trigger yet"

    def _remarks(self) -> list[str]:
        outside = int(self.gaps[0] + self.gaps[-1])
        if not self.triggers:
            return []
        many = "trigger" if self.triggers == 1 else "triggers"
        told = f", {outside:,} of them more than 100 µs after the one before" if outside else ""
        return [f"{self.triggers:,} {many}{told}"]


def _parts_of(state: State) -> list[_Part]:
    found, at = [], 0
    heads = np.asarray(state["trigger_heads"], dtype=np.int64)
    for start, stop, first, last, *rest in np.asarray(state["trigger_parts"]).tolist():
        groups = []
        for number in range(len(GROUPS)):
            trigger, since, many = rest[3 * number : 3 * number + 3]
            groups.append(_Group(trigger, since, heads[at : at + many].copy()))
            at += many
        found.append(_Part(start, stop, first, last, groups))
    return found
