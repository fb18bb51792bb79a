"""Values of events in Arrow columns and back: nothing is rounded, cut or turned into something else."""

import math
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.documents import is_same, plain
from hutch.store.batches.columns import Column, Filled, Kind, Layout, wider
from hutch.store.batches.packing import pack, pack_all
from hutch.store.batches.unpacking import events, to_numpy, values

BIG = 2**53


def round_trip(given_values, at_least=Column()):  # noqa: B008 - it cannot be changed
    packed = pack(given_values, at_least)
    return packed, values(packed.array, packed.column, packed.flags)


@pytest.mark.parametrize(
    ("given_values", "column"),
    [
        ([None, None], Column(Kind.NULL)),
        ([1.5, None, math.nan], Column(Kind.FLOAT)),
        ([1, None, -(2**63), 2**63 - 1], Column(Kind.INT)),
        ([1, 2.5, None, -0.0], Column(Kind.NUMBER)),
        ([1.5, BIG, -BIG], Column(Kind.NUMBER)),
        ([1.5, BIG + 1], Column(Kind.JSON)),
        ([1, 2**63], Column(Kind.JSON)),
        ([True, None], Column(Kind.BOOL)),
        ([True, 1], Column(Kind.JSON)),
        (["a", "", "\0", None], Column(Kind.TEXT)),
        (["a", "\ud800"], Column(Kind.JSON)),
        (["a", 1.5], Column(Kind.JSON)),
        ([[1, 2], [3, 4]], Column(Kind.TENSOR, "int64", (2,))),
        ([[[0.5], [math.nan]]], Column(Kind.TENSOR, "float64", (2, 1))),
        ([[True, False]], Column(Kind.TENSOR, "bool", (2,))),
        ([[2**63, 2**64 - 1]], Column(Kind.TENSOR, "uint64", (2,))),
        ([[2**63, -1]], Column(Kind.JSON)),
        ([[2**64]], Column(Kind.JSON)),
        ([[1, 2], [3]], Column(Kind.JSON)),
        ([[1, 2.5]], Column(Kind.JSON)),
        ([[1, True]], Column(Kind.JSON)),
        ([[1, None]], Column(Kind.JSON)),
        ([["a"]], Column(Kind.JSON)),
        ([[]], Column(Kind.JSON)),
        ([[1], None], Column(Kind.JSON)),
        ([{"a": [1, math.inf]}, None], Column(Kind.JSON)),
        ([], Column(Kind.NULL)),
    ],
    ids=repr,
)
def test_values_lie_in_the_narrowest_column_that_keeps_them(given_values, column):
    packed, found = round_trip(given_values)

    assert packed.column == column
    assert is_same(found, given_values)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", ">i2", "i8", "u1", "u8", "bool"])
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (1, 2, 1)])
def test_arrays_keep_their_dtype_and_shape(dtype, shape):
    arrays = [np.arange(math.prod(shape)).reshape(shape).astype(dtype), np.ones(shape, dtype)]

    packed, found = round_trip(arrays)

    assert packed.column == Column(Kind.TENSOR, np.dtype(dtype).newbyteorder("=").name, shape)
    assert is_same(found, plain(arrays))
    np.testing.assert_array_equal(to_numpy(packed.array, packed.column), np.stack(arrays))


@pytest.mark.parametrize(
    "arrays",
    [
        [np.array([1, 2]), np.array([1.0, 2.0])],
        [np.array([1, 2]), np.array([1, 2, 3])],
        [np.array([]), np.array([])],
        [np.array(["a", "b"])],
        [np.array([[1, None]], dtype=object)],
        [np.array([1, 2]), [1, 2]],
        [np.array([1.5]), None],
    ],
    ids=["dtypes", "lengths", "empty", "text", "objects", "array and list", "none"],
)
def test_arrays_that_fit_no_tensor_are_kept_as_lists(arrays):
    packed, found = round_trip(arrays)

    assert packed.column == Column(Kind.JSON)
    assert is_same(found, plain(arrays))


def test_slices_and_transposed_arrays_are_kept():
    block = np.arange(24.0).reshape(4, 6)

    assert is_same(round_trip([block[:, ::2].T])[1], plain([block[:, ::2].T]))


def test_numpy_scalars_become_numbers_of_their_kind():
    packed, found = round_trip([np.float32(0.1), np.float64(2.5), np.array(3.5)])

    assert packed.column == Column(Kind.FLOAT)
    assert is_same(found, [float(np.float32(0.1)), 2.5, 3.5])
    assert is_same(round_trip([np.int8(-1), np.uint64(2**64 - 1)])[1], [-1, 2**64 - 1])
    assert is_same(round_trip([np.bool_(True), False])[1], [True, False])
    assert is_same(round_trip([np.str_("a")])[1], ["a"])


