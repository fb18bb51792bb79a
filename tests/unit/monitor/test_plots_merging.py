"""The same rows give the same state, in whatever batches they come and whatever parts are merged."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.monitor.batch import Batch
from hutch.monitor.forms import Plot
from hutch.monitor.plots import SHIPPED
from hutch.monitor.plots.triggers import MOST_AFTER, TriggerHistograms

from ...larpix_files import PACKETS, packets, write_geometry

OF_PACKETS = [
    "PacketRate",
    "TileRate",
    "FIFOFlags",
    "HotPixel",
    "TimestampHistograms",
    "TriggerHistograms",
    "PacmanSyncHistograms",
    "PixelMap_1_3",
    "AnodeStd",
]


@pytest.fixture(autouse=True, scope="module")
def geometry(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("geometry") / "layout.yaml"
    write_geometry(path)
    before = os.environ.get("PIXEL_GEOMETRY_PATH")
    os.environ["PIXEL_GEOMETRY_PATH"] = str(path)
    yield
    os.environ.pop("PIXEL_GEOMETRY_PATH")
    if before is not None:
        os.environ["PIXEL_GEOMETRY_PATH"] = before


def are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return a.dtype.kind == b.dtype.kind and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")

    return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)


def assert_any_parts_are_equal(name: str, batch: Any, cuts: Sequence[int], order: Sequence[int]) -> None:
    """Compare one batch, several batches, and parts merged in an order.

    :param batch: makes a batch of rows from one number to another.
    :param order: of merging: each number says which two neighbours in what is left are merged next.
    """
    make = SHIPPED[name]
    whole, one_by_one = make(), make()
    ranges = list(itertools.pairwise(cuts))
    whole.update(batch(cuts[0], cuts[-1]))
    parts = []
    for start, stop in ranges:
        one_by_one.update(batch(start, stop))
        part = make()
        part.update(batch(start, stop))
        parts.append(part)
    assert are_equal(one_by_one.state(), whole.state())
    for at in order:
        if len(parts) > 1:
            left = parts.pop(at % len(parts))
            right = parts.pop(at % len(parts))
            left.merge(right)
            parts.insert(0, left)
    while len(parts) > 1:
        parts[0].merge(parts.pop())
    assert are_equal(parts[0].state(), whole.state())
    again = make()
    again.restore(whole.state())
    assert are_equal(again.state(), whole.state())


def some_packets(seed: int, step_s: int) -> np.ndarray:
    """Return packets of which few are timestamps and triggers, and those far apart."""
    rng = np.random.default_rng(seed)
    rows = packets(300, seed, per_message=7, messages_per_second=2)
    stamps = rows["packet_type"] == 4
    rows["timestamp"][stamps] = 1_700_000_000 + step_s * rng.integers(0, 2000, int(stamps.sum()))
    triggers = rng.random(len(rows)) < 0.05
    rows["packet_type"][triggers], rows["trigger_type"][triggers] = 7, 2
    rows["timestamp"][triggers] = rng.integers(0, 10_000, int(triggers.sum()))
    return rows


CUTS = st.lists(st.integers(0, 300), max_size=8).map(lambda inner: [0, *sorted(inner), 300])


@pytest.mark.parametrize("name", OF_PACKETS)
@settings(max_examples=8)
@given(
    seed=st.integers(0, 99),
    step_s=st.sampled_from([1, 7, 5000]),
    cuts=CUTS,
    order=st.lists(st.integers(0, 9), max_size=8),
)
def test_packets_add_up_in_any_parts(
    name: str, seed: int, step_s: int, cuts: list[int], order: list[int]
) -> None:
    rows = some_packets(seed, step_s)
    assert_any_parts_are_equal(name, lambda a, b: Batch("x.h5", "packets", a, rows[a:b]), cuts, order)


def test_bins_of_time_grow_alike_in_any_parts() -> None:
    rows = np.zeros(3000, PACKETS)
    rows["packet_type"][::2] = 4
    rows["timestamp"][::2] = 1_700_000_000 + np.random.default_rng(2).integers(0, 100_000, 1500)
    for order in ([0, 0, 0], [2, 1, 0], [1, 3, 2]):
        assert_any_parts_are_equal(
            "PacketRate",
            lambda a, b: Batch("x", "packets", a, rows[a:b]),
            [0, 1, 700, 1501, 2000, 3000],
            order,
        )


def test_what_precedes_the_first_timestamp_of_a_part_is_of_the_second_before() -> None:
    rows = np.zeros(6, PACKETS)
    rows["packet_type"][[1, 4]] = 4
    rows["timestamp"][[1, 4]] = (1000, 1001)
    first, middle, last = (SHIPPED["PacketRate"]() for _ in range(3))
    first.update(Batch("x", "packets", 0, rows[:2]))
    middle.update(Batch("x", "packets", 2, rows[2:3]))
    last.update(Batch("x", "packets", 3, rows[3:]))
    last.merge(first)
    # The first of the file, and the one whose part is not there yet.
    assert last.timeline.before[:9].sum() == 2
    last.merge(middle)
    assert last.timeline.before[:9].sum() == 1
    assert last.state()["packets_per_bin"][:, :9].sum(axis=1).tolist() == [3, 2]
    assert last.state()["parts"].tolist() == [[0, 6, 1001]]


def test_only_so_many_data_belong_to_a_trigger_in_any_parts() -> None:
    rows = np.zeros(MOST_AFTER + 500, PACKETS)
    rows["valid_parity"], rows["io_group"] = 1, 1
    rows["packet_type"][10], rows["trigger_type"][10] = 7, 2
    cuts = [0, 5, 8, 4000, MOST_AFTER - 3, MOST_AFTER + 400, MOST_AFTER + 500]
    for order in ([0, 0, 0, 0], [3, 2, 2, 1], [4, 4, 1, 0]):
        assert_any_parts_are_equal(
            "TriggerHistograms", lambda a, b: Batch("x", "packets", a, rows[a:b]), cuts, order
        )
    made = TriggerHistograms()
    made.update(Batch("x", "packets", 0, rows))
    assert made.state()["offset_counts"].sum() == MOST_AFTER


def run_batch(start: int, stop: int, **columns: np.ndarray) -> Batch:
    document = {
        "uid": "a1b2c3d4-0000",
        "scan_id": 5,
        "hints": {"dimensions": [[["y"], "primary"], [["x"], "primary"]]},
    }
    keys = {"y": {"units": "mm"}, "x": {"units": "mm"}}
    descriptor = {"name": "primary", "data_keys": keys, "hints": {"d": {"fields": ["det"]}}}
    facts = {"start": document, "descriptor": descriptor}
    return Batch(
        "a1b2/primary", "run", start, {name: column[start:stop] for name, column in columns.items()}, facts
    )


@pytest.mark.parametrize("name", ["Lines", "Grid", "Baseline", "Columns", "Frames"])
@settings(max_examples=8)
@given(
    seed=st.integers(0, 99),
    count=st.sampled_from([40, 5000]),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    order=st.lists(st.integers(0, 9), max_size=6),
)
def test_rows_add_up_in_any_parts(
    name: str, seed: int, count: int, cuts: list[float], order: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    columns = {
        "time": 1.7e9 + np.arange(count),
        "y": np.repeat(np.arange(count // 10 + 1), 10)[:count].astype(float),
        "x": np.arange(count) % 10,
        "det": rng.choice([0.0, 1e-9, -3.0, 2.5e7, np.nan, np.inf], count) * rng.random(count),
        "img": rng.integers(0, 9, (count, 2, 3)),
    }
    edges = [0, *sorted(int(cut * count) for cut in cuts), count]
    edges = sorted(set(edges))
    assert_any_parts_are_equal(name, lambda a, b: run_batch(a, b, **columns), edges, order)


@pytest.mark.parametrize(
    "name", [name for name in SHIPPED if not name.startswith("PixelMap") or "1_2" in name]
)
def test_every_plot_keeps_arrays_that_need_no_pickle(name: str, tmp_path: Path) -> None:
    made = SHIPPED[name]()
    assert isinstance(made, Plot)
    if "packets" in made.formats:
        made.update(Batch("x.h5", "packets", 0, packets(500, 1)))
    else:
        columns = {"time": np.arange(9.0), "y": np.arange(9), "x": np.arange(9), "det": np.arange(9.0)}
        made.update(run_batch(0, 9, **columns, img=np.ones((9, 4, 4))))
    np.savez(tmp_path / "state.npz", **made.state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as kept:
        again = SHIPPED[name]()
        again.restore(dict(kept))
    assert are_equal(again.state(), made.state())
    one, two = io.BytesIO(), io.BytesIO()
    made.figure().savefig(one, format="png")
    again.figure().savefig(two, format="png")
    assert one.getvalue() == two.getvalue()


def test_a_state_does_not_change_afterwards() -> None:
    for name in OF_PACKETS:
        made = SHIPPED[name]()
        made.update(Batch("x", "packets", 0, packets(200, 1)))
        state = made.state()
        copied = {key: array.copy() for key, array in state.items()}
        made.update(Batch("x", "packets", 200, packets(200, 2)))
        assert are_equal(state, copied)
