"""One key of a stream as an array of Tiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import HTTPException
from tiled.ndslice import NDBlock, NDSlice
from tiled.structures.array import ArrayStructure, BuiltinDtype, StructDtype
from tiled.structures.core import Spec, StructureFamily

from hutch.server.frames import Frames

__all__ = ["MOST_BYTES", "ArrayAdapter"]

MOST_BYTES = 300_000_000
"""Of what one answer holds; Tiled's clients ask for larger arrays in parts."""


class ArrayAdapter:
    """An array whose parts are read when they are asked for.

    :param metadata: what the descriptor says of the key.
    """

    structure_family = StructureFamily.array

    def __init__(self, frames: Frames, metadata: Mapping[str, Any]) -> None:
        self._frames = frames
        self._metadata = dict(metadata)
        dtype = frames.dtype
        of_numpy = StructDtype if dtype.fields is not None else BuiltinDtype
        self._structure = ArrayStructure(
            data_type=of_numpy.from_numpy_dtype(dtype),
            chunks=frames.chunks,
            shape=frames.shape,
            dims=frames.dims or None,
        )

    @property
    def specs(self) -> list[Spec]:
        """None: it is an array like any other."""
        return []

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions."""
        return self._frames.dims

    def metadata(self) -> dict[str, Any]:
        """Return what the descriptor says of the key."""
        return self._metadata

    def structure(self) -> ArrayStructure:
        """Return its shape, dtype, dimensions and chunks."""
        return self._structure

    def read(self, slice: NDSlice | None = None) -> np.ndarray:
        """Return a part of it, or all.

        :raises HTTPException: if that is too much for one answer.
        """
        part = NDSlice(*(slice or ()))
        self._check(part.shape_after_slice(self._frames.shape) if part else self._frames.shape)
        return self._frames[tuple(part)] if part else self._frames[...]

    def read_block(self, block: NDBlock, slice: NDSlice | None = None) -> np.ndarray:
        """Return a chunk, or a part of it."""
        place = tuple(NDBlock(*block).slice_from_chunks(self._frames.chunks))
        self._check(block.shape_from_chunks(self._frames.chunks))
        found = self._frames[place]
        return found[tuple(slice)] if slice else found

    def _check(self, shape: tuple[int, ...]) -> None:
        """Refuse what is too much, before it is read."""
        size = int(np.prod(shape, dtype=np.int64)) * self._frames.dtype.itemsize
        if size > MOST_BYTES:
            msg = f"The answer would have {size:,} bytes, and may have {MOST_BYTES:,}. Ask for a slice."
            raise HTTPException(400, msg)
