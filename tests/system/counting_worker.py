"""A program that uses a store as many do at once, until its standard input ends.

``counting_worker.py ADDRESS NAME``: in one transaction after the other it adds a whole run, or an open one
that it ends later, amends, deletes or compacts one of its own, and notes in the stash how many runs it has
begun and how many it has deleted. So whoever sees a moment of the store sees numbers that agree.
"""

from __future__ import annotations

import random
import select
import sys
import time
from dataclasses import replace

import pyarrow as pa

from hutch.documents import encode, leaves
from hutch.store import DocumentRow, Store, open_store
from hutch.store.batches.arrow_files import new_batch
from hutch.store.protocols.store import TombstoneRow

PAUSE_S = 0.01
"""Between two steps, so that even a busy machine can copy what is recorded."""
SCHEMA = pa.schema(
    [("seq_num", pa.int64()), ("time", pa.float64()), ("uid", pa.string()), ("arrival", pa.int64())]
)


def rows(uid: str, first: int, count: int) -> pa.RecordBatch:
    """Return events of a run without readings."""
    numbers = range(first, first + count)
    columns = [numbers, [0.0] * count, [f"{uid}/{n}" for n in numbers], [n + 1 for n in numbers]]
    return pa.RecordBatch.from_arrays(
        [pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


class Worker:
    """One process with runs of its own.

    :param large: the share of runs whose events lie in files.
    """

    def __init__(self, store: Store, name: str, large: float = 0.03) -> None:
        self._store, self._name = store, name
        self._chance = random.Random(name)
        self._large = large
        self.begun = self.deleted = 0
        self.longest_s = 0.0
        self._whole: list[int] = []
        self._open: list[tuple[int, int]] = []

    def step(self) -> None:
        """Do something."""
        self._store.sync()
        began = time.monotonic()
        what = self._chance.random()
        if what < 0.5 or not self._whole:
            self._begin()
        elif what < 0.7 and self._open:
            self._end()
        elif what < 0.8:
            self._amend()
        elif what < 0.9:
            self._delete()
        else:
            self._compact()
        self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _begin(self) -> None:
        uid = f"{self._name}-{self.begun}"
        start = {"uid": uid, "time": float(self.begun), "sample": uid}
        count = 30_000 if self._chance.random() < self._large else 5
        store = self._store
        batch = new_batch(store.files, 0, 2, rows(uid, 1, count))
        with store.transaction() as writer:
            run = writer.add_run(uid, start["time"], None, encode(start))
            assert run is not None
            writer.add_leaves(run, start["time"], leaves(start))
            about = {"uid": f"{uid}/d", "run_start": uid, "name": "primary", "time": 0.0, "data_keys": {}}
            writer.add_documents(run, [DocumentRow(1, "descriptor", f"{uid}/d", encode(about))])
            segment = writer.add_segment(run, "primary", f"{uid}/d", SCHEMA.serialize().to_pybytes())
            writer.add_batches(run, "primary", [batch.in_segment(segment)])
            self.begun += 1
            writer.set_stash(f"{self._name}-begun", encode(self.begun))
        self._open.append((run, count))

    def _end(self) -> None:
        run, count = self._open.pop(0)
        row = self._store.run_by_id(run)
        (segment,) = self._store.segments(run)
        more = new_batch(self._store.files, run, count + 2, rows(row.uid, count + 1, 3))
        stop = {"uid": f"{row.uid}/s", "run_start": row.uid, "time": 1.0, "exit_status": "success"}
        stop["num_events"] = {"primary": count + 3}
        with self._store.transaction() as writer:
            writer.add_batches(run, "primary", [more.in_segment(segment.id)])
            writer.add_leaves(run, row.time, leaves(stop, "stop"))
            writer.end_run(run, encode(stop), "success")
        self._whole.append(run)

    def _amend(self) -> None:
        row = self._store.run_by_id(self._chance.choice(self._whole))
        before = {"uid": row.uid, "time": row.time, "sample": row.uid}
        old = {**before, "sample": "amended"} if row.amended else before
        now = before if row.amended else {**before, "sample": "amended"}
        with self._store.transaction() as writer:
            writer.lock(f"run/{row.id}")
            writer.amend_run(replace(row), encode(now), self._name, "why not", b"[]")
            writer.remove_leaves(row.id, row.time, leaves(old) - leaves(now))
            writer.add_leaves(row.id, row.time, leaves(now) - leaves(old))

    def _delete(self) -> None:
        row = self._store.run_by_id(self._whole.pop(self._chance.randrange(len(self._whole))))
        with self._store.transaction() as writer:
            writer.remove_strange_leaves(row.id)
            writer.delete_run(
                row.id, TombstoneRow(row.uid, row.id, row.time, None, 0.0, self._name, "why not", b"{}")
            )
            self.deleted += 1
            writer.set_stash(f"{self._name}-deleted", encode(self.deleted))
        self._sweep()

    def _compact(self) -> None:
        run = self._chance.choice(self._whole)
        row, old = self._store.run_by_id(run), self._store.batches(run)
        merged = new_batch(self._store.files, run, 2, rows(row.uid, 1, sum(batch.rows for batch in old)))
        with self._store.transaction() as writer:
            writer.lock(f"run/{run}")
            writer.replace_batches(run, "primary", old, [merged.in_segment(old[0].segment)])
        self._sweep()

    def _sweep(self) -> None:
        """Delete files that were replaced, at once: nobody is given the time that readers have."""
        gone = self._store.discarded(float("inf"))
        for name in gone:
            (self._store.files / name).unlink(missing_ok=True)
        with self._store.transaction() as writer:
            writer.forget_files(gone)


def main() -> None:
    """Work until there is nothing more to read; say how long the longest step took."""
    address, name = sys.argv[1:]
    store = open_store(address)
    worker = Worker(store, name)
    worker.step()
    print("ready", flush=True)  # noqa: T201
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        worker.step()
    print(worker.begun, worker.deleted, worker.longest_s, flush=True)  # noqa: T201
    store.close()


if __name__ == "__main__":
    main()
