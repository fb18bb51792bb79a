"""What waits for its commit is bounded in memory, and layouts only widen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.recording.events.lots import in_lots
from hutch.recording.events.stream_buffer import StreamBuffer
from hutch.store.batches.unpacking import events


def buffer_of(*keys):
    data_keys = {key: {"dtype": "number", "shape": [], "source": "test"} for key in keys}
    return StreamBuffer({"uid": "d", "data_keys": data_keys})


def add(buffer, number, **data):
    times = dict.fromkeys(data, 1.0)
    event = {"uid": f"e{number}", "descriptor": "d", "time": 1.0, "seq_num": number, "filled": {}}
    buffer.add({**event, "data": data, "timestamps": times}, number)


@pytest.mark.parametrize(("columns", "most"), [(1, 32_768), (10, 32_768), (2000, 262)])
def test_a_buffer_is_full_after_so_many_events(columns, most):
    keys = [f"key_{number}" for number in range(columns)]
    buffer = buffer_of(*keys)
    data = dict.fromkeys(keys, 0.5)
    for number in range(1, most + 1):
        assert not buffer.is_full
        add(buffer, number, **data)
    assert buffer.is_full
    buffer.take()
    assert not buffer.is_full


@pytest.mark.parametrize("value", [np.zeros((1000, 1000)), [[0.5] * 1000] * 250], ids=["array", "lists"])
def test_a_buffer_of_images_is_full_soon(value):
    buffer = buffer_of("image")
    for number in range(1, 9):
        assert not buffer.is_heavy
        add(buffer, number, image=value)
    assert buffer.is_heavy
    assert buffer.is_full
    buffer.take()
    assert not buffer.is_full


@given(st.lists(st.integers(1, 100_000), max_size=8), st.sampled_from([8, 26, 100]))
def test_lots_have_all_rows_in_order_and_bounded_length(sizes, width):
    pages, first = [], 0
    for size in sizes:
        numbers = np.arange(first, first + size)
        pages.append([numbers, *[numbers[:0]] * (width - 1)])
        first += size
    found = [rows[0] for rows in in_lots(pages)]
    assert np.concatenate([np.empty(0), *found]).tolist() == list(range(first))
    limit = min(16_384, 2**19 // width)
    assert all(limit <= len(numbers) < 2 * limit for numbers in found[:-1])
    assert all(len(numbers) < 2 * limit for numbers in found)


def test_a_value_that_changes_its_type_again_and_again_makes_few_layouts():
    buffer = buffer_of("x")
    layouts = set()
    for number in range(1, 1001):
        add(buffer, number, x=[1, 0.5, None, 2**60][number % 4] if number > 10 else number % 2 or 0.5)
        (rows,) = buffer.take()
        layouts.add(buffer.pack(rows).layout)
    assert len(layouts) <= 3


@pytest.mark.parametrize(
    ("dtype", "first", "then"),
    [("number", None, 0.5), ("number", 0.5, 1), ("integer", None, 7), ("string", None, "a")],
)
def test_columns_that_widen_one_after_the_other_make_few_layouts(dtype, first, then):
    keys = [f"key_{number}" for number in range(200)]
    data_keys = {key: {"dtype": dtype, "shape": [], "source": "test"} for key in keys}
    buffer = StreamBuffer({"uid": "d", "data_keys": data_keys})
    data, layouts, found, expected = dict.fromkeys(keys, first), set(), [], []
    for number in range(1, 202):
        add(buffer, number, **data)
        expected.append(dict(data))
        (rows,) = buffer.take()
        packed = buffer.pack(rows)
        layouts.add(packed.layout)
        found += [event["data"] for _, event in events(packed.batch, packed.layout, "d")]
        data[keys[number % 200]] = then
    assert len(layouts) <= 10
    assert found == expected
    assert [[type(value) for value in row.values()] for row in found] == [
        [type(value) for value in row.values()] for row in expected
    ]
