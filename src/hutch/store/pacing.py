"""The pace of bulk writers, so that whoever records does not wait for them.

A database takes one writer at a time (SQLite), or one at a time at the end of its transaction
(PostgreSQL, for the order of the changes feed). Whoever writes much, an import, a compaction, a copy,
a new index, therefore writes in short transactions and rests between them::

    pace = Pace()
    while work:
        with pace.transaction(store) as writer:
            while work and pace.has_time:
                write(writer, work.pop())
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from hutch.store.protocols.store import Store, Writer

__all__ = ["Pace"]

_HOLD_S = 0.015
"""A transaction should be over after this; with its last step and its commit it stays below 20 ms."""

_REST_S = 0.005
"""A rest is at least this long: several times the pause between two tries of one who waits for a lock."""

_REST_SHARE = 0.25
"""A rest is at least this part of the time for which others had to wait."""


_LONGEST_TURN_S = 1.0
"""A bulk writer waits at most so long for its turn: turns are a courtesy, and no lock."""


@dataclass
class _Turns:
    """The bulk writers of one store in this process write one after the other, and rest together."""

    lock: Any = field(default_factory=threading.RLock)
    held_s: float = 0.0
    """For so long others had to wait since the last rest."""


_turns: weakref.WeakKeyDictionary[Any, _Turns] = weakref.WeakKeyDictionary()


class Pace:
    """Short transactions and rests for one bulk writer; make one for each piece of work.

    Transactions that are much shorter than the limit follow each other without a rest until their
    sum reaches it, so that resting costs a fifth of the time at most.
    """

    def __init__(self) -> None:
        self._deadline = 0.0

    @property
    def has_time(self) -> bool:
        """True while the transaction may go on; it always has time for one step."""
        return time.monotonic() < self._deadline

    @contextmanager
    def transaction(self, store: Store) -> Iterator[Writer]:
        """Open a transaction, and rest after its commit if it is time to.

        It must not be opened within another transaction, which would rest with the lock in its hands.
        """
        turns = _turns.setdefault(store, _Turns())
        is_turn = turns.lock.acquire(timeout=_LONGEST_TURN_S)
        try:
            with store.transaction() as writer:
                begin = time.monotonic()
                self._deadline = begin + _HOLD_S
                yield writer
            turns.held_s += time.monotonic() - begin
            _rest(turns)
        finally:
            if is_turn:
                turns.lock.release()


def _rest(turns: _Turns) -> None:
    """Leave the store to others if they may have waited."""
    if turns.held_s >= _HOLD_S:
        sleep(max(_REST_S, _REST_SHARE * turns.held_s))
        turns.held_s = 0.0


def _after_fork() -> None:
    _turns.clear()


os.register_at_fork(after_in_child=_after_fork)
