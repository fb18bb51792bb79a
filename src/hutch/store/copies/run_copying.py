"""Runs from one store's database to another's, with all that belongs to them.

A run that is open is copied as far as it is, and belongs to nobody in the copy. The index is made from the
documents, whose function it is: looking for one run's rows in it would be a scan of all of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from hutch.documents import Leaf, decode, leaves
from hutch.documents.leaves import posted_leaves
from hutch.errors import StoreError
from hutch.store.copies.file_copying import Wanted
from hutch.store.copies.table_copying import Row, TableCopier, in_groups
from hutch.store.rows.runs import Posted, posted_of
from hutch.store.schema import tables as t

__all__ = ["copy_runs", "wanted_files"]

_RUN = tuple(column.name for column in t.runs.columns if column.name != "owner")
_OWNER = list(t.runs.columns).index(t.runs.c.owner)

_OF_RUNS: dict[sa.Table, str | None] = {
    t.documents: "body",
    t.segments: None,
    t.batches: "body",
    t.marks: None,
    t.amendments: "edits",
    t.posted: "value",
    t.frozen_figures: "picture",
}
"""What belongs to runs, with its large column. What may belong to none is copied apart."""


def wanted_files(side: sa.Connection, runs: Sequence[int]) -> dict[str, Wanted]:
    """Return the files that batches of some runs name."""
    found: dict[str, Wanted] = {}
    for some in in_groups(runs):
        batch = sa.select(t.batches.c.file, t.batches.c.size, t.batches.c.crc32)
        named = batch.where(t.batches.c.run.in_(some), t.batches.c.file.is_not(None))
        found.update((row.file, Wanted(*row)) for row in side.execute(named))
    return found


def copy_runs(copier: TableCopier, runs: Sequence[int]) -> None:
    """Make runs of the target what they are in the source, whole; what the source has no more is deleted.

    :raises StoreError: if the target has a run that the source does not know of.
    """
    for some in in_groups(runs):
        _copy_some(copier, some)


def _copy_some(copier: TableCopier, runs: Sequence[int]) -> None:
    source, target = (_runs(side, t.runs.c.id, runs) for side in (copier.source, copier.target))
    namesakes = _runs(copier.target, t.runs.c.uid, [row.uid for row in source.values()])
    there = {**target, **namesakes}
    strange = {run for run, row in there.items() if run not in source or row.uid != source[run].uid}
    _delete(copier, [there[run] for run in strange])
    known = [run for run in target if run not in strange]
    fresh = [run for run in source if run not in known]
    ours, theirs = (_posted(side, known) for side in (copier.source, copier.target))
    changed = {run for run in known if target[run] != source[run] or ours.get(run) != theirs.get(run)}
    rows = [tuple(source[run]) for run in fresh]
    copier.write.insert(t.runs, [(*row[:_OWNER], None, *row[_OWNER:]) for row in rows])
    copier.write.update(t.runs, [source[run] for run in changed], _RUN)
    before = [(target[run], theirs.get(run, {})) for run in changed]
    ours.update(_posted(copier.source, fresh))
    _index(copier, before, [(source[run], ours.get(run, {})) for run in [*fresh, *changed]])
    if fresh:
        for table in _OF_RUNS:
            copier.add(table, table.c.run.in_(fresh))
    if known:
        for table, differing in copier.settle(_OF_RUNS, known).items():
            place = list(table.columns).index(table.c.run)
            changed |= {row[place] for row in differing}
    copier.tally.runs += len(fresh) + len(changed)


def _runs(side: sa.Connection, column: sa.Column[Any], values: Sequence[Any]) -> dict[int, sa.Row[Any]]:
    columns = [t.runs.c[name] for name in _RUN]
    return {row.id: row for row in side.execute(sa.select(*columns).where(column.in_(values)))}


def _delete(copier: TableCopier, runs: Sequence[sa.Row[Any]]) -> None:
    """Delete runs from the target that the source has deleted."""
    if not runs:
        return
    _check_deleted(copier.source, runs)
    ids = [run.id for run in runs]
    copier.tally.gone_files |= set(wanted_files(copier.target, ids))
    copier.tally.deleted += len(ids)
    posted = _posted(copier.target, ids)
    _index(copier, [(run, posted.get(run.id, {})) for run in runs], [])
    for table in (t.quarantine, t.tiles, t.plot_states, *reversed(_OF_RUNS)):
        copier.target.execute(sa.delete(table).where(table.c.run.in_(ids)))
    copier.write.delete(t.runs, [(run,) for run in ids])


def _check_deleted(source: sa.Connection, runs: Sequence[sa.Row[Any]]) -> None:
    """See that the source says of runs that they were deleted.

    :raises StoreError: if it knows nothing of one.
    """
    said = sa.select(t.tombstones.c.uid).where(t.tombstones.c.uid.in_([run.uid for run in runs]))
    deleted = set(source.execute(said).scalars())
    for run in runs:
        if run.uid not in deleted:
            msg = (
                f"Run {run.uid!r} is in the copy, and the source neither has it nor says that it deleted it: "
                "the source was set back to an earlier state, or somebody recorded into the copy. "
                "Nothing is deleted. Copy to another place."
            )
            raise StoreError(msg)


def _posted(side: sa.Connection, runs: Sequence[int]) -> dict[int, Posted]:
    """Return what holds of what was posted to some runs."""
    columns = [t.posted.c[name] for name in ("run", "source", "name", "value")]
    found: dict[int, Posted] = {}
    for some in in_groups(runs):
        asked = sa.select(*columns).where(t.posted.c.run.in_(some)).order_by(t.posted.c.id)
        found.update(posted_of(side.execute(asked)))
    return found


_Known = tuple[sa.Row[Any], Posted]
"""A run, and what was posted to it."""


def _index(copier: TableCopier, before: Iterable[_Known], now: Iterable[_Known]) -> None:
    """Make the index of some runs what their documents, and what was posted to them, come to."""
    old = {leaf for run, posted in before for leaf in _leaves(run, posted)}
    new = {leaf for run, posted in now for leaf in _leaves(run, posted)}
    copier.write.delete(t.index, sorted(old - new))
    copier.write.insert(t.index, sorted(new - old), leave_known=True)


def _leaves(run: sa.Row[Any], posted: Posted) -> Iterator[Row]:
    """Yield the rows of the index that a run must have; none from what cannot be read."""
    found: set[Leaf] = set()
    for body, source in ((run.start if run.amended is None else run.amended, "start"), (run.stop, "stop")):
        try:
            document = None if body is None else decode(body)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            found |= leaves(document, source)
    for source, values in posted.items():
        for name, value in values.items():
            with contextlib.suppress(ValueError, RecursionError):
                found |= posted_leaves(source, name, decode(value))
    for leaf in found:
        # A driver may take members of an enumeration for something else than numbers.
        yield (leaf.key, int(leaf.type), leaf.number, leaf.text, run.time, run.id)
