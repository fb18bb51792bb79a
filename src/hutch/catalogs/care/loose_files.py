"""Files below a store's folder that no batch names: what they hold, and of which run.

A process that dies between writing a file and committing its batch leaves one, and so does one that dies
while it merges batches. What is in it may be nowhere else.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from hutch.catalogs.care.batch_verifying import UNREADABLE, map_file, sound_parts
from hutch.catalogs.care.findings import Finding, Kind
from hutch.catalogs.care.index_verifying import present_run
from hutch.catalogs.care.salvaging import read_all
from hutch.documents.digests import digest
from hutch.errors import CorruptBatchError
from hutch.store.batches.arrow_files import run_of
from hutch.store.batches.columns import Layout
from hutch.store.batches.compacting import is_named
from hutch.store.batches.unpacking import events
from hutch.store.protocols.store import RunRow, Store

__all__ = ["LOST_AND_FOUND", "LooseFile", "LooseFiles", "examine"]

LOST_AND_FOUND = "lost+found"
"""Folder below that of the files: what a repair cannot place."""

ATTACHMENTS = "attachments"
"""Folder below that of the files: large attachments of the logbook, named by what is in them."""

_OLD_S = 3600.0
"""A younger file may be of a process that is about to name it."""


@dataclass(frozen=True)
class LooseFile:
    """A file that no batch names."""

    name: str
    size_bytes: int
    kind: Kind
    text: str
    run: RunRow | None = None
    parts: list[pa.RecordBatch] = field(default_factory=list)
    """What can be read of it."""
    lacking: frozenset[str] = frozenset()
    """Uids of the events in it that its run lacks."""

    def to_finding(self) -> Finding:
        """Return it as a finding."""
        uid, scan_id = (None, None) if self.run is None else (self.run.uid, self.run.scan_id)
        return Finding(self.kind, self.text, uid, scan_id, self.name)


class LooseFiles:
    """The files of a store at one moment, less those that batches are seen to name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._named: set[str] = set()
        self.relist()

    def relist(self) -> None:
        """List them anew."""
        store = self._store
        self._discarded = set(store.discarded(math.inf))
        self._listed = set(_list(store.files))
        self.put_away = sum(name.startswith(f"{LOST_AND_FOUND}/") for name in self._listed)

    def name(self, files: set[str]) -> None:
        """Note files that a batch names."""
        self._named |= files

    def names(self) -> list[str]:
        """Return what is left, sorted."""
        waiting = self._discarded | set(self._store.discarded(math.inf))
        found = sorted(self._listed - self._named - waiting)
        return [name for name in found if not name.startswith(f"{LOST_AND_FOUND}/")]

    def condemned(self) -> list[str]:
        """Return files that batches name, and that are noted to be deleted."""
        return [name for name in sorted(self._named & self._discarded) if is_named(self._store, name)]


def examine(store: Store, name: str, now: float | None = None) -> LooseFile | None:
    """Return what a file holds that no batch names; None if it has gone, or a batch names it now.

    :param now: by the clock of the file system, s since 1970.
    """
    path = store.files / name
    try:
        about = path.stat()
    except OSError:
        return None
    if name.startswith(f"{ATTACHMENTS}/"):
        return _examine_attachment(store, name, path, about, now)
    number = run_of(name)
    run = None if number is None else present_run(store, number)
    if is_named(store, name):
        return None
    text = f"file {str(path)!r} of {about.st_size:,} bytes belongs to no batch"
    if run is None:
        text = f"File{text[4:]}"

    def loose(kind: Kind, why: str, *rest: object) -> LooseFile:
        return LooseFile(name, about.st_size, kind, f"{text}{why}", run, *rest)  # type: ignore[arg-type]

    if (time.time() if now is None else now) - about.st_mtime < _OLD_S:
        return loose(Kind.YOUNG, "; it is less than an hour old")
    if run is not None and run.stop is None and store.is_live(run.owner):
        return loose(Kind.YOUNG, "; its run is being recorded")
    if number is not None and run is None and _was_deleted(store, number):
        return loose(Kind.LOOSE, "; its run was deleted")
    if run is None:
        return loose(Kind.STRANGE, " and no run")
    parts = _parts(path)
    if not parts:
        return loose(Kind.STRANGE, ", and nothing in it can be read")
    lacking, differing = _compare(store, run, parts)
    if differing:
        why = f"; {differing:,} of its events are not what its run has under the same uids"
        return loose(Kind.STRANGE, why, parts)
    if lacking:
        why = f", and its run lacks {len(lacking):,} events that are in it"
        return loose(Kind.UNCOMMITTED, why, parts, frozenset(lacking))
    return loose(Kind.LOOSE, "; its run has all that is in it", parts)


def _examine_attachment(
    store: Store, name: str, path: Path, about: os.stat_result, now: float | None
) -> LooseFile | None:
    """Return a file that holds an attachment, if no entry has it: whoever was to write it has died."""
    if store.names_blob(name):
        return None
    text = f"File {str(path)!r} of {about.st_size:,} bytes is attached to no entry"
    if (time.time() if now is None else now) - about.st_mtime < _OLD_S:
        return LooseFile(name, about.st_size, Kind.YOUNG, f"{text}; it is less than an hour old")
    return LooseFile(name, about.st_size, Kind.LOOSE, text)


def _list(folder: Path) -> Iterator[str]:
    """Yield the names of all files below a folder, as batches name them."""
    for place, _, names in os.walk(folder):
        for name in names:
            yield (Path(place) / name).relative_to(folder).as_posix()


def _was_deleted(store: Store, run: int) -> bool:
    return any(stone.run == run for stone in store.tombstones())


def _parts(path: Path) -> list[pa.RecordBatch]:
    """Return what can be read of a file, if all of its columns are what hutch writes."""
    try:
        body = map_file(path)
    except CorruptBatchError:
        return []
    found = []
    for part in read_all(body, None, is_file=True):
        try:
            if part is not None:
                part.validate(full=True)
                Layout.from_schema(part.schema)
                found.append(part)
        except UNREADABLE:
            continue
    return found


def _compare(store: Store, run: RunRow, parts: list[pa.RecordBatch]) -> tuple[set[str], int]:
    """Return the uids of events that a run lacks, and the number of those that it has otherwise."""
    wanted = {uid: text for part in parts for uid, text in _digests(part)}
    lacking = set(wanted)
    differing = 0
    segments = {segment.id: segment for segment in store.segments(run.id)}
    for batch in store.batches(run.id):
        if batch.segment not in segments:
            continue
        for part in sound_parts(store, batch, segments[batch.segment]):
            known = part.filter(pa.array([uid in wanted for uid in part.column("uid").to_pylist()]))
            for uid, text in _digests(known):
                lacking.discard(uid)
                differing += text != wanted[uid]
    return lacking, differing


def _digests(part: pa.RecordBatch) -> Iterator[tuple[str, bytes]]:
    """Yield the uid of each event, and what stands for the event."""
    found = events(part, Layout.from_schema(part.schema), "")
    for uid, (_, event) in zip(part.column("uid").to_pylist(), found, strict=True):
        yield uid, digest("event", event)
