"""From points with two positions each to an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Grid", "find_grid"]

_LARGEST_HOLE = 4
"""Points that have no grid would make one that is mostly empty: more than so many cells a point."""
_TOLERANCE = 0.25
"""Positions closer than this part of a step are one."""


@dataclass(frozen=True)
class Grid:
    """Cells, and which one each point belongs to.

    :ivar x_edges: borders of the columns, growing; float64, shape (columns + 1,).
    :ivar y_edges: borders of the rows, growing; float64, shape (rows + 1,).
    """

    x_edges: np.ndarray
    y_edges: np.ndarray
    column: np.ndarray
    row: np.ndarray

    def image(self, values: np.ndarray) -> np.ndarray:
        """Return values of the points as float64, shape (rows, columns); NaN where there is none.

        Of several points in one cell the last counts.
        """
        found = np.full((len(self.y_edges) - 1, len(self.x_edges) - 1), np.nan)
        found[self.row, self.column] = values
        return found


def find_grid(x: np.ndarray, y: np.ndarray, shape: Any = None, extents: Any = None) -> Grid | None:
    """Return the grid that points lie on, or None if they lie on none.

    :param x: fast positions; shape (points,).
    :param y: slow positions; shape (points,).
    :param shape: rows and columns that were planned, if known; the image then has them all.
    :param extents: ``[[y first, y last], [x first, x last]]`` as planned, if known.
    """
    if not len(x) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    planned = _planned(shape, extents)
    y_centres, x_centres = planned if planned is not None else (_levels(y), _levels(x))
    if planned is None and len(x_centres) * len(y_centres) > _LARGEST_HOLE * len(x):
        return None
    x_edges, y_edges = _edges(x_centres), _edges(y_centres)
    column = np.clip(np.searchsorted(x_edges, x, "right") - 1, 0, len(x_centres) - 1)
    row = np.clip(np.searchsorted(y_edges, y, "right") - 1, 0, len(y_centres) - 1)
    return Grid(x_edges, y_edges, column, row)


def _planned(shape: Any, extents: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the centres of rows and columns, growing, if shape and extents make sense."""
    try:
        (rows, columns), ((bottom, top), (left, right)) = shape, extents
        y = np.sort(np.linspace(float(bottom), float(top), int(rows)))
        x = np.sort(np.linspace(float(left), float(right), int(columns)))
    except (TypeError, ValueError):
        return None
    is_good = all(len(c) and np.isfinite(c).all() and bool(np.all(np.diff(c) > 0)) for c in (x, y))
    return (y, x) if is_good else None


def _levels(positions: np.ndarray) -> np.ndarray:
    """Return the distinct positions of an axis, growing; readings that scatter around one are one."""
    ordered = np.unique(positions.astype(float))
    if len(ordered) < 2:
        return ordered
    gaps = np.diff(ordered)
    # Where readings scatter, small gaps lie between those of one position, large ones between steps.
    step = np.median(gaps[gaps > _TOLERANCE * gaps.max()])
    borders = np.flatnonzero(gaps > _TOLERANCE * step) + 1
    return np.array([some.mean() for some in np.split(ordered, borders)])


def _edges(centres: np.ndarray) -> np.ndarray:
    """Return the borders of cells around centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middles = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middles[0]], middles, [2 * centres[-1] - middles[-1]]])
