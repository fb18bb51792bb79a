"""Where each key of a stream lies in Tiled's tree: a column of the table of events, or an array beside it.

Scalars are columns. Arrays are arrays, the small ones too: the writer of bluesky-tiled-plugins puts those
of up to 16 elements into the table as lists, of which Tiled's client makes text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.catalogs.reading.datasets import dimensions
from hutch.catalogs.reading.pieces import NUMBERS
from hutch.catalogs.reading.snapshot import Snapshot
from hutch.documents import plain
from hutch.server.frames import TIME, Frames, HeldFrames, RowFrames
from hutch.server.tiled.metadata import servable, served_names
from hutch.store.batches.columns import Column, Kind
from hutch.store.batches.unpacking import objects

__all__ = ["Placed", "TableColumn", "place"]

_NUMERIC = frozenset({"number", "integer", "boolean"})


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A key, or its timestamps, as a column.

    :ivar prefix: ``data``, ``ts`` for timestamps, ``fixed`` for what every event has.
    :ivar held: the values of all rows, if they had to be read to know what they are.
    """

    key: str
    prefix: str
    type: pa.DataType
    held: np.ndarray | None = None

    def values(self, rows: Snapshot, start: int, stop: int) -> np.ndarray:
        """Return the values between two rows; object arrays hold text and None.

        :param rows: that part of the stream.
        """
        if self.held is not None:
            return self.held[start:stop]
        if self.prefix == "fixed":
            return rows.fixed(self.key)
        found = rows.array(self.key, self.prefix)
        if self.prefix == "ts":
            return _seconds(found)
        if pa.types.is_floating(self.type) and found.dtype.kind in "iub":
            return found.astype(np.float64)
        return objects([servable(value) for value in found]) if pa.types.is_string(self.type) else found


@dataclass(frozen=True, slots=True)
class Placed:
    """What a stream consists of.

    :ivar names: under which each key is served.
    :ivar arrays: by their names.
    :ivar ragged: arrays whose rows differ in shape, by their names.
    """

    names: dict[str, str]
    columns: dict[str, TableColumn]
    arrays: dict[str, Frames]
    ragged: dict[str, np.ndarray]


@dataclass(slots=True)
class _Kept:
    """A key that is to be an array: its shape of a row, and what makes the array once its dims are known."""

    row_shape: tuple[int, ...]
    make: Callable[[Sequence[str]], Frames]


def place(snapshot: Snapshot, external: Sequence[str] = ()) -> Placed:
    """Return where each key lies; what is needed to tell is read.

    :param external: keys whose values are in detectors' files, which somebody else places.
    """
    keys = [key for key in snapshot.data_keys if key not in external and not _is_external(snapshot, key)]
    names = served_names(list(snapshot.data_keys))
    columns: dict[str, TableColumn] = {
        "seq_num": TableColumn("seq_num", "fixed", pa.int64()),
        TIME: TableColumn(TIME, "fixed", pa.float64()),
    }
    kept: dict[str, _Kept] = {}
    ragged: dict[str, np.ndarray] = {}
    for key in keys:
        found = _placed(snapshot, key, may_be_column=not names[key].startswith("_"))
        if isinstance(found, TableColumn):
            columns.setdefault(names[key], found)
        elif isinstance(found, _Kept):
            kept[key] = found
        else:
            ragged[names[key]] = found
    for key in keys:
        columns.setdefault(f"ts_{names[key]}", TableColumn(key, "ts", pa.float64()))
    dims = dimensions({key: found.row_shape for key, found in kept.items()}, snapshot.data_keys)
    arrays = {names[key]: found.make((TIME, *dims[key])) for key, found in kept.items()}
    return Placed(names, columns, arrays, ragged)


