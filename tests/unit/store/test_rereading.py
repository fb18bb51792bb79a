"""Rows by their places, while the batches that hold them are replaced."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.errors import CorruptBatchError
from hutch.store.batches import rereading
from hutch.store.batches.rereading import read_rows

from .conftest import add_batch, add_run, add_segment, numbers

ROWS = (3, 1, 4, 1, 5, 9, 2, 6)
ALL = sum(ROWS)


@pytest.fixture(params=["together", "one by one"])
def segment(store, request, monkeypatch):
    """A segment with batches of some rows, numbered from 0."""
    if request.param == "one by one":
        monkeypatch.setattr(rereading, "_BYTES_AT_ONCE", 1)
    run = add_run(store, "run")
    number = add_segment(store, run, numbers(1))
    first = 0
    for rows in ROWS:
        add_batch(store, run, numbers(rows, first), number, first)
        first += rows
    return store.segments(run)[0]


def read(store, segment, batches, start=0, stop=None):
    """Return the numbers in rows."""
    schema = pa.ipc.read_schema(pa.py_buffer(segment.schema))
    reading = read_rows(store, segment, schema, batches, start, stop)
    return [value for some in reading for part in some for value in part.column("n").to_pylist()]


def merge(store, segment, first, last):
    """Put one batch in the place of some."""
    from hutch.store.batches.arrow_files import new_batch

    old = store.batches(segment.run, segment.id)[first:last]
    schema = pa.ipc.read_schema(pa.py_buffer(segment.schema))
    joined = pa.concat_batches(store.load(old, schema))
    merged = new_batch(store.files, segment.run, old[0].first_arrival, joined).in_segment(segment.id)
    with store.transaction() as writer:
        writer.replace_batches(segment.run, segment.stream, old, [merged])


@given(st.integers(0, ALL + 2), st.integers(0, ALL + 2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_rows_are_read_by_their_places(store, segment, start, stop):
    batches = store.batches(segment.run)
    assert read(store, segment, batches, start, min(stop, ALL)) == list(range(ALL))[start:stop]


def test_rows_of_replaced_batches_come_from_those_in_their_place(store, segment):
    batches = store.batches(segment.run)
    merge(store, segment, 1, 5)
    merge(store, segment, 2, 4)
    assert read(store, segment, batches) == list(range(ALL))
    assert read(store, segment, batches, 5, 20) == list(range(5, 20))


def test_reading_goes_on_at_its_place_when_batches_are_replaced_meanwhile(store, segment):
    schema = pa.ipc.read_schema(pa.py_buffer(segment.schema))
    found = []
    for some in read_rows(store, segment, schema, store.batches(segment.run)):
        found += [value for part in some for value in part.column("n").to_pylist()]
        if len(store.batches(segment.run)) > 1:
            merge(store, segment, 0, 2)
    assert found == list(range(ALL))


def test_rows_that_came_since_are_not_read(store, segment):
    batches = store.batches(segment.run)
    add_batch(store, segment.run, numbers(7, ALL), segment.id, ALL)
    merge(store, segment, 6, 9)
    assert read(store, segment, batches) == list(range(ALL))


def test_damage_is_told(store, segment):
    add_batch(store, segment.run, numbers(200_000, ALL), segment.id, ALL)
    batches = store.batches(segment.run)
    path = store.files / batches[-1].file
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CorruptBatchError, match="recorded are"):
        read(store, segment, batches)
    assert read(store, segment, batches, 0, ALL) == list(range(ALL))


def test_rows_that_are_gone_are_told(store, segment):
    batches = store.batches(segment.run)
    with store.transaction() as writer:
        writer.replace_batches(segment.run, segment.stream, batches, [])
    with pytest.raises(CorruptBatchError, match="is gone from the database"):
        read(store, segment, batches)
