"""Data keys for values that nobody described: what a program without Bluesky adds to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hutch.errors import DocumentError

__all__ = ["describe", "describe_column", "descriptor_parts", "is_described_by"]

_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "number"}


def describe(key: str, value: Any) -> dict[str, Any]:
    """Return the data key of one value: ``dtype``, ``shape`` and, for arrays, ``dtype_numpy``.

    :raises DocumentError: if it is neither text, number, bool, None, nor an array of these.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    for kind, dtype in _SCALARS.items():
        if isinstance(plain, kind):
            return {"source": f"hutch:{key}", "dtype": dtype, "shape": []}
    if isinstance(value, (list, tuple, np.ndarray)):
        try:
            array = np.asarray(value)
        except ValueError:
            return {"source": f"hutch:{key}", "dtype": "array", "shape": [None]}
        if array.dtype.kind in "biufUS":
            about = {"source": f"hutch:{key}", "dtype": "array", "shape": list(array.shape)}
            return about | {"dtype_numpy": array.dtype.str} if array.dtype.kind in "biuf" else about
    msg = (
        f"The value of {key!r} is {type(value).__name__}, which is no reading: {value!r:.80}. "
        "Give text, numbers, bools, None, or lists and arrays of these."
    )
    raise DocumentError(msg)


def describe_column(key: str, column: Sequence[Any] | np.ndarray) -> dict[str, Any]:
    """Return the data key of a column of values, one an event."""
    if isinstance(column, np.ndarray) and column.dtype != object:
        return describe(key, column[0])
    kinds = set(map(type, column))
    if kinds <= {int, float, type(None)}:
        dtype = "integer" if kinds <= {int, type(None)} and int in kinds else "number"
        return {"source": f"hutch:{key}", "dtype": dtype, "shape": []}
    return describe(key, next(value for value in column if value is not None))


def is_described_by(about: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a value with one data key conforms to another, known one."""
    if about["dtype"] == "integer" and known["dtype"] == "number":
        return True
    return all(about.get(field) == known.get(field) for field in ("dtype", "shape", "dtype_numpy"))


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
