"""Arrays that are read in parts, those in detectors' files too."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi import HTTPException
from tiled.ndslice import NDBlock, NDSlice

from hutch.server.frames import chunked
from hutch.server.tiled.array import ArrayAdapter


class FakeFrames:
    """Frames in a detector's file, which notes what is read of them."""

    def __init__(self, shape=(6, 4, 5), dtype="uint16"):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.chunks = ((2, 2, 2), (4,), (5,)) if shape == (6, 4, 5) else tuple((size,) for size in shape)
        self.dims = ("time", "y", "x")
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return np.arange(120, dtype=self.dtype).reshape(6, 4, 5)[index]


def test_a_slice_of_frames_is_all_that_is_read():
    frames = FakeFrames()
    found = ArrayAdapter(frames, {"units": "counts"}).read(NDSlice(slice(1, 3), 0))

    assert frames.read == [(slice(1, 3), 0)]
    assert found.tolist() == np.arange(120).reshape(6, 4, 5)[1:3, 0].tolist()


def test_a_block_is_one_chunk():
    frames = FakeFrames()
    adapter = ArrayAdapter(frames, {})

    assert adapter.read_block(NDBlock(1, 0, 0)).shape == (2, 4, 5)
    assert frames.read == [(slice(2, 4), slice(0, 4), slice(0, 5))]
    assert (
        adapter.read_block(NDBlock(2, 0, 0), NDSlice(0)).tolist() == np.arange(80, 100).reshape(4, 5).tolist()
    )


def test_the_structure_has_shape_dtype_chunks_and_dims():
    structure = ArrayAdapter(FakeFrames(), {}).structure()

    assert structure.shape == (6, 4, 5) and structure.dims == ("time", "y", "x")
    assert structure.data_type.to_numpy_dtype() == np.uint16
    assert structure.chunks == ((2, 2, 2), (4,), (5,))


def test_what_is_too_much_for_one_answer_is_refused_before_it_is_read():
    frames = FakeFrames((10_000, 4_000, 4_000))

    with pytest.raises(HTTPException, match="Ask for a slice"):
        ArrayAdapter(frames, {}).read()
    assert frames.read == []


@pytest.mark.parametrize("shape, expected", [
    ((10, 1000, 1000), ((2, 2, 2, 2, 2), (1000,), (1000,))),
    ((3, 1000, 1000), ((2, 1), (1000,), (1000,))),
    ((5,), ((5,),)),
    ((0, 7), ((0,), (7,))),
    ((2, 10_000, 10_000), ((1, 1), (10_000,), (10_000,))),
])  # fmt: skip
def test_chunks_are_whole_rows_of_16_megabytes(shape, expected):
    # 1000 x 1000 floats are 8 MB.
    assert chunked(shape, np.dtype("float64")) == expected