def _placed(snapshot: Snapshot, key: str, *, may_be_column: bool) -> TableColumn | _Kept | np.ndarray:
    columns = snapshot.columns(key)
    tensor = None if columns is None else _tensor(columns)
    if tensor is not None:
        row_shape, dtype = tensor
        return _Kept(row_shape, lambda dims: RowFrames(snapshot, key, row_shape, dtype, dims))
    kind = None if columns is None else _scalar_type(columns, str(snapshot.data_keys[key].get("dtype")))
    if kind is not None and may_be_column:
        return TableColumn(key, "data", kind)
    return _place_values(key, snapshot.array(key), may_be_column=may_be_column)


def _place_values(key: str, found: np.ndarray, *, may_be_column: bool) -> TableColumn | _Kept | np.ndarray:
    """Return the place of values that say only themselves what they are."""
    if found.dtype == object and found.ndim == 1 and len(found) and _is_ragged(found):
        return found
    if found.dtype == object:
        is_text = all(value is None or isinstance(value, str) for value in found.flat)
        if found.ndim > 1 and not is_text:
            found = objects(found.tolist())
        if not is_text:
            found = objects([_as_json(value) for value in found])
        found = np.array([servable(value) for value in found.flat], dtype=object).reshape(found.shape)
    if found.ndim > 1 and not found.size:
        found = objects([_as_json(value) for value in found])
    if found.ndim > 1 or not may_be_column:
        array = _as_fixed_text(found) if found.dtype == object else found
        return _Kept(array.shape[1:], lambda dims: HeldFrames(array, dims))
    types = {"f": pa.float64(), "i": pa.int64(), "u": pa.int64(), "b": pa.bool_()}
    return TableColumn(key, "data", types.get(found.dtype.kind, pa.string()), held=found)


def _tensor(columns: Sequence[Column]) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Return the shape of a row and the dtype, if the rows that there are have one shape."""
    arrays = [column for column in columns if column.kind is Kind.TENSOR]
    shapes = {column.shape for column in arrays}
    if len(shapes) != 1 or 0 in next(iter(shapes)):
        return None
    dtype = np.result_type(*(np.dtype(column.dtype) for column in arrays))
    others = {column.kind for column in columns} - {Kind.TENSOR}
    if others - {Kind.NULL} or (others and dtype.kind not in "fiu"):
        return None
    if others and dtype.kind != "f":
        dtype = np.dtype(np.float64)
    return shapes.pop(), dtype


def _scalar_type(columns: Sequence[Column], promised: str) -> pa.DataType | None:
    """Return the type of a column of scalars; None if that takes the values."""
    kinds = {column.kind for column in columns}
    if kinds <= {Kind.NULL}:
        return pa.float64() if promised in _NUMERIC else pa.string()
    if kinds <= NUMBERS | {Kind.NULL}:
        return pa.int64() if kinds == {Kind.INT} else pa.float64()
    if kinds == {Kind.BOOL}:
        return pa.bool_()
    return pa.string() if kinds <= {Kind.TEXT, Kind.NULL} else None


def _is_external(snapshot: Snapshot, key: str) -> bool:
    return "external" in snapshot.data_keys[key]


def _is_ragged(found: np.ndarray) -> bool:
    """Tell whether these are arrays of numbers of one number of dimensions, and of several shapes."""
    shapes = {value.shape for value in found if isinstance(value, np.ndarray)}
    are_arrays = all(isinstance(value, np.ndarray) and value.dtype.kind in "fiub" for value in found)
    return are_arrays and len(shapes) > 1 and len({len(shape) for shape in shapes}) == 1


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(plain(value))


def _as_fixed_text(found: np.ndarray) -> np.ndarray:
    """Return text of numpy's own kind, in which nothing is empty text."""
    texts = ["" if value is None else value for value in found.flat]
    return np.array(texts, dtype=np.str_).reshape(found.shape)


def _seconds(found: np.ndarray) -> np.ndarray:
    """Return timestamps as float64, NaN where there is none."""
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError):
        return np.array([value if isinstance(value, (int, float)) else np.nan for value in found], np.float64)
