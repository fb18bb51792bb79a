"""Entries: posted, answered, edited, deleted; every version is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from hutch.access import Action
from hutch.config.limits import attachment_limit_bytes
from hutch.documents import decode, encode
from hutch.documents.text import storable
from hutch.errors import DocumentError, EntryNotFoundError, QueryError
from hutch.logbook.afterwards import afterwards
from hutch.logbook.attachments import File, Received, receive
from hutch.logbook.entries import (
    Content,
    Entry,
    Format,
    Version,
    clean_tags,
    clean_text,
    clean_time,
    clean_title,
)
from hutch.logbook.entry_finder import EntryFinder
from hutch.logbook.freezing import freeze
from hutch.store.protocols.store import Writer
from hutch.store.rows.logbook import EntryRow, NewEntry
from hutch.store.statements.entry_terms import terms_of

__all__ = ["EntryBook"]

_LONGEST_KEY = 200


class EntryBook(EntryFinder):
    """The part of a logbook that is entries."""

    # writing

    def post(
        self,
        experiment: str,
        text: str,
        *,
        title: str = "",
        tags: Iterable[str] | str = (),
        run: int | None = None,
        author: str | None = None,
        parent: int | None = None,
        files: Sequence[File] = (),
        format: Format | str = Format.MARKDOWN,
        shift: str | None = None,
        time: float | None = None,
        key: str | None = None,
    ) -> Entry:
        """Write an entry.

        :param tags: several, or text in which white space separates them.
        :param run: the number of the run in the experiment that it is attached to. None: that of the entry
            it answers, else the run that is current. 0: no run.
        :param author: else who acts; a program, its user and host.
        :param parent: the number of the entry that it answers.
        :param files: paths, pairs of a path and a description, or :class:`NewFile`.
        :param format: ``markdown``, ``text``, or ``html``, which is cleaned when it is shown.
        :param time: when it was written, s since 1970; now if not given.
        :param key: of whoever posts it: what is posted again with the same key is not written twice.
        :returns: the entry; with a key that is there, the one that has it.
        :raises AccessDeniedError: if they may not write there; so do the other errors of :meth:`check`.
        :raises EntryNotFoundError: if there is no entry to answer in the experiment.
        :raises RunNotFoundError: if the experiment has no such run.
        :raises AttachmentTooLargeError: if a file is too large.
        :raises DocumentError: if something else cannot be taken.
        """
        self.check(Action.WRITE, experiment)
        signed = storable(self._signed(author))
        key = None if key is None else storable(key)[:_LONGEST_KEY]
        if key is not None and (known := self.store.entry_by_key(experiment, key)) is not None:
            return Entry.of(known)
        answered = None if parent is None else self._row(parent, experiment)
        run_num = self._attached_run(experiment, run, answered)
        frozen = freeze(self, experiment, clean_text(text), _format(format))
        received = receive(self.store, [*files, *frozen.files], attachment_limit_bytes())
        content = Content(
            title=clean_title(title),
            text=frozen.settled(received.attachments),
            format=_format(format),
            tags=clean_tags(tags),
            run_num=run_num,
            shift=storable(shift) if shift else None,
            attachments=tuple(received.attachments),
        )
        root = None if answered is None else answered.root or answered.id
        moment = self._clock() if time is None else clean_time(time)
        new = NewEntry(experiment, parent, root, run_num, signed, moment, key)
        with self.store.transaction() as writer:
            # Also those who post with the same key wait here.
            writer.lock(f"logbook/{experiment}")
            entry = writer.add_entry(new)
            row = None if entry is None else self._write(writer, new, entry, 1, "post", content, received)
        if row is None:
            known = self.store.entry_by_key(experiment, key or "")
            return Entry.of(self._row(0) if known is None else known)
        found = Entry.of(row)
        afterwards(self.store, found)
        return found

    def edit(
        self,
        entry: int,
        *,
        text: str | None = None,
        title: str | None = None,
        tags: Iterable[str] | str | None = None,
        run: int | None = None,
        shift: str | None = None,
        files: Sequence[File] = (),
        without: Collection[int] = (),
        format: Format | str | None = None,
        author: str | None = None,
    ) -> Entry:
        """Change an entry; what is None stays. The version before is kept.

        :param run: 0 attaches it to no run.
        :param shift: empty text removes it.
        :param files: that are added.
        :param without: numbers of attachments that are left out; earlier versions keep them.
        :raises EntryNotFoundError: if there is no such entry, or it has no attachment that is left out.
        :raises AccessDeniedError: if it is of somebody else, and they are no editor.
        :raises DocumentError: if it is deleted, or something cannot be taken.
        """
        row = self._row(entry)
        signed = self._check_change(row, author)
        before = Entry.of(row)
        for attachment in without:
            if before.attachment(attachment) is None:
                raise EntryNotFoundError(f"Entry {entry} has no attachment {attachment}.")
        kind = before.format if format is None else _format(format)
        is_same = text is None and format is None
        frozen = freeze(self, row.experiment, before.text if text is None else clean_text(text), kind, before)
        received = receive(self.store, [*files, *frozen.files], attachment_limit_bytes())
        run_num = before.run_num if run is None else self._attached_run(row.experiment, run, None)

        def change(now: Content) -> Content:
            kept = tuple(file for file in now.attachments if file.id not in without)
            # A number that an earlier version used is not used again.
            versions = map(Version.of, self.store.versions(entry))
            last = max((file.id for version in versions for file in version.attachments), default=0)
            added = [replace(file, id=last + file.id) for file in received.attachments]
            return replace(
                _content_of(now),
                title=now.title if title is None else clean_title(title),
                # What is frozen in a text holds for its format: both change, or none.
                text=now.text if is_same else frozen.settled(added),
                format=now.format if is_same else kind,
                tags=now.tags if tags is None else clean_tags(tags),
                run_num=run_num,
                shift=now.shift if shift is None else storable(shift) or None,
                attachments=(*kept, *added),
            )

        return self._change(row, "edit", signed, change, received)

    def delete(self, entry: int, *, author: str | None = None) -> Entry:
        """Delete an entry: it is not listed any more, and can be restored.

        :raises EntryNotFoundError: if there is no such entry.
        :raises AccessDeniedError: if it is of somebody else, and they are no editor.
        """
        row = self._row(entry)
        signed = self._check_change(row, author)
        return Entry.of(row) if row.deleted is not None else self._change(row, "delete", signed)

    def restore(self, entry: int, *, author: str | None = None) -> Entry:
        """Take back that an entry was deleted.

        :raises EntryNotFoundError: if there is no such entry.
        :raises AccessDeniedError: if it is of somebody else, and they are no editor.
        """
        row = self._row(entry)
        signed = self._check_change(row, author)
        return Entry.of(row) if row.deleted is None else self._change(row, "restore", signed)

    # how

    def _write(
        self,
        writer: Writer,
        entry: NewEntry,
        number: int,
        version: int,
        action: str,
        content: Content,
        received: Received,
        old_terms: Collection[str] = (),
        moment: float | None = None,
        author: str | None = None,
    ) -> EntryRow:
        """Write a version of an entry, let the entry be found by it, and return its row."""
        for blob in received.blobs:
            writer.add_blob(blob)
        body = content.to_body()
        encoded = encode(body)
        signed = entry.author if author is None else author
        when = entry.time if moment is None else moment
        writer.add_version(entry.experiment, number, version, action, when, signed, encoded)
        deleted = when if action == "delete" else None
        writer.set_entry(number, version, content.run_num, moment, deleted)
        terms = set() if action == "delete" else terms_of(body, entry.author)
        writer.remove_terms(entry.experiment, number, set(old_terms) - terms)
        writer.add_terms(entry.experiment, number, terms - set(old_terms))
        self._note(writer, entry.experiment, signed, f"entry.{action}", str(number))
        return EntryRow(
            number,
            entry.experiment,
            entry.parent,
            entry.root,
            content.run_num,
            entry.author,
            entry.time,
            version,
            moment,
            deleted,
            entry.key,
            encoded,
        )

    def _change(
        self,
        row: EntryRow,
        action: str,
        author: str,
        change: Any = None,
        received: Received | None = None,
    ) -> Entry:
        """Write another version of an entry, made of what it says by then."""
        with self.store.transaction() as writer:
            writer.lock(f"logbook/{row.experiment}")
            now = self._row(row.id)
            if now.deleted is not None and action == "edit":
                raise DocumentError(f"Entry {row.id} is deleted. Restore it before you change it.")
            content = _content_of(Entry.of(now))
            new = NewEntry(now.experiment, now.parent, now.root, now.run_num, now.author, now.time, now.key)
            old = set() if now.deleted is not None else terms_of(decode(now.body), now.author)
            written = self._write(
                writer,
                new,
                now.id,
                now.version + 1,
                action,
                content if change is None else change(content),
                received or Received(),
                old,
                self._clock(),
                storable(author),
            )
        found = Entry.of(written)
        afterwards(self.store, found)
        return found

    def _check_change(self, row: EntryRow, author: str | None) -> str:
        """Raise if somebody may not change an entry; return who does it.

        One's own needs no more than to write.
        """
        self._check_readable(row)
        signed = self._signed(author)
        is_own = self.identity is None or signed == row.author
        self.check(Action.WRITE if is_own else Action.EDIT, row.experiment)
        return signed


def _content_of(entry: Content) -> Content:
    return Content(
        title=entry.title,
        text=entry.text,
        format=entry.format,
        tags=entry.tags,
        run_num=entry.run_num,
        shift=entry.shift,
        attachments=entry.attachments,
    )


def _format(name: Format | str) -> Format:
    try:
        return Format(name)
    except ValueError:
        known = ", ".join(Format)
        raise QueryError(f"{name!r} is no format of an entry. Formats are: {known}.") from None
