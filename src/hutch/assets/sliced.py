"""A part of each frame, where a stream_resource says that its data key is only that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hutch.assets.sources import Index, Source
from hutch.errors import ExternalDataError

__all__ = ["SlicedSource"]


class SlicedSource:
    """Another source, sliced.

    :param source: what is sliced.
    :param slices: for each dimension a slice or a number as text, as in ``(":", "2", "0:10:2")``.
    :param is_squeezed: True leaves out the dimensions of which one element is left, but the first.
    :raises ExternalDataError: if it cannot be understood.
    """

    def __init__(self, source: Source, slices: str | Sequence[Any], *, is_squeezed: bool) -> None:
        self._source = source
        texts = slices.strip("()[] ").split(",") if isinstance(slices, str) else list(slices)
        self._slices = [_parsed(text) for text in texts if str(text).strip()]
        self._is_squeezed = is_squeezed

    @property
    def _ranges(self) -> list[range]:
        shape = self._source.shape
        if len(self._slices) > len(shape):
            msg = f"{len(self._slices)} slices do not go with data of the shape {shape}"
            raise ExternalDataError(msg)
        given = [*self._slices, *[slice(None)] * (len(shape) - len(self._slices))]
        return [range(size)[one] for size, one in zip(shape, given, strict=True)]

    def _is_kept(self, number: int, size: int) -> bool:
        return number == 0 or not self._is_squeezed or size != 1

    @property
    def shape(self) -> tuple[int, ...]:
        """What is left of the source's."""
        sizes = map(len, self._ranges)
        return tuple(size for number, size in enumerate(sizes) if self._is_kept(number, size))

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the source."""
        return self._source.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Those of the source, as far as they are left."""
        chunks = self._source.chunks
        if chunks is None:
            return None
        pairs = enumerate(zip(self._ranges, chunks, strict=True))
        kept = [(some, chunk) for number, (some, chunk) in pairs if self._is_kept(number, len(some))]
        return tuple(max(min(chunk // abs(some.step), len(some)), 1) for some, chunk in kept)

    def read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        """Read frames into an array."""
        rows, *others = self._ranges
        wanted = iter(within)
        inner, shape = [], []
        for number, some in enumerate(others, 1):
            part = _part(some, next(wanted)) if self._is_kept(number, len(some)) else some
            inner.append(slice(part.start, part.stop, part.step))
            shape.append(len(part))
        first = rows[start:stop:step]
        found = np.empty((len(first), *shape), out.dtype)
        self._source.read(first.start, first.stop, first.step, tuple(inner), found)
        out[...] = found.reshape(out.shape)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _part(some: range, wanted: int | slice) -> range:
    if isinstance(wanted, slice):
        return some[wanted]
    number = some[wanted]
    return range(number, number + 1)


def _parsed(text: Any) -> slice:
    try:
        numbers = [int(part) if part.strip() else None for part in str(text).strip().split(":")]
    except ValueError:
        numbers = []
    if numbers == [None]:
        numbers = []
    if len(numbers) == 1:
        (number,) = numbers
        return slice(number, number + 1) if number is not None and number != -1 else slice(number, None)
    found = slice(*numbers) if 1 < len(numbers) <= 3 else None  # noqa: PLR2004
    if found is None or (found.step or 1) < 1:
        msg = f"{text!r} is no slice, as in '0:10:2' or '3'"
        raise ExternalDataError(msg)
    return found
