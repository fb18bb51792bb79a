"""Data keys for values that nobody described: what a program without Bluesky adds to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from hutch.errors import DocumentError

__all__ = ["describe", "describe_column", "descriptor_parts", "widened"]

_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "number"}

_READINGS = (*_SCALARS, np.bool_, np.integer, np.floating)
_LARGEST_ITEM = 8
"""Bytes of the largest number of numpy that can be kept: it is no float of more than 64 bit."""


def describe(key: Any, value: Any) -> dict[str, Any]:
    """Return the data key of one value: ``dtype``, ``shape`` and, for arrays, ``dtype_numpy``.

    :raises DocumentError: if it is neither text, number, bool, None, nor an array or lists of these.
    """
    if not isinstance(key, str):
        msg = f"The key {key!r} of a reading is {type(key).__name__}; keys are text."
        raise DocumentError(msg)
    plain = value.item() if isinstance(value, np.generic) else value
    for kind, dtype in _SCALARS.items():
        if isinstance(plain, kind):
            return {"source": f"hutch:{key}", "dtype": dtype, "shape": []}
    if isinstance(value, (list, tuple, np.ndarray)):
        shape, dtype_numpy = _shape(value)
        if shape is not None:
            about = {"source": f"hutch:{key}", "dtype": "array", "shape": shape}
            return about if dtype_numpy is None else {**about, "dtype_numpy": dtype_numpy}
    msg = (
        f"The value of {key!r} is {type(value).__name__}, which is no reading: {value!r:.80}. "
        "Give text, numbers, bools, None, or lists and arrays of these."
    )
    raise DocumentError(msg)


def describe_column(key: str, column: Sequence[Any] | np.ndarray) -> dict[str, Any]:
    """Return the data key of a column of values, one an event.

    :raises DocumentError: if one of them is no reading.
    """
    if isinstance(column, np.ndarray) and column.dtype != object:
        return describe(key, column[0])
    kinds = set(map(type, column))
    # Of plain values one of each kind stands for all, and None fits the others.
    values = [kind() for kind in _SCALARS if kind in kinds] if kinds <= _SCALARS.keys() else column
    about: dict[str, Any] = {}
    for value in values:
        if value is not None:
            other = describe(key, value)
            about = (_joined(about, other) or about) if about else other
    return about or describe(key, None)


def widened(
    described: Mapping[str, dict[str, Any]], about: Mapping[str, dict[str, Any]], blank: Set[str]
) -> dict[str, dict[str, Any]] | None:
    """Return data keys that describe what others do and some new values too; None if there are none.

    :param described: the others.
    :param about: those of the values, of the same keys.
    :param blank: keys whose value is None, which fits all.
    """
    found = {}
    for key, known in described.items():
        wide = known if key in blank else _joined(known, about[key])
        if wide is None:
            return None
        found[key] = wide
    return found


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Return the data key of values of which some have one and some another; None if there is none."""
    if {one["dtype"], other["dtype"]} == {"integer", "number"}:
        return one if one["dtype"] == "number" else other
    shapes = one["shape"], other["shape"]
    are_alike = all(one.get(field) == other.get(field) for field in ("dtype", "dtype_numpy"))
    if not are_alike or len(shapes[0]) != len(shapes[1]):
        return None
    return {**one, "shape": [size if size == like else None for size, like in zip(*shapes, strict=True)]}


def _shape(value: Any) -> tuple[list[int | None] | None, str | None]:
    """Return the shape of an array or of lists, and numpy's name of its type if it is one of numbers.

    The shape is None if there is something in it that is no reading; a size if there are several.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        depth = _depth(value)
        return [None] * depth or None, None
    if array.dtype.kind in "biuf" and array.dtype.itemsize <= _LARGEST_ITEM:
        return list(array.shape), array.dtype.str
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and _depth(value) == array.ndim):
        return list(array.shape), None
    return None, None


def _depth(value: Any) -> int:
    """Return how deep lists are within each other; 0 if there is something in them that is no reading."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return len(_shape(value)[0] or ())
    deepest = 1
    for item in value:
        if isinstance(item, (list, tuple, np.ndarray)):
            below = _depth(item)
            if not below:
                return 0
            deepest = max(deepest, 1 + below)
        elif isinstance(item, np.longdouble) or not isinstance(item, _READINGS):
            return 0
    return deepest


def descriptor_parts(
    data_keys: Mapping[str, dict[str, Any]], configuration: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the fields of a descriptor that follow from its keys: which device has which.

    A key belongs to the configured device whose name it is, or begins with (``camera_mean`` to
    ``camera``); else it is a device of its own.
    """
    object_keys: dict[str, list[str]] = {device: [] for device in configuration}
    for key in data_keys:
        owners = [name for name in configuration if key == name or key.startswith((f"{name}_", f"{name}-"))]
        object_keys.setdefault(max(owners, key=len, default=key), []).append(key)
    owner_of = {key: name for name, keys in object_keys.items() for key in keys}
    scalar = {key for key, about in data_keys.items() if about["dtype"] in ("number", "integer")}
    return {
        "data_keys": {key: {**about, "object_name": owner_of[key]} for key, about in data_keys.items()},
        "object_keys": object_keys,
        "hints": {
            name: {"fields": [key for key in keys if key in scalar]} for name, keys in object_keys.items()
        },
        "configuration": {
            **{name: {"data": {}, "timestamps": {}, "data_keys": {}} for name in object_keys},
            **configuration,
        },
    }
