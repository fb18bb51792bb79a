"""From Arrow columns back to events and to arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.documents import decode
from hutch.store.batches.columns import Column, Filled, Kind, Layout

__all__ = ["events", "find_column", "join_small", "objects", "to_numpy", "values"]

_LARGEST_EXACT = 2**53
_SMALL_BYTES = 2**16
"""Below this mean size of a batch, handling each costs more than copying all of them."""


def events(batch: pa.RecordBatch, layout: Layout, descriptor: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the events of a batch as they were recorded, in plain Python types.

    :param descriptor: uid of the descriptor.
    :returns: pairs of arrival number and event document.
    """
    data_keys = [key for key, _ in layout.data]
    time_keys = [key for key, _ in layout.timestamps]
    count = batch.num_rows
    wholes = batch.column("whole").to_pylist() if layout.whole else [None] * count
    for arrival, uid, time, seq_num, data, timestamps, filled, whole in zip(
        _plain(batch.column("arrival")),
        batch.column("uid").to_pylist(),
        _plain(batch.column("time")),
        _plain(batch.column("seq_num")),
        _rows(batch, layout.data, "data"),
        _rows(batch, layout.timestamps, "ts"),
        _filled(batch, layout),
        wholes,
        strict=True,
    ):
        if whole is not None:
            yield arrival, decode(whole)
            continue
        event = {
            "uid": uid,
            "time": time,
            "data": dict(zip(data_keys, data, strict=False)),
            "timestamps": dict(zip(time_keys, timestamps, strict=False)),
            "seq_num": seq_num,
            "descriptor": descriptor,
        }
        if filled is not None:
            event["filled"] = {} if filled == b"{}" else decode(filled)
        yield arrival, event


def join_small(batches: Sequence[pa.RecordBatch], size: int) -> Sequence[pa.RecordBatch]:
    """Return batches of one schema as one if they are small on average, else as they are.

    An open run has a batch for every commit, some of one row.

    :param size: bytes of all of them together.
    """
    if len(batches) < 2 or size > len(batches) * _SMALL_BYTES:
        return batches
    return pa.Table.from_batches(batches).combine_chunks().to_batches()  # type: ignore[no-any-return]


def find_column(
    batch: pa.RecordBatch, key: str, column: Column, prefix: str = "data"
) -> tuple[pa.Array, pa.Array | None]:
    """Return the Arrow array of a key, and beside a NUMBER column the flags that tell integers.

    :param prefix: ``data`` for readings, ``ts`` for their timestamps.
    """
    flag = "int" if prefix == "data" else "tsint"
    flags = batch.column(f"{flag}.{key}") if column.kind is Kind.NUMBER else None
    return batch.column(f"{prefix}.{key}"), flags


def values(array: pa.Array, column: Column, flags: pa.Array | None = None) -> list[Any]:
    """Return one column of a batch as plain Python values, one a row."""
    if column.kind is Kind.JSON:
        return [None if text is None else decode(text) for text in array.to_pylist()]
    if column.kind is Kind.TENSOR:
        return _tensor(array, column).tolist()  # type: ignore[no-any-return]
    if flags is not None:
        return [
            int(number) if flag else number
            for number, flag in zip(_plain(array), flags.to_pylist(), strict=True)
        ]
    return _plain(array)


def to_numpy(array: pa.Array, column: Column) -> np.ndarray:
    """Return one column of a batch as a numpy array, without copying where that is possible.

    :returns: shape (rows, …). float64, int64 or bool for scalars, an element's dtype and shape for
        tensors. With None among them, floats have NaN, and so have integers within 2**53, which
        come as float64. Everything else comes as Python objects.
    """
    if column.kind is Kind.TENSOR:
        return _tensor(array, column)
    if column.kind in (Kind.FLOAT, Kind.NUMBER, Kind.INT):
        if array.null_count and column.kind is Kind.INT:
            return _nullable_integers(array)
    elif column.kind is not Kind.BOOL or array.null_count:
        return objects(values(array, column))
    found: np.ndarray = array.to_numpy(zero_copy_only=False)
    return found


def objects(found: Sequence[Any]) -> np.ndarray:
    """Return values as an object array of shape (len(found),), lists as lists and not as a dimension."""
    array = np.empty(len(found), dtype=object)
    for number, value in enumerate(found):
        array[number] = value
    return array


def _rows(batch: pa.RecordBatch, columns: Sequence[tuple[str, Column]], prefix: str) -> Iterator[Any]:
    """Yield the values of several keys, a tuple a row."""
    if not columns:
        return iter([()] * batch.num_rows)
    return zip(
        *(
            values(array, column, flags)
            for key, column in columns
            for array, flags in [find_column(batch, key, column, prefix)]
        ),
        strict=True,
    )


def _nullable_integers(array: pa.Array) -> np.ndarray:
    found = array.to_pylist()
    largest = max((abs(value) for value in found if value is not None), default=0)
    if largest > _LARGEST_EXACT:
        return objects(found)
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
