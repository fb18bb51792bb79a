"""From Arrow columns back to events and to arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.documents import decode
from hutch.store.columns import Column, Filled, Kind, Layout

__all__ = ["column_arrays", "events", "values"]


def events(batch: pa.RecordBatch, layout: Layout, descriptor: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the events of a batch as they were recorded, in plain Python types.

    :param descriptor: uid of the descriptor.
    :returns: pairs of arrival number and event document.
    """
    data_keys = [key for key, _ in layout.data]
    time_keys = [key for key, _ in layout.timestamps]
    data = [values(batch, key, column) for key, column in layout.data]
    times = [values(batch, key, column, "ts") for key, column in layout.timestamps]
    count = batch.num_rows
    data_rows: Iterator[Any] = zip(*data, strict=True) if data else iter([()] * count)
    time_rows: Iterator[Any] = zip(*times, strict=True) if times else iter([()] * count)
    filled = _filled(batch, layout)
    wholes = batch.column("whole").to_pylist() if layout.whole else [None] * count
    for arrival, uid, time, seq_num, data_row, time_row, what, whole in zip(
        _plain(batch.column("arrival")),
        batch.column("uid").to_pylist(),
        _plain(batch.column("time")),
        _plain(batch.column("seq_num")),
        data_rows,
        time_rows,
        filled,
        wholes,
        strict=True,
    ):
        if whole is not None:
            yield arrival, decode(whole)
            continue
        event = {
            "uid": uid,
            "time": time,
            "data": dict(zip(data_keys, data_row, strict=False)),
            "timestamps": dict(zip(time_keys, time_row, strict=False)),
            "seq_num": seq_num,
            "descriptor": descriptor,
        }
        if what is not None:
            event["filled"] = {} if what == b"{}" else decode(what)
        yield arrival, event


def values(batch: pa.RecordBatch, key: str, column: Column, prefix: str = "data") -> list[Any]:
    """Return one column of a batch as plain Python values, one a row."""
    array = batch.column(f"{prefix}.{key}")
    if column.kind is Kind.JSON:
        return [None if text is None else decode(text) for text in array.to_pylist()]
    if column.kind is Kind.TENSOR:
        return _tensor(array, column).tolist()
    if column.kind is Kind.NUMBER:
        flags = batch.column(f"{'int' if prefix == 'data' else 'tsint'}.{key}").to_pylist()
        numbers = _plain(array)
        return [int(number) if flag else number for number, flag in zip(numbers, flags, strict=True)]
    return _plain(array)


def column_arrays(
    batch: pa.RecordBatch, key: str, column: Column, prefix: str = "data"
) -> np.ndarray:
    """Return one column of a batch as a numpy array, without copying where that is possible.

    :returns: shape (rows, …). float64, int64 or bool for scalars, an element's dtype and shape for
        tensors. Integers and bools with None among them come as float64 (NaN for None) if they are
        within 2**53, else, like text and what only JSON holds, as Python objects.
    """
    array = batch.column(f"{prefix}.{key}")
    if column.kind is Kind.TENSOR:
        return _tensor(array, column)
    if column.kind in (Kind.FLOAT, Kind.NUMBER, Kind.INT):
        if array.null_count and column.kind is Kind.INT:
            return _nullable_integers(array)
        return array.to_numpy(zero_copy_only=False)
    if column.kind is Kind.BOOL and not array.null_count:
        return array.to_numpy(zero_copy_only=False)
    return _objects(values(batch, key, column, prefix))


def _objects(found: list[Any]) -> np.ndarray:
    """Return values as an object array, lists as lists and not as a further dimension."""
    array = np.empty(len(found), dtype=object)
    for number, value in enumerate(found):
        array[number] = value
    return array


def _nullable_integers(array: pa.Array) -> np.ndarray:
    found = np.array(array.to_pylist(), dtype=object)
    largest = max((abs(value) for value in found if value is not None), default=0)
    if largest > 2**53:
        return found
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)


def _tensor(array: pa.Array, column: Column) -> np.ndarray:
    found: np.ndarray = array.to_numpy_ndarray()
    return found.view(np.bool_) if column.dtype == "bool" else found


def _plain(array: pa.Array) -> list[Any]:
    """Return an Arrow array as a list; numbers without nulls go through numpy, three times faster."""
    if array.null_count or not pa.types.is_primitive(array.type) or pa.types.is_boolean(array.type):
        found: list[Any] = array.to_pylist()
        return found
    return array.to_numpy().tolist()  # type: ignore[no-any-return]


def _filled(batch: pa.RecordBatch, layout: Layout) -> Sequence[bytes | None]:
    if layout.filled is Filled.COLUMN:
        return batch.column("filled").to_pylist()  # type: ignore[no-any-return]
    return [b"{}" if layout.filled is Filled.EMPTY else None] * batch.num_rows
