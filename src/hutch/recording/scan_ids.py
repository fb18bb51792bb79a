"""Scan ids: numbered from the metadata stash, without gaps from runs that were refused.

The stash's ``scan_id`` is the number of the last run that began. A number is first reserved, then used:

- :meth:`ScanIds.reserve` takes the next number in one transaction, so that two processes never get the
  same one. A reservation that came to nothing, because the run was refused, is handed out again.
- :meth:`ScanIds.used` is told when a run began, and puts its number into the stash.

What is reserved beyond the stash's ``scan_id`` stands in a row of the stash of its own, the ledger:
``[era, highest]``, the highest null if there is none. Its key holds a ``/``, which no metadata key may, so
the stash does not show it. The era grows whenever somebody sets or removes ``scan_id``; reservations of an
older era are void. A number is lost, and leaves a gap, only when the process that reserved it dies.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import NamedTuple

from hutch.documents import decode, encode
from hutch.errors import StoreError
from hutch.recording.patience import patiently
from hutch.store.protocols.store import Store, Writer

__all__ = ["ScanIds", "restart_numbering"]

logger = logging.getLogger("hutch.recording")

_KEY = "scan_id"
_LEDGER = "scan_id/ledger"


class _Ledger(NamedTuple):
    era: int
    highest: int | None
    """The highest number that was reserved in this era."""

    @classmethod
    def read(cls, rows: Mapping[str, bytes]) -> _Ledger:
        return cls(*decode(rows[_LEDGER])) if _LEDGER in rows else cls(0, None)

    def write(self, writer: Writer) -> None:
        writer.set_stash(_LEDGER, encode(list(self)))


class _Reservation(NamedTuple):
    number: int
    era: int
    process: int


class ScanIds:
    """Scan ids for one source of runs, one after the other: a RunEngine, say.

    :param store: the store whose stash counts.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reserved: _Reservation | None = None

    def reserve(self) -> int:
        """Return the number of the next run: the one that is reserved, or the one after the last.

        :returns: 1 if the stash holds no ``scan_id``.
        :raises StoreUnavailableError: if the store does not answer for some seconds.
        """
        return patiently(self._reserve)

    def _reserve(self) -> int:
        with self._store.transaction() as writer:
            rows = writer.stash()
            ledger = _Ledger.read(rows)
            reserved = self._valid(ledger)
            if reserved is not None:
                return reserved.number
            last = _last(rows)
            number = 1 + (last if ledger.highest is None else max(last, ledger.highest))
            ledger._replace(highest=number).write(writer)
        self._reserved = _Reservation(number, ledger.era, os.getpid())
        return number

    def used(self, scan_id: object) -> None:
        """Take note that a run began with a number.

        A number that is not the one reserved, because the person at the prompt gave it, counts for
        nothing: the reservation stays for the next run.
        """
        reserved = self._reserved
        if reserved is None or reserved.number != scan_id:
            return
        try:
            with self._store.transaction() as writer:
                rows = writer.stash()
                # Another process may be ahead already, and who sets the number by hand is right.
                if self._valid(_Ledger.read(rows)) and _last(rows) < reserved.number:
                    writer.set_stash(_KEY, encode(reserved.number))
        except StoreError as error:
            # The run has begun, and must not end for this; the ledger has its number.
            logger.warning("The number %d is not in the stash: %s", reserved.number, error)
        finally:
            self._reserved = None

    def _valid(self, ledger: _Ledger) -> _Reservation | None:
        reserved = self._reserved
        # A forked child has a copy of its parent's reservation, which is not its own.
        if reserved is None or (reserved.era, reserved.process) != (ledger.era, os.getpid()):
            return None
        return reserved


def restart_numbering(writer: Writer) -> None:
    """Void all reservations, because ``scan_id`` is being set or removed by hand.

    :param writer: the transaction in which that happens.
    """
    _Ledger(_Ledger.read(writer.stash()).era + 1, None).write(writer)


def _last(rows: Mapping[str, bytes]) -> int:
    return int(decode(rows[_KEY])) if _KEY in rows else 0
