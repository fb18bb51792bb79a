"""The rows that the index must have of a run: what its documents, and what was posted to it, come to."""

from __future__ import annotations

from typing import Any

from hutch.documents import Leaf, decode, leaves
from hutch.documents.leaves import posted_leaves
from hutch.store.protocols.store import Posted, RunRow, Store

__all__ = ["expected_leaves", "leaves_now"]


def expected_leaves(row: RunRow, posted: Posted) -> set[Leaf] | None:
    """Return the index rows of a run; None if a document is damaged, so that nobody knows.

    :param posted: what holds of what was posted to it.
    """
    found: set[Leaf] = set()
    try:
        for body, source in ((row.current, "start"), (row.stop, "stop")):
            if body is not None:
                found |= leaves(_dictionary(decode(body)), source)
        for source, values in posted.items():
            for name, value in values.items():
                found |= posted_leaves(source, name, decode(value))
    except (ValueError, RecursionError):
        return None
    return found


def leaves_now(store: Store, row: RunRow) -> set[Leaf] | None:
    """Return the index rows of a run with what was posted to it by now; None if nobody knows."""
    return expected_leaves(row, store.posted_now([row.id]).get(row.id, {}))


def _dictionary(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        msg = "this is no document"
        raise ValueError(msg)
    return document
