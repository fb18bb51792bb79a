"""Where the pixels of an anode are: the two kinds of file that ``larpix-geometry`` writes.

A file of the *single-tile* kind has ``chips`` (chip, pixel of each channel), ``pixels`` (pixel, x, y) and the
``width`` and ``height`` of the tile; every tile is taken to be like it. One of the *multi-tile* kind has the
place of each channel on a tile (``chip_channel_to_position``, in pixels), the place and the orientation of
each tile, and by which io group and io channel each chip is read out (``tile_chip_to_io``). Lengths
are in mm.

Tiles are told apart by io group and number; four io channels read one tile out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hutch.errors import GeometryError

__all__ = ["DEFAULT", "VARIABLE", "Geometry", "Panel", "read_geometry", "tile_of"]

VARIABLE = "PIXEL_GEOMETRY_PATH"
"""The environment variable that names the file."""
DEFAULT = "layout-2.4.0.yaml"
"""The file, in the working folder, if the variable names none."""

CHIPS, CHANNELS = 256, 64
_TILES_A_GROUP = 8
_MOST_LEVELS = 4096
"""Pixels on more columns or rows than that lie on no grid."""

_Tile = tuple[int, int]
_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def tile_of(io_channel: int) -> int:
    """Return the number of the tile that an io channel reads out, from 1: four channels a tile."""
    return (io_channel - 1) // 4 + 1


@dataclass(frozen=True)
class Panel:
    """The pixels of some tiles on one grid.

    :ivar x_edges: borders of the columns, mm, growing; float64, shape (columns + 1,).
    :ivar y_edges: borders of the rows, mm, growing; float64, shape (rows + 1,).
    :ivar cells: of each tile the cell of each channel, ``row * columns + column``, or -1 for a channel that
        has no pixel; int64, shape (256 chips, 64 channels).
    """

    x_edges: _Floats
    y_edges: _Floats
    cells: Mapping[_Tile, _Ints]

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns the grid has."""
        return len(self.y_edges) - 1, len(self.x_edges) - 1

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top border, mm."""
        return (
            float(self.x_edges[0]),
            float(self.x_edges[-1]),
            float(self.y_edges[0]),
            float(self.y_edges[-1]),
        )


class Geometry:
    """The pixels of all tiles.

    :ivar kind: ``"single-tile"`` or ``"multi-tile"``.
    """

    def __init__(self, kind: str, places: Mapping[_Tile, _Floats], local: _Floats | None = None) -> None:
        self.kind = kind
        self._places = places
        self._local = local
        self._panels: dict[object, Panel] = {}

    def tile(self, io_group: int, tile: int) -> Panel | None:
        """Return the pixels of one tile; None if the file does not have it."""
        key = (io_group, tile)
        places = self._places.get(key) if self._local is None else self._local
        if places is None:
            return None
        if key not in self._panels:
            self._panels[key] = _panel({key: places})
        return self._panels[key]

    def anode(self, io_group: int) -> Panel | None:
        """Return the pixels of all tiles of an io group; None if the file has none of it."""
        found = {key: places for key, places in self._places.items() if key[0] == io_group}
        if not found:
            return None
        if io_group not in self._panels:
            self._panels[io_group] = _panel(found)
        return self._panels[io_group]

    @property
    def io_groups(self) -> tuple[int, ...]:
        """The io groups that have tiles."""
        return tuple(sorted({group for group, _ in self._places}))


def read_geometry(path: str | os.PathLike[str] | None = None) -> Geometry:
    """Return the geometry in a file; it is parsed once while it stays as it is.

    :param path: else what ``PIXEL_GEOMETRY_PATH`` names, else ``./layout-2.4.0.yaml``.
    :raises GeometryError: if the file is missing, or is no geometry of either kind.
    """
    named = os.environ.get(VARIABLE, "") if path is None else os.fspath(path)
    place = Path(named or DEFAULT).expanduser().absolute()
    try:
        found = place.stat()
    except OSError as error:
        raise GeometryError(place, f"it cannot be read: {error.strerror or error}") from error
    return _parsed(place, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4)
def _parsed(place: Path, written: int, size: int) -> Geometry:
    import yaml

    # The loader in C is ten times faster; it is absent from few builds.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(place.read_bytes(), Loader=loader)  # noqa: S506 - both are safe loaders
    except OSError as error:
        raise GeometryError(place, f"it cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError) as error:
        first = " ".join(str(error).split())
        raise GeometryError(place, f"it is no YAML: {first[:160]}") from error
    keys = set(content) if isinstance(content, dict) else set()
    try:
        if {"chips", "pixels"} <= keys:
            return _single(content)
        if {"chip_channel_to_position", "tile_chip_to_io", "tile_positions", "pixel_pitch"} <= keys:
            return _multiple(content)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise GeometryError(place, f"its content is not as it should be: {error!r}") from error
    msg = "it has neither the keys of one tile (chips, pixels) nor those of several (tile_chip_to_io, …)"
    raise GeometryError(place, msg)


def _nowhere() -> _Floats:
    """Return places of channels, x and y, of which none is known; shape (256, 64, 2)."""
    return np.full((CHIPS, CHANNELS, 2), np.nan)


def _put(places: _Floats, chip: int, channel: int, x: float, y: float) -> None:
    if not (0 <= chip < CHIPS and 0 <= channel < CHANNELS):
        msg = f"there is no channel {channel} of chip {chip}"
        raise ValueError(msg)
    if not (np.isfinite(x) and np.isfinite(y)):
        msg = f"channel {channel} of chip {chip} is at ({x}, {y})"
        raise ValueError(msg)
    places[chip, channel] = x, y


def _single(content: Mapping[str, Any]) -> Geometry:
    """Read a file of one tile; in the anode the tiles are side by side, two in a row, from the top."""
    at = {int(pixel[0]): (float(pixel[1]), float(pixel[2])) for pixel in content["pixels"]}
    local = _nowhere()
    for chip, pixels in content["chips"]:
        for channel, pixel in enumerate(pixels):
            if pixel is not None:
                _put(local, int(chip), channel, *at[pixel])
    if np.isnan(local).all():
        msg = "no channel has a pixel"
        raise ValueError(msg)
    low, high = np.nanmin(local, axis=(0, 1)), np.nanmax(local, axis=(0, 1))
    width, height = (
        float(content.get(key) or side) for key, side in zip(("width", "height"), high - low, strict=True)
    )
    places = {}
    for group in (1, 2):
        for number in range(_TILES_A_GROUP):
            column, row = number % 2, number // 2
            shift = ((column - 0.5) * width, (_TILES_A_GROUP / 4 - 0.5 - row) * height)
            places[group, number + 1] = local - (low + high) / 2 + shift
    return Geometry("single-tile", places, local)


def _multiple(content: Mapping[str, Any]) -> Geometry:
    """Read a file of several tiles.

    A channel's place on its tile is centred, mirrored as the tile is, and moved to where the tile is:
    ``x = column * pitch * orientation[2] + position[2]``, ``y = row * pitch * orientation[1] + position[1]``.
    That is how the experiments' own software reads these files (``larnd-sim``, ``ndlar_flow``).
    """
    pitch = float(content["pixel_pitch"])
    channels = [(divmod(int(key), 1000), place) for key, place in content["chip_channel_to_position"].items()]
    cells = np.array([place for _, place in channels], dtype=float).reshape(-1, 2)
    centred = (cells - (cells.min(axis=0) + cells.max(axis=0)) / 2) * pitch
    on_tile: dict[int, list[tuple[int, float, float]]] = {}
    for ((chip, channel), _), (x, y) in zip(channels, centred, strict=True):
        on_tile.setdefault(chip, []).append((channel, float(x), float(y)))
    places: dict[_Tile, _Floats] = {}
    for number, chips in content["tile_chip_to_io"].items():
        _, across_y, across_x = content.get("tile_orientations", {}).get(number, (1, 1, 1))
        _, y_tile, x_tile = content["tile_positions"][number]
        volume = content.get("tile_indeces", {}).get(number, (0, 0))[0]
        centre = content.get("tpc_centers", {}).get(volume, (0, 0, 0))
        for chip, read_by in chips.items():
            group, io_channel = divmod(int(read_by), 1000)
            tile = places.setdefault((group, tile_of(io_channel)), _nowhere())
            for channel, x, y in on_tile.get(int(chip), ()):
                _put(
                    tile,
                    int(chip),
                    channel,
                    x * across_x + x_tile + centre[0],
                    y * across_y + y_tile + centre[1],
                )
    if not places:
        msg = "no tile is read out"
        raise ValueError(msg)
    return Geometry("multi-tile", places)


def _panel(places: Mapping[_Tile, _Floats]) -> Panel:
    every = np.concatenate([some.reshape(-1, 2) for some in places.values()])
    every = every[~np.isnan(every[:, 0])]
    x_levels, y_levels = _levels(every[:, 0]), _levels(every[:, 1])
    cells = {}
    for tile, some in places.items():
        known = ~np.isnan(some[..., 0])
        column, row = _nearest(x_levels, some[known, 0]), _nearest(y_levels, some[known, 1])
        found = np.full(known.shape, -1, dtype=np.int64)
        found[known] = row * len(x_levels) + column
        cells[tile] = found
    return Panel(_borders(x_levels), _borders(y_levels), cells)


def _levels(positions: _Floats) -> _Floats:
    """Return evenly spaced positions of which each given one is nearly one, mm, growing."""
    distinct = np.unique(np.round(positions, 3))
    if len(distinct) < 2:
        return distinct
    steps = np.diff(distinct)
    pitch = float(np.median(steps[steps > 0.5 * float(np.median(steps))]))
    count = round(float(distinct[-1] - distinct[0]) / pitch) + 1
    if count > _MOST_LEVELS:
        msg = f"its pixels lie on no grid: {len(distinct)} different coordinates, {pitch:g} mm apart"
        raise ValueError(msg)
    return np.linspace(float(distinct[0]), float(distinct[-1]), count)


def _nearest(levels: _Floats, positions: _Floats) -> _Ints:
    if len(levels) < 2:
        return np.zeros(len(positions), dtype=np.int64)
    step = (levels[-1] - levels[0]) / (len(levels) - 1)
    return cast("_Ints", np.rint((positions - levels[0]) / step).astype(np.int64))


def _borders(levels: _Floats) -> _Floats:
    if len(levels) < 2:
        return np.array([levels[0] - 0.5, levels[0] + 0.5])
    half = (levels[1] - levels[0]) / 2
    return np.append(levels - half, levels[-1] + half)
