"""Values as they come: shared with nobody, weighed, and told apart."""

import numpy as np
import pytest

from hutch.recording.events.event_values import all_are, bytes_of, is_integer, owned, seconds


@pytest.mark.parametrize("column", [[[1.0], [2.0]], [None, {"a": [1]}], np.ones((2, 3))])
def test_owned_columns_share_nothing(column):
    found = owned(column)
    assert list(map(repr, found)) == list(map(repr, column))
    if isinstance(column, list):
        assert all(mine is not theirs for mine, theirs in zip(found, column, strict=True) if theirs)


def test_owned_numbers_are_scanned():
    assert isinstance(owned([0.5] * 100), np.ndarray)
    assert owned((1, "a")) == [1, "a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.zeros(10), 80), ([0.5] * 10, 320), ([[0.5] * 10] * 3, 960), ([], 0), ("text", 0), (1, 0)],
)
def test_arrays_have_a_weight(value, expected):
    assert bytes_of(value) == expected


def test_types_are_exact():
    assert all_are(int, [1, 2])
    assert not all_are(int, [1, True])
    assert all_are(float, np.zeros(2))
    assert not all_are(float, np.zeros(2, int))


def test_integers_have_64_bit():
    assert is_integer(-(2**63))
    assert not is_integer(2**63)
    assert not is_integer(True)
    assert not is_integer(1.0)


@pytest.mark.parametrize("time", [None, "x", [], 10**400])
def test_what_is_no_time_is_nan(time):
    assert seconds(time) != seconds(time)


def test_times_are_floats():
    assert seconds(3) == 3.0
