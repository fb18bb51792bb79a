"""The pace of bulk writers."""

import time
from concurrent.futures import ThreadPoolExecutor

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


def test_short_transactions_rest_when_they_have_held_others_up_for_long_enough(store, monkeypatch):
    slept = []
    monkeypatch.setattr("hutch.store.pacing.sleep", slept.append)
    pace, another = Pace(), Pace()
    held_s = 0.0
    for number in range(10_000):
        with (pace if number % 2 else another).transaction(store) as writer:
            begin = time.monotonic()
            writer.set_stash("number", b"%d" % number)
        held_s += time.monotonic() - begin
        if slept:
            break
    assert number > 0 or held_s >= 0.015
    assert held_s >= 0.014
    assert slept[0] >= 0.005


def test_bulk_writers_of_one_process_take_turns(store):
    inside = []

    def write():
        pace = Pace()
        for _ in range(20):
            with pace.transaction(store):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write) for _ in range(4)]:
            done.result(timeout=30)


def test_an_error_rolls_back_as_in_any_transaction(store):
    pace = Pace()
    with pytest.raises(StoreError, match="enough"), pace.transaction(store) as writer:
        writer.set_stash("key", b"1")
        raise StoreError("enough")
    assert store.stash() == {}
