"""Readers meet batches that compaction replaces while they read."""

from dataclasses import replace

import pytest

from hutch.errors import CorruptBatchError


@pytest.fixture
def replaced(catalog, record, monkeypatch):
    """Make a store list a batch whose file is gone, the first ``count`` times it is asked."""
    record(streams={"primary": [{"x": 0.5}, {"x": 1.5}]})
    store = catalog.store
    listed = type(store).batches

    def make(count):
        stale = iter(range(count))

        def batches(found, run, segment=None):
            committed = listed(found, run, segment)
            if next(stale, None) is None:
                return committed
            return [replace(batch, id=batch.id + 100, file="replaced.arrow") for batch in committed]

        monkeypatch.setattr(type(store), "batches", batches)
        return catalog[-1]

    return make


def test_reading_goes_on_with_the_batches_that_took_their_place(replaced):
    assert replaced(1).primary.read()["x"].values.tolist() == [0.5, 1.5]


def test_reading_one_row_goes_on_too(replaced):
    run = replaced(0)
    column = run.primary["x"]
    replaced(1)
    assert column[1] == 1.5


def test_replay_goes_on_too(replaced):
    events = [document for name, document in replaced(1).documents(fill="no") if name == "event"]
    assert [event["data"]["x"] for event in events] == [0.5, 1.5]


def test_a_file_that_is_really_gone_is_an_error(replaced):
    run = replaced(1000)
    with pytest.raises(CorruptBatchError, match="replaced.arrow"):
        run.primary.read()
    with pytest.raises(CorruptBatchError, match="replaced.arrow"):
        list(run.documents(fill="no"))
