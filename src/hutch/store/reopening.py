"""Stores in other processes: what is pickled of a store is where it is, and a process opens it there once.

So datasets over dask arrays are computed by workers, which read what they need by themselves.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hutch.store.protocols.store import Store

__all__ = ["reopened"]

_opened: dict[str, Store] = {}
_lock = threading.Lock()


def reopened(where: str) -> Store:
    """Return the store at a place, which stays open for whoever asks next.

    :param where: its folder, or the address of its database.
    :raises StoreError: if it is not there, or can't be opened here.
    """
    from hutch.store.opening import open_store

    with _lock:
        found = _opened.get(where)
        if found is None or found.is_closed:
            found = _opened[where] = open_store(where, create=False)
        return found
