"""The store: documents, committed batches of events, the index, the changes feed, ownership.

The only floor that knows SQL and the layout of files. Everything above it uses :class:`Store`.
"""

from hutch.store.opening import has_store, open_store
from hutch.store.protocols.store import (
    AmendmentRow,
    Batch,
    Change,
    DocumentRow,
    Mark,
    NewBatch,
    OwnerRow,
    QuarantineRow,
    RetentionRow,
    RunContents,
    RunRow,
    Segment,
    Store,
    TombstoneRow,
    Topic,
    Writer,
)

__all__ = [
    "AmendmentRow",
    "Batch",
    "Change",
    "DocumentRow",
    "Mark",
    "NewBatch",
    "OwnerRow",
    "QuarantineRow",
    "RetentionRow",
    "RunContents",
    "RunRow",
    "Segment",
    "Store",
    "TombstoneRow",
    "Topic",
    "Writer",
    "has_store",
    "open_store",
]
