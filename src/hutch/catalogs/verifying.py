"""Proof that a store has what was recorded: every batch read, every number compared.

Nothing is written here; :mod:`hutch.catalogs.repairing` repairs. Runs are read many at a time, and
whatever looks wrong is looked at once more by itself, as it may just have been written.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hutch.catalogs.care.entry_verifying import check_logbook
from hutch.catalogs.care.findings import Finding, Kind, Verification
from hutch.catalogs.care.index_verifying import IndexSums, check_index, present_run
from hutch.catalogs.care.loose_files import LOST_AND_FOUND, LooseFiles, examine
from hutch.catalogs.care.run_verifying import RunCheck
from hutch.documents import decode
from hutch.errors import CorruptDocumentError
from hutch.recording.spooling.spool import abandoned_files, mark_of
from hutch.store.protocols.store import RunContents, RunRow, Store

__all__ = ["Done", "Progress", "StoreCheck", "check_run", "verify"]

_RUNS_AT_ONCE = 500
_BYTES_AT_ONCE = 16_000_000
"""Bytes of batches in rows that are read at once; those of a run with more come one by one."""
_TRIES = 3
"""A run that is being recorded is looked at so often until it holds still."""
_RUN_BYTES = 4096
"""A run takes as long as so many bytes of events, besides its events."""
_TELL_S = 0.1
_NOTHING = RunContents()


@dataclass(frozen=True)
class Done:
    """How far a verification has come."""

    runs: int
    of_runs: int
    size_bytes: int
    of_bytes: int

    @property
    def share(self) -> float:
        """The part of the work that is done, from 0 to 1."""
        work = self.of_bytes + _RUN_BYTES * self.of_runs
        return min((self.size_bytes + _RUN_BYTES * self.runs) / work, 1.0) if work else 1.0


Progress = Callable[[Done], object]
"""Called now and then, and in the end."""


def verify(store: Store, progress: Progress | None = None) -> Verification:
    """Check a store; runs that are being recorded meanwhile are checked as far as they are.

    :param progress: called now and then, and in the end.
    """
    check = StoreCheck(store, progress)
    check.run()
    return check.result()


class StoreCheck:
    """The check of a store.

    :ivar by_run: what was found, by the id of the run.
    :ivar of_store: what was found that is of no run.
    :ivar of_index: what was found in the index.
    :ivar of_logbook: what was found in the logbook.
    :ivar wrong_entries: numbers of entries that do not follow from their versions.
    :ivar of_files: what was found of files that no batch names.
    :ivar suspects: ids of runs, and of none, whose index rows are not those that they must have.
    :ivar loose: the files that no batch names.
    """

    def __init__(self, store: Store, progress: Progress | None = None) -> None:
        self.by_run: dict[int, list[Finding]] = {}
        self.of_store: list[Finding] = []
        self.of_index: list[Finding] = []
        self.of_files: list[Finding] = []
        self.of_logbook: list[Finding] = []
        self.wrong_entries: list[int] = []
        self.suspects: list[int] = []
        self.loose = LooseFiles(store)
        self._store = store
        self._total = Verification(store.location)
        self._meter = _Meter(store, progress)

    def run(self) -> None:
        """Check everything."""
        store = self._store
        self.of_store += [Finding(Kind.DATABASE, text) for text in store.check_database()]
        self._check_stash()
        sums = IndexSums(store)
        ids = [np.empty(0, np.int64)]
        last = 0
        while rows := store.runs_after(last, _RUNS_AT_ONCE):
            last = rows[-1].id
            self._check_runs(rows, sums)
            ids.append(np.array([row.id for row in rows], np.int64))
        self.suspects += np.setdiff1d(sums.runs(), np.concatenate(ids)).tolist()
        self.of_index += check_index(store, sums, self.suspects)
        self.look_at_logbook()
        self._check_files()
        count = sum(1 for row in store.quarantined() if row.run is None)
        if count:
            text = (
                "A document of no known run is" if count == 1 else f"{count:,} documents of no known run are"
            )
            self.of_store.append(Finding(Kind.QUARANTINE, f"{text} in quarantine"))
        self._check_spool()
        self._meter.tell()

    def _check_stash(self) -> None:
        """See that the metadata for every run can be read."""
        for key, value in self._store.stash().items():
            try:
                decode(value)
            except CorruptDocumentError as error:
                text = f"The metadata {key!r} for every run cannot be read: {error.__cause__}"
                self.of_store.append(Finding(Kind.UNREADABLE, text))

    def look_at_logbook(self) -> None:
        """Look at entries and attachments, as they are now."""
        self.of_logbook, files, self.wrong_entries = check_logbook(self._store)
        self.loose.name(files)

    def _check_spool(self) -> None:
        """Look for what waits to be stored."""
        for path in abandoned_files(mark_of(self._store)):
            with contextlib.suppress(OSError):
                size = path.stat().st_size
                text = f"Documents of {size:,} bytes that could not be stored wait in {str(path)!r}"
                self.of_store.append(Finding(Kind.SPOOLED, text))

    def look_at_files(self) -> None:
        """Look once more at files that no batch names, as they are now."""
        self.loose.relist()
        self._check_files()

    def _check_files(self) -> None:
        """Look at files that no batch names, and at those that are named and will be deleted."""
        examined = (examine(self._store, name) for name in self.loose.names())
        self.of_files = [file.to_finding() for file in examined if file is not None]
        for name in self.loose.condemned():
            text = f"File {name!r} is noted to be deleted, and a batch names it"
            self.of_files.append(Finding(Kind.DISCARDED, text, file=name))
        if self.loose.put_away:
            folder = str(self._store.files / LOST_AND_FOUND)
            text = f"{self.loose.put_away:,} files that a repair could not place are in {folder!r}"
            self.of_files.append(Finding(Kind.PUT_AWAY, text))

    def result(self) -> Verification:
        """Return what was found."""
        found = self._total
        of_runs = [finding for run in sorted(self.by_run) for finding in self.by_run[run]]
        found.findings = self.of_store + of_runs + self.of_index + self.of_logbook + self.of_files
        return found

    def _check_runs(self, rows: Sequence[RunRow], sums: IndexSums) -> None:
        contents = self._store.contents(rows[0].id, rows[-1].id)
        for group in _groups(rows, contents):
            bodies = self._bodies(group, contents)
            for row in group:
                check = RunCheck(self._store, row, contents.get(row.id, _NOTHING), bodies, self._meter.add)
                check.run()
                if not check.is_sound:
                    again = check_run(self._store, row.id)
                    if again is None:  # deleted meanwhile
                        continue
                    check = again
                self._take(check, sums)
                self._meter.add_run()

    def _bodies(
        self, group: Sequence[RunRow], contents: Mapping[int, RunContents]
    ) -> dict[int, bytes] | None:
        """Return the bytes of batches in rows; None if they are too many for the memory."""
        if sum(_inline_bytes(contents, row) for row in group) > _BYTES_AT_ONCE:
            return None
        return self._store.bodies(group[0].id, group[-1].id)

    def count(self, check: RunCheck) -> None:
        """Count what the check of a run found."""
        self._add(check, 1)
        self.loose.name(check.files)
        if check.findings:
            self.by_run[check.row.id] = check.findings

    def discount(self, check: RunCheck) -> None:
        """Take back what was counted of a run, which is to be checked anew."""
        self._add(check, -1)
        self.by_run.pop(check.row.id, None)

    def _add(self, check: RunCheck, times: int) -> None:
        total = self._total
        total.runs += times
        total.documents += times * check.documents
        total.events += times * check.events
        total.batches += times * check.batches
        total.size_bytes += times * check.size_bytes

    def _take(self, check: RunCheck, sums: IndexSums) -> None:
        self.count(check)
        if check.leaves is not None and not sums.agrees(check.row, check.leaves):
            self.suspects.append(check.row.id)


def check_run(store: Store, run: int) -> RunCheck | None:
    """Return the check of one run as it is now; None if it is not there."""
    check = None
    for _ in range(_TRIES):
        row = present_run(store, run)
        if row is None:
            return None
        contents = store.contents(run, run).get(run, _NOTHING)
        check = RunCheck(store, row, contents)
        check.run()
        if check.is_sound or store.contents(run, run).get(run, _NOTHING) == contents:
            break
    return check


def _groups(rows: Sequence[RunRow], contents: Mapping[int, RunContents]) -> Iterator[list[RunRow]]:
    """Yield runs that are checked together: as many as have their bytes in memory at once."""
    group: list[RunRow] = []
    size = 0
    for row in rows:
        more = _inline_bytes(contents, row)
        if group and size + more > _BYTES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(row)
        size += more
    if group:
        yield group


def _inline_bytes(contents: Mapping[int, RunContents], row: RunRow) -> int:
    return sum(batch.size for batch in contents.get(row.id, _NOTHING).batches if batch.file is None)


class _Meter:
    """Tells somebody how far the work has come, not too often."""

    def __init__(self, store: Store, progress: Progress | None) -> None:
        self._progress = progress
        self._runs = self._size_bytes = 0
        self._of_runs, self._of_bytes = (store.count_runs(), store.count_bytes()) if progress else (0, 0)
        self._told = time.monotonic()

    def add(self, size_bytes: int) -> None:
        """Note that bytes of events were checked."""
        self._size_bytes += size_bytes
        if time.monotonic() - self._told > _TELL_S:
            self.tell()

    def add_run(self) -> None:
        """Note that a run was checked."""
        self._runs += 1
        self.add(0)

    def tell(self) -> None:
        """Tell it."""
        self._told = time.monotonic()
        if self._progress is not None:
            of = max(self._runs, self._of_runs), max(self._size_bytes, self._of_bytes)
            self._progress(Done(self._runs, of[0], self._size_bytes, of[1]))
