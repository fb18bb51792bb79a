"""How far a listener has come with a channel, kept in the store that it records into.

One listener at a time works at a position: it holds it as long as its process lives, and each time it
moves it makes sure that it still does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hutch.documents import decode, encode
from hutch.errors import ListeningError
from hutch.store import Store

__all__ = ["Bookmark", "KeptPosition", "Remark"]

_RETRY_S = 0.2


class Remark(NamedTuple):
    """What goes into quarantine together with a move of the position."""

    run: int | None
    kind: str
    reason: str
    body: bytes


@dataclass(frozen=True)
class Bookmark:
    """How far a listener has come."""

    offsets: dict[int, int]
    """Of the next message, by partition."""
    runs: list[str] = field(default_factory=list)
    """Uids of runs that are open, in the order of their starts."""
    change: int = 0
    """The store's last change by then."""


class KeptPosition:
    """The position of one channel in a store.

    :param name: of the channel; that of the store's cursor.
    :param title: of the channel, for people.
    """

    def __init__(self, store: Store, name: str, title: str) -> None:
        self._store = store
        self._name = name
        self._title = title
        self._owner = ""

    def claim(self, patience_s: float, stop: threading.Event) -> Bookmark | None:
        """Hold the position from now on, and return it; None if there is none yet.

        :param patience_s: how long to wait for another listener to end.
        :raises ListeningError: if that one lives on.
        """
        deadline = time.monotonic() + patience_s
        while True:
            with self._store.transaction() as writer:
                writer.lock(self._name)
                found = self._found()
                owner = found.get("owner")
                name = writer.claim()
                if owner in (None, name) or not self._store.is_live(owner):
                    self._owner = name
                    writer.set_cursor(self._name, encode({**found, "owner": name}))
                    break
            if time.monotonic() >= deadline or stop.wait(_RETRY_S):
                raise ListeningError(self._taken(owner))
        if "offsets" not in found:
            return None
        offsets = {int(partition): offset for partition, offset in found["offsets"].items()}
        return Bookmark(offsets, found["runs"], found["change"])

    def move(self, bookmark: Bookmark, remarks: Sequence[Remark] = ()) -> None:
        """Write down how far the listener has come, and what was remarkable on the way.

        :raises StoreError: if the store cannot take it; nothing has changed then.
        :raises ListeningError: if somebody else holds the position by now.
        """
        with self._store.transaction() as writer:
            writer.lock(self._name)
            owner = self._found().get("owner")
            if owner != self._owner:
                raise ListeningError(self._taken(owner))
            for remark in remarks:
                writer.quarantine(*remark)
            offsets = {str(partition): offset for partition, offset in bookmark.offsets.items()}
            value = {"owner": owner, "offsets": offsets, "runs": bookmark.runs, "change": bookmark.change}
            writer.set_cursor(self._name, encode(value))

    def release(self) -> None:
        """Let somebody else have the position."""
        with self._store.transaction() as writer:
            writer.lock(self._name)
            found = self._found()
            if found.get("owner") == self._owner:
                writer.set_cursor(self._name, encode({**found, "owner": None}))

    def _found(self) -> dict[str, Any]:
        value = self._store.cursor(self._name)
        return {} if value is None else decode(value)

    def _taken(self, owner: str | None) -> str:
        row = self._store.owner(owner) if owner else None
        who = f"process {row.pid} on {row.host}" if row else "another process"
        return (
            f"{self._title} is listened to by {who} already, for the same store. "
            "End that one first; two would record everything twice."
        )
