"""Copying a store that goes on being used, until the copy is what the store is at one moment.

First the runs, in the order of their ids and in portions: each is read in one snapshot of the source and
written in one transaction of the target, which also notes how far it came. Then what has changed since,
by the source's feed, until so little is left that one more snapshot takes it all. Whatever interrupts it,
the same copy goes on where it stopped; and a copy that is complete is brought up to date in the same way.

Snapshots are short, and large files are copied between them: whoever records waits for nothing, and
the log of SQLite does not grow meanwhile. A file that compaction has replaced by then is looked up again.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import sqlalchemy as sa

from hutch.documents.text import size_text
from hutch.errors import StoreError, StoreFullError
from hutch.store.copies.loads import Load, load_after, load_of_attachments, loads
from hutch.store.copies.logbook_copying import copy_logbook, copy_some_of_logbook
from hutch.store.copies.loose_copying import (
    copy_feed,
    copy_loose,
    copy_numbers,
    newest_change,
    oldest_change,
)
from hutch.store.copies.needed_files import NeededFiles, VanishedError
from hutch.store.copies.run_copying import copy_runs
from hutch.store.copies.sides import Side
from hutch.store.copies.table_copying import TableCopier, Tally, forget_replaced, in_groups
from hutch.store.roles import COPY, Copy
from hutch.store.schema import tables as t

__all__ = ["Copier", "Progress"]

_ROWS_OF_A_PORTION = 50_000
_BYTES_OF_A_PORTION = 32_000_000
"""Of batches in rows."""
_RUNS_OF_A_PORTION = 500
_FEW_RUNS = 50
_ROUNDS = 20
"""After so many rounds what is left is taken at once, however much it is."""
_WORTH_OF_A_RUN = 50_000
"""A run takes as long as so many bytes of batches."""
_TELL_S = 0.1
_TRIES = 10
"""So often a run is looked at again whose files vanish while they are copied."""


@dataclass
class Progress:
    """How far a copy is; totals grow if there is more to do than it seemed."""

    runs: int = 0
    of_runs: int = 0
    size_bytes: int = 0
    of_bytes: int = 0

    @property
    def share(self) -> float:
        """The part of the work that is done, from 0 to 1."""
        work = self.of_bytes + _WORTH_OF_A_RUN * self.of_runs
        return min((self.size_bytes + _WORTH_OF_A_RUN * self.runs) / work, 1.0) if work else 1.0


class Copier:
    """Copies one store into another.

    :param source: read only, unless it is sealed.
    :param target: belongs to this process alone; its property ``copy`` tells how far it is.
    :param link: give files a second name instead of copying them, where the file system can.
    :param full: compare everything, and read the files of the target, instead of trusting it to be what it
        was when it was complete.
    :param report: called with the progress now and then.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        *,
        link: bool = False,
        full: bool = False,
        report: Callable[[Progress], object] | None = None,
    ) -> None:
        self.tally = Tally()
        self._source = source
        self._target = target
        self._progress = Progress()
        self._report = report
        self._told = 0.0
        self._copy = Copy.parse(target.properties()[COPY])
        self.tally.damaged.update(self._copy.damaged)
        self._is_full = full
        self._files = NeededFiles(
            source, target, self.tally, link=link, full=full, on_bytes=self._count_bytes
        )

    @property
    def moment(self) -> float:
        """When the source was as the target is, since it is complete; s since 1970."""
        return self._copy.moment or 0.0

    # in portions

    def catch_up(self) -> None:
        """Copy until little is left.

        :raises StoreFullError: if the target's disk has no room for it.
        :raises StoreError: if the source is not what was copied before.
        """
        last = self._begin()
        while runs := self._next_runs(last):
            for portion in self._portions(runs):
                self._copy_portion(portion, self._copy.but(through=portion[-1]))
        if self._copy.through is not None:
            self._save(self._copy.but(through=None))
        with self._source.snapshot() as source:
            lacking = self._files.lacking(source)
        for portion in self._portions(lacking):
            self._copy_portion(portion, self._copy)
        before = math.inf
        for _ in range(_ROUNDS):
            with self._source.snapshot() as source:
                newest, runs = newest_change(source), self._changed(source)
            # Where more is recorded than can be copied, one long snapshot has to take it.
            if self._is_little(runs) or len(runs) >= before:
                break
            before = len(runs)
            for portion in self._portions(runs):
                self._copy_portion(portion, self._copy)
            self._save(self._copy.but(cursor=newest))
        self._copy_logbook()
        while self._copy_feed() < newest:
            continue
        self._files.sweep()

    def _begin(self) -> int:
        """Decide where to go on, and see whether there is room; return the last run that there is."""
        with self._source.snapshot() as source, self._target.snapshot() as target:
            newest, oldest = newest_change(source), oldest_change(source)
            self._check_history(source, target)
            copy = self._copy
            if copy.through == 0 and copy.cursor == 0:
                copy = copy.but(cursor=newest)
            elif copy.cursor + 1 < oldest or self._is_full:
                # What has changed since is not known any more, or does not matter: all runs are compared.
                copy = copy.but(cursor=newest, through=0)
            self._copy = copy
            pending = self._pending(source, target)
            last: int = source.execute(sa.select(sa.func.max(t.runs.c.id))).scalar() or 0
        self._check_room(pending)
        self._progress.of_runs = pending.runs
        self._progress.of_bytes = pending.batch_bytes
        self._tell()
        return last

    def _check_history(self, source: sa.Connection, target: sa.Connection) -> None:
        """See that the source has had all the changes that the target has.

        :raises StoreError: if it was set back to an earlier state.
        """
        cursor = self._copy.cursor
        change = sa.select(t.changes).where(t.changes.c.number == cursor)
        ours, theirs = (side.execute(change).first() for side in (source, target))
        is_other = ours is not None and theirs is not None and tuple(ours) != tuple(theirs)
        if is_other or newest_change(source) < max(cursor, newest_change(target)):
            msg = (
                f"{self._source.place!r} has been set back to an earlier state than the copy in "
                f"{self._target.place!r} was made from, or somebody has recorded into the copy. "
                "Nothing is copied over it. Copy to another place."
            )
            raise StoreError(msg)

    def _pending(self, source: sa.Connection, target: sa.Connection) -> Load:
        """Return an estimate of what there is to do."""
        found = load_of_attachments(source) - load_of_attachments(target)
        if self._copy.through is not None:
            found += load_after(source, self._copy.through) - load_after(target, self._copy.through)
        for some in in_groups(self._changed(source)):
            found = sum(loads(source, some).values(), found)
            for load in loads(target, some).values():
                found -= load
        return found

    def _check_room(self, pending: Load) -> None:
        needed = pending.file_bytes + (0 if self._target.is_server else pending.database_bytes)
        free = shutil.disk_usage(self._target.files).free
        if needed > free:
            msg = (
                f"{self._target.place!r} needs about {size_text(needed)} for what is to be copied, and "
                f"its disk has {size_text(free)} left. Nothing has been copied."
            )
            raise StoreFullError(msg)

    def _next_runs(self, last: int) -> list[int]:
        """Return some of the runs up to the last one that have not been looked at."""
        if self._copy.through is None:
            return []
        after = sa.select(t.runs.c.id).where(t.runs.c.id > self._copy.through, t.runs.c.id <= last)
        with self._source.snapshot() as source:
            asked = after.order_by(t.runs.c.id).limit(_RUNS_OF_A_PORTION)
            return list(source.execute(asked).scalars())

    def _portions(self, runs: Sequence[int]) -> Iterator[Sequence[int]]:
        """Yield runs in portions that are read and written in a short time; a large one stands alone."""
        for some in in_groups(runs):
            with self._source.snapshot() as source:
                found = loads(source, some)
            portion: list[int] = []
            load = Load()
            for run in some:
                load += found[run]
                if portion and (load.rows > _ROWS_OF_A_PORTION or load.body_bytes > _BYTES_OF_A_PORTION):
                    yield portion
                    portion, load = [], found[run]
                portion.append(run)
            yield portion

    def _is_little(self, runs: Sequence[int]) -> bool:
        if len(runs) > _FEW_RUNS:
            return False
        with self._source.snapshot() as source:
            return sum(load.body_bytes for load in loads(source, runs).values()) <= _BYTES_OF_A_PORTION

    def _changed(self, source: sa.Connection) -> list[int]:
        """Return the runs that have changed since the cursor, of those that have been looked at."""
        run = t.changes.c.run
        said = sa.select(run).where(t.changes.c.number > self._copy.cursor, run.is_not(None)).distinct()
        through = self._copy.through
        found = source.execute(said).scalars()
        return sorted(run for run in found if through is None or run <= through)

    def _copy_portion(self, runs: Sequence[int], then: Copy) -> None:
        """Copy runs, their files first, and note how far the copy is."""
        for attempt in range(_TRIES):
            with self._source.snapshot() as source:
                missing = self._files.missing(source, runs)
            wrong = self._files.bring(missing)
            try:
                with self._source.snapshot() as source, self._target.transaction() as target:
                    missing = self._files.missing(source, runs)
                    self._files.accept(missing, wrong, is_last=attempt + 1 == _TRIES)
                    copier = TableCopier(source, target, self.tally, self._count_bytes)
                    copy_runs(copier, runs)
                    self._copy = self._write(copier, then)
            except VanishedError:
                continue
            break
        self._progress.runs += len(runs)
        self._files.remove_replaced()
        self._tell()

    def _copy_logbook(self) -> None:
        """Copy the logbook in portions, as far as it is now."""
        with self._source.snapshot() as source:
            self._files.bring_damaged_again(source)
        more = True
        while more:
            with self._source.snapshot() as source, self._target.transaction() as target:
                copier = TableCopier(source, target, self.tally, self._count_bytes)
                more = copy_some_of_logbook(copier, self._files)
                self._copy = self._write(copier, self._copy)
            self._tell()

    def _copy_feed(self) -> int:
        with self._source.snapshot() as source, self._target.transaction() as target:
            copier = TableCopier(source, target, self.tally, self._count_bytes)
            self._write(copier, self._copy)
            return copy_feed(copier)

    def _save(self, copy: Copy) -> None:
        with self._source.snapshot() as source, self._target.transaction() as target:
            copier = TableCopier(source, target, self.tally, self._count_bytes)
            self._copy = self._write(copier, copy)

    def _write(self, copier: TableCopier, copy: Copy) -> Copy:
        """Let the target say how far it is, which is not complete."""
        copy = copy.but(is_complete=False, damaged=dict(self.tally.damaged))
        copier.write.update(t.properties, [(COPY, copy.text)], ("key", "value"))
        return copy

    def start_over(self) -> None:
        """Have everything compared the next time, as after something was found wrong in the target."""
        self._save(self._copy.but(through=0))

    # to the end

    def finish(self, end: Callable[[TableCopier, Copy], object], *, standstill: bool = False) -> None:
        """Make the target what the source is at one moment.

        :param end: called with both transactions still open, the last of all; given what the property
            ``copy`` would be. The target is committed before the source.
        :param standstill: let nobody else write into the source meanwhile.
        """
        wrong: dict[str, str] = {}
        for attempt in range(_TRIES):
            opened = self._source.standstill() if standstill else self._source.snapshot()
            try:
                self._copy = self._finish_in(opened, end, wrong, is_last=attempt + 1 == _TRIES)
            except VanishedError:
                continue
            break
        self._files.remove_replaced()
        self._tell()

    def _finish_in(
        self,
        opened: AbstractContextManager[sa.Connection],
        end: Callable[[TableCopier, Copy], object],
        wrong: dict[str, str],
        *,
        is_last: bool,
    ) -> Copy:
        with opened as source, self._target.transaction() as target:
            runs = sorted({*self._changed(source), *(_ids(source) ^ _ids(target))})
            # The few files that came since are copied while the snapshot is open.
            found = self._files.bring(self._files.missing(source, runs))
            if not is_last and found.keys() - wrong.keys():
                # Either they are damaged, or they went since the snapshot was opened: the next one tells.
                wrong.update(found)
                raise VanishedError
            self._files.accept(self._files.missing(source, runs), wrong, is_last=is_last)
            copier = TableCopier(source, target, self.tally, self._count_bytes)
            copy_runs(copier, runs)
            copy_loose(copier)
            copy_logbook(copier, self._files)
            while copy_feed(copier) < newest_change(source):
                continue
            copy_numbers(copier)
            forget_replaced(copier)
            copy = self._copy.but(
                is_complete=True,
                cursor=newest_change(source),
                moment=time.time(),
                damaged=dict(self.tally.damaged),
            )
            end(copier, copy)
            return copy

    # progress

    def _count_bytes(self, count: int) -> None:
        self.tally.size_bytes += count
        self._progress.size_bytes += count
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._report is None or now < self._told + _TELL_S:
            return
        self._told = now
        self._progress.of_runs = max(self._progress.of_runs, self._progress.runs)
        self._progress.of_bytes = max(self._progress.of_bytes, self._progress.size_bytes)
        self._report(self._progress)


def _ids(side: sa.Connection) -> set[int]:
    return set(side.execute(sa.select(t.runs.c.id)).scalars())
