"""What a copy of a store did, for people and programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from hutch.store.copies.copying import Copier, Progress
from hutch.store.copies.sides import Side
from hutch.store.schema import tables as t

__all__ = ["Copied", "Report", "nothing_copied", "what_was_copied"]

Report = Callable[[Progress], object]


@dataclass
class Copied:
    """What a copy did, and what it is now."""

    source: str
    target: str
    runs: int
    """All that the copy has."""
    copied_runs: int
    """Runs that were new, or had changed."""
    deleted_runs: int
    files: int
    """Arrow files that were copied."""
    size_bytes: int
    """Of the batches that were copied, in rows and in files."""
    moment: float
    """When the source was as the copy is; s since 1970."""
    duration_s: float
    damaged: list[str] = field(default_factory=list)
    """What is wrong in the source: copied as it is, or missing."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def nothing_copied(source: str, target: Side, began: float) -> Copied:
    """Return what there is to say of a copy that was complete already."""
    duration_s = time.monotonic() - began
    return Copied(source, target.place, _count_runs(target), 0, 0, 0, 0, time.time(), duration_s)


def what_was_copied(copier: Copier, source: Side, target: Side, began: float) -> Copied:
    """Return what a copier did.

    :param began: when, by ``time.monotonic``.
    """
    tally = copier.tally
    return Copied(
        source=source.place,
        target=target.place,
        runs=_count_runs(target),
        copied_runs=tally.runs,
        deleted_runs=tally.deleted,
        files=tally.files,
        size_bytes=tally.size_bytes,
        moment=copier.moment,
        duration_s=time.monotonic() - began,
        damaged=sorted(tally.damaged.values()),
    )


def _count_runs(side: Side) -> int:
    with side.snapshot() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(t.runs)).scalar() or 0
