"""Lists of numbers as arrays, and a look at the type of each, in one pass through C.

Two passes through Python (the types, then the values) cost 30 ns a number, and a fast detector's
pages have millions of them. ``marshal`` in its second format writes a float as ``g`` and eight bytes, a
small integer as ``i`` and four, always little-endian, and nothing but exactly these types that way; so
a list that comes out at its expected length, with the expected letter in each cell, is an array.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["Gathering", "Values", "integers", "join", "scan"]

Values = Sequence[Any] | np.ndarray
"""Values of one key, one an event: as they came, or scanned into an array of one axis."""

_FORMAT = 2
_HEADER = 5
_WIDE = {"f": np.dtype(np.float64), "i": np.dtype(np.int64)}
_WORTHWHILE = 64
"""Shorter lists are faster the other way."""
_PAGES = 16_384
"""Values for which there is room from the beginning when pages are gathered."""

_CELLS = (
    (float, b"g", np.dtype([("letter", "u1"), ("value", "<f8")])),
    (int, b"i", np.dtype([("letter", "u1"), ("value", "<i4")])),
)


def scan(values: Sequence[Any]) -> np.ndarray | None:
    """Return a list as an array, if all are floats, or all are integers of 32 bit.

    :returns: shape (len(values),), float64 or int32, not contiguous: copy it to where it shall be.
        None if they are anything else, or few.
    """
    if len(values) < _WORTHWHILE or type(values) is not list:
        return None
    kind = type(values[0])
    for wanted, letter, cell in _CELLS:
        if kind is wanted:
            try:
                text = marshal.dumps(values, _FORMAT)
            except ValueError:
                return None
            if len(text) != _HEADER + cell.itemsize * len(values):
                return None
            if text[_HEADER :: cell.itemsize] != letter * len(values):
                return None
            return np.frombuffer(text, cell, offset=_HEADER)["value"]
    return None


def integers(values: Values) -> np.ndarray:
    """Return integers of 64 bit as an array.

    :returns: shape (len(values),), int64.
    """
    if isinstance(values, np.ndarray):
        return values.astype(np.int64, copy=False)
    # Half the cost of numpy's own way.
    return np.frombuffer(array("q", values), np.int64)


def join(parts: Sequence[Values]) -> Values:
    """Return several runs of values as one: an array if all are arrays of one type, else a list."""
    if len(parts) == 1:
        return parts[0]
    gathered = Gathering()
    for part in parts:
        gathered.add(part)
    return gathered.values()


class Gathering:
    """Values that come page after page, kept as one array while all are numbers of one type."""

    __slots__ = ("_array", "_count", "_list")

    def __init__(self) -> None:
        self._list: list[Any] | None = None
        self._array = np.empty(0)
        self._count = 0

    def add(self, values: Values) -> None:
        """Append values; an array is copied."""
        if self._list is None and isinstance(values, np.ndarray):
            if self._count == 0:
                self._array = _room(max(_PAGES, len(values)), _WIDE[values.dtype.kind])
            if self._array.dtype.kind == values.dtype.kind:
                self._append(values)
                return
        if self._list is None:
            self._list = self._array[: self._count].tolist()
        self._list.extend(values.tolist() if isinstance(values, np.ndarray) else values)

    def values(self) -> Values:
        """Return all that was added."""
        return self._array[: self._count] if self._list is None else self._list

    def _append(self, values: np.ndarray) -> None:
        end = self._count + len(values)
        if end > len(self._array):
            grown = _room(2 * end, self._array.dtype)
            grown[: self._count] = self._array[: self._count]
            self._array = grown
        self._array[self._count : end] = values
        self._count = end


def _room(count: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an array to be filled, of memory that Arrow's pool keeps at hand between batches."""
    return np.frombuffer(pa.allocate_buffer(count * dtype.itemsize), dtype)
