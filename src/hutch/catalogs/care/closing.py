"""The end of a run whose process died: a stop document that somebody else writes afterwards.

It says so: ``closed`` in it tells when and by whom, and its reason begins with that.
"""

from __future__ import annotations

import math
import time
import uuid
from typing import Any

from hutch.catalogs.care.batch_verifying import sound_parts
from hutch.catalogs.metadata import stream_name
from hutch.catalogs.signatures import Signature
from hutch.catalogs.tombstones import present_row
from hutch.documents import decode, encode, leaves
from hutch.errors import DocumentError, RunClosedError, RunOwnedError
from hutch.recording.committing.leftovers import take_in
from hutch.recording.committing.starting import hold_run
from hutch.recording.spooling.spool import mark_of
from hutch.store.protocols.store import RunRow, Store

__all__ = ["close_run"]

_STATUSES = ("abort", "fail", "success")


def close_run(store: Store, run: RunRow, signature: Signature, exit_status: str = "abort") -> dict[str, Any]:
    """End an interrupted run; return its stop document.

    What waits in the spool is stored first. The end of the run is the time of its last event, and
    ``num_events`` are the events that are there.

    :raises DocumentError: for an exit status that there is not.
    :raises RunOwnedError: if a live process records it.
    :raises RunClosedError: if it has ended.
    :raises RunDeletedError: if it has been deleted.
    :raises StoreError: if the store cannot take it.
    """
    if exit_status not in _STATUSES:
        msg = f"A run ends with 'success', 'abort' or 'fail', not with {exit_status!r}."
        raise DocumentError(msg)
    _check_interrupted(store, present_row(store, run.id))
    # What its process could not store may hold more events, and the end that it told.
    take_in(store, mark_of(store), lambda: False)
    moment = _last_moment(store, run)
    with store.transaction() as writer:
        hold_run(writer, run.id)
        now = present_row(store, run.id)
        _check_interrupted(store, now)
        stop = {
            "uid": str(uuid.uuid4()),
            "run_start": now.uid,
            "time": moment,
            "exit_status": exit_status,
            "reason": f"closed afterwards by {signature.author}: {signature.reason}",
            "num_events": _count_events(store, now),
            "closed": {"time": time.time(), "by": signature.author},
        }
        writer.add_leaves(now.id, now.time, leaves(stop, "stop"))
        writer.end_run(now.id, encode(stop), exit_status)
    store.sync()
    return stop


def _check_interrupted(store: Store, run: RunRow) -> None:
    name = f"Run {run.uid!r}" if run.scan_id is None else f"Run {run.scan_id} ({run.uid!r})"
    if run.stop is not None:
        msg = f"{name} has ended already."
        raise RunClosedError(msg)
    if store.is_live(run.owner):
        owner = None if run.owner is None else store.owner(run.owner)
        who = f"{owner.program!r} (process {owner.pid} on {owner.host})" if owner else "a live process"
        msg = f"{name} is being recorded by {who}. End it there, or end that process first."
        raise RunOwnedError(msg)


def _count_events(store: Store, run: RunRow) -> dict[str, int]:
    described = (decode(row.body) for row in store.documents(run.id, ["descriptor"]))
    counts = {stream_name(about): 0 for about in described}
    streams = {segment.id: segment.stream for segment in store.segments(run.id)}
    for batch in store.batches(run.id):
        if batch.segment in streams:
            name = streams[batch.segment]
            counts[name] = counts.get(name, 0) + batch.rows
    return counts


def _last_moment(store: Store, run: RunRow) -> float:
    """Return the time of the last event that can be read, and of the start if there is none."""
    segments = {segment.id: segment for segment in store.segments(run.id)}
    found = [run.time]
    last = {batch.segment: batch for batch in store.batches(run.id) if batch.segment in segments}
    for batch in last.values():
        found += [
            part.column("time")[-1].as_py() for part in sound_parts(store, batch, segments[batch.segment])
        ]
    return max(moment for moment in found if math.isfinite(moment))
