"""The pace of bulk writers."""

import time

import pytest

from hutch.errors import StoreError
from hutch.store.pacing import Pace


def test_a_transaction_has_time_for_some_steps_and_then_no_more(store):
    pace = Pace()
    assert not pace.has_time

    with pace.transaction(store) as writer:
        begin = time.monotonic()
        steps = 0
        while pace.has_time:
            steps += 1
            writer.set_stash("steps", b"%d" % steps)
        assert 0.01 < time.monotonic() - begin < 1

    assert store.stash() == {"steps": b"%d" % steps}
    assert steps > 1


def test_who_has_written_for_long_rests(store):
    pace = Pace()
    for _ in range(3):
        with pace.transaction(store):
            while pace.has_time:
                pass
            end = time.monotonic()
        assert time.monotonic() - end >= 0.005


def test_short_transactions_rest_only_now_and_then(store):
    pace = Pace()
    spent: list[float] = []
    while max(spent, default=0.0) < 0.005:
        begin = time.monotonic()
        with pace.transaction(store) as writer:
            writer.set_stash("number", b"%d" % len(spent))
        spent.append(time.monotonic() - begin)
        assert len(spent) < 10_000
    assert len(spent) > 3


def test_an_error_rolls_back_as_in_any_transaction(store):
    pace = Pace()
    with pytest.raises(StoreError, match="enough"), pace.transaction(store) as writer:
        writer.set_stash("key", b"1")
        raise StoreError("enough")
    assert store.stash() == {}