@pytest.mark.parametrize(
    "odd",
    [object(), 1j, b"bytes", {1, 2}, np.longdouble(1), np.array([1j]), np.ones(2, np.longdouble)],
    ids=lambda odd: type(odd).__name__,
)
def test_what_no_column_holds_is_kept_by_its_repr_and_told(odd):
    packed, found = round_trip(["good", odd])

    # Where a long double is no longer than a double, it can be kept.
    assert packed.column.kind is Kind.JSON
    assert found[0] == "good"
    assert packed.replaced == [1] or getattr(odd, "dtype", None) == np.dtype("f8")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
alike = st.one_of(
    *[
        st.lists(one | st.none(), min_size=1, max_size=6)
        for one in (st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just(None))
    ],
    st.lists(st.integers() | st.floats(), min_size=1, max_size=6),
    st.lists(st.lists(st.integers(), min_size=2, max_size=2), min_size=1, max_size=4),
    st.lists(st.lists(st.floats(), min_size=2, max_size=2), min_size=1, max_size=4),
    st.lists(st.lists(st.booleans(), min_size=1, max_size=1), min_size=1, max_size=4),
    st.lists(st.lists(scalars, max_size=3), min_size=1, max_size=4),
    st.lists(st.dictionaries(st.text(max_size=2), scalars, max_size=2), min_size=1, max_size=4),
    st.lists(scalars, min_size=1, max_size=6),
)
columns = st.sampled_from(
    [Column(kind) for kind in Kind if kind is not Kind.TENSOR]
    + [
        Column(Kind.TENSOR, "int64", (2,)),
        Column(Kind.TENSOR, "float64", (2,)),
        Column(Kind.TENSOR, "bool", (1,)),
    ]
)


@settings(max_examples=300)
@given(alike, columns)
def test_any_values_come_back_whatever_the_column_was_before(given_values, before):
    packed, found = round_trip(given_values, before)

    assert is_same(found, given_values)
    assert wider(before, packed.column) == packed.column
    assert not packed.replaced


@given(st.lists(alike, min_size=1, max_size=4))
def test_a_column_only_widens_and_keeps_what_came_before(lots):
    column = Column()
    for lot in lots:
        column = pack(lot, column).column
    everything = [value for lot in lots for value in lot]

    packed, found = round_trip(everything, column)

    assert is_same(found, everything)
    assert packed.column == column or packed.column.kind is Kind.JSON


@given(columns, columns)
def test_nothing_is_wider_than_what_it_was_widened_with(first, second):
    # Except that a tensor has no room for the None of others, and begins anew after them.
    found = wider(first, second)

    assert wider(found, second) == found
    assert wider(first, first) == first
    assert wider(found, first) == found or (first.kind is Kind.NULL and found.kind is Kind.TENSOR)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), columns, max_size=6))
def test_a_layout_is_read_back_from_its_schema(chosen):
    layout = Layout(tuple(chosen.items()), tuple(chosen.items()), Filled.COLUMN, whole=True)

    assert Layout.from_schema(pa.ipc.read_schema(pa.py_buffer(layout.schema_bytes))) == layout


def test_keys_named_like_columns_of_hutch_are_kept_apart():
    keys = ("seq_num", "arrival", "whole", "data.x", "int.x", "", ".", "ts.")
    layout = Layout(tuple((key, Column(Kind.NUMBER)) for key in keys), ())

    assert len(set(layout.schema.names)) == len(layout.schema.names)
    assert Layout.from_schema(layout.schema) == layout


def test_events_are_read_back_from_a_batch():
    layout = Layout((("x", Column(Kind.INT)),), (("x", Column(Kind.FLOAT)),), Filled.ABSENT)
    columns = [[4], [2.5], ["u"], [7], [None], [0.5]]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, layout.schema, strict=True)],
        schema=layout.schema,
    )

    assert list(events(batch, layout, "d")) == [
        (
            7,
            {
                "uid": "u",
                "time": 2.5,
                "data": {"x": None},
                "timestamps": {"x": 0.5},
                "seq_num": 4,
                "descriptor": "d",
            },
        )
    ]


def test_integers_with_gaps_are_floats_only_where_that_is_exact():
    small = pack([1, None], Column())
    large = pack([BIG + 1, None], Column())

    np.testing.assert_array_equal(to_numpy(small.array, small.column), [1.0, np.nan])
    assert to_numpy(large.array, large.column).tolist() == [BIG + 1, None]


def test_the_kinds_are_those_that_segments_name():
    # Stored in every segment's schema: a renamed one could not be read any more.
    assert re.fullmatch("(null|float|int|number|bool|text|tensor|json ?){8}", "".join(Kind))
    assert [kind.value for kind in Filled] == ["empty", "absent", "column"]


@given(
    st.lists(st.lists(st.one_of(st.floats(), st.integers(), st.none()), min_size=3, max_size=3), max_size=4)
)
def test_columns_that_are_packed_together_are_those_that_are_packed_alone(columns):
    together = pack_all(columns, [Column()] * len(columns))
    alone = [pack(values, Column()) for values in columns]
    assert [packed.column for packed in together] == [packed.column for packed in alone]
    for one, two in zip(together, alone, strict=True):
        assert str(one.array.to_pylist()) == str(two.array.to_pylist())
