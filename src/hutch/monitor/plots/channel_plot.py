"""What all plots of packets by channel have: sums for each channel that data came from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.channels import ChannelTotals, PerChannel
from hutch.monitor.plots.packet_plot import PacketPlot
from hutch.monitor.plots.packets import ChannelSums, sum_channels

__all__ = ["ChannelPlot"]


class ChannelPlot(PacketPlot):
    """A plot of packets that sums by channel."""

    sums: ClassVar[tuple[str, ...]] = ("count", "total", "squares")
    """What is summed."""

    def __init__(self) -> None:
        super().__init__()
        self.totals = ChannelTotals(self.sums)

    def _within(self, sums: ChannelSums) -> slice:
        """Return which of the chips are summed."""
        return slice(None)

    def _take(self, batch: Batch) -> None:
        sums = batch.once(sum_channels)
        self.totals.add(sums, self._within(sums))

    def _take_over(self, other: Self) -> None:
        self.totals.merge(other.totals)

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return self.totals.state()

    def _put_back(self, state: State) -> None:
        self.totals.restore(state)

    def per_channel(self) -> PerChannel:
        """Return the counts, and what else is summed, of each channel that data came from."""
        return self.totals.per_channel()
