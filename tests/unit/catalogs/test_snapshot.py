"""Readers meet batches that compaction replaces while they read."""

from dataclasses import replace

import pytest

from hutch.errors import CorruptBatchError
from hutch.recording.committing.compactor import Compactor
from hutch.store.batches.compacting import Compaction, sweep


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


@pytest.fixture
def scattered(catalog, compose, monkeypatch):
    """A run whose every event is a batch, of two descriptors that take turns, and of two layouts."""
    # Nobody merges them in the background.
    monkeypatch.setattr(Compactor, "_add", lambda *_, **__: None)
    documents = compose({"primary": [{"x": number + 0.5, "n": number} for number in range(40)]})
    (at,) = [place for place, (name, _) in enumerate(documents) if name == "descriptor"]
    other = {**documents[at][1], "uid": "another descriptor"}
    documents.insert(at + 1, ("descriptor", other))
    events = [document for name, document in documents if name == "event"]
    for number, event in enumerate(events):
        if number % 3 == 0:
            event["descriptor"] = other["uid"]
        if number >= 20:
            event["data"]["x"] = number
    recorder = catalog.recorder(strict=True)
    for name, document in documents:
        recorder(name, document)
    recorder.close()
    return catalog[-1]


def compact(run):
    """Merge all that can be merged, and delete what was replaced at once."""
    row = run.row
    for _ in Compaction(run.store, row.id, is_open=False).steps():
        pass
    sweep(run.store, grace_s=-1.0)


def test_a_run_is_the_same_after_compaction(scattered):
    documents = list(scattered.documents(fill="no"))
    rows = scattered.primary.read()
    assert len(scattered.store.batches(scattered.row.id)) == 40

    compact(scattered)

    assert len(scattered.store.batches(scattered.row.id)) == 4
    assert list(scattered.documents(fill="no")) == documents
    assert scattered.primary.read().identical(rows)
    assert list(scattered.follow()) == documents
    assert [float(scattered.primary["n"][row]) for row in range(40)] == list(range(40))
    for start in range(0, 40, 7):
        assert scattered.primary["n"][start : start + 9].tolist() == list(range(40))[start : start + 9]
        assert (
            scattered.primary.time[start : start + 9].tolist() == rows.time[start : start + 9].values.tolist()
        )


def test_what_was_listed_before_is_read_after_compaction(scattered):
    rows = scattered.primary.read()
    before, window = scattered.primary.snapshot(), scattered.primary.snapshot()
    documents = list(scattered.documents(fill="no"))
    replaying, following = scattered.documents(fill="no"), scattered.follow()
    begun = [next(replaying), next(replaying), next(replaying)]

    compact(scattered)

    assert before.array("x").tolist() == rows["x"].values.tolist()
    assert before.fixed("time").tolist() == rows["time"].values.tolist()
    assert window.window("n", "data", 5, 30).tolist() == list(range(5, 30))
    assert begun + list(replaying) == documents
    assert list(following) == documents


def test_who_follows_a_run_sees_each_event_once_though_it_is_compacted(catalog, compose):
    documents = compose({"primary": [{"x": number + 0.5} for number in range(30)]})
    recorder = catalog.recorder(strict=True)
    for name, document in documents[:12]:
        recorder(name, document)
    run = catalog[-1]
    following = run.follow(timeout_s=60)
    seen = [next(following) for _ in range(12)]
    for first in range(12, len(documents), 6):
        for name, document in documents[first : first + 6]:
            recorder(name, document)
        compact(run)
        seen += [next(following) for _ in documents[first : first + 6]]
    recorder.close()

    assert [(name, document["uid"]) for name, document in seen] == [
        (name, document["uid"]) for name, document in documents
    ]
    assert list(following) == []


def test_only_the_columns_that_are_wanted_are_joined(scattered):
    snapshot = scattered.primary.snapshot()
    snapshot.narrow(["n"])
    assert {name for part in snapshot.parts for name in part.batch.schema.names} == {
        "seq_num", "time", "uid", "arrival", "data.n", "ts.n",
    }  # fmt: skip
    assert snapshot.array("n").tolist() == list(range(40))
    assert scattered.primary.read("x")["x"].values[:2].tolist() == [0.5, 1.5]
