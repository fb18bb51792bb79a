"""What follows when an entry has been written: the disk has it, and hooks are told; nobody waits for it.

Packages publish hooks as entry points of the group ``hutch.entry_hooks``. Each is a function that is called
with an :class:`~hutch.logbook.entries.Entry` after it was committed. One that fails is logged, and the
others go on; the entry is there whatever they do::

    [project.entry-points."hutch.entry_hooks"]
    chat = "our_package:tell_chat"
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from hutch.errors import HutchError
from hutch.logbook.entries import Entry
from hutch.store.protocols.store import Store

__all__ = ["GROUP", "afterwards", "entry_hooks", "forget_hooks", "settle"]

GROUP = "hutch.entry_hooks"
"""The group of entry points that publish hooks."""

Hook = Callable[[Entry], object]

logger = logging.getLogger("hutch.logbook")


class _Worker:
    """The thread in which it is done, one thing after the other; the end of the program waits for it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "hutch-logbook")
        self._lock = threading.Lock()
        self._waiting: set[int] = set()
        """Stores that are to be put onto the disk."""

    def put_onto_disk(self, store: Store) -> None:
        """Sync a store; what is committed until that begins is one."""
        with self._lock:
            if id(store) in self._waiting:
                return
            self._waiting.add(id(store))
        self._pool.submit(self._sync, store)

    def tell(self, entry: Entry) -> None:
        """Call all hooks with an entry."""
        self._pool.submit(_call_hooks, entry)

    def mark(self) -> Future[None]:
        """Return what is done when all that was asked for until now is done."""
        return self._pool.submit(lambda: None)

    def _sync(self, store: Store) -> None:
        with self._lock:
            self._waiting.discard(id(store))
        try:
            if not store.is_closed:
                store.sync()
        except HutchError as error:
            logger.warning("The logbook is not on the disk yet: %s", error)


@cache
def _worker_of(process: int) -> _Worker:
    """Return the worker of this process: a fork gets one of its own."""
    return _Worker()


def afterwards(store: Store, entry: Entry) -> None:
    """Have done what follows when an entry was written."""
    worker = _worker_of(os.getpid())
    worker.put_onto_disk(store)
    if entry_hooks():
        worker.tell(entry)


def settle(timeout_s: float = 30.0) -> None:
    """Wait until all is done that followed from entries so far.

    :raises TimeoutError: if it takes longer.
    """
    _worker_of(os.getpid()).mark().result(timeout_s)


def entry_hooks() -> dict[str, Hook]:
    """Return the hooks by name: those that packages publish, and mail if a server is configured."""
    from hutch.config import configuration
    from hutch.logbook.mail import send_mail

    found = dict(_published())
    if configuration().settings.logbook.mail_server:
        found["mail"] = send_mail
    return found


def forget_hooks() -> None:
    """Look for hooks of packages anew when the next entry is written."""
    _published.cache_clear()


@cache
def _published() -> dict[str, Hook]:
    from importlib.metadata import entry_points

    found: dict[str, Hook] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = entry.load()
        except Exception as error:  # whatever another package raises when it is loaded
            logger.warning("The hook %r (%s) cannot be loaded: %s", entry.name, entry.value, error)
    return found


def _call_hooks(entry: Entry) -> None:
    for name, hook in entry_hooks().items():
        try:
            hook(entry)
        except Exception as error:  # whatever a hook of another package raises
            logger.warning("The hook %r failed for entry %d: %s", name, entry.id, error)
