"""Maps of pixels: mean and spread of the ADC counts, and rate, of a tile or of the whole anode."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from hutch.monitor.plots.channel_plot import ChannelPlot
from hutch.monitor.plots.geometry import Panel, read_geometry
from hutch.monitor.plots.packets import ChannelSums, chip_code

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["PIXEL_MAPS", "AnodeMean", "AnodeRate", "AnodeStd", "PixelMap"]

Floats = npt.NDArray[np.float64]

_LABELS = {"mean": "mean [ADC counts]", "std": "standard deviation [ADC counts]", "rate": "rate [packets/s]"}
_NO_TIME = "no timestamp packet yet"
_COLORS = {"mean": "viridis", "std": "viridis", "rate": "cividis"}


class _OfPixels(ChannelPlot):
    """Sums by pixel, and where each pixel is."""

    def __init__(self) -> None:
        super().__init__()
        self.geometry = read_geometry()

    def rate_hz(self) -> float:
        """Return the mean rate of the data packets that are shown, 1/s; NaN without timestamps."""
        live = self.timeline.live_s
        return float(self.totals.sums["count"].sum() / live) if live else float("nan")

    def _values(self, quantity: str) -> Floats:
        """Return a quantity of each channel, shape (chips, 64); NaN where there was no packet."""
        if quantity == "mean":
            return self.totals.mean()
        if quantity == "std":
            return self.totals.std()
        count = self.totals.sums["count"]
        live = self.timeline.live_s
        return np.where(count > 0, count / live if live else np.nan, np.nan)

    def _image(self, panel: Panel, values: Floats) -> Floats:
        """Return values of channels at their pixels; shape (rows, columns)."""
        rows, columns = panel.shape
        image = np.full(rows * columns, np.nan)
        for tile, chips in self.totals.tiles().items():
            cells = panel.cells.get(tile)
            if cells is None:
                continue
            at = cells[self.totals.chips[chips] & 255]
            image[at[at >= 0]] = values[chips][at >= 0]
        return image.reshape(rows, columns)

    def _unknown(self, panels: list[Panel]) -> tuple[int, int]:
        """Return how many channels that data came from are no pixel, and how many packets they sent."""
        count = self.totals.sums["count"]
        is_pixel = np.zeros(count.shape, dtype=bool)
        for tile, chips in self.totals.tiles().items():
            for panel in panels:
                if tile in panel.cells:
                    is_pixel[chips] = panel.cells[tile][self.totals.chips[chips] & 255] >= 0
        missed = count[~is_pixel]
        return int(np.count_nonzero(missed)), int(missed.sum())

    def _lost(self, panels: list[Panel]) -> list[str]:
        channels, packets = self._unknown(panels)
        return (
            [f"{packets:,} packets of {channels:,} channels that the geometry does not know"]
            if packets
            else []
        )

    def _missing(self) -> str:
        packets = int(self.totals.sums["count"].sum())
        if not packets:
            return "no data packets yet"
        is_lost = self._unknown(self._shown())[1] == packets
        return "the geometry knows none of the channels that sent data" if is_lost else ""

    def _shown(self) -> list[Panel]:
        """Return the panels whose pixels are drawn."""
        raise NotImplementedError


class PixelMap(_OfPixels):
    """Show the mean and the standard deviation of the ADC counts, and the rate, of each pixel of a tile.

    State: ``chips``, int64, shape (chips,): ``io_group << 16 | tile << 8 | chip`` of each chip that data
    packets came from, growing; ``count`` (data packets, whatever their parity), ``total`` (sum of their ADC
    counts) and ``squares`` (sum of the squares), int64, shape (chips, 64 channels).
    """

    io_group: ClassVar[int] = 1
    tile: ClassVar[int] = 1
    size = (16.0, 6.0)

    def _within(self, sums: ChannelSums) -> slice:
        low = chip_code(self.io_group, self.tile, 0)
        start, stop = np.searchsorted(sums.chips, (low, low + 256))
        return slice(int(start), int(stop))

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import image_panel

        for at, (quantity, label) in enumerate(_LABELS.items()):
            image_panel(made, quantity, (0.055 + 0.318 * at, 0.11, 0.235, 0.66), label, _COLORS[quantity])
            if at:
                made.kept[quantity][0].set_ylabel("")
                made.kept[quantity][0].tick_params(labelleft=False)

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import color_range, set_image

        panel = self._panel()
        assert panel is not None  # noqa: S101 - else this is not called
        has_time = self.timeline.live_s > 0
        for quantity, label in _LABELS.items():
            made.kept[quantity][0].set_title(
                label if has_time or quantity != "rate" else _NO_TIME, fontsize=14, loc="left"
            )
            image = self._image(panel, self._values(quantity))
            is_log = quantity == "rate"
            set_image(made, quantity, image, panel.extent, color_range(image, is_log=is_log), is_log=is_log)

    def _panel(self) -> Panel | None:
        return self.geometry.tile(self.io_group, self.tile)

    def _missing(self) -> str:
        if self._panel() is None:
            return f"the geometry has no tile {self.io_group}-{self.tile}"
        return super()._missing()

    def _shown(self) -> list[Panel]:
        panel = self._panel()
        return [panel] if panel else []

    def _remarks(self) -> list[str]:
        found = f"{int(self.totals.sums['count'].sum()):,} data packets of this tile"
        return [found, *self._lost(self._shown())]


def _pixel_map(io_group: int, tile: int) -> type[PixelMap]:
    name = f"PixelMap_{io_group}_{tile}"
    text = (
        f"Show the mean and the standard deviation of the ADC counts, and the rate, of each pixel of tile "
        f"{io_group}-{tile}.\n\n    The state is that of :class:`PixelMap`.\n    "
    )
    own = {
        "__doc__": text,
        "__module__": __name__,
        "__qualname__": name,
        "headline": f"Pixels of tile {io_group}-{tile}",
        "io_group": io_group,
        "tile": tile,
    }
    return type(name, (PixelMap,), own)


PIXEL_MAPS = {
    made.__name__: made for made in (_pixel_map(group, tile) for group in (1, 2) for tile in range(1, 9))
}
"""The maps of all tiles by name, ``PixelMap_1_1`` to ``PixelMap_2_8``."""
globals().update(PIXEL_MAPS)


class _Anode(_OfPixels):
    """One quantity of all pixels; a panel for each io group."""

    quantity: ClassVar[str]
    size = (12.0, 10.0)

    def _panels(self) -> list[tuple[int, Panel]]:
        found = [(group, self.geometry.anode(group)) for group in self.geometry.io_groups]
        return [(group, panel) for group, panel in found if panel is not None]

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import image_panel

        panels = self._panels()
        part = 0.95 / max(1, len(panels))
        for at, (group, _) in enumerate(panels):
            place = (0.065 + part * at, 0.075, part - 0.115, 0.79)
            image_panel(
                made, str(group), place, f"io group {group}: {_LABELS[self.quantity]}", _COLORS[self.quantity]
            )

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import color_range, set_image

        values = self._values(self.quantity)
        images = {group: (panel, self._image(panel, values)) for group, panel in self._panels()}
        is_log = self.quantity == "rate"
        every = np.concatenate([image.ravel() for _, image in images.values()])
        limits = color_range(every, is_log=is_log)
        for group, (panel, image) in images.items():
            set_image(made, str(group), image, panel.extent, limits, is_log=is_log)

    def _remarks(self) -> list[str]:
        return self._lost(self._shown())

    def _shown(self) -> list[Panel]:
        return [panel for _, panel in self._panels()]

    def _missing(self) -> str:
        if self.quantity == "rate" and self.packets and not self.timeline.live_s:
            return _NO_TIME
        return super()._missing()


class AnodeMean(_Anode):
    """Show the mean of the ADC counts of each pixel of the whole anode.

    State: ``chips``, ``count`` and ``total``, as of :class:`PixelMap`, of all tiles.
    """

    headline = "Anode: mean of ADC counts"
    quantity = "mean"
    sums = ("count", "total")


class AnodeStd(_Anode):
    """Show the standard deviation of the ADC counts of each pixel of the whole anode.

    State: ``chips``, ``count``, ``total`` and ``squares``, as of :class:`PixelMap`, of all tiles.
    """

    headline = "Anode: standard deviation of ADC counts"
    quantity = "std"


class AnodeRate(_Anode):
    """Show the rate of data packets of each pixel of the whole anode.

    State: ``chips`` and ``count``, as of :class:`PixelMap`, of all tiles.
    """

    headline = "Anode: rate of data packets"
    quantity = "rate"
    sums = ("count",)
