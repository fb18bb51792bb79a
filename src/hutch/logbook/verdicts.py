"""Verdicts that turn bad, as entries: one each until the verdict has been good again, with its picture.

The changes feed says once when a verdict turned bad. It is read from a cursor, and each entry bears the
number of its verdict as key; so neither a restart nor a second process writes one twice.
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
from hutch.store.protocol import Change, PostedRow, Topic

__all__ = ["CURSOR", "enter_verdicts"]

CURSOR = "logbook/verdicts"
"""The name of the cursor."""

AUTHOR = "monitor"

_AT_ONCE = 1000

logger = logging.getLogger("hutch.logbook")


def enter_verdicts(book: Logbook, cursor: str = CURSOR) -> list[Entry]:
    """Write an entry for every verdict that turned bad since the last time; return them.

    It is written in each experiment that the run belongs to; in one that is locked it is left out, and
    logged. The first time, all that the feed still tells of is looked at.

    :param book: of a program that may write everywhere.
    :param cursor: the name under which it is kept how far this has come.
    """
    store = book.store
    kept = store.cursor(cursor)
    after = 0 if kept is None else int(kept)
    found: list[Entry] = []
    while True:
        try:
            changes = store.changes(after, _AT_ONCE)
        except FeedPrunedError:
            # What is still there is looked at again; what has an entry does not get another one.
            after = 0
            continue
        for change in changes:
            if change.topic is Topic.VERDICT:
                found += _enter(book, change)
        if changes:
            after = changes[-1].number
        if len(changes) < _AT_ONCE:
            break
    if kept is None or after != int(kept):
        with store.transaction() as writer:
            writer.set_cursor(cursor, str(after).encode())
    return found


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
    text = " ".join(str(value).split())
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+!|~" else char for char in text)
