"""Lots as JSON lines of ``[name, document]`` in order of arrival, and back.

Events are written as pages as long as they follow each other, which costs a tenth of writing each. The
arrival numbers of a lot have no gaps, so reading counts them again from the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hutch.documents import REPLACED, decode, encode_lossy
from hutch.recording.events.lots import ARRIVAL, Lot, in_lots
from hutch.recording.events.paging import page_events
from hutch.recording.spooling.spool import line_of
from hutch.recording.uids import document_uid
from hutch.store import DocumentRow, Mark
from hutch.store.batches.scanning import integers

if TYPE_CHECKING:
    from hutch.recording.events.stream_buffer import PackedEvents, Rows, StreamBuffer

__all__ = ["lines_of", "read_lot"]

_PAGE_ROWS = 1024
_PAGE_VALUES = 65_536
"""Readings in a page at most; a page is one line, and a line is in memory as a whole."""
_FEW_ROWS = 16
"""Rows of a page that holds arrays or lists."""
_FIXED = 6
_NUMBERS = (int, float, bool, str, type(None))
_EMPTY = b"{}"


def lines_of(lot: Lot) -> Iterator[bytes]:
    """Yield what a lot writes, in order of arrival; the stop document is last.

    What no document can hold is marked in the lot, as the lines do not tell it any more.
    """
    for source, first, last in _stretches(lot):
        if isinstance(source, list):
            yield from (line_of(row.kind, row.body) for row in source[first:last])
            continue
        buffer, events = source
        if isinstance(events, list):
            yield from _lines_of_rows(lot, buffer, events, first, last)
        else:
            yield from _lines_of_packed(buffer, events, first, last)
    for refused in lot.refused:
        yield line_of(refused.kind, refused.body)
    if lot.stop is not None:
        yield line_of("stop", encode_lossy(lot.stop)[0])


def read_lot(text: bytes, first: int, buffers: Mapping[str, StreamBuffer]) -> Lot:
    """Return whole lines, without refused documents and a stop, as the lot that they were.

    :param first: arrival number of the first document.
    :param buffers: of the run's descriptors.
    """
    lot = Lot(first=first)
    twins: dict[str, StreamBuffer] = {}
    number = first
    for line in text.splitlines():
        name, body = _parts(line)
        if name not in ("event", "event_page"):
            document = decode(body)
            lot.documents.append(DocumentRow(number, name, document_uid(name, document, body), body))
            number += 1
            continue
        document = decode(body)
        descriptor = document["descriptor"]
        if descriptor not in twins:
            twins[descriptor] = buffers[descriptor].twin()
        number += _add(twins[descriptor], name, document, number)
    for uid, twin in twins.items():
        lot.waiting += [(buffers[uid], rows) for rows in in_lots(twin.take())]
    return lot


def _add(buffer: StreamBuffer, name: str, document: dict[str, Any], number: int) -> int:
    """Give an event or a page to a buffer; return how many events it was."""
    if name == "event":
        buffer.add(document, number)
        return 1
    count = buffer.add_page(document, number)
    if count:
        return count
    events = page_events(document)
    for place, event in enumerate(events):
        buffer.add(event, number + place)
    return len(events)


def _parts(line: bytes) -> tuple[str, bytes]:
    """Return name and body of a line."""
    end = line.index(b'"', 2)
    return line[2:end].decode(), line[end + 2 : -1]


_Source = list[DocumentRow] | tuple["StreamBuffer", "Rows"] | tuple["StreamBuffer", "PackedEvents"]


def _stretches(lot: Lot) -> Iterator[tuple[_Source, int, int]]:
    """Yield pieces of one source (documents, rows, packed events) that arrived one after the other."""
    sources: list[_Source] = [lot.documents, *lot.waiting, *lot.events]
    arrivals = [
        np.array([row.number for row in lot.documents], np.int64),
        *(integers(rows[ARRIVAL]) for _, rows in lot.waiting),
        *(packed.batch.column("arrival").to_numpy() for _, packed in lot.events),
    ]
    of_source = np.repeat(np.arange(len(sources)), [len(numbers) for numbers in arrivals])
    order = np.argsort(np.concatenate(arrivals), kind="stable")
    of_source = of_source[order]
    begins = np.flatnonzero(np.diff(of_source, prepend=-1))
    done = [0] * len(sources)
    for begin, end in zip(begins, [*begins, len(order)][1:], strict=True):
        source = int(of_source[begin])
        first, done[source] = done[source], done[source] + int(end - begin)
        yield sources[source], first, done[source]


def _lines_of_rows(lot: Lot, buffer: StreamBuffer, rows: Rows, first: int, last: int) -> Iterator[bytes]:
    filled, wholes = rows[_FIXED - 2], rows[_FIXED - 1]
    step = _rows_of_page(rows, first)
    for begin in range(first, last, step):
        end = min(begin + step, last)
        some = filled[begin:end]
        is_regular = some[0] in (None, _EMPTY) and some.count(some[0]) == len(some)
        if is_regular and wholes[begin:end].count(None) == end - begin and end - begin > 1:
            page = buffer.raw_page_of([_plain(column[begin:end]) for column in rows])
            body, replaced = encode_lossy(page)
            yield line_of("event_page", body)
            if replaced:
                _mark_replaced(lot, buffer, page["data"], _plain(rows[ARRIVAL][begin:end]))
            continue
        for place in range(begin, end):
            row = [_plain(column[place : place + 1])[0] for column in rows]
            event = buffer.raw_event_of(row)
            body, replaced = encode_lossy(event)
            yield line_of("event", body)
            if replaced:
                data = {key: [value] for key, value in event["data"].items()}
                _mark_replaced(lot, buffer, data, [row[ARRIVAL]])


def _rows_of_page(rows: Rows, first: int) -> int:
    values = [column[first] for column in rows[_FIXED:]]
    if not all(isinstance(value, (*_NUMBERS, np.number)) for value in values):
        return _FEW_ROWS
    return max(1, min(_PAGE_ROWS, _PAGE_VALUES // max(len(values), 1)))


def _plain(values: Any) -> list[Any]:
    found: list[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    return found


def _mark_replaced(
    lot: Lot, buffer: StreamBuffer, data: Mapping[str, Sequence[Any]], arrivals: Sequence[int]
) -> None:
    for key, column in data.items():
        places = [place for place, value in enumerate(column) if encode_lossy(value)[1]]
        if places:
            lot.replaced.append(Mark(buffer.stream, key, REPLACED, len(places), int(arrivals[places[0]])))


def _lines_of_packed(buffer: StreamBuffer, packed: PackedEvents, first: int, last: int) -> Iterator[bytes]:
    from hutch.store.batches.unpacking import events

    for _, event in events(packed.batch.slice(first, last - first), packed.layout, buffer.uid):
        yield line_of("event", encode_lossy(event)[0])
