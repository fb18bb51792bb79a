"""What may have been here before: events and documents by their uids, and lots as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hutch.documents import encode_lossy, is_same, is_same_text
from hutch.recording.events.lots import Lot, Refused
from hutch.store import DocumentRow, Store, Writer

if TYPE_CHECKING:
    import pyarrow as pa

    from hutch.recording.events.stream_buffer import Rows, StreamBuffer
    from hutch.store.batches.columns import Layout

__all__ = ["batches_of", "known_uids", "settle", "without_duplicates", "without_stored"]


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
    from hutch.store.batches.unpacking import events

    found: dict[str, dict[str, Any]] = {}
    for batch, layout, descriptor in batches:
        for position, uid in enumerate(batch.column("uid").to_pylist()):
            if uid in wanted:
                ((_, event),) = events(batch.slice(position, 1), layout, descriptor)
                found[uid] = event
    return found


def batches_of(store: Store, run: int, lots: Iterable[Lot]) -> Iterator[tuple[pa.RecordBatch, Layout, str]]:
    """Yield all batches of a run, those in lots too, with their layouts and the uids of their descriptors."""
    from hutch.store.batches.columns import read_columns
    from hutch.store.batches.rereading import read_rows

    batches = store.batches(run)
    for segment in store.segments(run):
        schema, layout = read_columns(segment)
        mine = [batch for batch in batches if batch.segment == segment.id]
        for some in read_rows(store, segment, schema, mine):
            for batch in some:
                yield batch, layout, segment.descriptor
    for lot in lots:
        for buffer, packed in lot.events:
            yield packed.batch, packed.layout, buffer.uid


def settle(
    writer: Writer, store: Store, run: int, present: Iterable[DocumentRow], lots: Sequence[Lot]
) -> None:
    """Decide about documents whose uids the run has: the same is accepted, another put away.

    :param lots: what is written in the same transaction.
    """
    for document in present:
        if not is_same_text(_known_document(store, run, document, lots).body, document.body):
            reason = f"the run has another {document.kind} of the uid {document.uid!r}"
            writer.quarantine(run, document.kind, reason, document.body)


def _known_document(store: Store, run: int, document: DocumentRow, lots: Sequence[Lot]) -> DocumentRow:
    """Return the document of the same kind and uid that came before, in this transaction or earlier."""
    name = (document.kind, document.uid)
    for lot in lots:
        for other in lot.documents:
            if (other.kind, other.uid) == name and other is not document:
                return other
    found = store.find_document(*name)
    if found is not None and found[0] == run:
        return found[1]
    # A later run uses the same uid.
    known = store.documents(run, [document.kind])
    return next((other for other in known if other.uid == document.uid), document)


def without_stored(writer: Writer, store: Store, run: int, lots: Sequence[Lot]) -> list[Lot]:
    """Return lots less those that an earlier transaction has written, which only seemed to fail."""
    # Whoever is about to commit holds this lock; the answer to a question comes after it is had.
    writer.lock("changes")
    writer.stash()
    return [lot for lot in lots if not _is_stored(store, run, lot)]


def _holds_event(store: Store, run: int, arrival: int) -> bool:
    """Tell whether a run has the event of an arrival number, in whichever batch it is by now."""
    from hutch.store.batches.columns import read_columns
    from hutch.store.batches.rereading import read_rows

    batches = [batch for batch in store.batches(run) if batch.first_arrival <= arrival]
    for segment in store.segments(run):
        mine = [batch for batch in batches if batch.segment == segment.id]
        schema, _ = read_columns(segment)
        reading = read_rows(store, segment, schema, mine, sum(batch.rows for batch in mine[:-1]))
        if any(arrival in part.column("arrival").to_numpy() for some in reading for part in some):
            return True
    return False


def _is_stored(store: Store, run: int, lot: Lot) -> bool:
    if lot.batches:
        return _holds_event(store, run, lot.batches[0][2].first_arrival)
    if lot.documents:
        numbers = {document.number for document in lot.documents}
        return any(document.number in numbers for document in store.documents(run))
    if lot.refused:
        bodies = {row.body for row in store.quarantined(run)}
        return all(refused.body in bodies for refused in lot.refused)
    if lot.marks:
        return set(lot.marks) <= set(store.marks(run))
    return lot.stop is not None and store.run_by_id(run).stop is not None
