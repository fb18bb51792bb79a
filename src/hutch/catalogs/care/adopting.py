"""What becomes of a file that no batch names: its events come into their run, or it is put away.

Nothing is deleted before what was in it is on the disk elsewhere.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from hutch.catalogs.care.batch_verifying import UNREADABLE, map_file, schema_of, sound_parts
from hutch.catalogs.care.findings import LOST, Kind, Repair
from hutch.catalogs.care.index_verifying import present_run
from hutch.catalogs.care.loose_files import LOST_AND_FOUND, LooseFile, examine
from hutch.catalogs.metadata import data_keys_of, stream_name
from hutch.documents import decode
from hutch.store.batches.arrow_files import checksum, new_batch
from hutch.store.batches.columns import Layout
from hutch.store.batches.compacting import is_named
from hutch.store.protocols.store import Batch, NewBatch, RunRow, Segment, Store
from hutch.store.syncing import sync_path

__all__ = ["keep_copy", "settle_file"]

_TRIES = 3
"""Somebody may merge batches of the run meanwhile, or repair it too."""


def settle_file(store: Store, file: LooseFile, now: float) -> Repair | None:
    """Bring what is in a file into its run, delete it or put it away; None if it is to be left alone.

    :param now: by the clock of the file system, s since 1970.
    """
    for _ in range(_TRIES):
        try:
            return _settle(store, file)
        except (_ChangedError, FileNotFoundError):
            found = examine(store, file.name, now)
            if found is None:
                return None
            file = found
    return None


class _ChangedError(Exception):
    """The run, or the file, is not what it was when it was looked at."""


def _settle(store: Store, file: LooseFile) -> Repair | None:
    path = store.files / file.name
    uid, scan_id = (None, None) if file.run is None else (file.run.uid, file.run.scan_id)

    def done(text: str) -> Repair:
        what = "file" if uid else "File"
        return Repair(file.kind, f"{what} {str(path)!r} {text}", uid, scan_id)

    if file.kind is Kind.LOOSE:
        _delete(store, file)
        return done("was deleted: it is not needed")
    if file.kind is Kind.UNCOMMITTED and file.run is not None:
        count = _Adoption(store, file, file.run).run()
        if count:
            return done(f"was not committed: {count:,} events that the run lacked come from it")
    if file.kind in (Kind.UNCOMMITTED, Kind.STRANGE):
        target = keep_copy(store, file.name)
        _delete(store, file)
        return done(f"was moved to {str(target)!r}")
    return None


def keep_copy(store: Store, name: str) -> Path:
    """Give a file a second name in the folder of what cannot be placed, and return that.

    Done twice, it is the same one.

    :raises FileNotFoundError: if another repair has put it away and deleted it.
    """
    path = store.files / name
    target = _kept_path(store, path)
    if not target.exists():
        try:
            os.link(path, target)
        except OSError:  # not every file system has them
            shutil.copyfile(path, early := target.with_name(f".{target.name}"))
            sync_path(early)
            early.rename(target)
        sync_path(target.parent)
    return target


def _kept_path(store: Store, path: Path) -> Path:
    """Return where a file is kept: under a name that another file does not have."""
    folder = store.files / LOST_AND_FOUND
    folder.mkdir(exist_ok=True)
    name = path.relative_to(store.files).as_posix().replace("/", "_").lstrip(".")
    target, number = folder / name, 0
    while target.exists() and not _is_same_file(path, target):
        number += 1
        target = folder / f"{name}.{number}"
    return target


def _is_same_file(first: Path, second: Path) -> bool:
    if first.samefile(second):
        return True
    if first.stat().st_size != second.stat().st_size:
        return False
    return checksum(map_file(first)) == checksum(map_file(second))


def _delete(store: Store, file: LooseFile) -> None:
    """Delete a file, unless a batch names it by now."""
    # A power cut must not take what was committed instead of it.
    store.sync()
    with store.transaction() as writer:
        if file.run is not None:
            writer.lock(f"run/{file.run.id}")
        if is_named(store, file.name):
            raise _ChangedError
        (store.files / file.name).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Place:
    """Where in a run events belong."""

    stream: str
    descriptor: str
    segment: int | None
    """None if the run has no batch of these columns yet."""


class _Adoption:
    """The events of a file on their way into a run that lacks them."""

    def __init__(self, store: Store, file: LooseFile, run: RunRow) -> None:
        self._store = store
        self._file = file
        self._run = run
        parts = [part.filter(self._is_lacking(part)) for part in file.parts]
        self._events = pa.concat_batches([part for part in parts if part.num_rows])

    def _is_lacking(self, part: pa.RecordBatch) -> pa.Array:
        return pa.array([uid in self._file.lacking for uid in part.column("uid").to_pylist()])

    def run(self) -> int:
        """Do it; return how many events came, 0 if nobody can tell their place.

        :raises _ChangedError: if something has changed meanwhile.
        """
        committed = self._store.batches(self._run.id)
        place = self._place(committed)
        if place is None:
            return 0
        batch = self._new_batch(committed)
        is_other = batch.file != self._file.name
        try:
            self._commit(batch, place, committed)
        except _ChangedError:
            if batch.file is not None and is_other:
                (self._store.files / batch.file).unlink(missing_ok=True)
            raise
        if is_other:
            _delete(self._store, self._file)
        return batch.rows

    def _commit(self, batch: NewBatch, place: _Place, committed: Sequence[Batch]) -> None:
        """Put the batch into the run, if both are still as they were seen."""
        store, run = self._store, self._run
        with store.transaction() as writer:
            writer.lock(f"run/{run.id}")
            now = present_run(store, run.id)
            if now is None or (now.stop is None and store.is_live(now.owner)):
                raise _ChangedError
            if store.batches(run.id) != committed or not (store.files / self._file.name).exists():
                raise _ChangedError
            segment = place.segment
            if segment is None:
                layout = Layout.from_schema(self._events.schema)
                segment = writer.add_segment(run.id, place.stream, place.descriptor, layout.schema_bytes)
            writer.add_batches(run.id, place.stream, [batch.in_segment(segment)])
            arrivals = self._arrivals()
            for mark in store.marks(run.id):
                is_here = mark.stream == place.stream and arrivals[0] <= mark.first_arrival <= arrivals[-1]
                if mark.reason == LOST and is_here and mark.count <= batch.rows:
                    writer.remove_mark(run.id, mark)

    def _arrivals(self) -> np.ndarray:
        found: np.ndarray = self._events.column("arrival").to_numpy()
        return found

    def _new_batch(self, committed: Sequence[Batch]) -> NewBatch:
        """Return the events as a batch: the file itself if it holds nothing else and is whole."""
        arrivals = self._arrivals()
        taken = self._taken(committed)
        events = self._events
        if bool(np.isin(arrivals, taken).any()):
            # The run went on without them: they come last.
            first = int(taken.max()) + 1
            place = events.schema.get_field_index("arrival")
            numbers = pa.array(range(first, first + len(arrivals)), pa.int64())
            events = events.set_column(place, events.schema.field(place), numbers)
        elif self._is_whole():
            path = self._store.files / self._file.name
            body = map_file(path)
            sync_path(path)
            first = int(arrivals[0])
            return NewBatch(0, first, len(arrivals), body.size, checksum(body), None, self._file.name)
        first = int(events.column("arrival")[0].as_py())
        return new_batch(self._store.files, self._run.id, first, events)

    def _is_whole(self) -> bool:
        """Tell whether the file is an Arrow file of nothing but what the run lacks."""
        path = self._store.files / self._file.name
        if path.name.startswith("."):
            return False
        try:
            reader = pa.ipc.open_file(map_file(path))
            parts = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        except UNREADABLE:
            return False
        return sum(int(part.num_rows) for part in parts) == int(self._events.num_rows)

    def _taken(self, committed: Sequence[Batch]) -> np.ndarray:
        """Return the arrival numbers that the run has already, as far as they can be read."""
        segments = {segment.id: segment for segment in self._store.segments(self._run.id)}
        numbers = [np.array([row.number for row in self._store.documents(self._run.id)], np.int64)]
        for batch in committed:
            if batch.segment in segments:
                parts = sound_parts(self._store, batch, segments[batch.segment])
                numbers += [part.column("arrival").to_numpy() for part in parts]
        return np.concatenate(numbers)

    # where they belong

    def _place(self, committed: Sequence[Batch]) -> _Place | None:
        """Return where the events belong; None if nobody can tell."""
        arrivals = self._arrivals()
        descriptors = {
            row.uid: (row.number, decode(row.body))
            for row in self._store.documents(self._run.id, ["descriptor"])
            if row.number < arrivals[0]
        }
        segments = [
            segment for segment in self._store.segments(self._run.id) if segment.descriptor in descriptors
        ]
        same = [segment for segment in segments if schema_of(segment) == self._events.schema]
        places = [_Place(segment.stream, segment.descriptor, segment.id) for segment in same]
        known = {place.descriptor for place in places}
        keys = {key for key, _ in Layout.from_schema(self._events.schema).data}
        places += [
            _Place(stream_name(about), uid, None)
            for uid, (_, about) in descriptors.items()
            if uid not in known and set(data_keys_of(about)) == keys
        ]
        # Of the descriptors of one stream, the last before the events is theirs.
        newest: dict[str, _Place] = {}
        for place in sorted(places, key=lambda place: descriptors[place.descriptor][0]):
            newest[place.stream] = place
        if len(newest) > 1:
            newest = {
                stream: place
                for stream, place in newest.items()
                if self._continues(stream, committed, segments)
            }
        return next(iter(newest.values())) if len(newest) == 1 else None

    def _continues(self, stream: str, committed: Sequence[Batch], segments: Sequence[Segment]) -> bool:
        """Tell whether the sequence numbers follow on those that a stream has just before them."""
        last = 0
        mine = {segment.id: segment for segment in segments if segment.stream == stream}
        for batch in committed:
            if batch.segment in mine:
                for part in sound_parts(self._store, batch, mine[batch.segment]):
                    before = part.column("arrival").to_numpy() < self._arrivals()[0]
                    last = max(last, int(part.column("seq_num").to_numpy()[before].max(initial=0)))
        return int(self._events.column("seq_num")[0].as_py()) == last + 1
