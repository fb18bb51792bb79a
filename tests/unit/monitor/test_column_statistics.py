"""The statistics of columns are those of all rows, in whatever batches and parts they come."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.monitor.arrays import pack_state, unpack_state
from hutch.monitor.batch import Batch, Deferred
from hutch.monitor.plots.column_statistics import ColumnStatistics

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=700)


def batch(values, start=0, **more):
    columns = {"T": np.asarray(values, dtype=float), **more}
    return Batch("uid/primary", "run", start, columns, {"data_keys": {"T": {"units": "K"}}})


def folded(values, edges):
    """Return a plot of each part between some edges."""
    parts = []
    for first, last in zip([0, *edges], [*edges, len(values)], strict=True):
        plot = ColumnStatistics()
        plot.update(batch(values[first:last], first))
        parts.append(plot)
    return parts


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        if name == "total":
            np.testing.assert_allclose(array, theirs[name], rtol=1e-9, atol=1e-6)
        else:
            np.testing.assert_array_equal(array, theirs[name])


@settings(max_examples=60)
@given(VALUES, st.lists(st.integers(0, 700), max_size=6), st.randoms())
def test_parts_add_up_in_any_order(values, cuts, random):
    (whole,) = folded(values, [])
    edges = sorted({cut for cut in cuts if cut < len(values)})
    parts = folded(values, edges)
    random.shuffle(parts)
    merged = ColumnStatistics()
    for part in parts:
        merged.merge(part)
    batches = ColumnStatistics()
    for first, last in zip([0, *edges], [*edges, len(values)], strict=True):
        batches.update(batch(values[first:last], first))
    restored = ColumnStatistics()
    restored.restore(unpack_state(pack_state(merged.state())))

    for plot in (merged, batches, restored):
        assert_same(plot.state(), whole.state())


@given(VALUES)
@settings(max_examples=60)
def test_numbers_are_those_of_all_values(values):
    (plot,) = folded(values, [])
    found, numbers = plot.column("T"), [value for value in values if not math.isnan(value)]

    assert (found.count, found.missing, found.units) == (len(numbers), len(values) - len(numbers), "K")
    if numbers:
        assert (found.minimum, found.maximum) == (min(numbers), max(numbers))
        assert found.mean == pytest.approx(math.fsum(numbers) / len(numbers))
    np.testing.assert_equal(found.last, values[-1])
    kept = values if len(values) <= 512 else [*values[:256], *values[-256:]]
    np.testing.assert_array_equal(plot.series("T"), kept)


def test_what_is_no_number_or_in_a_detectors_file_is_left_alone():
    def load():
        raise AssertionError("nobody wants it")

    plot = ColumnStatistics()
    more = {
        "time": np.arange(3.0),
        "name": np.array(["a", "b", "c"]),
        "image": np.zeros((3, 2, 2)),
        "frames": Deferred(3, load),
        "is_on": np.array([True, False, True]),
    }
    plot.update(batch([1, 2, 3], **more))
    plot.update(batch([]))

    assert plot.state()["names"].tolist() == ["T", "is_on"]
    assert plot.column("name") is plot.column("nothing") is None
    assert plot.series("nothing").size == 0


def test_it_is_drawn_with_and_without_values():
    plot = ColumnStatistics()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot.figure()
        assert "no values yet" in [text.get_text() for text in figure.texts]
        plot.update(batch(np.arange(1000.0), other=np.full(1000, math.nan)))
        drawn = plot.figure(figure)
        assert plot.figure(drawn) is drawn
        drawn.canvas.draw()
    said = [text.get_text() for text in drawn.texts]
    assert "last 999 · mean 499.5\n0 to 999\n1,000 values" in said
    assert {"T [K]", "other", "no numbers"} <= set(said)
    beginning, end = drawn.axes[0].lines
    assert (beginning.get_xdata()[-1], end.get_xdata()[0]) == (255, 744)
