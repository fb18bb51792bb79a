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

import time
from collections.abc import Iterator
from contextlib import contextmanager

from hutch.store.protocol import Store, Writer

__all__ = ["Pace"]

_HOLD_S = 0.015
"""A transaction should be over after this; with its last step and its commit it stays below 20 ms."""

_REST_S = 0.005
"""A rest is at least this long: several times the pause between two tries of one who waits for a lock."""

_REST_SHARE = 0.25
"""A rest is at least this part of the time for which others had to wait."""


class Pace:
    """Short transactions and rests for one bulk writer; make one for each piece of work.

    Transactions that are much shorter than the limit follow each other without a rest until their
    sum reaches it, so that resting costs a fifth of the time at most.
    """

    def __init__(self) -> None:
        self._deadline = 0.0
        self._held_s = 0.0

    @property
    def has_time(self) -> bool:
        """True while the transaction may go on; it always has time for one step."""
        return time.monotonic() < self._deadline

    @contextmanager
    def transaction(self, store: Store) -> Iterator[Writer]:
        """Open a transaction, and rest after its commit if it is time to.

        It must not be opened within another transaction, which would rest with the lock in its hands.
        """
        with store.transaction() as writer:
            begin = time.monotonic()
            self._deadline = begin + _HOLD_S
            yield writer
        self._held_s += time.monotonic() - begin
        self._rest()

    def _rest(self) -> None:
        """Leave the store to others if they may have waited."""
        if self._held_s >= _HOLD_S:
            time.sleep(max(_REST_S, _REST_SHARE * self._held_s))
            self._held_s = 0.0
