"""Arrays of a stream as xarray, pandas and Arrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hutch.catalogs.metadata import data_keys_of, dictionary
from hutch.catalogs.reading.pieces import NUMBERS, Piece, assemble
from hutch.catalogs.reading.snapshot import Snapshot
from hutch.documents import plain
from hutch.store.batches.columns import Kind
from hutch.store.batches.unpacking import objects

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "TIME",
    "attributes",
    "configuration",
    "dimensions",
    "read_arrow",
    "read_dataset",
    "read_pandas",
    "to_datetimes",
    "variable_name",
]

TIME = "time"


def read_dataset(
    snapshot: Snapshot, keys: Sequence[str], prefix: str = "data", *, datetimes: bool = False
) -> xr.Dataset:
    """Return keys of a stream as a dataset over ``time``.

    A key of the name ``time`` becomes the variable ``time_reading``.

    :param prefix: ``data`` for readings, ``ts`` for their timestamps in s since 1970.
    :param datetimes: True gives ``time`` as datetime64[ns] instead of float64 seconds since 1970.
    """
    arrays = {key: snapshot.array(key, prefix) for key in keys}
    shapes = {key: array.shape[1:] for key, array in arrays.items()}
    dims = dimensions(shapes, snapshot.data_keys)
    variables = {
        variable_name(key): xr.Variable((TIME, *dims[key]), array, attributes(snapshot, key), fastpath=True)
        for key, array in arrays.items()
    }
    time = snapshot.fixed("time")
    return xr.Dataset(variables, {TIME: to_datetimes(time) if datetimes else time})


def read_pandas(snapshot: Snapshot, keys: Sequence[str], *, datetimes: bool = False) -> pd.DataFrame:
    """Return keys of a stream as columns, indexed by time; arrays stay whole, as objects."""
    import pandas as pd

    time = snapshot.fixed("time")
    arrays = {key: snapshot.array(key) for key in keys}
    index = pd.Index(to_datetimes(time) if datetimes else time, name=TIME)
    columns = {key: array if array.ndim == 1 else objects(list(array)) for key, array in arrays.items()}
    return pd.DataFrame(columns, index=index)


def read_arrow(snapshot: Snapshot, keys: Sequence[str]) -> pa.Table:
    """Return ``time`` (float64, s since 1970), ``seq_num`` and keys of a stream as an Arrow table.

    None and what is missing are nulls; arrays of one shape are fixed-shape tensors; what Arrow has no
    type for is JSON text.
    """
    import pyarrow as pa

    columns: dict[str, Any] = {name: pa.array(snapshot.fixed(name)) for name in (TIME, "seq_num")}
    for key in keys:
        numbers = _numbers(snapshot, key)
        if numbers is None:
            array = snapshot.array(key)
            numbers = _to_arrow(array) if len(array) else _no_rows(array, snapshot.data_keys[key])
        columns[variable_name(key)] = numbers
    return pa.table(columns)


def configuration(descriptors: Iterable[Mapping[str, Any]], device: str, *, datetimes: bool) -> xr.Dataset:
    """Return the configuration of a device, a row for each descriptor at the descriptor's time."""
    known = [found for found in descriptors if device in dictionary(found, "configuration")]
    readings = [dictionary(found, "configuration", device, "data") for found in known]
    data_keys: dict[str, Any] = {key: {} for reading in readings for key in reading}
    for found in known:
        data_keys.update(data_keys_of(dictionary(found, "configuration", device)))
    arrays = {
        key: assemble([Piece.of([reading.get(key) for reading in readings])], about)
        for key, about in data_keys.items()
    }
    dims = dimensions({key: array.shape[1:] for key, array in arrays.items()}, data_keys)
    variables = {
        variable_name(key): xr.Variable((TIME, *dims[key]), array, _units(data_keys[key]), fastpath=True)
        for key, array in arrays.items()
    }
    time = np.array([_seconds(found.get("time")) for found in known], dtype=np.float64)
    return xr.Dataset(variables, {TIME: to_datetimes(time) if datetimes else time})


