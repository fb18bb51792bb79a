"""What may have been stored before, wherever it is by now."""

from __future__ import annotations

import pytest

from hutch.recording import Recorder, finish
from hutch.recording.events.duplicates import without_stored
from hutch.recording.events.lots import Lot
from hutch.store import NewBatch
from hutch.store.batches.compacting import Compaction


@pytest.fixture
def run(store):
    """The number of a run of ten events, each in a batch of its own; they arrived as 2 to 11."""
    recorder = Recorder(store, strict=True)
    recorder("start", {"uid": "run", "time": 1.0})
    keys = {"x": {"dtype": "number", "shape": [], "source": "test"}}
    recorder(
        "descriptor", {"uid": "d", "run_start": "run", "time": 1.0, "name": "primary", "data_keys": keys}
    )
    for number in range(1, 11):
        data, times = {"x": number if number < 6 else number / 2}, {"x": 1.0}
        event = {"uid": f"e{number}", "descriptor": "d", "time": 1.0, "seq_num": number, "filled": {}}
        recorder("event", {**event, "data": data, "timestamps": times})
    yield store.runs()[0].id
    recorder.close()
    finish(store)


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_lot_that_an_earlier_transaction_has_written_is_not_written_again(store, run, is_compacted):
    if is_compacted:
        for _ in Compaction(store, run, is_open=False).steps():
            pass
        assert len(store.batches(run)) == 2
    lots = {first: Lot(first, batches=[(None, None, batch(first))]) for first in (2, 4, 7, 11, 12)}

    with store.transaction() as writer:
        left = without_stored(writer, store, run, list(lots.values()))

    assert left == [lots[12]]


def batch(first_arrival):
    return NewBatch(1, first_arrival, 1, 0, 0, b"", None)
