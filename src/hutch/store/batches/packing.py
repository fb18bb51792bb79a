"""From the values of events to Arrow columns, losslessly and in bulk.

What a column needs is decided by the exact Python types that came, because Arrow itself would quietly
turn 2.5 into 2 in an integer column.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hutch.documents import encode_lossy
from hutch.store.batches.columns import Column, Kind, wider
from hutch.store.batches.scanning import Values, scan

__all__ = ["Packed", "pack", "pack_all"]

_FLOAT = frozenset({float})
_INT = frozenset({int})
_NUMBER = frozenset({int, float})
_BOOL = frozenset({bool})
_LISTS = frozenset({list, tuple})
_NONE = type(None)
_PLAIN = frozenset({float, int, bool, str, _NONE, list, tuple, dict})
_EXACT_INT = 2**53
_SIMPLE = {
    frozenset[Any](): Column(Kind.NULL),
    _FLOAT: Column(Kind.FLOAT),
    _INT: Column(Kind.INT),
    _NUMBER: Column(Kind.NUMBER),
    _BOOL: Column(Kind.BOOL),
    frozenset({str}): Column(Kind.TEXT),
}
"""Columns of values of exactly these types, besides None."""
_WIDE = {Kind.FLOAT: np.float64, Kind.INT: np.int64}
_CODES = {Kind.FLOAT: "d", Kind.INT: "q"}
"""Type codes of :mod:`array` that hold a column's values."""
_TENSOR_KINDS = "fiub"
_FEW = 32
"""Events up to which their columns are packed together."""
_TO_FLOAT = frozenset({Kind.NULL, Kind.FLOAT})
_FLOAT_BYTES = 8
_LARGEST_ITEM = 8
"""Bytes of the largest number that Arrow has a type for."""


class Packed(NamedTuple):
    """The values of one key in some events, as a column."""

    column: Column
    """What they lie in."""
    needed: Column
    """The narrowest column for these values alone."""
    array: pa.Array
    flags: pa.Array | None = None
    """Beside a NUMBER column: which values are integers."""
    replaced: Sequence[int] = ()
    """Positions of values of which only the ``repr`` could be kept."""


def pack_all(columns: Sequence[Values], at_least: Sequence[Column]) -> list[Packed]:
    """Return the columns of some events, each as :func:`pack` does.

    :param columns: all of one length.
    :param at_least: what each was so far.
    """
    if columns and len(columns[0]) <= _FEW and all(column.kind in _TO_FLOAT for column in at_least):
        if set(map(type, chain.from_iterable(columns))) == _FLOAT:
            return _pack_floats(columns)
    return [pack(values, column) for values, column in zip(columns, at_least, strict=True)]


def _pack_floats(columns: Sequence[Values]) -> list[Packed]:
    """Return columns of floats as slices of one buffer: what most short runs need, in one step."""
    count = len(columns[0])
    buffer = pa.py_buffer(array("d", chain.from_iterable(columns)))
    column, size = _SIMPLE[_FLOAT], count * _FLOAT_BYTES
    return [
        Packed(
            column,
            column,
            pa.Array.from_buffers(column.arrow_type, count, [None, buffer.slice(number * size, size)]),
        )
        for number in range(len(columns))
    ]


def pack(values: Values, at_least: Column) -> Packed:
    """Return values of one key as an Arrow array, in the narrowest column that holds them.

    :param values: one value an event: str, numbers, bools, None, lists, dicts, numpy objects; or
        what :func:`~hutch.store.batches.scanning.scan` made of them.
    :param at_least: what the column was so far; the result is at least as wide.
    """
    numbers = values if isinstance(values, np.ndarray) else scan(values)
    if numbers is not None:
        needed = _SIMPLE[_FLOAT if numbers.dtype.kind == "f" else _INT]
        if wider(at_least, needed) == needed:
            return Packed(needed, needed, pa.array(numbers.astype(_WIDE[needed.kind], copy=False)))
    listed: Sequence[Any] = values if numbers is None else numbers.tolist()  # type: ignore[assignment]
    types = set(map(type, listed))
    simple = _SIMPLE.get(frozenset(types))
    if simple is not None and wider(at_least, simple) is simple and simple.kind in _CODES:
        with contextlib.suppress(OverflowError):  # an integer beyond 64 bit
            return Packed(simple, simple, _from_machine_types(listed, simple))
    if not types <= _PLAIN:
        listed = _without_numpy_scalars(listed)
        types = set(map(type, listed))
    needed, prepared = _needed(listed, types)
    column = wider(at_least, needed)
    if prepared is not None and column == needed:
        return Packed(column, needed, prepared)
    try:
        return Packed(column, needed, *_arrays(listed, column))
    except (OverflowError, UnicodeEncodeError, pa.ArrowException):
        # An integer beyond 64 bit, a lone surrogate: only JSON holds it.
        column = Column(Kind.JSON)
        return Packed(column, needed, *_arrays(listed, column))


