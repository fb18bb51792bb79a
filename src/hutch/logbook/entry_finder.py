"""Entries: listed, searched for, and read with their threads, versions and attachments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import IO

from hutch.access import Action
from hutch.errors import EntryNotFoundError, QueryError
from hutch.logbook.entries import Attachment, Entry, EntryPage, Version, clean_tags
from hutch.logbook.run_book import RunBook
from hutch.logbook.searching import parse_search
from hutch.logbook.tags import written_tags
from hutch.store.rows.logbook import EntryFilter, EntryRow
from hutch.store.statements.entry_terms import author_term, shift_term, tag_term

__all__ = ["EntryFinder"]

_LARGEST_PAGE = 1000


class EntryFinder(RunBook):
    """The part of a logbook that finds entries."""

    def entry(self, entry: int) -> Entry:
        """Return an entry, also one that is deleted.

        :raises EntryNotFoundError: if there is none of this number, or they may not read it.
        """
        row = self._row(entry)
        self._check_readable(row)
        return Entry.of(row)

    def entries(
        self,
        experiment: str,
        *,
        run: int | tuple[int | None, int | None] | None = None,
        tags: Iterable[str] | str = (),
        author: str | None = None,
        shift: str | None = None,
        since: float | None = None,
        until: float | None = None,
        deleted: bool | None = False,
        threads: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> EntryPage:
        """Return entries of an experiment, the newest first.

        :param run: the number of a run, or the first and the last, of which either may be None.
        :param tags: that they must all have.
        :param since: s since 1970.
        :param until: s since 1970, itself not included.
        :param deleted: True: only those that are; None: these as well.
        :param threads: only those that answer no other.
        :param before: the number of an entry: only those older than it.
        """
        where = _filter(experiment, run, tags, since, until)
        terms = [author_term(author)] if author else []
        terms += [shift_term(shift)] if shift else []
        where = replace(where, terms=(*where.terms, *terms), is_deleted=deleted, is_root=threads)
        return self._page(where, before, limit)

    def search(
        self,
        experiment: str,
        words: str,
        *,
        run: int | tuple[int | None, int | None] | None = None,
        tags: Iterable[str] | str = (),
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> EntryPage:
        """Return entries that words are in, the newest first; see :mod:`hutch.logbook.searching`.

        What else is asked for narrows what the words ask for, as it does in :meth:`entries`.

        :param words: as in ``beam lost t:alignment run:5-9 since:2026-01-01 author:ada``.
        :param before: the number of an entry: only those older than it.
        :raises QueryError: if a part cannot be understood.
        """
        where = _filter(experiment, run, tags, since, until)
        return self._page(parse_search(words, where), before, limit)

    def thread(self, entry: int) -> list[Entry]:
        """Return the thread that an entry is in, oldest first, with those that are deleted.

        :raises EntryNotFoundError: if there is no such entry.
        """
        row = self._row(entry)
        self._check_readable(row)
        return [Entry.of(one) for one in self.store.thread(row.root or row.id)]

    def versions(self, entry: int) -> list[Version]:
        """Return all versions of an entry, oldest first.

        :raises EntryNotFoundError: if there is no such entry.
        """
        self._check_readable(self._row(entry))
        return [Version.of(row) for row in self.store.versions(entry)]

    def tags(self, experiment: str) -> dict[str, int]:
        """Return the tags of an experiment, by name, and how many entries have each."""
        self.check(Action.READ, experiment)
        counted = self.store.term_counts(experiment, "t")
        written = written_tags(self.store, [(term, entry) for term, _, entry in counted])
        return dict(zip(written, (count for _, count, _ in counted), strict=True))

    def runs_of_tag(self, experiment: str, tag: str) -> list[int]:
        """Return the numbers of the runs that entries with a tag are attached to."""
        self.check(Action.READ, experiment)
        return self.store.runs_of_term(experiment, tag_term(tag))

    def tags_of_run(self, experiment: str, run_num: int) -> list[str]:
        """Return the tags of the entries that are attached to a run, by name."""
        self.check(Action.READ, experiment)
        return written_tags(self.store, self.store.terms_of_run(experiment, run_num, "t"))

    def open_attachment(self, entry: int, attachment: int) -> tuple[Attachment, IO[bytes]]:
        """Return an attachment of an entry, of whatever version, and its bytes as an open file.

        :raises EntryNotFoundError: if there is no such entry or attachment.
        :raises CorruptBatchError: if its bytes are gone.
        """
        found = self._attachment(entry, attachment)
        return found, self.store.open_blob(found.digest)

    def thumbnail(self, entry: int, attachment: int) -> bytes | None:
        """Return a small picture of an attachment, a PNG; None if it has none.

        :raises EntryNotFoundError: if there is no such entry or attachment.
        """
        return self.store.thumbnail(self._attachment(entry, attachment).digest)

    # how

    def _page(self, where: EntryFilter, before: int | None, limit: int) -> EntryPage:
        self.check(Action.READ, where.experiment)
        if not 0 < limit <= _LARGEST_PAGE:
            raise QueryError(f"{limit} entries cannot be asked for at once. Ask for 1 to {_LARGEST_PAGE}.")
        if before is not None:
            last = self._row(before, where.experiment)
            where = replace(where, before=(last.time, last.id))
        rows = self.store.entries(where, limit + 1)
        more = rows[limit - 1].id if len(rows) > limit else None
        return EntryPage(tuple(Entry.of(row) for row in rows[:limit]), more)

    def _check_readable(self, row: EntryRow) -> None:
        """Raise if somebody may not read an entry, as if it were not there."""
        if self.identity is not None and not self.access.may(self.identity, Action.READ, row.experiment):
            raise _not_found(row.id)

    def _row(self, entry: int, experiment: str | None = None) -> EntryRow:
        row = self.store.entry(entry)
        if row is None or (experiment is not None and row.experiment != experiment):
            raise _not_found(entry, experiment)
        return row

    def _attachment(self, entry: int, attachment: int) -> Attachment:
        row = self._row(entry)
        self._check_readable(row)
        versions = [Entry.of(row).attachments]
        if all(file.id != attachment for file in versions[0]):
            versions += [Version.of(one).attachments for one in self.store.versions(entry)]
        for file in (file for files in versions for file in files):
            if file.id == attachment:
                return file
        msg = f"Entry {entry} has no attachment {attachment}."
        raise EntryNotFoundError(msg)


def _filter(
    experiment: str,
    run: int | tuple[int | None, int | None] | None,
    tags: Iterable[str] | str,
    since: float | None,
    until: float | None,
) -> EntryFilter:
    first, last = run if isinstance(run, tuple) else (run, run)
    terms = tuple(tag_term(tag) for tag in clean_tags(tags))
    return EntryFilter(experiment, terms, first, last, since, until)


def _not_found(entry: int, experiment: str | None = None) -> EntryNotFoundError:
    where = "" if experiment is None else f" in experiment {experiment!r}"
    return EntryNotFoundError(f"There is no entry {entry}{where}. List them with: hutch log list")
