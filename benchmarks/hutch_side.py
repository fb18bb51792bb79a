"""hutch as a contestant, through its public names only."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.documents import Document

_SETTLED_S = 1.0

__all__ = ["catalog", "record", "record_runs", "settle"]


@contextmanager
def catalog(where: Path | str) -> Iterator[Any]:
    """Open the catalog in a folder or at an address, and close it afterwards."""
    import hutch

    found = hutch.open_catalog(where)
    try:
        yield found
    finally:
        found.close()


def record(cat: Any, documents: Sequence[Document]) -> None:
    """Record one run until another reader would see that it has ended."""
    record_runs(cat, [documents])
    if cat[-1].stop is None:
        msg = "the run was not committed when its stop had been recorded"
        raise RuntimeError(msg)


def settle(cat: Any) -> None:
    """Merge what the end of a process has left, and wait until nothing of it is in the background."""
    from hutch.catalogs.care.compaction import Compacted, compact

    compact(cat.store, Compacted(""))
    batches: list[Any] = []
    while batches != (batches := cat.store.batches(cat[-1].row.id)):
        time.sleep(_SETTLED_S)


def record_runs(cat: Any, runs: Iterable[Sequence[Document]]) -> None:
    """Record runs one after another with one recorder."""
    recorder = cat.recorder()
    for documents in runs:
        for name, document in documents:
            recorder(name, document)
    recorder.close()
