"""The plots that hutch brings along: of LArPix packets, of runs, and of any HDF5 file that grows.

``SHIPPED`` names them all; the module of a plot is loaded when the plot is first looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

__all__ = ["SHIPPED"]

_MODULES = {
    "PacketRate": "rates",
    "TileRate": "rates",
    "FIFOFlags": "rates",
    "HotPixel": "hot_pixel",
    "TimestampHistograms": "histograms",
    "TriggerHistograms": "triggers",
    "PacmanSyncHistograms": "histograms",
    **{f"PixelMap_{io_group}_{tile}": "pixels" for io_group in (1, 2) for tile in range(1, 9)},
    "AnodeMean": "pixels",
    "AnodeStd": "pixels",
    "AnodeRate": "pixels",
    "Lines": "lines",
    "Grid": "grid",
    "Frames": "frames",
    "Baseline": "baseline",
    "Columns": "columns",
    "ColumnStatistics": "column_statistics",
}


class _Shipped(Mapping[str, type]):
    """Plots by name, loaded when they are first looked at."""

    def __getitem__(self, name: str) -> type:
        found: type = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)

    def __contains__(self, name: object) -> bool:
        return name in _MODULES


SHIPPED: Mapping[str, type] = _Shipped()
"""The class of each plot, by name."""
