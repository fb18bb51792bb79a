"""Indexing without memory is numpy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.assets.indexing import select

ARRAY = np.arange(7 * 3 * 5).reshape(7, 3, 5)


class Recorded:
    """An array that is read as a selection says, and keeps how much of it was."""

    def __init__(self):
        self.read = 0

    def __getitem__(self, index):
        wanted = select(index, ARRAY.shape)
        found = ARRAY[np.ix_(wanted.rows, *wanted.within)]
        self.read = found.size
        return wanted.finish(found)


def parts(size):
    number = st.integers(-size, size - 1)
    ends = st.none() | st.integers(-size - 2, size + 2)
    steps = st.none() | st.integers(-3, 3).filter(bool)
    return number | st.builds(slice, ends, ends, steps)


@st.composite
def indices(draw):
    found = [draw(parts(size)) for size in ARRAY.shape[: draw(st.integers(0, 3))]]
    if draw(st.booleans()):
        found.insert(draw(st.integers(0, len(found))), Ellipsis)
    rows = draw(
        st.none()
        | st.lists(st.integers(-7, 6), max_size=5).map(lambda some: np.array(some, dtype=int))
        | st.lists(st.booleans(), min_size=7, max_size=7).map(np.array)
    )
    if rows is not None and found and found[0] is not Ellipsis:
        found[0] = rows
    return tuple(found)


@given(indices())
def test_what_is_asked_for_is_what_numpy_gives(index):
    try:
        expected = ARRAY[index]
    except IndexError:
        with pytest.raises(IndexError, match="index"):
            Recorded()[index]
        return
    found = Recorded()[index]
    np.testing.assert_array_equal(found, expected)
    assert np.shape(found) == np.shape(expected)


@pytest.mark.parametrize(
    "index", [3, -1, slice(2, 5), (slice(None), 1), (0, ..., slice(None, None, 2)), ([1, 6],)]
)
def test_no_more_is_read_than_is_asked_for(index):
    array = Recorded()
    assert np.size(array[index]) == array.read


@pytest.mark.parametrize(
    "index", [None, (0, None), (slice(None), [0, 2]), np.zeros((7, 3), bool), (..., [1])]
)
def test_numpy_does_the_rest_in_memory(index):
    np.testing.assert_array_equal(Recorded()[index], ARRAY[index])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (7, "index 7 is out of bounds for axis 0 with size 7"),
        ((0, -4), "index -4 is out of bounds for axis 1 with size 3"),
        ((0, 0, 0, 0), "too many indices for array: array is 3-dimensional, but 4 were indexed"),
        ((..., ...), "an index can only have a single ellipsis"),
    ],
)
def test_what_is_not_there_is_told_as_numpy_tells_it(index, message):
    with pytest.raises(IndexError, match=message):
        Recorded()[index]
