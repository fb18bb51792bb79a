"""What a descriptor promises of its events, and which values break the promise.

Judged in bulk: the packed column already tells which Python types came, so a batch that conforms costs
one comparison a key, and only the values of others are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hutch.store.batches.columns import Column, Kind

__all__ = ["TIMESTAMP", "Expectation", "expectations", "is_in_events"]

_SCALARS: dict[str, frozenset[Kind]] = {
    "number": frozenset({Kind.FLOAT, Kind.INT, Kind.NUMBER, Kind.NULL}),
    "integer": frozenset({Kind.INT, Kind.NULL}),
    "string": frozenset({Kind.TEXT, Kind.NULL}),
    "boolean": frozenset({Kind.BOOL, Kind.NULL}),
}
_GENEROUS = {"number": Kind.NUMBER, "integer": Kind.INT, "string": Kind.TEXT, "boolean": Kind.BOOL}
_MOST_REASONS = 10


@dataclass(frozen=True)
class Expectation:
    """What one data key promises: its ``dtype``, and for arrays its shape (None: of any length)."""

    dtype: str
    shape: tuple[int | None, ...]
    dtype_numpy: str | None
    is_external: bool

    def breaches(self, values: Sequence[Any], needed: Column) -> dict[str, list[int]]:
        """Return what values of some events break, as a sentence, and the positions where.

        :param needed: the narrowest column for these values (see :func:`hutch.store.batches.packing.pack`).
        """
        if self._allows(needed):
            return {}
        found: dict[str, list[int]] = {}
        for position, value in enumerate(values):
            reason = self._breach(value)
            if reason is not None:
                key = reason if reason in found or len(found) < _MOST_REASONS else "differs in other ways"
                found.setdefault(key, []).append(position)
        return found

    def generous(self, column: Column) -> Column:
        """Return a column that holds what another one does, and all scalars that are promised."""
        promised = Kind.TEXT if self.is_external else _GENEROUS.get(self.dtype, Kind.NULL)
        narrower = {Kind.NULL, Kind.FLOAT, Kind.INT} if promised is Kind.NUMBER else {Kind.NULL}
        return Column(promised) if column.kind in narrower else column

    def _allows(self, column: Column) -> bool:
        if self.is_external:
            return column.kind is Kind.TEXT
        if self.dtype in _SCALARS:
            return column.kind in _SCALARS[self.dtype]
        # A dtype that event-model does not know promises nothing (and is marked at the descriptor).
        return self.dtype != "array" or (
            column.kind is Kind.TENSOR
            and _fits(column.shape, self.shape)
            and (self.dtype_numpy is None or _is_kind(column.dtype, self.dtype_numpy))
        )

    def _breach(self, value: Any) -> str | None:
        if value is None or (self.is_external and isinstance(value, str)):
            return None
        if self.dtype in _SCALARS and not self.is_external:
            return self._scalar_breach(value)
        if not isinstance(value, (list, tuple, np.ndarray)):
            return f"is {type(value).__name__}, described as {self.dtype}"
        try:
            array = np.asarray(value)
        except ValueError:
            # Lists of several lengths, which a descriptor says by leaving the lengths open.
            return None if len(self.shape) > 1 and None in self.shape else "is a ragged array"
        if not _fits(array.shape, self.shape):
            return f"has shape {list(array.shape)}, described as {_shown(self.shape)}"
        if isinstance(value, np.ndarray) and self.dtype_numpy and not _is_kind(array.dtype, self.dtype_numpy):
            return f"has dtype {array.dtype}, described as {self.dtype_numpy}"
        return None

    def _scalar_breach(self, value: Any) -> str | None:
        plain = value.item() if isinstance(value, np.generic) else value
        kind = type(plain)
        fits = {
            "number": kind in (int, float),
            # 2.0 is an integer to JSON Schema, and to EPICS records that Python reads as floats.
            "integer": kind is int or (kind is float and plain.is_integer()),
            "string": isinstance(plain, str),
            "boolean": kind is bool,
        }[self.dtype]
        return None if fits else f"is {kind.__name__}, described as {self.dtype}"


TIMESTAMP = Expectation("number", (), None, is_external=False)
"""What every timestamp promises."""


def expectations(descriptor: dict[str, Any]) -> dict[str, Expectation]:
    """Return what a descriptor promises of each key that its events carry.

    Keys of streamed external data (``external: "STREAM:…"``) are not in events.
    """
    data_keys = descriptor.get("data_keys")
    if not isinstance(data_keys, dict):
        return {}
    return {
        key: _expectation(about if isinstance(about, dict) else {})
        for key, about in data_keys.items()
        if is_in_events(about)
    }


def is_in_events(about: Any) -> bool:
    """Tell whether a data key's values are in the events, and not streamed into files."""
    external = about.get("external") if isinstance(about, dict) else None
    return not (isinstance(external, str) and external.startswith("STREAM:"))


def _expectation(about: dict[str, Any]) -> Expectation:
    shape = about.get("shape")
    numpy_dtype = about.get("dtype_numpy")
    return Expectation(
        dtype=str(about.get("dtype", "array")),
        shape=tuple(_length(size) for size in shape) if isinstance(shape, (list, tuple)) else (),
        dtype_numpy=numpy_dtype if isinstance(numpy_dtype, str) else None,
        is_external="external" in about,
    )


def _length(size: Any) -> int | None:
    # Old ophyd wrote 0 or -1 for a length that is not known beforehand.
    return size if isinstance(size, int) and size > 0 else None


def _fits(found: tuple[int, ...], described: tuple[int | None, ...]) -> bool:
    if not described:
        return True
    return len(found) == len(described) and all(
        want is None or got == want for got, want in zip(found, described, strict=True)
    )


def _is_kind(found: str | np.dtype[Any], described: str) -> bool:
    try:
        return np.dtype(found).kind == np.dtype(described).kind
    except TypeError:
        return True


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in shape)}]"