def _arrays(values: Sequence[Any], column: Column) -> tuple[pa.Array, pa.Array | None, list[int]]:
    kind = column.kind
    if kind is Kind.JSON:
        texts = [encode_lossy(value) for value in values]
        replaced = [position for position, text in enumerate(texts) if text[1]]
        return pa.array([text[0] for text in texts], pa.binary()), None, replaced
    if kind is Kind.TENSOR:
        return _tensor(np.asarray(values, dtype=column.dtype).reshape(-1, *column.shape), column), None, []
    if kind is Kind.NUMBER:
        flags = [type(value) is int for value in values]
        if not all(-_EXACT_INT <= value <= _EXACT_INT for value in values if type(value) is int):
            raise OverflowError
        return pa.array(values, pa.float64()), pa.array(flags, pa.bool_()), []
    return pa.array(values, column.arrow_type), None, []


def _from_machine_types(values: Sequence[Any], column: Column) -> pa.Array:
    """Return floats, or integers of 64 bit, as an array; half the cost of Arrow's own way."""
    buffer = pa.py_buffer(array(_CODES[column.kind], values))
    return pa.Array.from_buffers(column.arrow_type, len(values), [None, buffer])


def _needed(values: Sequence[Any], types: set[type]) -> tuple[Column, pa.Array | None]:
    """Return the narrowest column for values of these types, and the array if it is made already."""
    present = types - {_NONE}
    simple = _SIMPLE.get(frozenset(present))
    if simple is not None:
        return simple, None
    if present == types and (present <= _LISTS or present == {np.ndarray}):
        stacked = _stack(values, present)
        if stacked is not None:
            column = Column(Kind.TENSOR, stacked.dtype.name, stacked.shape[1:])
            return column, _tensor(stacked, column)
    return Column(Kind.JSON), None


def _stack(values: Sequence[Any], types: set[type]) -> np.ndarray | None:
    """Return arrays of one shape and dtype as one array, or None if they are not."""
    if types == {np.ndarray}:
        first = values[0]
        alike = all(value.shape == first.shape and value.dtype == first.dtype for value in values)
        if not alike or not _is_arrow_type(first.dtype) or first.size == 0 or first.ndim == 0:
            return None
        stacked = np.stack(values)
        return stacked.astype(first.dtype.newbyteorder("="), copy=False)
    kinds = _exact_kinds(values)
    try:
        found = np.array(values) if kinds else np.empty(0)
    except (ValueError, OverflowError):
        return None
    # Integers become floats if one is beyond int64 and another one negative.
    return found if found.size and found.dtype.kind in kinds else None


def _is_arrow_type(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in _TENSOR_KINDS and dtype.itemsize <= _LARGEST_ITEM


def _exact_kinds(values: Iterable[Any]) -> str:
    """Return the kinds of numpy arrays that keep nested lists exactly; none unless all is of one type."""
    elements = list(chain.from_iterable(values))
    types = frozenset(map(type, elements))
    if types and types <= _LISTS:
        return _exact_kinds(elements)
    return {_FLOAT: "f", _INT: "iu", _BOOL: "b"}.get(types, "")


def _tensor(stacked: np.ndarray, column: Column) -> pa.Array:
    if column.dtype == "bool":
        stacked = stacked.view(np.uint8)
    size = int(np.prod(column.shape))
    storage = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(stacked).reshape(-1)), size)
    return pa.ExtensionArray.from_storage(column.arrow_type, storage)


def _without_numpy_scalars(values: Sequence[Any]) -> list[Any]:
    """Return values with numpy scalars, and subclasses of plain types, as plain Python."""
    return [value if type(value) in _PLAIN else _plain_value(value) for value in values]


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ma.MaskedArray) and (value.dtype.names or np.ma.is_masked(value)):
        # What lies below a mask is no value.
        return value.tolist()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    kinds: tuple[Any, ...] = (bool, int, float, str, list, tuple, dict)
    for kind in kinds:
        if isinstance(value, kind):
            return str.__str__(value) if kind is str else kind(value)
    return value
