"""Entries of the logbook for verdicts that turn bad, written in the background of a server."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from hutch.errors import HutchError, ReadOnlyStoreError
from hutch.logbook import Logbook, VerdictEntries
from hutch.server.books import Book

__all__ = ["entering_verdicts"]

_PAUSE_S = 1.0
_LONG_PAUSE_S = 10.0
"""After a store did not answer."""
_PATIENCE_S = 10.0

_logger = logging.getLogger("hutch.server")


@asynccontextmanager
async def entering_verdicts(books: Sequence[Book]) -> AsyncIterator[None]:
    """Have entries written, in all stores that are served, until the end of this.

    Other servers and monitors may do the same: each verdict gets one entry.
    """
    over = threading.Event()
    threads = [
        threading.Thread(target=_enter, args=(book.logbook, over), name="hutch-verdicts", daemon=True)
        for book in books
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            await asyncio.to_thread(thread.join, _PATIENCE_S)


def _enter(book: Logbook, over: threading.Event) -> None:
    entries: VerdictEntries | None = None
    problem = ""
    while not over.wait(_LONG_PAUSE_S if problem else _PAUSE_S):
        try:
            entries = entries or VerdictEntries(book)
            entries.look()
            problem = ""
        except ReadOnlyStoreError:
            _logger.warning("Verdicts that turn bad are not entered in the logbook: the store is read-only.")
            return
        except HutchError as error:
            if str(error) != problem:
                problem = str(error)
                _logger.warning("Verdicts that turn bad wait to be entered in the logbook: %s", error)
