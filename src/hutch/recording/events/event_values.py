"""Values as they come in events and pages: owned, weighed and looked at, whatever they are."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from hutch.store.batches.scanning import Values, scan

__all__ = ["IMMUTABLE", "all_are", "bytes_of", "is_integer", "owned", "seconds"]

IMMUTABLE = frozenset({float, int, bool, str, bytes, type(None)})
"""Types of values that nobody can change any more."""

_CERTAIN = IMMUTABLE - {type(None)}
"""A column that begins with one of these has no lists; None may come before anything."""
_OBJECT_BYTES = 32
"""What a number in a list takes: itself, and the list's pointer to it."""


def owned(column: Any) -> Values:
    """Return a page's column, one element an event, that shares nothing mutable with the page."""
    if isinstance(column, np.ndarray):
        column = column.tolist() if column.ndim == 1 else list(column)
    numbers = scan(column)
    if numbers is not None:
        return numbers
    values = list(column)
    return copy.deepcopy(values) if values and type(values[0]) not in _CERTAIN else values


def bytes_of(value: Any) -> int:
    """Return about what an array, or a list of lists of one length, takes in memory."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if type(value) is list and value:
        return len(value) * (bytes_of(value[0]) or _OBJECT_BYTES)
    return 0


def all_are(kind: type, values: Values) -> bool:
    """Tell whether all values are exactly of a type; an array's are if its dtype says so."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind == np.dtype(kind).kind
    return set(map(type, values)) == {kind}


def is_integer(value: Any) -> bool:
    """Tell whether a value is an integer of 64 bit."""
    return type(value) is int and -(2**63) <= value < 2**63


def seconds(time: Any) -> float:
    """Return a time as a float; NaN if it is none."""
    try:
        return float(time)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
