"""Merging what a store holds in many small batches, for whoever wants it done now."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from hutch.store.batches.compacting import Compaction, sweep, unmerged_runs
from hutch.store.protocols.store import Store

__all__ = ["Compacted", "compact"]

Progress = Callable[[int, int], object]
"""Called with how many runs are done, and how many there are."""


@dataclass
class Compacted:
    """What was done so far."""

    store: str
    runs: int = 0
    """Runs of which something was merged."""
    replaced: int = 0
    """Batches that were merged."""
    made: int = 0
    """Batches that took their place."""
    written_bytes: int = 0
    deleted_files: int = 0
    """Files that had been replaced some time before."""
    waiting_files: int = 0
    """Files that were replaced lately: they stay a while for who may be reading them."""
    left: list[str] = field(default_factory=list)
    """Uids of runs that are being recorded; their process merges them."""
    damaged: list[str] = field(default_factory=list)
    """What could not be merged because it is damaged, in sentences."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def compact(store: Store, done: Compacted, progress: Progress | None = None) -> None:
    """Merge the batches of all runs that nobody records, and delete files that were replaced before.

    It may be interrupted at any moment, and goes on where it was when it is called again.

    :param done: is kept up to date, so that it tells how far this has come.
    """
    free, recorded = unmerged_runs(store, least=2)
    done.left += [row.uid for row in recorded]
    for number, run in enumerate(free):
        if progress is not None:
            progress(number, len(free))
        _compact(store, run, done)
    if progress is not None:
        progress(len(free), len(free))
    done.deleted_files = sweep(store)
    done.waiting_files = len(store.discarded(math.inf))


def _compact(store: Store, run: int, done: Compacted) -> None:
    compaction = Compaction(store, run, is_open=False)
    try:
        for _ in compaction.steps():
            pass
    finally:
        done.runs += compaction.made > 0
        done.replaced += compaction.replaced
        done.made += compaction.made
        done.written_bytes += compaction.written_bytes
    if compaction.damaged:
        uid = store.run_by_id(run).uid
        done.damaged += [f"Run {uid[:8]}: {text}" for text in compaction.damaged]
