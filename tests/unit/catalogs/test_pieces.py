import numpy as np
import pytest

from hutch.catalogs.reading.pieces import Piece, assemble, empty
from hutch.store.batches.columns import Column, Kind

NUMBER = {"dtype": "number"}
STRING = {"dtype": "string"}


def assembled(*columns, about=NUMBER):
    """Assemble columns that came in separate batches; an integer stands for so many rows without the key."""
    return assemble([Piece(rows) if isinstance(rows, int) else Piece.of(rows) for rows in columns], about)


def test_batches_follow_each_other():
    found = assembled([1, 2], [3])
    assert found.dtype == np.int64
    assert found.tolist() == [1, 2, 3]


def test_floats_and_integers_of_different_batches_become_floats():
    found = assembled([1, 2], [0.5], [3, 4.5])
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 2.0, 0.5, 3.0, 4.5]


def test_rows_without_the_key_are_nan_or_none():
    np.testing.assert_array_equal(assembled([1, 2], 1), [1, 2, np.nan])
    assert assembled(1, ["a"], about=STRING).tolist() == [None, "a"]
    assert assembled([True], 1).tolist() == [True, None]


def test_arrays_that_some_rows_lack_are_nan_there():
    found = assembled([[1, 2]], 1)
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan]])
    narrow = assemble([Piece.of([np.ones(2, "float32")]), Piece(1)], {})
    assert narrow.dtype == np.float32


def test_bool_arrays_that_some_rows_lack_are_objects():
    found = assembled([[True, False]], 1)
    assert found[0].tolist() == [True, False]
    assert found[1] is None


def test_arrays_of_several_dtypes_share_the_widest():
    found = assemble([Piece.of([np.ones(2, "uint8")]), Piece.of([np.ones(2, "float32")])], {})
    assert found.dtype == np.float32
    assert found.shape == (2, 2)


def test_arrays_of_several_shapes_are_objects():
    found = assembled([[1, 2]], [[3]])
    assert found.shape == (2,)
    assert [value.tolist() for value in found] == [[1, 2], [3]]


def test_nothing_but_none_is_nan_where_the_descriptor_promises_numbers():
    np.testing.assert_array_equal(assembled([None, None]), [np.nan, np.nan])
    assert assembled([None, None], about=STRING).tolist() == [None, None]


def test_text_and_numbers_in_one_key_stay_what_they_are():
    assert assembled(["a"], [1.5], [2]).tolist() == ["a", 1.5, 2]


@pytest.mark.parametrize(
    ("value", "shape"),
    [([["a", "b"]], (1, 1, 2)), ([[1, "b"]], (1, 1, 2)), ([[1], "b"], (1,)), ([{"a": 1}], (1, 1))],
)
def test_lists_of_other_things_than_numbers_keep_them(value, shape):
    found = assembled([value])
    assert found.dtype == object
    assert found.shape == shape
    assert found.tolist() == [value]


def test_loaded_arrays_of_one_shape_become_one_array():
    frames = [np.zeros((2, 3), "uint16"), np.ones((2, 3), "uint16")]
    found = assemble([Piece(2, Column(Kind.JSON), loaded=frames)], {})
    assert found.dtype == np.uint16
    assert found.shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("about", "dtype", "shape"),
    [
        ({"dtype": "number", "shape": []}, "float64", (0,)),
        ({"dtype": "boolean", "shape": []}, "bool", (0,)),
        ({"dtype": "array", "shape": [3, -1]}, "float64", (0, 3, 0)),
        ({"dtype": "array", "shape": [2], "dtype_numpy": "<i2"}, "int16", (0, 2)),
        ({"dtype": "number", "shape": None, "dtype_numpy": "nonsense"}, "float64", (0,)),
        ({}, "object", (0,)),
    ],
)
def test_no_rows_have_what_the_descriptor_promises(about, dtype, shape):
    assert empty(about).dtype == dtype
    assert empty(about).shape == shape
