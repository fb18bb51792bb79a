"""What went into quarantine and comes again: it is there once, and that is enough.

A document that has no place goes into quarantine at once, and the position follows later. If the
listener dies in between, the next one is given the document again.
"""

from __future__ import annotations

from typing import Any

from hutch.documents import decode
from hutch.documents.digests import digest
from hutch.errors import DocumentError, FeedPrunedError
from hutch.listening.messages import Message, Positions
from hutch.recording.events.paging import bulk_events, page_events
from hutch.store import Store, Topic

__all__ = ["Refusals"]


class Refusals:
    """The documents in a store's quarantine that may come again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[bytes] = set()
        self._ends: dict[int, int] = {}

    def recall(self, change: int) -> None:
        """Learn what is in quarantine, if something came there after a change of the store."""
        if change == 0 or self._has_more(change):
            self._known = {digest(row.kind, decode(row.body)) for row in self._store.quarantined()}

    def come_again(self, partition: int, end: int) -> None:
        """Take note that what is before an offset may have been here."""
        self._ends[partition] = end

    def are_past(self, offsets: Positions) -> bool:
        """Tell whether nothing comes again any more."""
        return all(offsets.get(partition, 0) >= end for partition, end in self._ends.items())

    def without(self, message: Message) -> list[tuple[str, dict[str, Any]]]:
        """Return the documents of a message that are not in quarantine yet: itself, or some of its events."""
        name, document = message.name, message.document
        if not self._known or message.offset >= self._ends.get(message.partition, 0):
            return [(name, document)]
        if digest(name, document) in self._known:
            return []
        if name not in ("event_page", "bulk_events"):
            return [(name, document)]
        try:
            events = page_events(document) if name == "event_page" else bulk_events(document)
        except DocumentError:
            return [(name, document)]
        fresh = [("event", event) for event in events if digest("event", event) not in self._known]
        return fresh if len(fresh) < len(events) else [(name, document)]

    def _has_more(self, change: int) -> bool:
        try:
            while changes := self._store.changes(change):
                if any(found.topic is Topic.QUARANTINE for found in changes):
                    return True
                change = changes[-1].number
        except FeedPrunedError:
            return True
        return False
