"""How the frames of a source are the values of events, whose shape a descriptor promises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hutch.assets.sources import Source

__all__ = [
    "Layout",
    "boundaries",
    "dimension_names",
    "promised",
    "promised_dtype",
    "promised_shape",
    "summands",
]

_BLOCK_BYTES = 2**24
"""What is not in chunks is read in pieces of about so many bytes."""


@dataclass(frozen=True)
class Layout:
    """The values of one event.

    :ivar lead: how its frames are arranged: ``()`` is one frame, ``(5,)`` are five.
    :ivar frame: the shape of one frame.
    :ivar chunk: rows that are stored as one, then the shape within one frame.
    """

    lead: tuple[int, ...]
    frame: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many frames an event has."""
        return math.prod(self.lead)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an event's value."""
        return self.lead + self.frame

    @classmethod
    def of(cls, source: Source, data_key: Mapping[str, Any], parameters: Mapping[str, Any]) -> Layout:
        """Return the layout that a source has: the files tell, the descriptor arranges.

        Files have frames one after the other, and whether five of them are an event's follows from how many
        elements its value has. Where that does not come out even, each frame is an event's.
        """
        frame = source.shape[1:]
        promised = promised_shape(data_key, parameters)
        size = math.prod(frame)
        frames = 1
        if promised and size and all(promised) and math.prod(promised) % size == 0:
            frames = math.prod(promised) // size
        lead: tuple[int, ...] = ()
        if promised is not None and promised[len(promised) - len(frame) :] == frame:
            lead = promised[: len(promised) - len(frame)]
        if math.prod(lead) != frames:
            lead = () if frames == 1 else (frames,)
        if not frame and lead == (1,):
            # A number in an array of one, as older devices describe it.
            lead = ()
        return cls(lead, frame, source.dtype, _chunk(source, frames))

    @classmethod
    def as_promised(cls, data_key: Mapping[str, Any], parameters: Mapping[str, Any]) -> Layout:
        """Return the layout that the documents promise, of files that are not there."""
        shape = promised_shape(data_key, parameters) or ()
        frame = () if shape == (1,) else shape
        dtype = promised_dtype(data_key)
        size = max(math.prod(frame) * dtype.itemsize, 1)
        return cls((), frame, dtype, (max(_BLOCK_BYTES // size, 1), *frame))


def promised_shape(data_key: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the shape of an event's value that a descriptor promises; None if it does not.

    :param parameters: of the stream_resource, whose ``multiplier`` counts the frames of an event.
    """
    shape = data_key.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        return None
    multiplier = parameters.get("multiplier") or parameters.get("frame_per_point")
    if type(multiplier) is not int or multiplier < 1 or (shape and shape[0] == multiplier):
        return tuple(shape)
    return (multiplier, *(shape[1:] if shape and shape[0] == 1 else shape))


def dimension_names(data_key: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return the names of the dimensions of all rows, ``time`` first.

    :param count: of dimensions of a value.
    """
    told = data_key.get("dims")
    if isinstance(told, list) and len(told) == count and len({"time", *map(str, told)}) == count + 1:
        return ("time", *map(str, told))
    return ("time", *(f"dim_{number}" for number in range(count)))


def promised_dtype(data_key: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the dtype that a descriptor promises, else float64."""
    told = data_key.get("dtype_numpy")
    try:
        if isinstance(told, list):
            return np.dtype([tuple(field) for field in told])
        return np.dtype(told if isinstance(told, str) else "float64")
    except (TypeError, ValueError):
        return np.dtype("float64")


def _chunk(source: Source, frames: int) -> tuple[int, ...]:
    frame = source.shape[1:]
    if source.chunks is not None:
        first, *others = source.chunks
        return (max(first // frames, 1), *others)
    size = max(math.prod(frame) * frames * source.dtype.itemsize, 1)
    return (max(_BLOCK_BYTES // size, 1), *frame)


def promised(data_key: Mapping[str, Any]) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Return shape and dtype as a descriptor tells them; None if it does not tell both."""
    shape, dtype = data_key.get("shape"), data_key.get("dtype_numpy")
    if not isinstance(dtype, str) or not isinstance(shape, list) or not shape:
        return None
    if not all(isinstance(size, int) and size > 0 for size in shape):
        return None
    return tuple(shape), np.dtype(dtype)


def summands(size: int, step: int) -> tuple[int, ...]:
    """Return the sizes of chunks along a dimension: (3, 3, 1) for 7 in steps of 3."""
    whole, left = divmod(size, max(step, 1))
    return (step,) * whole + ((left,) if left or not whole else ())


def boundaries(resources: np.ndarray, numbers: np.ndarray, rows: int) -> tuple[int, ...]:
    """Return the sizes of chunks of rows, none of which crosses a chunk of a file.

    :param resources: of each row, which resource it is in.
    :param numbers: of each row, its number there.
    :param rows: of a resource that are in one chunk.
    """
    which, chunk = resources, numbers // max(rows, 1)
    if not len(which):
        return (0,)
    cuts = np.flatnonzero((which[1:] != which[:-1]) | (chunk[1:] != chunk[:-1])) + 1
    edges = np.concatenate([[0], cuts, [len(which)]])
    return tuple(int(size) for size in np.diff(edges))
