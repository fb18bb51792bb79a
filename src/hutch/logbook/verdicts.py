"""Verdicts that turn bad, as entries: one each until the verdict has been good again, with its picture.

The changes feed says once when a verdict turned bad. It is read from a cursor, and each entry bears the
number of its verdict as key; so neither a restart nor a second process writes one twice. ``hutch monitor``
and ``hutch serve`` do it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from hutch.access.membership import experiments_of, shifts
from hutch.documents import decode
from hutch.documents.text import storable
from hutch.errors import ExperimentLockedError, FeedPrunedError
from hutch.logbook.attachments import NewFile
from hutch.logbook.entries import Entry, Format
from hutch.logbook.logbook import Logbook
from hutch.store.protocols.store import Change, PostedRow, Topic

__all__ = ["CURSOR", "VerdictEntries", "enter_verdicts"]

CURSOR = "logbook/verdicts"
"""The name of the cursor."""

AUTHOR = "monitor"

_AT_ONCE = 1000
_KEEP_EVERY = 10_000
"""Changes after which it is kept how far this has come, though there was nothing to write."""

logger = logging.getLogger("hutch.logbook")


class VerdictEntries:
    """Writes an entry for every verdict that turns bad, as often as it is asked to look.

    It is written in each experiment that the run belongs to; in one that is locked it is left out, and
    logged. The first time, all that the feed still tells of is looked at.

    :param book: of a program that may write everywhere.
    :param cursor: the name under which it is kept how far this has come.
    """

    def __init__(self, book: Logbook, cursor: str = CURSOR) -> None:
        self._book = book
        self._cursor = cursor
        kept = book.store.cursor(cursor)
        self._kept = -_KEEP_EVERY if kept is None else int(kept)
        self.seen = max(self._kept, 0)
        """The number of the last change that was looked at."""

    def look(self) -> list[Entry]:
        """Write the entries that there are to be; return them.

        :raises StoreError: if the store cannot be read or written now; the next time it goes on from there.
        """
        store = self._book.store
        found: list[Entry] = []
        while True:
            try:
                changes = store.changes(self.seen, _AT_ONCE)
            except FeedPrunedError:
                # What is still there is looked at again; what has an entry does not get another one.
                self.seen = 0
                continue
            for change in changes:
                if change.topic is Topic.VERDICT:
                    found += _enter(self._book, change)
                self.seen = change.number
            if len(changes) < _AT_ONCE:
                break
        # Whoever only looks on writes as seldom as that.
        if found or self.seen >= self._kept + _KEEP_EVERY:
            with store.transaction() as writer:
                writer.set_cursor(self._cursor, str(self.seen).encode())
            self._kept = self.seen
        return found


def enter_verdicts(book: Logbook, cursor: str = CURSOR) -> list[Entry]:
    """Write an entry for every verdict that turned bad since the last time; return them.

    See :class:`VerdictEntries`.
    """
    return VerdictEntries(book, cursor).look()


def _enter(book: Logbook, change: Change) -> Iterator[Entry]:
    """Write what a change tells in each experiment that has not got it yet."""
    verdict, number, name = change.reference.split(" ", 2)
    row = None if change.run is None else book.store.runs_by_id([change.run]).get(change.run)
    if row is None:  # deleted meanwhile
        return
    posted = next((one for one in book.store.posted(row.id) if one.id == int(number)), None)
    figure = book.store.frozen_figure(int(number))
    picture = None if figure is None else figure.picture
    files = [] if picture is None else [NewFile(picture, f"{name}.png", "As it was at that moment")]
    names = experiments_of(decode(row.current), shifts(book.store.activations()))
    known = {experiment.name for experiment in book.access.experiments.all()}
    for experiment in (one for one in names if one in known):
        key = f"verdict/{number}"
        if book.store.entry_by_key(experiment, key) is not None:
            continue
        try:
            yield book.post(
                experiment,
                _text(posted, name, bool(files)),
                title=f"{name} is {verdict}",
                tags=["dqm", "-".join(storable(name).split())[:100]],
                run=book.run_of(experiment, row.uid).num,
                author=AUTHOR,
                files=files,
                format=Format.MARKDOWN,
                time=None if posted is None else posted.time,
                key=key,
            )
        except ExperimentLockedError as error:
            logger.warning("The verdict on %r is not entered: %s", name, error)


def _text(posted: PostedRow | None, name: str, has_picture: bool) -> str:
    """Return what the entry says; what a check says is no markdown."""
    origin: Any = None if posted is None or posted.origin is None else decode(posted.origin)
    about: dict[str, Any] = origin if isinstance(origin, dict) else {}
    lines = [_plain(about.get("sentence") or f"{name} turned bad.")]
    facts = {
        "value": about.get("value"),
        "check": about.get("check"),
        "source": about.get("source"),
        "rows": " to ".join(map(str, about["rows"])) if isinstance(about.get("rows"), list) else None,
    }
    lines += [f"- {what}: {_plain(value)}" for what, value in facts.items() if value is not None]
    if has_picture:
        lines.append("\n![as it was](attachment:1)")
    return "\n".join([lines[0], "", *lines[1:]]).rstrip() + "\n"


def _plain(value: object) -> str:
    """Return a value as markdown that shows it as it is, in one line."""
    text = f"{value:,.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+!|~" else char for char in text)
