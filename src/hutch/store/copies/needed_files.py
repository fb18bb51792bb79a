"""Which Arrow files a copy needs, which of them it has, and what becomes of those that it cannot have.

What is damaged in the source, or gone, holds nothing up: it is told, and tried again at the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from hutch.errors import StoreError
from hutch.store.copies.file_copying import FileCopier, Wanted, loose_files, remove_files
from hutch.store.copies.run_copying import wanted_files
from hutch.store.copies.sides import Side
from hutch.store.copies.table_copying import Tally, in_groups
from hutch.store.schema import tables as t

__all__ = ["NeededFiles", "VanishedError"]


class VanishedError(Exception):
    """Files came, or went, since they were looked for: they must be looked for again."""


class NeededFiles:
    """The files of one copy.

    :param source: where they are.
    :param target: where they are needed.
    :param tally: counts them, and keeps what is damaged.
    :param link: give files a second name instead of copying them, where the file system can.
    :param full: read those that are in the target, and compare them with their checksums.
    :param on_bytes: told how many bytes have been copied.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        tally: Tally,
        *,
        link: bool,
        full: bool,
        on_bytes: Callable[[int], object],
    ) -> None:
        self._source = source
        self._target = target
        self._tally = tally
        self._is_full = full
        self._copier = FileCopier(source.files, target.files, link=link, on_bytes=on_bytes)
        self._wrong: set[str] = set()
        """Files that could not be copied, or are damaged; it is not known yet whether they are needed."""
        self._good: set[str] = set()
        """Files of which it is known that they are what they should be."""

    def missing(self, source: sa.Connection, runs: Sequence[int]) -> list[Wanted]:
        """Return the files that runs need and the target lacks."""
        files = wanted_files(source, runs).values()
        return [wanted for wanted in files if not self._is_here(wanted)]

    def bring(self, missing: Sequence[Wanted]) -> dict[str, str]:
        """Copy files; return what is wrong with those that are damaged or gone, by name."""
        wrong = self._copier.bring(missing)
        self._tally.files = self._copier.copied
        for wanted in missing:
            if wanted.name in wrong:
                self._wrong.add(wanted.name)
            else:
                self._wrong.discard(wanted.name)
                self._good.add(wanted.name)
                self._tally.damaged.pop(wanted.name, None)
        return wrong

    def bring_or_tell(self, files: Sequence[Wanted]) -> None:
        """Copy files that are never replaced; what is wrong with one is told, and the rest goes on."""
        missing = [wanted for wanted in files if not self._is_here(wanted)]
        for name, reason in self.bring(missing).items():
            self._tally.damaged[name] = f"File {str(self._source.files / name)!r} {reason}."

    def bring_damaged_again(self, source: sa.Connection) -> None:
        """Copy files of attachments that were damaged or gone the last time, if they are whole now."""
        for some in in_groups(sorted(self._tally.damaged)):
            blob = t.blobs.c
            named = sa.select(blob.file, blob.size, blob.crc32).where(blob.file.in_(some))
            self.bring_or_tell([Wanted(*row) for row in source.execute(named)])

    def accept(self, missing: Sequence[Wanted], wrong: dict[str, str], *, is_last: bool) -> None:
        """Go on without files, if it is known that the source lacks them.

        :param wrong: what is wrong with files that were not there when they were needed before.
        :param is_last: it is of no use to try again.
        :raises VanishedError: if there are others.
        """
        if any(wanted.name not in wrong for wanted in missing):
            if is_last:
                msg = f"The files of {self._source.place!r} change faster than they can be copied. Try again."
                raise StoreError(msg)
            raise VanishedError
        for wanted in missing:
            said = f"File {str(self._source.files / wanted.name)!r} {wrong[wanted.name]}."
            self._tally.damaged[wanted.name] = said

    def lacking(self, source: sa.Connection) -> list[int]:
        """Return the runs that need files which were damaged or gone the last time."""
        found: set[int] = set()
        for some in in_groups(sorted(self._tally.damaged)):
            runs = sa.select(t.batches.c.run).where(t.batches.c.file.in_(some))
            found.update(source.execute(runs).scalars())
        return sorted(found)

    def remove_replaced(self) -> None:
        """Delete files of the target that none of its batches names any more."""
        remove_files(self._target.files, self._tally.gone_files)
        self._tally.gone_files.clear()

    def sweep(self) -> None:
        """Delete files that no batch of the target names: what a copy that was interrupted has left."""
        with self._target.snapshot() as target:
            named = sa.select(t.batches.c.file).where(t.batches.c.file.is_not(None))
            files = set(target.execute(named).scalars())
        remove_files(self._target.files, loose_files(self._target.files, files))

    def _is_here(self, wanted: Wanted) -> bool:
        if wanted.name in self._wrong or wanted.name in self._tally.damaged:
            return False
        is_read = self._is_full and wanted.name not in self._good
        if not self._copier.is_here(wanted, is_read=is_read):
            return False
        self._good.add(wanted.name)
        return True
