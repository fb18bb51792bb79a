"""How a run stands that has not ended: somebody records it, or nobody does any more."""

from __future__ import annotations

from hutch.documents import decode
from hutch.store.protocols.store import RunRow, Store

__all__ = ["BY_HAND", "is_by_hand", "is_going_on", "open_status"]

BY_HAND = "run_control"
"""In the start document of a run that is begun and ended by hand, in whatever process."""


def is_by_hand(row: RunRow) -> bool:
    """Tell whether people begin and end a run, and no process records it."""
    return BY_HAND.encode() in row.start and BY_HAND in decode(row.start)


def is_going_on(store: Store, row: RunRow) -> bool:
    """Tell whether a run without an end is still to get one: its process lives, or people end it."""
    return store.is_live(row.owner) or is_by_hand(row)


def open_status(store: Store, row: RunRow) -> str:
    """Return ``running``, or ``interrupted`` if its process died."""
    return "running" if is_going_on(store, row) else "interrupted"
