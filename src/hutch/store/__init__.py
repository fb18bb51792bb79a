"""The store: documents, committed batches of events, the index, the changes feed, ownership.

The only floor that knows SQL and the layout of files. Everything above it uses :class:`Store`.
"""

from hutch.store.opening import open_store
from hutch.store.protocol import (
    Batch,
    Change,
    DocumentRow,
    Mark,
    NewBatch,
    QuarantineRow,
    RunRow,
    Segment,
    Store,
    Topic,
    Writer,
)

__all__ = [
    "Batch",
    "Change",
    "DocumentRow",
    "Mark",
    "NewBatch",
    "QuarantineRow",
    "RunRow",
    "Segment",
    "Store",
    "Topic",
    "Writer",
    "open_store",
]
