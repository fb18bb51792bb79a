"""Rates of packets over time: of each type, of each tile, and of fifos that were full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.plots.packet_plot import PacketPlot
from hutch.monitor.plots.packets import ELSEWHERE, TYPES, tally

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["FIFOFlags", "PacketRate", "TileRate"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LARPIX = slice(0, 4)
_PLACES: tuple[tuple[float, float, float, float], ...] = (
    (0.085, 0.50, 0.72, 0.36),
    (0.085, 0.10, 0.72, 0.28),
)


def _percent(part: Ints, whole: Ints) -> Floats:
    """Return parts of wholes in percent; NaN of nothing."""
    found: Floats = np.divide(
        100 * part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0
    )
    return found


class _OverTime(PacketPlot):
    """Two panels of lines over time, with names beside them."""

    per_bin = "packets_per_bin"
    labels: ClassVar[tuple[str, str]]
    is_log: ClassVar[bool] = True
    """Whether the axis of rates is logarithmic; shares never are."""

    def _lines(self) -> tuple[list[tuple[str, Floats, Any]], list[tuple[str, Floats, Any]]]:
        """Return names, values and looks of the lines of both panels."""
        raise NotImplementedError

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import style

        first = None
        for place, label in zip(_PLACES, self.labels, strict=True):
            axes = made.add_axes(place, sharex=first)
            style(axes, y=label, is_log=self.is_log and first is None)
            first = first or axes
        made.kept["lines"] = {}

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import fit, timed

        shown = self.timeline.shown()
        times = self.timeline.time_s[shown]
        x, label = timed(times, float(times[0]))
        known = made.kept["lines"]
        panels = made.axes[:2]
        for at, (axes, lines) in enumerate(zip(panels, self._lines(), strict=True)):
            values, is_new = [], False
            for name, whole, look in lines:
                y = whole[shown]
                values.append(y)
                if (at, name) not in known:
                    (known[at, name],) = axes.plot([], [], label=name, markersize=4, linewidth=1.8, **look)
                    is_new = True
                known[at, name].set_data(x, y)
                known[at, name].set_marker("o" if len(x) <= 60 else "")
            is_log = self.is_log and not at
            fit(axes, x, values, is_log=is_log, from_zero=None if is_log else 1.0)
            if is_new:
                axes.legend(
                    loc="upper left",
                    bbox_to_anchor=(1.01, 1.03),
                    fontsize=12,
                    frameon=False,
                    handlelength=1.4,
                    borderaxespad=0,
                    labelspacing=0.25,
                    ncols=1 if len(lines) <= 10 else 2,
                    columnspacing=0.8,
                )
        panels[0].tick_params(labelbottom=False)
        panels[-1].set_xlabel(label, fontsize=13)

    def _missing(self) -> str:
        if not len(self.timeline.bins):
            return "no timestamp packet yet"
        return "" if self.timeline.counts.any() else "no data packets yet"

    def _remarks(self) -> list[str]:
        width = self.timeline.width_s
        before = int(self.timeline.before[self._counted].sum())
        found = [*([f"{width} s bins"] if width > 1 else []), *self.timeline.left_out()]
        return [*found, *([f"{before:,} before the first timestamp"] if before else [])]

    _counted: ClassVar[slice]
    """The columns that hold each packet once, together."""


class PacketRate(_OverTime):
    """Show the rate of packets of each type over time, and the share of packets with wrong parity.

    State: ``packets_per_bin``, int64, shape (bins, 10): packets of the types 0 to 7 (data, test, config
    write, config read, timestamp, message, sync, trigger), of others, and packets of types 0 to 3 whose
    parity is wrong.
    """

    headline = "Packet rate"
    columns = len(TYPES) + 2
    labels = ("packets/s", "packets [%]")
    _counted = slice(len(TYPES) + 1)

    def _counts(self, batch: Batch) -> Ints:
        return batch.once(tally).by_type

    def rates_hz(self) -> Floats:
        """Return the rate of all packets in each bin of time, 1/s; the last bin may not be over yet."""
        counts = self.timeline.counts[:, self._counted].sum(axis=1)
        return np.asarray(counts / self.timeline.width_s, dtype=float)

    def rate_hz(self) -> float:
        """Return the mean rate of packets while there were timestamps, 1/s; NaN without any."""
        live = self.timeline.live_s
        return float(self.timeline.counts[:, self._counted].sum() / live) if live else float("nan")

    def wrong_parity(self) -> float:
        """Return the share of packets of chips (types 0 to 3) whose parity is wrong; NaN without any."""
        counts = self.timeline.counts.sum(axis=0) + self.timeline.before
        whole = int(counts[_LARPIX].sum())
        return float(counts[-1] / whole) if whole else float("nan")

    def _lines(self) -> tuple[list[tuple[str, Floats, Any]], list[tuple[str, Floats, Any]]]:
        from hutch.monitor.plots.drawing import PALETTE

        counts, width = self.timeline.counts, self.timeline.width_s
        colors = (
            PALETTE[0],
            PALETTE[4],
            PALETTE[7],
            PALETTE[5],
            PALETTE[2],
            "#8c6d31",
            PALETTE[1],
            PALETTE[3],
        )
        rates: list[tuple[str, Floats, Any]] = [("all", self.rates_hz(), {"color": "black"})]
        for kind, color in enumerate((*colors, "#444444")):
            if counts[:, kind].any():
                name = TYPES[kind] if kind < len(TYPES) else "unknown"
                look = {"color": color, "linestyle": "--" if kind == len(TYPES) else "-"}
                rates.append((name, counts[:, kind] / width, look))
        wrong = _percent(counts[:, -1], counts[:, _LARPIX].sum(axis=1))
        return rates, [("wrong parity", wrong, {"color": PALETTE[1]})]


class TileRate(_OverTime):
    """Show the rate of data packets of each tile over time, and the share of its packets that are faulty.

    State: ``packets_per_bin``, int64, shape (bins, 68): for each of the 16 tiles (1-1 to 1-8, 2-1 to 2-8)
    and for all others together how many data packets, how many of them with a shared fifo and with a local
    fifo more than half full, and how many with wrong parity.
    """

    headline = "Tile rate"
    columns = (ELSEWHERE + 1) * 4
    labels = ("data packets/s", "data packets [%]")
    _counted = slice(0, None, 4)
    is_log = False

    def _counts(self, batch: Batch) -> Ints:
        flags = batch.once(tally).by_flags
        every = flags.sum(axis=(2, 3, 4))
        shared = flags[:, :, :, 1:].sum(axis=(2, 3, 4))
        local = flags[:, :, 1:].sum(axis=(2, 3, 4))
        wrong = flags[..., 1].sum(axis=(2, 3))
        return np.stack([every, shared, local, wrong], axis=2).reshape(len(flags), -1)

    def per_tile(self) -> dict[str, float]:
        """Return the mean rate of data packets of each tile that sent any, 1/s, by ``io_group-tile``."""
        live = self.timeline.live_s
        sums = self.timeline.counts.reshape(-1, ELSEWHERE + 1, 4)[..., 0].sum(axis=0)
        return {_tile_name(tile): float(sums[tile] / live) for tile in np.flatnonzero(sums).tolist()}

    def _lines(self) -> tuple[list[tuple[str, Floats, Any]], list[tuple[str, Floats, Any]]]:
        from hutch.monitor.plots.drawing import PALETTE

        counts, width = self.timeline.counts.reshape(-1, ELSEWHERE + 1, 4), self.timeline.width_s
        rates: list[tuple[str, Floats, Any]] = []
        for tile in np.flatnonzero(counts[..., 0].any(axis=0)).tolist():
            look = {"color": PALETTE[tile % 8], "linestyle": "--" if tile >= 8 else "-"}
            rates.append((_tile_name(tile), counts[:, tile, 0] / width, look))
        every = counts[..., 0].sum(axis=1)
        names = ("shared fifo > 50 %", "local fifo > 50 %", "wrong parity")
        shares = [
            (name, _percent(counts[..., at].sum(axis=1), every), {"color": PALETTE[at - 1]})
            for at, name in enumerate(names, start=1)
        ]
        return rates, shares

    def _remarks(self) -> list[str]:
        elsewhere = int(self.timeline.counts.reshape(-1, ELSEWHERE + 1, 4)[:, ELSEWHERE, 0].sum())
        found = [f"{elsewhere:,} data packets of no tile that is known"] if elsewhere else []
        return [*super()._remarks(), *found]


def _tile_name(tile: int) -> str:
    return f"{1 + tile // 8}-{1 + tile % 8}" if tile < ELSEWHERE else "elsewhere"


class FIFOFlags(_OverTime):
    """Show how many data packets say that the fifos of their chip were half full or full, over time.

    State: ``packets_per_bin``, int64, shape (bins, 8): data packets whose ``local_fifo`` is 0, 1, 2, 3, and
    whose ``shared_fifo`` is 0, 1, 2, 3. Bit 0 means more than half full, bit 1 full.
    """

    headline = "Fifo flags"
    columns = 8
    labels = ("data packets/s", "data packets [%]")
    _counted = slice(4)

    def _counts(self, batch: Batch) -> Ints:
        flags = batch.once(tally).by_flags
        return np.concatenate([flags.sum(axis=(1, 3, 4)), flags.sum(axis=(1, 2, 4))], axis=1)

    def shares(self) -> dict[str, float]:
        """Return the shares of data packets with each flag: ``local half``, ``local full``, ``shared …``."""
        counts = self.timeline.counts.sum(axis=0) + self.timeline.before
        whole = int(counts[:4].sum())
        return {
            name: float(counts[columns].sum() / whole) if whole else float("nan") for name, columns in _FLAGS
        }

    def _lines(self) -> tuple[list[tuple[str, Floats, Any]], list[tuple[str, Floats, Any]]]:
        from hutch.monitor.plots.drawing import PALETTE

        counts, width = self.timeline.counts, self.timeline.width_s
        every = counts[:, :4].sum(axis=1)
        colors = (PALETTE[5], PALETTE[1], PALETTE[4], PALETTE[0])
        rates: list[tuple[str, Floats, Any]] = [("all data", every / width, {"color": "black"})]
        shares = []
        for (name, columns), color in zip(_FLAGS, colors, strict=True):
            found = counts[:, columns].sum(axis=1)
            look = {"color": color, "linestyle": "--" if name.startswith("local") else "-"}
            rates.append((name, found / width, look))
            shares.append((name, _percent(found, every), look))
        return rates, shares

    def _remarks(self) -> list[str]:
        shares = [f"{name} {100 * share:.2g} %" for name, share in self.shares().items() if "full" in name]
        has_any = any(share > 0 for share in self.shares().values())
        return [*super()._remarks(), ", ".join(shares) if has_any else "no fifo was half full"]


_FLAGS = (
    ("local > 50 %", [1]),
    ("local full", [2, 3]),
    ("shared > 50 %", [5]),
    ("shared full", [6, 7]),
)
