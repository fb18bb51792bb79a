"""Documents from a source into a store, from now until somebody says stop.

The position moves about once a second: everything that came before it is committed and on the disk by
then. A document that comes twice, because a listener died before it could move the position, is known
to be the same.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hutch.documents import encode_lossy
from hutch.errors import StoreError
from hutch.listening.channel import Channel, as_document
from hutch.listening.messages import Begin, Gap, Message, Positions, Source
from hutch.listening.places import Counts
from hutch.listening.positions import KeptPosition
from hutch.recording.spooling.spool import spool_folder
from hutch.store import Store

__all__ = ["IDLE_S", "Listener", "Status"]

logger = logging.getLogger("hutch.listening")

IDLE_S = 86_400.0
"""An open run of which nothing came for so many seconds counts as interrupted."""

_MOVE_S = 1.0
"""Seconds after which the position moves."""
_WAIT_S = 0.2
"""So long is waited for a message, and then looked whether to stop."""
_RETRY_S = 1.0
"""Seconds after which is tried again what the store could not take."""
_CLAIM_S = 10.0
"""So long is waited for the end of another listener."""
_GRACE_S = 0.1
"""What is on its way when listening ends is waited for, in s."""
_DRAIN_S = 5.0
"""So long is taken in the end what has come already."""


@dataclass
class Status:
    """How a listener is doing."""

    messages: int = 0
    runs: int = 0
    open_runs: int = 0
    events: int = 0
    passed_over: int = 0
    """Documents of runs that another process records."""
    faults: int = 0
    """Messages that are no documents; they are in quarantine."""
    gone: int = 0
    """Messages that were gone before they could be read."""
    lag: int | None = None
    """Messages that are there and not read yet; None if nobody can know."""
    trouble: str = ""
    """Why nothing can be recorded just now."""
    positions: dict[str, dict[int, int]] = field(default_factory=dict)
    """Offsets before which everything is recorded, by channel and partition."""


class Listener:
    """Records what a source gives.

    :param say: called with sentences for people; else they are logged.
    :param idle_s: an open run of which nothing came for so long is let go.
    """

    def __init__(
        self,
        store: Store,
        source: Source,
        *,
        say: Callable[[str], None] = logger.warning,
        idle_s: float = IDLE_S,
    ) -> None:
        self._store = store
        self._source = source
        self._say = say
        self._idle_s = idle_s
        self._stop = threading.Event()
        self._channels: dict[str, tuple[Channel, KeptPosition]] = {}
        self._received: deque[Message | Begin | Gap] = deque()
        self._trouble: StoreError | None = None
        self._due = 0.0
        source.open(self._find, say)

    @property
    def status(self) -> Status:
        """How it is doing."""
        found = Status(lag=self._source.lag(), trouble=str(self._trouble or ""))
        for channel, _ in self._channels.values():
            counts: Counts = channel.counts
            found.messages += counts.messages
            found.runs += counts.runs
            found.open_runs += channel.open_runs
            found.events += counts.events
            found.passed_over += counts.passed_over
            found.faults += counts.faults
            found.gone += counts.gone
            found.positions[channel.title] = channel.bookmark().offsets
        return found

    def stop(self) -> None:
        """Have :meth:`run` end soon; may be called from a signal handler or another thread."""
        self._stop.set()

    def run(self, tick: Callable[[Status], object] | None = None) -> None:
        """Listen until :meth:`stop`, or until the end of what is there if the source has one.

        :param tick: called some times a second.
        :raises ListeningError: if another process listens for the same store.
        :raises StoreError: if the store could not take everything in the end.
        """
        try:
            while not self._stop.is_set():
                self.step()
                if tick is not None:
                    tick(self.status)
                if self._is_done():
                    break
        finally:
            self.close()

    def step(self) -> None:
        """Receive once, and record that."""
        try:
            if self._trouble is not None:
                self._stop.wait(_RETRY_S)
                self._move()
            elif not self._received:
                self._received.extend(self._source.receive(_WAIT_S))
            while self._received:
                self._take(self._received[0])
                self._received.popleft()
            if time.monotonic() >= self._due:
                self._move()
                self._due = time.monotonic() + _MOVE_S
        except StoreError as error:
            if self._trouble is None or str(self._trouble) != str(error):
                self._say(f"{error} What comes meanwhile waits; the position stays.")
            self._trouble = error
        else:
            if self._trouble is not None:
                self._say("The store takes documents again.")
            self._trouble = None

    def close(self) -> None:
        """Record what has come, move the position, and let open runs go: the next listener goes on.

        :raises StoreError: if the store cannot take it. What can be asked for again will be; the rest is
            in a file, and the log says in which.
        """
        try:
            if not self._source.keeps_messages:
                self._received.extend(self._drained())
            while self._received:
                self._take(self._received[0])
                self._received.popleft()
            self._move()
        except StoreError:
            self._put_aside()
            raise
        finally:
            for channel, _ in self._channels.values():
                channel.close()
            self._release()
            self._source.close()

    def _is_done(self) -> bool:
        """Tell whether everything is recorded, if there is an end."""
        is_idle = not self._received and self._trouble is None
        waits = any(channel.is_waiting for channel, _ in self._channels.values())
        return self._source.is_at_end() and is_idle and not waits

    def _find(self, name: str, title: str) -> Positions | None:
        """Hold the position of a channel, and return it."""
        position = KeptPosition(self._store, name, title)
        bookmark = position.claim(_CLAIM_S, self._stop)
        keeps = self._source.keeps_messages
        channel = Channel(self._store, title, bookmark, self._say, keeps_messages=keeps, idle_s=self._idle_s)
        self._channels[name] = (channel, position)
        return bookmark.offsets if bookmark else None

    def _take(self, item: Message | Begin | Gap) -> None:
        channel, _ = self._channels[item.channel]
        if isinstance(item, Message):
            channel.take(item)
            if item.name == "start" and not self._source.keeps_messages:
                # The next listener has only the store to know from that this run is open.
                self._due = 0.0
        elif isinstance(item, Begin):
            channel.begin(item)
        else:
            channel.pass_gap(item)

    def _move(self) -> None:
        """Put everything onto the disk, and then move the positions."""
        for name, (channel, _) in self._channels.items():
            again = channel.settle()
            if again is not None:
                self._received = deque(item for item in self._received if item.channel != name)
                self._source.seek(name, again)
        changed = [name for name, (channel, _) in self._channels.items() if channel.is_changed]
        for name in changed:
            channel, position = self._channels[name]
            channel.flush()
            bookmark = channel.bookmark()
            position.move(bookmark, channel.remarks)
            channel.moved(bookmark)
            self._source.kept(name, bookmark.offsets)

    def _release(self) -> None:
        for _, position in self._channels.values():
            try:
                position.release()
            except StoreError:
                # The next listener sees that this process is gone.
                logger.debug("A position could not be released", exc_info=True)

    def _drained(self) -> Iterator[Message | Begin | Gap]:
        """Yield what has come already, and not what comes for ever."""
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline and (some := self._source.receive(_GRACE_S)):
            yield from some

    def _put_aside(self) -> None:
        """Keep what came, cannot be asked for again, and is not recorded, in a file."""
        if self._source.keeps_messages:
            return
        self._received.extend(self._drained())
        waiting = [item for item in self._received if isinstance(item, Message)]
        if not waiting:
            return
        lines = [
            ("message", as_document(item, item.channel)) if item.fault else (item.name, item.document)
            for item in waiting
        ]
        folder = spool_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"listen-{time.time_ns()}.jsonl"
        with path.open("xb") as file:
            for line in lines:
                file.write(encode_lossy(line)[0] + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._say(f"{len(lines):,} documents are kept in {path}. When there is room: hutch import {path}")
