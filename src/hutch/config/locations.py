"""Where things are when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["DEFAULT_STORE", "STORE_VARIABLE", "spool_folder", "state_folder", "store_location"]

STORE_VARIABLE = "HUTCH_STORE"
"""The environment variable that names the store."""

DEFAULT_STORE = "hutch-store"
"""The store's folder below the working folder, if nothing else is said."""


def store_location(given: str | None = None) -> str:
    """Return where the store is: what is given, else ``$HUTCH_STORE``, else ``./hutch-store``.

    :returns: a folder, or an address with ``://``.
    """
    found = given or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    return found if "://" in found else str(Path(found).expanduser())


def state_folder() -> Path:
    """Return the user's folder for what hutch keeps between calls; it may not exist yet.

    ``$XDG_STATE_HOME/hutch``, else ``~/.local/state/hutch``.
    """
    state = os.environ.get("XDG_STATE_HOME")
    return Path(state) / "hutch" if state else Path.home() / ".local" / "state" / "hutch"


def spool_folder() -> Path:
    """Return the folder of documents that a store could not take; it may not exist yet.

    ``$HUTCH_SPOOL``, else ``spool`` in the user's state folder, where it does not matter that the
    store is away or its disk full.
    """
    chosen = os.environ.get("HUTCH_SPOOL")
    return Path(chosen) if chosen else state_folder() / "spool"
