"""From the values of events to Arrow columns, losslessly and in bulk.

What a column needs is decided by the exact Python types that came (``set(map(type, values))`` costs
some 10 ns a value), because Arrow itself would quietly turn 2.5 into 2 in an integer column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.documents import encode_lossy
from hutch.store.columns import Column, Kind, wider

__all__ = ["Packed", "pack"]

_FLOAT = frozenset({float})
_INT = frozenset({int})
_NUMBER = frozenset({int, float})
_BOOL = frozenset({bool})
_TEXT = frozenset({str})
_LISTS = frozenset({list, tuple})
_NONE = type(None)
_PLAIN = frozenset({float, int, bool, str, _NONE, list, tuple, dict})
_EXACT_INT = 2**53
_INT64 = range(-(2**63), 2**63)
_TENSOR_KINDS = "fiub"
_LARGEST_ITEM = 8
"""Bytes of the largest number that Arrow has a type for."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The values of one key in some events, as a column."""

    column: Column
    """What they lie in."""
    needed: Column
    """The narrowest column for these values alone."""
    array: pa.Array
    flags: pa.Array | None = None
    """Beside a NUMBER column: which values are integers."""
    replaced: list[int] = field(default_factory=list)
    """Positions of values of which only the ``repr`` could be kept."""


def pack(values: Sequence[Any], at_least: Column) -> Packed:
    """Return values of one key as an Arrow array, in the narrowest column that holds them.

    :param values: one value an event: str, numbers, bools, None, lists, dicts, numpy objects.
    :param at_least: what the column was so far; the result is at least as wide.
    """
    types = set(map(type, values))
    if not types <= _PLAIN:
        values = _without_numpy_scalars(values)
        types = set(map(type, values))
    needed, prepared = _needed(values, types)
    column = wider(at_least, needed)
    if prepared is not None and column == needed:
        return Packed(column, needed, prepared)
    try:
        return Packed(column, needed, *_arrays(values, column))
    except (OverflowError, UnicodeEncodeError, pa.ArrowException):
        # An integer beyond 64 bit, a lone surrogate: only JSON holds it.
        column = Column(Kind.JSON)
        return Packed(column, needed, *_arrays(values, column))


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


def _needed(values: Sequence[Any], types: set[type]) -> tuple[Column, pa.Array | None]:
    """Return the narrowest column for values of these types, and the array if it is made already."""
    present = types - {_NONE}
    if not present:
        return Column(Kind.NULL), None
    if present == _FLOAT:
        return Column(Kind.FLOAT), None
    if present == _INT:
        return Column(Kind.INT), None
    if present == _TEXT:
        return Column(Kind.TEXT), None
    if present == _BOOL:
        return Column(Kind.BOOL), None
    if present == _NUMBER:
        return Column(Kind.NUMBER), None
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
