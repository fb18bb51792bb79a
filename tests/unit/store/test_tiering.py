"""Which batches are merged: few remain, little is rewritten, and what is merged follows each other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.store.batches.tiering import FULL_BYTES, MANY, choose
from hutch.store.protocols.store import Batch

SMALL_BYTES = 1_000_000
"""What is not larger in all becomes one batch."""

ROW_BYTES = 200
"""An event of ten numbers, and …"""
ALONE_BYTES = 1500
"""… what it takes as a batch of its own."""

sizes = st.lists(
    st.one_of(
        st.integers(1, 2000), st.integers(1, 10**6), st.integers(1, 10**8), st.integers(FULL_BYTES, 10**9)
    ),
    max_size=40,
).flatmap(lambda some: st.integers(1, 40).map(lambda times: some * times))


def batches_of(found):
    """Return batches of these sizes; the large ones are in files."""
    return [
        Batch(number, 1, 10 * number, 10, size, 0, f"{number}.arrow" if size > 10**6 else None)
        for number, size in enumerate(found)
    ]


@given(sizes, st.booleans())
def test_groups_are_consecutive_and_leave_full_batches_alone(found, is_open):
    batches = batches_of(found)
    seen = []
    for group in choose(batches, is_open=is_open):
        first = group[0].id
        assert len(group) > 1
        assert group == batches[first : first + len(group)]
        assert max(batch.size for batch in group) < FULL_BYTES
        assert sum(batch.size for batch in group) <= 2 * FULL_BYTES
        seen += [batch.id for batch in group]
    assert len(seen) == len(set(seen))


@given(sizes)
def test_what_is_over_comes_to_an_end_with_few_batches(found):
    found = merge_until_settled(found)
    stretch = longest = 0
    for size in found:
        stretch = 0 if size >= FULL_BYTES else stretch + 1
        longest = max(longest, stretch)
    # Sizes that no group of three can be made of grow, and fall, like powers.
    assert longest <= 100
    assert len(found) < 2 or sum(found) > SMALL_BYTES


def merge_until_settled(found):
    """Merge sizes as long as there is something to be merged."""
    for _ in range(100):
        groups = choose(batches_of(found), is_open=False)
        if not groups:
            return found
        firsts = {group[0].id: sum(batch.size for batch in group) for group in groups}
        others = {batch.id for group in groups for batch in group[1:]}
        found = [firsts.get(n, size) for n, size in enumerate(found) if n not in others]
    pytest.fail("it does not come to an end")


@pytest.mark.parametrize(
    ("alone", "row", "most_rewritten"),
    [(ALONE_BYTES, ROW_BYTES, 8), (224_000, 32_000, 8), (2_400_000, 2_400_000, 2), (300_000, 300_000, 4)],
    ids=["one event a second", "2,000 columns", "a fast scan", "pages"],
)
def test_a_long_run_has_few_batches_and_is_rewritten_a_few_times(alone, row, most_rewritten):
    rows: list[int] = []
    """Rows of each batch that there is now."""
    rewritten = most = 0
    count = 20_000

    def size_of(count):
        return alone if count == 1 else row * count

    for number in range(1, count + 1):
        rows.append(1)
        if number % 64 == 0 or number == count:
            while groups := choose(batches_of(map(size_of, rows)), is_open=number < count):
                for group in reversed(groups):
                    first, end = group[0].id, group[-1].id + 1
                    merged = sum(rows[first:end])
                    rewritten += size_of(merged)
                    rows[first:end] = [merged]
            full = sum(size_of(each) >= FULL_BYTES for each in rows)
            most = max(most, len(rows) - full)
    assert sum(rows) == count
    assert most <= MANY + 64
    assert rewritten <= most_rewritten * row * count
    assert len(rows) <= 8 * math.log(count) + row * count / FULL_BYTES


def test_small_segments_of_a_run_that_is_over_become_one_batch():
    assert [len(group) for group in choose(batches_of([300_000, 1, 300_000]), is_open=False)] == [3]
    assert choose(batches_of([300_000, 1, 300_000]), is_open=True) == []
    assert choose(batches_of([300_000]), is_open=False) == []
    assert choose([], is_open=False) == choose([], is_open=True) == []


def test_a_large_batch_is_not_rewritten_for_the_sake_of_small_ones():
    (group,) = choose(batches_of([100_000_000, *[1500] * MANY]), is_open=True)
    assert len(group) == MANY
    assert [len(group) for group in choose(batches_of([2_000_000, 1500, 1500]), is_open=False)] == [2]
