"""The channels that send most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hutch.monitor.plots.channel_plot import ChannelPlot

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["HotPixel"]

_SHOWN = 25
_STEPS = 40


class HotPixel(ChannelPlot):
    """Show the channels that sent most data packets, and how many channels sent how many.

    State: ``chips``, int64, shape (chips,): ``io_group << 16 | tile << 8 | chip``, growing; ``count``, data
    packets, int64, shape (chips, 64 channels).
    """

    headline = "Hot pixels"
    size = (14.0, 8.4)
    sums = ("count",)

    def hottest(self, most: int = _SHOWN) -> list[tuple[str, int]]:
        """Return the channels that sent most, the first of all first: ``io_group-tile-chip-channel``, count.

        Of channels that sent equally many the one of the lower number is first.
        """
        count = self.totals.sums["count"].ravel()
        order = np.argsort(-count, kind="stable")[: min(most, int(np.count_nonzero(count)))]
        return [(self._name(int(at)), int(count[at])) for at in order]

    def _name(self, at: int) -> str:
        code, channel = int(self.totals.chips[at // 64]), at % 64
        return f"{code >> 16}-{code >> 8 & 255}-{code & 255}-{channel}"

    def _build(self, made: Picture) -> None:
        from matplotlib.collections import PolyCollection

        from hutch.monitor.plots.drawing import PALETTE, style

        bars, spread = made.add_axes((0.16, 0.095, 0.36, 0.77)), made.add_axes((0.6, 0.095, 0.385, 0.77))
        style(bars, x="data packets", y="io group - tile - chip - channel")
        style(spread, x="data packets of a channel", y="channels", is_log=True, is_counts=True)
        # Left of the longest name, which is not known yet.
        bars.yaxis.set_label_coords(-0.33, 0.5)
        bars.grid(visible=False, axis="y")
        # One collection rather than a patch for each bar.
        made.kept["bars"] = PolyCollection([], facecolor=PALETTE[1])
        bars.add_collection(made.kept["bars"], autolim=False)
        made.kept["shares"] = [bars.text(0, 0, "", fontsize=12, va="center") for _ in range(_SHOWN)]
        (made.kept["spread"],) = spread.plot([], [], color=PALETTE[0], linewidth=2)

    def _draw(self, made: Picture) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

        from hutch.monitor.plots.drawing import fit, number

        bars, spread = made.axes[:2]
        found = self.hottest()
        count = self.totals.sums["count"]
        whole, most = int(count.sum()), found[0][1]
        made.kept["bars"].set_verts(
            [
                ((0, at - 0.4), (0, at + 0.4), (value, at + 0.4), (value, at - 0.4))
                for at, (_, value) in enumerate(found)
            ]
        )
        for at, text in enumerate(made.kept["shares"]):
            share = f" {100 * found[at][1] / whole:.3g} %" if at < len(found) else ""
            text.set_text(share)
            text.set_position((found[at][1] if share else 0, at if share else 0))
        bars.set(xlim=(0, most * 1.22), ylim=(max(len(found), 10) - 0.4, -0.6))
        bars.set_yticks(range(len(found)), [name for name, _ in found], fontsize=12)
        is_wide = most > _STEPS
        edges = (
            np.unique(np.floor(np.geomspace(1, most + 1, _STEPS))) if is_wide else np.arange(1.0, most + 2)
        )
        # From half a packet below a bin to half a packet above it: counts are whole numbers.
        edges -= 0.5
        channels = np.histogram(count[count > 0], edges)[0]
        made.kept["spread"].set_data(np.repeat(edges, 2)[1:-1], np.repeat(channels, 2))
        spread.set_xscale("linear")
        fit(spread, edges, [channels], is_log=True)
        if is_wide:
            # A hot channel would leave no room to all others.
            spread.set_xlim(edges[0], 1.1 * edges[-1])
            spread.set_xscale("log")
            spread.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
            spread.xaxis.set_minor_locator(NullLocator())
        else:
            spread.xaxis.set_major_locator(MaxNLocator(8, integer=True))

    def _missing(self) -> str:
        return "" if len(self.totals.chips) else "no data packets yet"

    def _remarks(self) -> list[str]:
        count = self.totals.sums["count"]
        sent = count[count > 0]
        if not len(sent):
            return []
        half, channels = int(np.median(sent)), "channel" if len(sent) == 1 else "channels"
        packets = "packet" if half == 1 else "packets"
        return [f"{len(sent):,} {channels} sent data, half of them {half:,} {packets} or more"]
