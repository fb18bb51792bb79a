import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.documents import encode
from hutch.store.batches.columns import Column, Filled, Kind, Layout
from hutch.store.batches.packing import pack
from hutch.store.batches.unpacking import events, find_column, join_small, objects, to_numpy, values

NARROWEST = Column()


def batch_of(layout, data, count, **others):
    """Return a record batch of a layout from its packed columns."""
    columns = {
        "seq_num": pa.array(range(1, count + 1), pa.int64()),
        "time": pa.array([float(number) for number in range(count)]),
        "uid": pa.array([f"event-{number}" for number in range(count)]),
        "arrival": pa.array(range(5, 5 + count), pa.int64()),
        **others,
    }
    for (key, _), found in zip(layout.data, data, strict=True):
        columns[f"data.{key}"] = found.array
        columns[f"ts.{key}"] = pa.array([0.5] * count)
        if found.flags is not None:
            columns[f"int.{key}"] = found.flags
    return pa.record_batch([columns[name] for name in layout.schema.names], schema=layout.schema)


def layout_of(*packed, **options):
    data = tuple((f"k{number}", found.column) for number, found in enumerate(packed))
    return Layout(data, tuple((key, Column(Kind.FLOAT)) for key, _ in data), **options)


def event(number, data, **others):
    return {
        "uid": f"event-{number}",
        "time": float(number),
        "data": data,
        "timestamps": dict.fromkeys(data, 0.5),
        "seq_num": number + 1,
        "descriptor": "d",
        **others,
    }


@given(
    st.one_of(
        st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1),
        st.lists(st.one_of(st.none(), st.integers()), min_size=1),
        st.lists(st.one_of(st.integers(), st.floats(allow_nan=False)), min_size=1),
        st.lists(st.one_of(st.none(), st.booleans(), st.text()), min_size=1),
        st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=1),
        st.lists(st.lists(st.floats(0, 1), max_size=3), min_size=1),
    )
)
def test_what_was_packed_is_unpacked_with_its_types(column):
    packed = pack(column, NARROWEST)
    found = values(packed.array, packed.column, packed.flags)
    assert found == column
    assert list(map(type, found)) == list(map(type, column))


def test_events_are_rebuilt_whole_and_in_order():
    packed = [pack([1.5, 2.5], NARROWEST), pack([1, 2.5], NARROWEST), pack([[1, 2], [3, 4]], NARROWEST)]
    layout = layout_of(*packed)
    found = list(events(batch_of(layout, packed, 2), layout, "d"))
    assert found == [
        (5, event(0, {"k0": 1.5, "k1": 1, "k2": [1, 2]}, filled={})),
        (6, event(1, {"k0": 2.5, "k1": 2.5, "k2": [3, 4]}, filled={})),
    ]
    assert type(found[0][1]["data"]["k1"]) is int


def test_slices_of_a_batch_are_their_rows():
    packed = [pack([1, 2.5, 3, 4.5], NARROWEST), pack([[1], [2], [3], [4]], NARROWEST)]
    layout = layout_of(*packed)
    batch = batch_of(layout, packed, 4)
    assert list(events(batch.slice(1, 2), layout, "d")) == list(events(batch, layout, "d"))[1:3]


def test_events_without_keys_are_rebuilt():
    layout = layout_of()
    assert [found["data"] for _, found in events(batch_of(layout, [], 2), layout, "d")] == [{}, {}]


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        (Filled.EMPTY, [{"filled": {}}, {"filled": {}}]),
        (Filled.ABSENT, [{}, {}]),
        (Filled.COLUMN, [{"filled": {"k0": False}}, {}]),
    ],
)
def test_filled_is_as_it_was(filled, expected):
    packed = [pack([1.0, 2.0], NARROWEST)]
    layout = layout_of(*packed, filled=filled)
    column = pa.array([b'{"k0":false}', None], pa.binary())
    found = list(events(batch_of(layout, packed, 2, filled=column), layout, "d"))
    assert [document for _, document in found] == [
        event(number, {"k0": number + 1.0}, **others) for number, others in enumerate(expected)
    ]


def test_an_event_that_fits_no_columns_comes_back_whole():
    odd = {"uid": "odd", "data": {"other": 1}, "extra": None}
    packed = [pack([1.0, None], NARROWEST)]
    layout = layout_of(*packed, whole=True)
    whole = pa.array([None, encode(odd)], pa.binary())
    found = list(events(batch_of(layout, packed, 2, whole=whole), layout, "d"))
    assert found == [(5, event(0, {"k0": 1.0}, filled={})), (6, odd)]


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        ([1.5, 2.5], "float64", [1.5, 2.5]),
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([True, False], "bool", [True, False]),
        (["a", None], "object", ["a", None]),
        ([True, None], "object", [True, None]),
        ([2**60, None], "object", [2**60, None]),
        ([2**70, 1], "object", [2**70, 1]),
        ([[True], [False]], "bool", [[True], [False]]),
    ],
)
def test_columns_become_arrays_of_the_dtype_that_holds_them(column, dtype, expected):
    packed = pack(column, NARROWEST)
    found = to_numpy(packed.array, packed.column)
    assert found.dtype.name == dtype
    assert found.tolist() == expected


@pytest.mark.parametrize("column", [[1.0, None], [1, None], [1, 2.5, None]])
def test_none_among_numbers_becomes_nan(column):
    packed = pack(column, NARROWEST)
    found = to_numpy(packed.array, packed.column)
    assert found.dtype == np.float64
    assert math.isnan(found[-1])
    assert found[:-1].tolist() == column[:-1]


def test_floats_are_not_copied():
    packed = pack([1.0, 2.0], NARROWEST)
    assert not to_numpy(packed.array, packed.column).flags.owndata


def test_timestamps_have_flags_of_their_own():
    packed = pack([1, 2.5], NARROWEST)
    layout = Layout((), (("k", packed.column),))
    columns = {"ts.k": packed.array, "tsint.k": packed.flags}
    fixed = [pa.array([1, 2]), pa.array([0.0, 1.0]), pa.array(["a", "b"]), pa.array([1, 2])]
    batch = pa.record_batch([*fixed, *columns.values()], schema=layout.schema)
    array, flags = find_column(batch, "k", packed.column, "ts")
    assert values(array, packed.column, flags) == [1, 2.5]


def test_lists_stay_lists_in_object_arrays():
    found = objects([[1, 2], [3, 4]])
    assert found.shape == (2,)
    assert found[0] == [1, 2]


def test_small_batches_are_joined_and_large_ones_left():
    columns = [["a", [1, 2], 1.5, None], ["b", [3, 4], 2.5, None]]
    packed = [[pack([value], NARROWEST) for value in row] for row in columns]
    layout = layout_of(*packed[0])
    batches = [batch_of(layout, row, 1) for row in packed]
    joined = join_small(batches, 200)
    assert [batch.num_rows for batch in joined] == [2]
    assert list(events(joined[0], layout, "d")) == [
        found for batch in batches for found in events(batch, layout, "d")
    ]
    assert join_small(batches, 10**9) is batches
    assert join_small([], 0) == []
