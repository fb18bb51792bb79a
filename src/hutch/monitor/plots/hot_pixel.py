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
        bars.grid(visible=False, axis="y")
        # One collection rather than a patch for each bar.
        made.kept["bars"] = PolyCollection([], facecolor=PALETTE[1])
        bars.add_collection(made.kept["bars"], autolim=False)
        made.kept["shares"] = [bars.text(0, 0, "", fontsize=12, va="center") for _ in range(_SHOWN)]
        (made.kept["spread"],) = spread.plot([], [], color=PALETTE[0], drawstyle="steps-mid", linewidth=2)

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import fit

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
        sent = count[count > 0]
        if most <= _STEPS:
            channels = np.bincount(sent, minlength=most + 1)[1:]
            x = np.arange(1, most + 1)
        else:
            edges = np.unique(np.floor(np.geomspace(1, most + 1, _STEPS)).astype(np.int64))
            channels = np.histogram(sent, edges)[0]
            x = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
        made.kept["spread"].set_data(x, channels)
        fit(spread, x, [channels], is_log=True)

    def _missing(self) -> str:
        return "" if len(self.totals.chips) else "no data packets yet"

    def _remarks(self) -> list[str]:
        count = self.totals.sums["count"]
        sent = count[count > 0]
        if not len(sent):
            return []
        return [f"{len(sent):,} channels sent data, half of them {int(np.median(sent)):,} packets or more"]
