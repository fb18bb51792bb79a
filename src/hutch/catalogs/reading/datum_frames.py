"""The values of one key that datum documents point to: an array of all rows, read through handlers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from hutch.assets.indexing import select
from hutch.assets.layout import dimension_names, promised
from hutch.catalogs.reading.pieces import empty
from hutch.errors import ExternalDataError

__all__ = ["DatumFrames"]

_BYTES_AT_ONCE = 2**25

Window = Callable[[int, int], np.ndarray]
"""Returns the values in the rows between two."""


class DatumFrames:
    """The values of a key in all rows; handlers give whole values, of which what is asked for is kept.

    :param window: reads rows.
    :param rows: how many there are.
    :param data_key: what the descriptor says; what it does not, the first row is read for, if it can be.
    """

    def __init__(self, window: Window, rows: int, data_key: Mapping[str, Any]) -> None:
        self._window = window
        self._rows = rows
        self._data_key = data_key
        self._promised = promised(data_key)

    @cached_property
    def _first(self) -> np.ndarray:
        try:
            return self._window(0, min(self._rows, 1))
        except ExternalDataError:
            # Its file is missed when values are asked for.
            return empty(self._data_key)

    @property
    def _row_shape(self) -> tuple[int, ...]:
        return self._first.shape[1:] if self._promised is None else self._promised[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, then the shape of one."""
        return (self._rows, *self._row_shape)

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions: ``time``, then the descriptor's, else ``dim_0`` and so on."""
        return dimension_names(self._data_key, len(self._row_shape))

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self._first.dtype if self._promised is None else self._promised[1]

    @property
    def nbytes(self) -> int:
        """The size of all values in memory, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """One row each, as handlers give no less."""
        return ((1,) * self._rows or (0,), *((size,) for size in self._row_shape))

    def __len__(self) -> int:
        return self._rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found: np.ndarray = self[...]
        return found if dtype is None else found.astype(dtype)

    def __getitem__(self, index: Any) -> Any:
        """Return what numpy would; only the rows that are asked for are read, some at a time.

        :raises IndexError: if there are not so many rows.
        :raises ExternalDataError: if a detector's file cannot be read.
        """
        first, *within = index if isinstance(index, tuple) and index else (index,)
        if first is Ellipsis or first is None or np.ndim(first) > 1:
            # numpy may do what it likes with all of it.
            return self._window(0, self._rows)[index]
        wanted = select(first, (self._rows,))
        if wanted.then == (0,):
            (row,) = wanted.rows
            return self._window(int(row), int(row) + 1)[0][tuple(within)]
        parts = [
            self._window(start, stop)[(slice(None), *within)]
            for start, stop in _pieces(wanted.rows, self._at_once())
        ]
        if not parts:
            return self._window(0, 0)[(slice(None), *within)]
        return wanted.finish(np.concatenate(parts))

    def _at_once(self) -> int:
        """Return how many rows are read together, so that memory holds little more than what is asked for."""
        shape, dtype = self._promised or (self._row_shape, self.dtype)
        return max(_BYTES_AT_ONCE // max(math.prod(shape) * dtype.itemsize, 1), 1)


def _pieces(rows: np.ndarray, at_once: int) -> list[tuple[int, int]]:
    """Return where rows begin and end that follow each other, in pieces of at most so many."""
    if not len(rows):
        return []
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    found = []
    for some in np.split(rows, cuts):
        first, last = int(some[0]), int(some[-1]) + 1
        found += [(start, min(start + at_once, last)) for start in range(first, last, at_once)]
    return found
