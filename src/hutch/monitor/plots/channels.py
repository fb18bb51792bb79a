"""Counts and sums of the data packets of each channel, kept for the chips that any came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.forms import State
from hutch.monitor.plots.geometry import CHANNELS, CHIPS
from hutch.monitor.plots.packets import ChannelSums

__all__ = ["ChannelTotals", "PerChannel"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PerChannel:
    """Channels that data came from: ids, and what came; all of shape (channels,).

    :ivar count: how many data packets.
    :ivar mean: of their ADC counts; NaN where it is not accumulated.
    :ivar std: the standard deviation of their ADC counts, of the whole population.
    """

    io_group: Ints
    tile: Ints
    chip: Ints
    channel: Ints
    count: Ints
    mean: Floats
    std: Floats


class ChannelTotals:
    """Sums by chip and channel.

    :param names: which of ``count``, ``total``, ``squares`` are kept.
    :ivar chips: codes of chips, growing: ``io_group << 16 | tile << 8 | chip``; int64, shape (chips,).
    :ivar sums: of each name, int64, shape (chips, 64 channels).
    """

    def __init__(self, names: Sequence[str] = ("count", "total", "squares")) -> None:
        self.chips: Ints = np.zeros(0, dtype=np.int64)
        self.sums: dict[str, Ints] = {name: np.zeros((0, CHANNELS), dtype=np.int64) for name in names}

    def add(self, more: ChannelSums, within: slice = slice(None)) -> None:
        """Add the sums of a batch.

        :param within: of some of its chips only.
        """
        self._add(more.chips[within], {name: getattr(more, name)[within] for name in self.sums})

    def merge(self, other: Self) -> None:
        """Add the sums of another."""
        self._add(other.chips, other.sums)

    def _add(self, chips: Ints, sums: Mapping[str, Ints]) -> None:
        if np.array_equal(chips, self.chips):
            for name, kept in self.sums.items():
                kept += sums[name]
            return
        at = np.searchsorted(self.chips, chips)
        is_known = np.zeros(len(chips), dtype=bool)
        inside = at < len(self.chips)
        is_known[inside] = self.chips[at[inside]] == chips[inside]
        if not is_known.all():
            union = np.union1d(self.chips, chips)
            ours = np.searchsorted(union, self.chips)
            for name, old in self.sums.items():
                self.sums[name] = np.zeros((len(union), CHANNELS), dtype=np.int64)
                self.sums[name][ours] = old
            self.chips, at = union, np.searchsorted(union, chips)
        for name, kept in self.sums.items():
            kept[at] += sums[name]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return chips and sums."""
        return {"chips": self.chips.copy(), **{name: kept.copy() for name, kept in self.sums.items()}}

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned."""
        self.chips = np.array(state["chips"], dtype=np.int64)
        self.sums = {name: np.array(state[name], dtype=np.int64) for name in self.sums}

    # reading out

    def tiles(self) -> dict[tuple[int, int], slice]:
        """Return which chips are of each tile, told apart by io group and number."""
        codes, starts = np.unique(self.chips // CHIPS, return_index=True)
        stops = [*starts[1:], len(self.chips)][: len(starts)]
        return {
            (int(code) // CHIPS, int(code) % CHIPS): slice(int(start), int(stop))
            for code, start, stop in zip(codes, starts, stops, strict=True)
        }

    def mean(self) -> Floats:
        """Return the mean ADC count; NaN where there is no packet; shape (chips, 64)."""
        count = self.sums["count"]
        found: Floats = np.divide(
            self.sums["total"], count, out=np.full(count.shape, np.nan), where=count > 0
        )
        return found

    def std(self) -> Floats:
        """Return the standard deviation of ADC counts; NaN where there is no packet; shape (chips, 64).

        The sums are moved to the whole number below the mean first, exactly, so that nothing is lost when
        two large numbers are subtracted.
        """
        count, total, squares = (self.sums[name] for name in ("count", "total", "squares"))
        some = np.maximum(count, 1)
        near = total // some
        left = total - some * near * (count > 0)
        spread = squares - 2 * near * total + count * near * near
        variance = spread / some - (left / some) ** 2
        return np.where(count > 0, np.sqrt(np.maximum(variance, 0.0)), np.nan)

    def per_channel(self) -> PerChannel:
        """Return the channels that data came from, by io group, tile, chip and channel."""
        rows, channel = np.nonzero(self.sums["count"])
        chips = self.chips[rows]
        unknown = np.full(self.sums["count"].shape, np.nan)
        mean = self.mean() if "total" in self.sums else unknown
        std = self.std() if "squares" in self.sums else unknown
        return PerChannel(
            chips >> 16,
            chips >> 8 & 255,
            chips & 255,
            channel,
            self.sums["count"][rows, channel],
            mean[rows, channel],
            std[rows, channel],
        )
