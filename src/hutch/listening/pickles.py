"""Pickles from the network: what documents are made of is read, no other code is ever run.

bluesky's 0MQ publisher pickles its documents, and whoever can write a pickle can have any program run
by who reads it with :mod:`pickle`. Here no class and no function is looked up: of a name in a pickle, a
short list stands for harmless types, numpy's are made from their bytes, and any other is a
:class:`Stranger` that only remembers what it was given.
"""

from __future__ import annotations

import datetime
import io
import pickle
import re
import uuid
from collections import OrderedDict
from typing import Any

import numpy as np

__all__ = ["Stranger", "load_pickle"]

_SIMPLE = re.compile(r"[biufcSU]\d*")
"""numpy's types without units, fields or objects."""
_PLAIN = (str, int, float)


def load_pickle(data: bytes) -> Any:
    """Return what is in a pickle, without running anything that it names.

    An object of a class that is not known here becomes the one text or number that it is made of, as a
    member of an enumeration is; else it is a :class:`Stranger`.

    :raises Exception: of any kind, if it is no pickle, or no honest one.
    """
    reader = _Reader(io.BytesIO(data))
    found = reader.load()
    return _settled(found) if reader.has_odd else found


class Stranger:
    """An object of a class that is not made; its ``repr`` tells what it would have been."""

    name = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Stranger:  # noqa: D102
        self = super().__new__(cls)
        self.arguments = [*args, *([kwargs] if kwargs else [])]
        self.parts = []
        return self

    arguments: list[Any]
    parts: list[Any]

    def __setstate__(self, state: Any) -> None:
        self.parts.append(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.parts.append({key: value})

    def append(self, value: Any) -> None:
        """Remember an element."""
        self.parts.append(value)

    add = append

    def extend(self, values: Any) -> None:
        """Remember elements."""
        self.parts.extend(values)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, [*self.arguments, *self.parts]))})"

    @property
    def is_one_value(self) -> bool:
        """True of what is made of a text or a number and nothing else."""
        return not self.parts and [type(value) in _PLAIN for value in self.arguments] == [True]


class _Type:
    """A dtype as a pickle describes it."""

    def __init__(self, text: Any, align: Any = False, copy: Any = False) -> None:
        self._text = text
        self._order = "="
        self._is_plain = True

    def __setstate__(self, state: Any) -> None:
        _, order, subtype, names, fields, *_ = state
        self._order = order
        self._is_plain = subtype is names is fields is None

    @property
    def is_object(self) -> bool:
        return bool(self._is_plain and self._text in ("O", "O8"))

    def dtype(self) -> np.dtype[Any] | None:
        """Return the type if it is one of plain numbers or texts."""
        if self._is_plain and isinstance(self._text, str) and _SIMPLE.fullmatch(self._text):
            return np.dtype(f"{self._order if self._order in ('<', '>') else '='}{self._text}")
        return None


class _Array:
    """An array between its making and its filling."""

    value: Any = None

    def __init__(self, *_: Any) -> None:
        """Take what the array was made with; all of it comes again."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, content = state
        self.value = _array(content, kind, shape, "F" if is_fortran else "C")


def _array(content: Any, kind: Any, shape: Any, order: str, *_: Any) -> Any:
    if not isinstance(kind, _Type):
        msg = f"it holds an array of the type {kind!r:.80}"
        raise pickle.UnpicklingError(msg)
    if kind.is_object and isinstance(content, list):
        objects = np.empty(len(content), dtype=object)
        objects[:] = content
        return objects.reshape(shape, order="F" if order == "F" else "C")
    dtype = kind.dtype()
    if dtype is None:
        return _stranger("numpy.ndarray")(shape, content)
    return np.ndarray(shape, dtype, content, order="F" if order == "F" else "C")


def _scalar(kind: Any, content: Any = None) -> Any:
    dtype = kind.dtype() if isinstance(kind, _Type) else None
    if dtype is None:
        return _stranger("numpy.generic")(content)
    return np.ndarray((), dtype, content)[()]


def _bytes(content: str | bytes = b"", encoding: str = "") -> bytes:
    # Never of a number: that would be as many bytes.
    return content.encode("latin1") if isinstance(content, str) else bytes(memoryview(content))


_HARMLESS: dict[tuple[str, str], Any] = {
    ("builtins", "bytearray"): _bytes,
    ("builtins", "bytes"): _bytes,
    ("builtins", "complex"): complex,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): OrderedDict,
    ("datetime", "date"): datetime.date,
    ("datetime", "datetime"): datetime.datetime,
    ("datetime", "time"): datetime.time,
    ("datetime", "timedelta"): datetime.timedelta,
    ("datetime", "timezone"): datetime.timezone,
    ("uuid", "UUID"): uuid.UUID,
    ("_codecs", "encode"): _bytes,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    **{
        (f"numpy.{core}.{module}", name): kind
        for core in ("core", "_core")
        for module, name, kind in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array),
        )
    },
}
"""What a name in a pickle stands for."""


class _Reader(pickle.Unpickler):
    """Reads one pickle."""

    has_odd = False

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; nothing is imported."""
        self.has_odd = True
        # Old protocols have the names of Python 2.
        found = _HARMLESS.get(("builtins" if module == "__builtin__" else module, name))
        return _stranger(f"{module}.{name}") if found is None else found


def _stranger(name: str) -> type[Stranger]:
    return type("Stranger", (Stranger,), {"name": name})


def _settled(value: Any) -> Any:
    """Return a value with finished arrays in it, and strangers as the one value that they hold."""
    if isinstance(value, dict):
        return {_settled(key): _settled(item) for key, item in value.items()}
    if type(value) is list:
        return [_settled(item) for item in value]
    if type(value) is tuple:
        return tuple([_settled(item) for item in value])
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, Stranger) and value.is_one_value:
        return value.arguments[0]
    return value
