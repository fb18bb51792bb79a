"""The messages of one channel on their way into the store, and how far it has come with them.

A document that came before the one it needs, as happens in topics with several partitions, waits for
that for a while. Whatever waits holds the position back.
"""

from __future__ import annotations

import base64
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from hutch.documents import encode, encode_lossy
from hutch.errors import HutchError
from hutch.listening.messages import Begin, Gap, Message, Positions
from hutch.listening.places import Counts, Places
from hutch.listening.positions import Bookmark, Remark
from hutch.listening.refusals import Refusals
from hutch.recording import Recorder
from hutch.store import Store

__all__ = ["Channel", "as_document"]

logger = logging.getLogger("hutch.listening")

_PATIENCE_S = 5.0
"""So long a document waits for the one it needs, which may be in another partition."""
_RETRY_S = 1.0
"""So long in the only partition, where order suffers only if a publisher had to send something again."""
_MOST_WAITING = 10_000
_FAULT = "message"
"""The kind in quarantine of what is no document."""
_LOOK_S = 1.0
"""How often is looked after runs that are recorded elsewhere, and those of which nothing comes."""


class Channel:
    """What a listener knows of one channel.

    :param bookmark: how far it was listened to before, if it was.
    :param keeps_messages: True if messages can be asked for again.
    :param idle_s: an open run of which nothing came for so long is let go.
    """

    def __init__(
        self,
        store: Store,
        title: str,
        bookmark: Bookmark | None,
        say: Callable[[str], None],
        *,
        keeps_messages: bool,
        idle_s: float,
    ) -> None:
        self.title = title
        self.counts = Counts()
        self._store = store
        self._say = say
        self._keeps_messages = keeps_messages
        self._idle_s = idle_s
        self._recorder = Recorder(store, retried=True, patience_s=0.0)
        self._places = Places(store, self._recorder, title, self.counts, say)
        self._refusals = Refusals(store)
        self._waiting: deque[tuple[float, Message]] = deque()
        self._remarks: list[Remark] = []
        self._looked = 0.0
        self._has_news = False
        self._kept: Bookmark | None = None
        self._offsets: dict[int, int] = {}
        self._change = store.last_change()
        if bookmark is not None:
            self._resume(bookmark)

    @property
    def open_runs(self) -> int:
        """The number of runs that are open."""
        return len(self._places.open_runs)

    @property
    def is_changed(self) -> bool:
        """True if something came, or ceased to wait, since the position moved."""
        return self._has_news or bool(self._remarks) or self.bookmark() != self._kept

    @property
    def is_waiting(self) -> bool:
        """True while a document waits for the one it needs."""
        return bool(self._waiting)

    @property
    def remarks(self) -> list[Remark]:
        """What is to go into quarantine with the next move of the position."""
        return list(self._remarks)

    def begin(self, begin: Begin) -> None:
        """Take note that a partition is listened to."""
        self._offsets[begin.partition] = begin.offset
        # What is there by now, the listener before this one may have read.
        self._refusals.come_again(begin.partition, begin.end)

    def pass_gap(self, gap: Gap) -> None:
        """Keep in mind that messages are gone, with the runs that may lack them."""
        self.counts.gone += max(gap.end - gap.first, 0)
        self._say(f"{gap.reason} Noted in quarantine: hutch verify")
        facts = {"channel": self.title, "partition": gap.partition, "first": gap.first, "end": gap.end}
        runs: list[str | None] = [*self._places.open_runs]
        for uid in runs or [None]:
            run = self._places.run_id(uid) if uid else None
            body = encode({**facts, "run": uid} if uid else facts)
            self._remarks.append(Remark(run, "gap", gap.reason, body))
        self._offsets[gap.partition] = gap.end

    def take(self, message: Message) -> None:
        """Record what a message holds.

        :raises StoreError: if the store cannot take it now; it is to be given again.
        """
        if message.fault:
            self._remark(message, message.fault)
        else:
            try:
                for name, document in self._refusals.without(message):
                    self._place(message._replace(name=name, document=document))
            except HutchError:
                raise
            except Exception as error:  # whatever is wrong with hutch must not cost data, nor end this
                logger.exception("A message could not be taken")
                self._remark(message, f"it could not be taken: {error!r}")
        self._offsets[message.partition] = message.offset + 1
        self.counts.messages += 1
        self._has_news = True

    def settle(self) -> Positions | None:
        """See after what waits; return where to read again from, if that is needed.

        :raises StoreError: if the store cannot take something now.
        """
        now = time.monotonic()
        self._give_up(sum(1 for due, _ in self._waiting if due <= now))
        if now < self._looked + _LOOK_S:
            return None
        self._looked = now
        self._places.let_go_idle(self._idle_s)
        return self._go_back(self._places.look_elsewhere())

    def flush(self) -> None:
        """Put everything that was taken, of other channels too, onto the disk.

        :raises StoreError: if that fails.
        """
        self._recorder.flush()
        if not self._waiting and not self._places.holds and self._refusals.are_past(self._offsets):
            self._change = self._store.last_change()

    def bookmark(self) -> Bookmark:
        """Return the position before which everything is recorded."""
        offsets = dict(self._offsets)
        holds = [{message.partition: message.offset} for _, message in self._waiting]
        for hold in holds + self._places.holds:
            for partition, offset in hold.items():
                offsets[partition] = min(offset, offsets.get(partition, offset))
        return Bookmark(offsets if self._keeps_messages else {}, self._places.open_runs, self._change)

    def moved(self, bookmark: Bookmark) -> None:
        """Take note that a bookmark and the remarks are in the store."""
        self._remarks.clear()
        self._has_news, self._kept = False, bookmark

    def close(self) -> None:
        """Let open runs go."""
        self._recorder.close()

    def _resume(self, bookmark: Bookmark) -> None:
        """Be where the listener before this one was."""
        self._offsets.update(bookmark.offsets)
        self._change = bookmark.change
        if self._keeps_messages:
            self._refusals.recall(bookmark.change)
        for uid in bookmark.runs:
            self._places.go_on(uid, self._offsets)

    def _place(self, message: Message) -> None:
        """Record a document, or have it wait for what it needs."""
        # What waits may be of the run that ends; the order is only sure within a partition.
        is_early = message.name == "stop" and bool(self._waiting) and len(self._offsets) > 1
        if is_early or not self._places.place(message.name, message.document, self._offsets):
            if not self._keeps_messages:
                # 0MQ keeps the order of what one program publishes: what is needed does not come later.
                self._recorder(message.name, message.document)
                return
            if len(self._waiting) >= _MOST_WAITING:
                self._give_up(1)
            patience_s = _PATIENCE_S if len(self._offsets) > 1 else _RETRY_S
            self._waiting.append((time.monotonic() + patience_s, message))
        while self._places.has_news and self._waiting:
            self._places.has_news = False
            self._retry_waiting()
        self._places.has_news = False

    def _retry_waiting(self) -> None:
        """Look once more for the places of what waits; the end of a run is after all of it."""
        kept = 0
        for _ in range(len(self._waiting)):
            due, message = self._waiting[0]
            is_early = message.name == "stop" and kept > 0
            is_placed = not is_early and self._places.place(message.name, message.document, self._offsets)
            self._waiting.popleft()
            if not is_placed:
                kept += 1
                self._waiting.append((due, message))

    def _give_up(self, count: int) -> None:
        """Give documents that found no place to the recorder, which puts them into quarantine."""
        for _ in range(count):
            _, message = self._waiting[0]
            if not self._places.place(message.name, message.document, self._offsets):
                self._recorder(message.name, message.document)
            self._waiting.popleft()

    def _go_back(self, again: list[dict[int, int]]) -> Positions | None:
        """Return the earliest of some positions."""
        if not again or not self._keeps_messages:
            return None
        self._refusals.recall(0)
        for partition, offset in self._offsets.items():
            self._refusals.come_again(partition, offset)
        found: dict[int, int] = {}
        for since in again:
            for partition, offset in since.items():
                found[partition] = min(offset, found.get(partition, offset))
        self._offsets.update(found)
        return found

    def _remark(self, message: Message, reason: str) -> None:
        """Have a message put into quarantine when the position moves, unless it is there."""
        self.counts.faults += 1
        document = as_document(message, self.title)
        if self._refusals.without(message._replace(name=_FAULT, document=document)):
            self._remarks.append(Remark(None, _FAULT, reason, encode_lossy(document)[0]))


def as_document(message: Message, channel: str) -> dict[str, Any]:
    """Return a message that is no document as one, whole."""
    facts = {"channel": channel, "partition": message.partition, "offset": message.offset}
    if isinstance(message.document, bytes):
        return {**facts, "base64": base64.b64encode(message.document).decode()}
    return {**facts, "name": message.name, "value": message.document}
