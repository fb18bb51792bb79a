"""The slow look at events whose uids may have been here before: one by one, against the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hutch.documents import encode_lossy, is_same
from hutch.recording.lots import Lot, Refused
from hutch.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from hutch.recording.stream_buffer import Rows, StreamBuffer
    from hutch.store.columns import Layout

__all__ = ["batches_of", "known_uids", "without_duplicates"]


def known_uids(store: Store, run: int, lots: Iterable[Lot]) -> Iterator[str]:
    """Yield the uids of all events of a run, committed and in lots."""
    for batch, _, _ in batches_of(store, run, lots):
        yield from batch.column("uid").to_pylist()


def without_duplicates(
    buffer: StreamBuffer, rows: Rows, suspects: list[int], store: Store, run: int, lots: Iterable[Lot]
) -> tuple[Rows, list[Refused]]:
    """Return rows less those of uids that are there already, and what of these is to be put away.

    An event that is there with the same content is dropped, one with other content is refused.

    :param suspects: positions of rows whose uids may have been there, or are there twice.
    :param lots: what is not committed yet, besides the store.
    """
    uids = rows[2]
    wanted = {uids[position] for position in suspects}
    known = _find(wanted, batches_of(store, run, lots))
    dropped: set[int] = set()
    refused: list[Refused] = []
    for position, uid in enumerate(uids):
        if uid not in wanted:
            continue
        event = buffer.event_of([column[position] for column in rows])
        if uid not in known:
            known[uid] = event
            continue
        dropped.add(position)
        if not is_same(known[uid], event):
            reason = f"the run has another event of the uid {uid!r}"
            refused.append(Refused("event", reason, encode_lossy(event)[0]))
    if not dropped:
        return rows, refused
    kept = [position for position in range(len(uids)) if position not in dropped]
    return [[column[position] for position in kept] for column in rows], refused


def _find(
    wanted: set[str], batches: Iterable[tuple[pa.RecordBatch, Layout, str]]
) -> dict[str, dict[str, Any]]:
    """Return the events of some uids."""
    from hutch.store.unpacking import events

    found: dict[str, dict[str, Any]] = {}
    for batch, layout, descriptor in batches:
        for position, uid in enumerate(batch.column("uid").to_pylist()):
            if uid in wanted:
                ((_, event),) = events(batch.slice(position, 1), layout, descriptor)
                found[uid] = event
    return found


def batches_of(store: Store, run: int, lots: Iterable[Lot]) -> Iterator[tuple[pa.RecordBatch, Layout, str]]:
    """Yield all batches of a run, those in lots too, with their layouts and the uids of their descriptors."""
    import pyarrow as pa

    from hutch.store.columns import Layout
    from hutch.store.rereading import read_rows

    batches = store.batches(run)
    for segment in store.segments(run):
        schema = pa.ipc.read_schema(pa.py_buffer(segment.schema))
        layout = Layout.from_schema(schema)
        mine = [batch for batch in batches if batch.segment == segment.id]
        for some in read_rows(store, segment, schema, mine):
            for batch in some:
                yield batch, layout, segment.descriptor
    for lot in lots:
        for buffer, packed in lot.events:
            yield packed.batch, packed.layout, buffer.uid