def dimensions(
    shapes: Mapping[str, tuple[int, ...]], data_keys: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Return the names of each key's dimensions after ``time``.

    They are what the descriptor names them, else ``dim_0``, ``dim_1`` and so on. A name that another
    key has already given to another size gets the key's own name in front: ``img_dim_0``.
    """
    sizes: dict[str, int] = {}
    found: dict[str, tuple[str, ...]] = {}
    for key, shape in shapes.items():
        promised = data_keys[key].get("dims")
        named = promised if isinstance(promised, list) and len(promised) == len(shape) else None
        names: list[str] = []
        for number, size in enumerate(shape):
            name = f"dim_{number}" if named is None else str(named[number])
            if name in names:
                name = f"{name}_{number}"
            if name == TIME or name in shapes or sizes.get(name, size) != size:
                name = f"{key}_{name}"
            sizes[name] = size
            names.append(name)
        found[key] = tuple(names)
    return found


def to_datetimes(seconds: np.ndarray) -> np.ndarray:
    """Return seconds since 1970 as datetime64[ns]; NaN and infinities as NaT."""
    known = np.isfinite(seconds)
    finite = np.where(known, seconds, 0.0)
    # In two parts: 1.7e18 ns as one float would be rounded to 256 ns.
    whole = np.floor(finite)
    found = whole.astype("int64") * 1_000_000_000 + np.rint((finite - whole) * 1e9).astype("int64")
    dates: np.ndarray = found.astype("datetime64[ns]")
    dates[~known] = np.datetime64("NaT")
    return dates


def _seconds(time: Any) -> float:
    return float(time) if isinstance(time, (int, float)) else float("nan")


def variable_name(key: str) -> str:
    """Return the name of a key in a dataset, whose dimension has a name of its own."""
    return f"{TIME}_reading" if key == TIME else key


def attributes(snapshot: Snapshot, key: str) -> dict[str, Any]:
    """Return what a dataset says of a key: units and the name of its object."""
    about = snapshot.data_keys[key]
    found = _units(about)
    if about.get("object_name"):
        found["object"] = about["object_name"]
    return found


def _units(data_key: Mapping[str, Any]) -> dict[str, Any]:
    return {"units": data_key["units"]} if data_key.get("units") else {}


def _numbers(snapshot: Snapshot, key: str) -> pa.ChunkedArray | None:
    """Return a column of numbers, with nulls where numpy has NaN; None if it holds anything else."""
    import pyarrow as pa

    if snapshot.is_external(key):
        return None
    pieces = snapshot.pieces(key)
    kinds = {piece.column.kind for piece in pieces}
    if not kinds & NUMBERS or not kinds <= NUMBERS | {Kind.NULL}:
        return None
    wanted = pa.int64() if kinds <= {Kind.INT, Kind.NULL} else pa.float64()
    chunks = [
        pa.nulls(piece.rows, wanted) if piece.array is None else piece.array.cast(wanted, safe=False)
        for piece in pieces
    ]
    found = pa.chunked_array(chunks, wanted)
    return found if snapshot.order is None else found.take(pa.array(snapshot.order))


def _to_arrow(array: np.ndarray) -> pa.Array:
    import pyarrow as pa

    if array.dtype == object:
        found = [value.tolist() if isinstance(value, np.ndarray) else value for value in array.tolist()]
        try:
            return pa.array(found)
        except (pa.ArrowException, OverflowError):
            return pa.array([None if value is None else json.dumps(plain(value)) for value in found])
    if array.ndim == 1:
        return pa.array(array)
    if array.dtype == bool or not array.size:
        return pa.array(array.tolist())
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(array))


def _no_rows(array: np.ndarray, about: Mapping[str, Any]) -> pa.Array:
    """Return a column without rows, of the type that rows would give it as far as the descriptor tells."""
    import pyarrow as pa

    if array.dtype == object:
        return pa.array([], pa.string() if about.get("dtype") == "string" else pa.null())
    if array.ndim > 1 and array.dtype != bool and all(array.shape[1:]):
        return pa.array([], pa.fixed_shape_tensor(pa.from_numpy_dtype(array.dtype), array.shape[1:]))
    found = pa.array(array.ravel()).type
    for _ in array.shape[1:]:
        found = pa.list_(found)
    return pa.array([], found)
