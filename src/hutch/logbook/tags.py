"""Tags as they are written: what they are found by makes no difference between capitals and others."""

from __future__ import annotations

from collections.abc import Sequence

from hutch.logbook.entries import Entry
from hutch.store.protocols.store import Store
from hutch.store.statements.entry_terms import folded

__all__ = ["written_tags"]


def written_tags(store: Store, terms: Sequence[tuple[str, int]]) -> list[str]:
    """Return tags as they are written in entries that have them.

    :param terms: of a tag, and an entry.
    """
    entries = sorted({entry for _, entry in terms})
    tags = {row.id: Entry.of(row).tags for row in store.entries_by_id(entries)}
    found = []
    for term, entry in terms:
        wanted = term.partition(":")[2]
        found.append(next((tag for tag in tags.get(entry, ()) if folded(tag) == wanted), wanted))
    return found
