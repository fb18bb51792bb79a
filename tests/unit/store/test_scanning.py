"""Lists of numbers as arrays: exactly the same values, or the long way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.store.batches.scanning import Gathering, integers, join, scan

FLOATS = st.lists(st.floats(), min_size=64, max_size=200)
SMALL = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=64, max_size=200)
ODD = st.sampled_from(
    [1, 1.5, True, None, "1", 2**31, -(2**31) - 1, 2**70, [1.0], np.float64(1.5), np.int64(1), b"g"]
)


@given(FLOATS)
def test_floats_come_out_bit_by_bit(values):
    assert np.asarray(scan(values), np.float64).tobytes() == np.array(values, np.float64).tobytes()


@given(SMALL)
def test_integers_of_32_bit_come_out_as_they_are(values):
    assert scan(values).tolist() == values


@given(st.one_of(FLOATS, SMALL), ODD, st.data())
def test_a_list_with_something_else_in_it_is_no_array(values, odd, data):
    if type(odd) is type(values[0]) and not (isinstance(odd, int) and abs(odd) >= 2**31):
        odd = str(odd)
    values.insert(data.draw(st.integers(0, len(values))), odd)
    assert scan(values) is None


@pytest.mark.parametrize(
    "values", [[1.0] * 63, [], tuple([1.0] * 100), range(100), [None] * 100, ["g"] * 100]
)
def test_what_is_short_or_no_list_of_numbers_goes_the_long_way(values):
    assert scan(values) is None


@given(st.lists(st.one_of(FLOATS, SMALL, st.lists(st.text(max_size=3))), max_size=6))
def test_what_is_gathered_is_what_was_added_in_order(parts):
    gathered = Gathering()
    for part in parts:
        numbers = scan(part) if part else None
        gathered.add(part if numbers is None else numbers)
    expected = [value for part in parts for value in part]
    found = list(gathered.values())
    assert len(found) == len(expected)
    assert all(one == two or (one != one and two != two) for one, two in zip(found, expected, strict=True))
    assert [isinstance(value, str) for value in found] == [isinstance(value, str) for value in expected]


def test_pages_beyond_the_first_room_are_gathered_in_one_array():
    gathered = Gathering()
    for start in range(0, 60_000, 1000):
        gathered.add(scan(list(range(start, start + 1000))))
    assert isinstance(gathered.values(), np.ndarray)
    assert gathered.values().tolist() == list(range(60_000))


def test_floats_and_integers_are_joined_without_rounding():
    large = list(range(2**31 - 100, 2**31 - 1))
    joined = join([scan([0.5] * 64), scan(large)])
    assert list(joined) == [0.5] * 64 + large
    assert [type(value) for value in joined] == [float] * 64 + [int] * 99


def test_integers_of_64_bit_are_kept_and_larger_ones_refused():
    assert integers([2**63 - 1, -(2**63)]).tolist() == [2**63 - 1, -(2**63)]
    with pytest.raises(OverflowError):
        integers([2**63])
