"""What every backend must do: put fewer batches in the place of many, and lose nothing by it."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.documents import is_same
from hutch.errors import CorruptBatchError, StoreError, StoreFullError
from hutch.recording.events.stream_buffer import StreamBuffer
from hutch.store import Topic
from hutch.store.batches import compacting
from hutch.store.batches.arrow_files import new_batch
from hutch.store.batches.columns import Layout
from hutch.store.batches.compacting import Compaction, sweep
from hutch.store.batches.unpacking import events

from .conftest import add_run

uids = itertools.count()

values = {
    "x": st.floats(allow_nan=False),
    "n": st.integers(-(2**63), 2**63 - 1),
    "mixed": st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False)),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "flag": st.booleans(),
    "sometimes": st.none() | st.floats(allow_nan=False),
    "any": st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers()),
    "tensor": st.lists(st.floats(0, 1), min_size=3, max_size=3),
    "bools": st.lists(st.booleans(), min_size=2, max_size=2).map(np.array),
}


class Recording:
    """A run that is recorded event by event, each a batch of its own."""

    def __init__(self, store, keys=("x",)):
        self.store = store
        self.id = add_run(store, f"run-{next(uids)}")
        self.events = []
        self._keys = keys
        self._buffers = {}
        self._segments = {}
        self._arrival = 0

    def add(self, descriptor="d", **event):
        """Commit one event; what is not given is made up."""
        self._arrival += 1
        number = self._arrival
        event = {
            "uid": f"event-{number}",
            "descriptor": descriptor,
            "time": float(number),
            "seq_num": number,
            "data": dict.fromkeys(self._keys, number + 0.5),
            "timestamps": dict.fromkeys(self._keys, float(number)),
            "filled": {},
            **event,
        }
        data_keys = {key: {"source": "test", "dtype": "number", "shape": []} for key in self._keys}
        if descriptor not in self._buffers:
            self._buffers[descriptor] = StreamBuffer({"uid": descriptor, "data_keys": data_keys})
        buffer = self._buffers[descriptor]
        buffer.add(event, number)
        (rows,) = buffer.take()
        packed = buffer.pack(rows)
        self._commit(descriptor, packed.layout, packed.batch)
        self.events.append((number, event))

    def add_large(self, rows=1500, bytes_each=800):
        """Commit a batch that is too large for a row of the database."""
        self._arrival += rows
        arrivals = range(self._arrival - rows + 1, self._arrival + 1)
        buffer = StreamBuffer({"uid": "d", "data_keys": {"x": {"dtype": "string", "shape": []}}})
        for number in arrivals:
            event = {
                "uid": f"event-{number}", "descriptor": "d", "time": 1.0, "seq_num": number, "filled": {},
                "data": {"x": f"{number:0{bytes_each}}"}, "timestamps": {"x": 1.0},
            }  # fmt: skip
            buffer.add(event, number)
            self.events.append((number, event))
        (found,) = buffer.take()
        packed = buffer.pack(found)
        self._commit("d", packed.layout, packed.batch)

    def _commit(self, descriptor, layout, batch):
        first = batch.column("arrival")[0].as_py()
        made = new_batch(self.store.files, self.id, first, batch)
        with self.store.transaction() as writer:
            key = (descriptor, layout)
            if key not in self._segments:
                self._segments[key] = writer.add_segment(self.id, "primary", descriptor, layout.schema_bytes)
            writer.add_batches(self.id, "primary", [made.in_segment(self._segments[key])])

    def found(self):
        """Return what is committed: pairs of arrival number and event, in order of arrival."""
        found = []
        for segment in self.store.segments(self.id):
            schema = pa.ipc.read_schema(pa.py_buffer(segment.schema))
            layout = Layout.from_schema(schema)
            batches = self.store.batches(self.id, segment.id)
            for batch in batches:
                loaded = self.store.load([batch], schema, checked=True)
                assert sum(part.num_rows for part in loaded) == batch.rows
                assert loaded[0].column("arrival")[0].as_py() == batch.first_arrival
                for part in loaded:
                    assert part.schema == schema
                    part.validate(full=True)
                    found += events(part, layout, segment.descriptor)
        return sorted(found, key=lambda pair: pair[0])

    def check(self):
        """Compare what is committed with what was recorded."""
        found = self.found()
        assert [arrival for arrival, _ in found] == [arrival for arrival, _ in self.events]
        for (_, got), (_, want) in zip(found, self.events, strict=True):
            plain = {key: value.tolist() if isinstance(value, np.ndarray) else value
                     for key, value in want["data"].items()}  # fmt: skip
            assert is_same(got, {**want, "data": plain})


def compact(store, run, *, is_open=False):
    """Compact a run at once, and say what was done."""
    compaction = Compaction(store, run, is_open=is_open)
    for _ in compaction.steps():
        pass
    return compaction


def files_of(store):
    return {path.relative_to(store.files).as_posix() for path in store.files.rglob("*") if path.is_file()}


def named_by(store, run):
    return {batch.file for batch in store.batches(run)} - {None}


# merging


@given(st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_of_any_kind_are_the_same_afterwards(store, data):
    keys = data.draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=4, unique=True))
    run = Recording(store, keys)
    for _ in range(data.draw(st.integers(2, 30))):
        event = {"data": {key: data.draw(values[key]) for key in keys}}
        odd = data.draw(st.sampled_from([None] * 8 + ["filled", "more", "less"]))
        if odd == "filled":
            event["filled"] = {keys[0]: data.draw(st.booleans())}
        elif odd == "more":
            event["data"]["more"] = 1
            event["timestamps"] = dict.fromkeys(event["data"], 1.0)
        elif odd == "less":
            event["timestamps"] = {}
        run.add(data.draw(st.sampled_from(["d", "d", "e"])), **event)
    segments = store.segments(run.id)

    done = compact(store, run.id)

    run.check()
    assert len(store.batches(run.id)) == len(segments)
    assert done.replaced - done.made == len(run.events) - len(segments)
    assert store.segments(run.id) == segments


def test_small_batches_stay_in_the_database_and_large_ones_become_a_file(store):
    small, large = Recording(store), Recording(store)
    for _ in range(20):
        small.add()
    for _ in range(4):
        large.add_large()

    compact(store, small.id)
    done = compact(store, large.id)

    (batch,) = store.batches(small.id)
    assert (batch.file, batch.rows, batch.first_arrival) == (None, 20, 1)
    (batch,) = store.batches(large.id)
    assert (batch.rows, batch.size) == (6000, (store.files / batch.file).stat().st_size)
    assert (done.replaced, done.made, done.discarded, done.written_bytes) == (4, 1, 4, batch.size)
    small.check()
    large.check()


def test_record_batches_of_a_file_are_of_bounded_size(store, monkeypatch):
    monkeypatch.setattr(compacting, "_RECORD_BATCH_BYTES", 1_000_000)
    run = Recording(store)
    for _ in range(5):
        run.add_large()

    compact(store, run.id)

    (batch,) = store.batches(run.id)
    with pa.memory_map(str(store.files / batch.file)) as source:
        reader = pa.ipc.open_file(source)
        assert reader.num_record_batches == 5
    run.check()


def test_an_open_run_is_merged_when_it_is_worthwhile(store):
    run = Recording(store)
    for _ in range(255):
        run.add()
    assert compact(store, run.id, is_open=True).made == 0
    run.add()
    assert compact(store, run.id, is_open=True).made == 1
    run.add()
    assert [batch.rows for batch in store.batches(run.id)] == [256, 1]
    run.check()


def test_the_batches_that_there_are_stay_if_there_is_nothing_to_merge(store):
    run = Recording(store)
    run.add()
    run.add(data={"x": "text"})
    before = store.batches(run.id)
    last = store.last_change()

    assert compact(store, run.id).made == 0

    assert store.batches(run.id) == before
    assert store.last_change() == last


def test_the_feed_tells_of_it(store):
    run = Recording(store)
    run.add()
    run.add()
    last = store.last_change()

    compact(store, run.id)

    changes = store.changes(last)
    assert [(change.topic, change.run, change.reference) for change in changes] == [
        (Topic.COMPACT, run.id, "primary")
    ]


def test_runs_with_many_batches_are_found(store):
    for count in (1, 5, 3):
        run = Recording(store)
        for _ in range(count):
            run.add()

    found = store.crowded_runs(3)

    assert found == {run.id: 3, run.id - 1: 5}
    assert store.crowded_runs(6) == {}


# what may happen meanwhile


@pytest.mark.parametrize("large", [False, True], ids=["in the database", "in files"])
def test_it_may_be_left_after_any_step(store, large):
    def recorded():
        run = Recording(store)
        for _ in range(4 if large else 150):
            run.add_large() if large else run.add()
        return run

    for steps in itertools.count():
        run = recorded()
        compaction = Compaction(store, run.id, is_open=False)
        working = compaction.steps()
        is_over = len(list(itertools.islice(working, steps))) < steps
        working.close()
        run.check()
        assert named_by(store, run.id) <= files_of(store)
        assert not [name for name in files_of(store) if "/." in name]
        if is_over:
            break
    assert steps > 2


def test_what_somebody_else_has_merged_is_left_to_them(backend):
    store, other = backend.open(), backend.open()
    run = Recording(store)
    for _ in range(4):
        run.add_large()
    compaction = Compaction(store, run.id, is_open=False)
    working = compaction.steps()
    next(working)
    theirs = compact(other, run.id)

    for _ in working:
        pass

    assert (theirs.made, compaction.made) == (1, 0)
    assert compaction.damaged == []
    run.check()
    assert files_of(store) == named_by(store, run.id) | set(store.discarded(time.time() + 1))


def test_two_programs_merge_the_same_run_at_once(backend):
    run = Recording(backend.open())
    for _ in range(1200):
        run.add()
    done = []

    def work(store, seed):
        chance = random.Random(seed)
        compaction = Compaction(store, run.id, is_open=False)
        for _ in compaction.steps():
            time.sleep(chance.random() / 1000)
        done.append(compaction)

    workers = [threading.Thread(target=work, args=(backend.open(), seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)

    assert len(done) == 3
    assert [damage for compaction in done for damage in compaction.damaged] == []
    compact(run.store, run.id)
    assert len(run.store.batches(run.id)) == 1
    run.check()


def test_events_that_come_meanwhile_are_kept(store):
    run = Recording(store)
    for _ in range(300):
        run.add()
    compaction = Compaction(store, run.id, is_open=True)
    for _ in compaction.steps():
        run.add()

    assert compaction.made >= 1
    run.check()


def test_a_run_that_is_deleted_meanwhile_is_gone(store):
    from hutch.store import TombstoneRow

    run = Recording(store)
    for _ in range(4):
        run.add_large()
    working = Compaction(store, run.id, is_open=False).steps()
    next(working)
    row = store.run_by_id(run.id)
    with store.transaction() as writer:
        writer.delete_run(
            run.id, TombstoneRow(row.uid, row.id, row.time, None, time.time(), "me", "wrong", b"{}")
        )
    for _ in working:
        pass

    assert store.batches(run.id) == []
    assert files_of(store) == set(store.discarded(time.time() + 1))


def test_damaged_batches_are_left_as_they_are(store):
    run = Recording(store)
    for _ in range(4):
        run.add_large()
    for number in range(3):
        run.add("e", data={"x": number})
    damaged = store.batches(run.id)[1]
    path = store.files / damaged.file
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)

    done = compact(store, run.id)

    assert len(done.damaged) == 1
    assert "does not match its checksum: 1,500 events are damaged" in done.damaged[0]
    assert len(store.batches(run.id)) == 5
    assert damaged in store.batches(run.id)


def test_events_out_of_order_are_not_merged(store):
    run = Recording(store)
    for _ in range(3):
        run.add()
    first, second, third = store.batches(run.id)
    body = store.read_bytes(third)
    twice = replace(new_batch_of(second), body=body, size=third.size, crc32=third.crc32, first_arrival=2)
    with store.transaction() as writer:
        writer.replace_batches(run.id, "primary", [second], [twice])

    done = compact(store, run.id)

    assert [damage.partition(" on ")[0] for damage in done.damaged] == ["The events from arrival 1"]
    assert len(store.batches(run.id)) == 3
    assert first in store.batches(run.id)


def new_batch_of(batch):
    from hutch.store import NewBatch

    return NewBatch(batch.segment, batch.first_arrival, batch.rows, batch.size, batch.crc32, b"", None)


class Interrupted(BaseException):
    """What Ctrl-C is, for this test."""


@pytest.mark.parametrize(
    ("error", "is_removed"), [(Interrupted(), False), (StoreError("x"), False), (StoreFullError("x"), True)]
)
def test_a_file_is_removed_only_if_it_is_certain_that_no_batch_names_it(
    store, monkeypatch, error, is_removed
):
    run = Recording(store)
    for _ in range(4):
        run.add_large()
    before = files_of(store)
    committed = not is_removed

    class Failing:
        """Fails before the commit, or just after it."""

        def transaction(self, found):
            import contextlib

            @contextlib.contextmanager
            def transaction():
                with found.transaction() as writer:
                    yield writer
                    if not committed:
                        raise error
                raise error

            return transaction()

    monkeypatch.setattr(compacting, "Pace", Failing)
    with pytest.raises(type(error)):
        compact(store, run.id)

    assert len(store.batches(run.id)) == (1 if committed else 4)
    assert files_of(store) == before | named_by(store, run.id)
    run.check()


# old files


def test_replaced_files_are_deleted_after_a_while(store):
    run = Recording(store)
    for _ in range(4):
        run.add_large()
    old = named_by(store, run.id)
    compact(store, run.id)
    (new,) = named_by(store, run.id)
    assert files_of(store) == {*old, new}
    assert set(store.discarded(time.time() + 1)) == old

    assert sweep(store) == 0
    assert files_of(store) == {*old, new}
    assert sweep(store, grace_s=-1.0) == 4

    assert files_of(store) == {new}
    assert store.discarded(time.time() + 1) == []
    run.check()


def test_files_that_are_gone_already_are_forgotten(store):
    run = Recording(store)
    for _ in range(4):
        run.add_large()
    compact(store, run.id)
    for name in store.discarded(time.time() + 1):
        (store.files / name).unlink()

    assert sweep(store, grace_s=-1.0) == 4
    assert store.discarded(time.time() + 1) == []


def test_a_file_that_a_batch_names_is_never_deleted(store):
    run = Recording(store)
    run.add_large()
    (name,) = named_by(store, run.id)
    with store.transaction() as writer:
        writer.discard_files([name])

    sweep(store, grace_s=-1.0)

    assert files_of(store) == {name}
    assert store.discarded(time.time() + 1) == []


# what the store offers for it


def test_batches_that_are_gone_are_not_replaced(store):
    run = Recording(store)
    run.add()
    run.add()
    first, second = store.batches(run.id)
    merged = replace(new_batch_of(first), body=store.read_bytes(first))
    with store.transaction() as writer:
        writer.replace_batches(run.id, "primary", [first], [merged])

    with pytest.raises(CorruptBatchError, match="somebody else has replaced them"), store.transaction() as w:
        w.replace_batches(run.id, "primary", [first, second], [merged])

    assert second in store.batches(run.id)
    run.check()


def test_bodies_are_compared_with_their_checksums_if_wanted(store):
    run = Recording(store)
    run.add()
    (batch,) = store.batches(run.id)
    schema = pa.ipc.read_schema(pa.py_buffer(store.segments(run.id)[0].schema))
    wrong = replace(batch, crc32=batch.crc32 ^ 1)

    assert len(store.load([wrong], schema)) == 1
    with pytest.raises(CorruptBatchError, match="does not match its checksum"):
        store.load([wrong], schema, checked=True)
