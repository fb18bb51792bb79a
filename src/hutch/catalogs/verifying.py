"""Proof that a store has what was recorded: every batch read, every number compared.

Nothing is written. What is found is an **error** if data is damaged or gone, and a **note** if it is
as it came but somebody should know: interrupted runs, nonconforming values, documents in quarantine,
files that belong to no batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hutch.catalogs.run_verifying import RunCheck
from hutch.errors import RunNotFoundError
from hutch.store.protocol import RunRow, Store

__all__ = ["Finding", "Verification", "verify"]

Progress = Callable[[int, int], object]
"""Called with how many runs are done, and how many there are."""

_RUNS_AT_ONCE = 200


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    is_error: bool
    text: str
    run: str | None = None
    """Uid of the run; None if it is about the whole store."""
    scan_id: int | None = None

    def __str__(self) -> str:
        if self.run is None:
            return self.text
        name = self.run[:8] if self.scan_id is None else f"{self.scan_id} ({self.run[:8]})"
        return f"Run {name}: {self.text}"


@dataclass
class Verification:
    """What the verification of a store found."""

    store: str
    """Where the store is."""
    runs: int = 0
    documents: int = 0
    """Start, stop and other documents that are no events."""
    events: int = 0
    batches: int = 0
    size_bytes: int = 0
    """Of all batches, in the database and in files."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What is damaged or gone."""
        return [finding for finding in self.findings if finding.is_error]

    @property
    def notes(self) -> list[Finding]:
        """What is as it came, and worth knowing."""
        return [finding for finding in self.findings if not finding.is_error]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is damaged or gone."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "is_sound": self.is_sound}


def verify(store: Store, progress: Progress | None = None) -> Verification:
    """Check a store; runs that are being recorded meanwhile are checked as far as they are.

    :param progress: called after every run.
    """
    found = Verification(store.location)
    # Listed first: a file that comes later may not have its batch yet.
    files = set(_files(store.files))
    named: set[str] = set()
    leaves: dict[int, int] = {}
    done = 0
    while rows := store.runs(start=done, limit=_RUNS_AT_ONCE):
        for row in rows:
            check = RunCheck(store, row)
            try:
                check.run()
            except RunNotFoundError:  # deleted meanwhile, so that it no longer counts
                continue
            found.findings += _said(check, row)
            leaves[row.id] = check.leaves
            found.runs += 1
            found.documents += check.documents
            found.events += check.events
            found.batches += check.batches
            found.size_bytes += check.size_bytes
            named |= check.files
            done += 1
            if progress is not None:
                progress(done, max(done, store.count_runs()))
    found.findings += _index_in_excess(store, leaves)
    found.findings += _loose_files(store, files - named)
    loose = sum(1 for row in store.quarantined() if row.run is None)
    if loose:
        text = f"{loose:,} documents of no known run are in quarantine"
        found.findings.append(
            Finding(False, text if loose > 1 else "A document of no known run is in quarantine")
        )
    return found


def _said(check: RunCheck, row: RunRow) -> list[Finding]:
    return [Finding(is_error, text, row.uid, row.scan_id) for is_error, text in check.findings]


def _index_in_excess(store: Store, expected: Mapping[int, int]) -> Iterator[Finding]:
    """Yield errors about index rows that follow from no document.

    :param expected: index rows that were looked for, by run; that they are there has been seen.
    """
    for run, count in store.count_leaves().items():
        if count <= expected.get(run, 0):
            continue
        try:
            row = store.run_by_id(run)
        except RunNotFoundError:
            if store.leaves(run):  # it was not deleted meanwhile
                yield Finding(True, f"The index has {count:,} rows of a run that is not there")
            continue
        # It may have begun or ended meanwhile.
        check = RunCheck(store, row)
        check.compare_index()
        yield from _said(check, row)


def _files(folder: Path) -> Iterator[str]:
    """Yield the names of all files below a folder, as batches name them."""
    for place, _, names in os.walk(folder):
        for name in names:
            yield (Path(place) / name).relative_to(folder).as_posix()


def _loose_files(store: Store, names: set[str]) -> Iterator[Finding]:
    """Yield notes about files without a batch: a process died between writing and committing."""
    for name in sorted(names):
        try:
            count = (store.files / name).stat().st_size
        except FileNotFoundError:
            continue
        path = str(store.files / name)
        yield Finding(False, f"File {path!r} of {count:,} bytes belongs to no batch; it is not needed")
