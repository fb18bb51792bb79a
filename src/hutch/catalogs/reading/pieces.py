"""From the values of one key, batch by batch, to one numpy array."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.catalogs.metadata import dictionary
from hutch.documents import decode
from hutch.store.batches.columns import Column, Filled, Kind, Layout
from hutch.store.batches.packing import pack
from hutch.store.batches.unpacking import find_column, objects, to_numpy, values

__all__ = ["NUMBERS", "Part", "Piece", "assemble", "empty"]

NUMBERS = frozenset({Kind.FLOAT, Kind.INT, Kind.NUMBER})
"""The kinds of columns that hold numbers."""

_ABSENT = Column(Kind.NULL)
_SCALAR_DTYPES = {"number": "float64", "integer": "int64", "boolean": "bool"}


@dataclass(frozen=True, slots=True)
class Piece:
    """The values of one key in consecutive rows: an Arrow array, or Python and numpy objects."""

    rows: int
    column: Column = _ABSENT
    """Of kind NULL if the key is not there, or nothing but None."""
    array: pa.Array | None = None
    flags: pa.Array | None = None
    loaded: list[Any] | None = None
    """What came from elsewhere than the store, or has been put together."""

    @classmethod
    def of(cls, found: Sequence[Any]) -> Piece:
        """Return values, one a row, as a piece of the narrowest column that holds them."""
        packed = pack(found, _ABSENT)
        return cls(len(found), packed.column, packed.array, packed.flags)

    @property
    def has_nulls(self) -> bool:
        """Tell whether a row has no value."""
        return self.array is None or bool(self.array.null_count)

    def to_numpy(self) -> np.ndarray:
        """Return the values as an array of shape (rows, …); nothing is NaN."""
        if self.array is None or self.column.kind is Kind.NULL:
            return np.full(self.rows, np.nan)
        return to_numpy(self.array, self.column)

    def values(self) -> list[Any]:
        """Return one Python value a row; arrays as numpy arrays."""
        if self.loaded is not None:
            return self.loaded
        if self.array is None:
            return [None] * self.rows
        if self.column.kind is Kind.TENSOR:
            return list(to_numpy(self.array, self.column))
        return values(self.array, self.column, self.flags)


@dataclass(frozen=True)
class Part:
    """Rows of one descriptor in one record batch."""

    descriptor: str
    layout: Layout
    batch: pa.RecordBatch

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.batch.num_rows)

    @cached_property
    def wholes(self) -> dict[int, dict[str, Any]]:
        """The events that fit no columns, by row."""
        if not self.layout.whole:
            return {}
        found = self.batch.column("whole").to_pylist()
        return {row: decode(text) for row, text in enumerate(found) if text is not None}

    @cached_property
    def _data(self) -> dict[str, Column]:
        return dict(self.layout.data)

    @cached_property
    def _timestamps(self) -> dict[str, Column]:
        return dict(self.layout.timestamps)

    def cut(self, start: int, stop: int) -> Part:
        """Return the rows between two, without copying."""
        return replace(self, batch=self.batch.slice(start, stop - start))

    def piece(self, key: str, prefix: str = "data") -> Piece:
        """Return the values of a key, or with the prefix ``ts`` their timestamps."""
        column = (self._data if prefix == "data" else self._timestamps).get(key)
        if column is None:
            piece = Piece(self.rows)
        else:
            piece = Piece(self.rows, column, *find_column(self.batch, key, column, prefix))
        if not self.wholes:
            return piece
        found = piece.values()
        field = "data" if prefix == "data" else "timestamps"
        for row, event in self.wholes.items():
            found[row] = dictionary(event, field).get(key)
        return Piece.of(found)

    def fixed(self, name: str) -> Piece:
        """Return a column that every batch has: ``time``, ``seq_num``, ``uid`` or ``arrival``."""
        kind = {"time": Kind.FLOAT, "uid": Kind.TEXT}.get(name, Kind.INT)
        return Piece(self.rows, Column(kind), self.batch.column(name))

    def is_filled(self, key: str) -> list[bool]:
        """Tell row by row whether the values of an external key are the data, not datum ids."""
        found = [False] * self.rows
        if self.layout.filled is Filled.COLUMN:
            texts = self.batch.column("filled").to_pylist()
            found = [text is not None and bool(decode(text).get(key)) for text in texts]
        for row, event in self.wholes.items():
            found[row] = bool(dictionary(event, "filled").get(key))
        return found


def assemble(pieces: Sequence[Piece], data_key: Mapping[str, Any]) -> np.ndarray:
    """Return the values of a key in all pieces as one new array, which may be written to.

    :param data_key: what the descriptor says of it; only asked where no value tells.
    :returns: shape (rows, …). Numbers: float64 if any is a float or missing (NaN), else int64. Bools:
        bool. Arrays of one shape and their dtype: as further dimensions. Everything else, text
        and ragged arrays too: objects, None where the key is missing.
    """
    pieces = [piece for piece in pieces if piece.rows]
    if not pieces:
        return empty(data_key)
    kinds = {piece.column.kind for piece in pieces}
    if kinds == {Kind.NULL}:
        if str(data_key.get("dtype")) in _SCALAR_DTYPES:
            return np.full(sum(piece.rows for piece in pieces), np.nan)
        return objects([value for piece in pieces for value in piece.values()])
    if kinds <= NUMBERS | {Kind.NULL}:
        return np.concatenate([piece.to_numpy() for piece in pieces])
    if kinds == {Kind.BOOL} and not any(piece.has_nulls for piece in pieces):
        return np.concatenate([piece.to_numpy() for piece in pieces])
    if kinds <= {Kind.TENSOR, Kind.NULL}:
        stacked = _concatenate_tensors(pieces)
        if stacked is not None:
            return stacked
    return _assemble_objects([value for piece in pieces for value in piece.values()])


def empty(data_key: Mapping[str, Any]) -> np.ndarray:
    """Return an array without rows, of the dtype and shape that a descriptor promises."""
    kind, shape = data_key.get("dtype"), data_key.get("shape")
    sizes: list[int] = []
    if kind == "array" and isinstance(shape, list):
        sizes = [size if isinstance(size, int) and size > 0 else 0 for size in shape]
    dtype = np.dtype(_SCALAR_DTYPES.get(str(kind), "float64" if kind == "array" else "object"))
    promised = data_key.get("dtype_numpy")
    if isinstance(promised, str):
        with contextlib.suppress(TypeError):
            dtype = np.dtype(promised)
    return np.empty((0, *sizes), dtype)


def _concatenate_tensors(pieces: Sequence[Piece]) -> np.ndarray | None:
    """Return arrays of one shape as one; None if they differ, or have no value for missing ones."""
    found = [piece.to_numpy() for piece in pieces if piece.column.kind is Kind.TENSOR]
    shapes = {array.shape[1:] for array in found}
    dtype = np.result_type(*found)
    missing = len(found) < len(pieces)
    if len(shapes) > 1 or (missing and dtype.kind not in "fiu"):
        return None
    if not missing:
        return np.concatenate(found)
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    total = np.full((sum(piece.rows for piece in pieces), *found[0].shape[1:]), np.nan, dtype)
    row = 0
    for piece in pieces:
        if piece.column.kind is Kind.TENSOR:
            total[row : row + piece.rows] = piece.to_numpy()
        row += piece.rows
    return total


def _assemble_objects(found: list[Any]) -> np.ndarray:
    if all(isinstance(value, (list, np.ndarray)) for value in found):
        regular = _as_regular(found)
        if regular is not None:
            return regular
    return objects([_as_array(value) if isinstance(value, list) else value for value in found])


def _as_regular(found: list[Any]) -> np.ndarray | None:
    """Return lists and arrays of one shape as one array; None if they are ragged."""
    try:
        array = np.array(found)
        if array.dtype.kind not in "fiub":
            # numpy would turn numbers among text into text.
            shape = array.shape
            array = np.array(found, dtype=object)
            return array if array.shape == shape and array.ndim > 1 else None
    except (ValueError, OverflowError):
        return None
    return array


def _as_array(value: list[Any]) -> Any:
    """Return a list of numbers as an array, and any other list as it is."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return value
    return array if array.dtype.kind in "fiub" else value
