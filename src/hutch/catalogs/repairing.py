"""The repair of a store: what was found is repaired where that is safe, and looked at once more.

Each repair is a transaction of its own, so a repair may be ended at any moment and begun again. Runs that
a live process records are left alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from hutch.catalogs.care.adopting import settle_file
from hutch.catalogs.care.entry_verifying import mend_entries
from hutch.catalogs.care.findings import Kind, Repair, Verification
from hutch.catalogs.care.index_verifying import IndexSums, check_index, present_run
from hutch.catalogs.care.loose_files import examine
from hutch.catalogs.care.reindexing import reindex
from hutch.catalogs.care.run_repairing import RunRepair
from hutch.catalogs.verifying import Progress, StoreCheck, check_run
from hutch.recording.committing.leftovers import take_in
from hutch.recording.spooling.spool import abandoned_files, mark_of
from hutch.store.protocols.store import RunRow, Store

__all__ = ["repair"]


def repair(
    store: Store, progress: Progress | None = None, say: Callable[[Repair], object] | None = None
) -> Verification:
    """Check a store, repair what is safe to repair, and tell what is still wrong.

    :param progress: of the check; called now and then, and in the end.
    :param say: called with each repair when it is done.
    :returns: as findings what is so after it.
    :raises StoreError: if the store cannot be written.
    """
    repairs: list[Repair] = []

    def did(done: Repair) -> None:
        repairs.append(done)
        if say is not None:
            say(done)

    _take_in(store, did)
    check = StoreCheck(store, progress)
    check.run()
    _StoreRepair(store, check, did).run()
    found = check.result()
    found.repairs = repairs
    return found


def _take_in(store: Store, did: Callable[[Repair], None]) -> None:
    """Store what waits in the spool, so that it is checked with the rest."""
    mark = mark_of(store)
    waiting = abandoned_files(mark)
    if waiting:
        take_in(store, mark, lambda: False)
        left = abandoned_files(mark)
        for path in waiting:
            if path not in left:
                did(Repair(Kind.SPOOLED, f"What waited in {str(path)!r} is stored"))


class _StoreRepair:
    def __init__(self, store: Store, check: StoreCheck, did: Callable[[Repair], None]) -> None:
        self._store = store
        self._check = check
        self._did = did
        self._touched: set[int] = set()
        """Runs that are checked once more."""

    def run(self) -> None:
        """Repair everything."""
        if not self._may_give_up_files():
            text = (
                f"There is nothing at all in the folder {str(self._store.files)!r}, and batches name files "
                "in it. Nothing is repaired, as it may not be mounted"
            )
            self._did(Repair(Kind.NO_BATCH, text, is_done=False))
            return
        for run, findings in list(self._check.by_run.items()):
            self._repair_run(run, {finding.kind for finding in findings if finding.kind.is_repairable})
        self._repair_entries()
        self._repair_files()
        self._repair_index()
        self._store.sync()
        self._look_again()

    def _repair_entries(self) -> None:
        """Make entries of the logbook follow from their versions."""
        wrong = self._check.wrong_entries
        if wrong:
            mend_entries(self._store, wrong)
            self._check.look_at_logbook()
            for entry in wrong:
                is_done = entry not in self._check.wrong_entries
                done = "is made what its versions say"
                left = "is left: a backup has it"
                text = f"Entry {entry} {done if is_done else left}"
                self._did(Repair(Kind.ENTRY, text, is_done=is_done))

    def _may_give_up_files(self) -> bool:
        """Tell whether missing files are really gone: a folder that is not mounted is empty."""
        gone = [
            finding
            for findings in self._check.by_run.values()
            for finding in findings
            if finding.kind is Kind.NO_BATCH and finding.file is not None
        ]
        folder = self._store.files
        return not gone or (folder.is_dir() and any(folder.iterdir()))

    def _repair_run(self, run: int, kinds: set[Kind]) -> None:
        row = present_run(self._store, run)
        if not kinds or row is None:
            return
        if self._is_left(run):
            self._leave(row, kinds)
            return
        self._touch(run)
        work = RunRepair(self._store, row)
        work.run(kinds)
        for done in work.repairs:
            self._did(done)

    def _touch(self, run: int) -> None:
        """Note that a run is going to change."""
        if run not in self._touched:
            self._touched.add(run)
            check = check_run(self._store, run)
            if check is not None:
                self._check.discount(check)

    def _is_left(self, run: int) -> bool:
        """Tell whether a live process records a run."""
        row = present_run(self._store, run)
        return row is not None and row.stop is None and self._store.is_live(row.owner)

    def _leave(self, row: RunRow, kinds: set[Kind]) -> None:
        owner = None if row.owner is None else self._store.owner(row.owner)
        who = "a live process"
        if owner is not None:
            who = f"{owner.program!r} (process {owner.pid} on {owner.host})"
        text = f"it is being recorded by {who}, and is left alone"
        for kind in sorted(kinds):
            self._did(Repair(kind, text, row.uid, row.scan_id, is_done=False))

    def _repair_files(self) -> None:
        condemned = self._check.loose.condemned()
        if condemned:
            with self._store.transaction() as writer:
                writer.forget_files(condemned)
            text = f"{len(condemned):,} files that batches name are no longer to be deleted"
            self._did(Repair(Kind.DISCARDED, text))
        names = self._check.loose.names()
        now = _time_of(self._store.files) if names else 0.0
        for name in names:
            file = examine(self._store, name, now)
            if file is None or not file.kind.is_repairable:
                continue
            if file.run is not None:
                self._touch(file.run.id)
            done = settle_file(self._store, file, now)
            if done is not None:
                self._did(done)

    def _repair_index(self) -> None:
        if not self._check.of_index:
            return
        free = [run for run in self._check.suspects if not self._is_left(run)]
        done = reindex(self._store, free)
        text = f"The index rows of {done.completed:,} runs were made again from their documents"
        if done.removed:
            text += f", and {done.removed:,} rows in excess were removed"
        self._did(Repair(Kind.NO_LEAVES, text))
        sums = IndexSums(self._store)
        self._check.of_index = list(check_index(self._store, sums, self._check.suspects))

    def _look_again(self) -> None:
        """Replace what was found by what is so now."""
        for run in self._touched:
            check = check_run(self._store, run)
            if check is not None:
                self._check.count(check)
        self._check.look_at_files()


def _time_of(folder: Path) -> float:
    """Return the time of now by the clock of a file system, which may be another host's, s since 1970."""
    path = folder / f".{uuid.uuid4().hex}"
    path.touch()
    try:
        return path.stat().st_mtime
    finally:
        path.unlink()
