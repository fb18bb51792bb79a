"""Arrays of a stream, one element an event, of which any part can be read alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from hutch.catalogs.reading.pieces import empty
from hutch.catalogs.reading.snapshot import Snapshot
from hutch.errors import ExternalDataError

__all__ = ["TIME", "Frames", "HeldFrames", "MissingFrames", "RowFrames", "chunked"]

TIME = "time"
"""The dimension of rows."""

_CHUNK_BYTES = 16_000_000


class Frames(Protocol):
    """An array with rows first."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, then the shape of one."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of an element."""
        ...

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """The sizes of the chunks along each dimension, as dask has them."""
        ...

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions."""
        ...

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return what numpy's basic indexing gives, reading only that."""
        ...


class MissingFrames:
    """An array whose file cannot be read: it has the shape that its descriptor promises, and tells why not.

    :param rows: how many there should be.
    :param data_key: what the descriptor says of it.
    :param error: why it cannot be read.
    """

    def __init__(self, rows: int, data_key: Mapping[str, Any], error: ExternalDataError) -> None:
        nothing = empty(data_key)
        self.shape = (rows, *nothing.shape[1:])
        self.dtype = nothing.dtype if nothing.dtype != object else np.dtype(np.float64)
        self.dims = (TIME, *(f"dim_{number}" for number in range(len(self.shape) - 1)))
        self.chunks = chunked(self.shape, self.dtype)
        self._error = error

    def __getitem__(self, index: Any) -> np.ndarray:
        raise ExternalDataError(str(self._error)) from self._error


class HeldFrames:
    """An array that is in memory."""

    def __init__(self, array: np.ndarray, dims: Sequence[str]) -> None:
        self.array = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self.dims = tuple(dims)
        self.chunks = chunked(array.shape, array.dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.array[index])


class RowFrames:
    """Arrays that events hold themselves; a slice of rows reads only those.

    :param dtype: of all rows, also where some hold a narrower one.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        key: str,
        row_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        dims: Sequence[str],
    ) -> None:
        self._snapshot = snapshot
        self._key = key
        self.shape = (snapshot.rows, *row_shape)
        self.dtype = dtype
        self.dims = tuple(dims)
        self.chunks = chunked(self.shape, dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        first, rest = (index[0], index[1:]) if index and index[0] is not Ellipsis else (slice(None), index)
        if not isinstance(first, slice):
            row = range(self.shape[0])[first]
            return np.asarray(self._rows(row, row + 1)[(0, *rest)])
        wanted = range(self.shape[0])[first]
        if not wanted:
            return self._rows(0, 0)[(slice(None), *rest)]
        found = self._rows(min(wanted), max(wanted) + 1)[:: wanted.step]
        return found[(slice(None), *rest)]

    def _rows(self, start: int, stop: int) -> np.ndarray:
        found = self._snapshot.window(self._key, "data", start, stop)
        return found.reshape((stop - start, *self.shape[1:])).astype(self.dtype, copy=False)


def chunked(shape: Sequence[int], dtype: np.dtype[Any]) -> tuple[tuple[int, ...], ...]:
    """Return chunks of so many whole rows that each has about 16 MB."""
    rows, *row_shape = shape
    row_bytes = max(int(np.prod(row_shape, dtype=np.int64)) * dtype.itemsize, 1)
    size = max(_CHUNK_BYTES // row_bytes, 1)
    parts = (size,) * (rows // size) + ((rows % size,) if rows % size or not rows else ())
    return (parts, *((length,) for length in row_shape))
