"""Events of one descriptor between their arrival and their commit.

Arrival is the RunEngine's thread, so it costs a few microseconds: the values are taken out of the
event into a tuple (nobody can change them any more), and everything else, columns, validation, a look
for duplicates, happens in bulk when the batch is made.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.documents import REPLACED, decode, encode, encode_lossy
from hutch.recording.events.event_values import IMMUTABLE, all_are, bytes_of, is_integer, owned, seconds
from hutch.recording.events.expectations import TIMESTAMP, expectations
from hutch.store.batches.columns import Column, Filled, Layout
from hutch.store.batches.packing import Packed, pack_all
from hutch.store.batches.scanning import Gathering, integers, join

__all__ = ["PackedEvents", "Rows", "StreamBuffer", "join_rows"]

_EVENT_FIELDS = frozenset({"descriptor", "uid", "time", "seq_num", "data", "timestamps", "filled"})
_EMPTY = b"{}"
_FIELDS = len(_EVENT_FIELDS)
_MOST = 2**63
_NOTHING = Column()
_MOST_WIDENED = 8
_FIXED = 6
"""Values of a row before its readings: seq_num, time, uid, arrival, filled, whole."""

_MOST_EVENTS = 32_768
_MOST_VALUES = 2**20
_MOST_ARRAY_BYTES = 64_000_000
"""What may wait for the committer before the caller has to commit it."""

Rows = list[Any]
"""Columns of values (:data:`~hutch.store.batches.scanning.Values`), in the order of a row."""


@dataclass
class PackedEvents:
    """Events as one Arrow record batch, and what was noticed on the way."""

    layout: Layout
    batch: pa.RecordBatch
    first_arrival: int
    breaches: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Nonconforming values: key, reason, how many, arrival number of the first."""


class StreamBuffer:
    """The events of one descriptor that are not packed yet.

    :param descriptor: the document, in plain Python types.
    :ivar is_heavy: arrays that are not packed take much memory.
    """

    def __init__(self, descriptor: dict[str, Any]) -> None:
        self._descriptor = descriptor
        self.uid: str = descriptor["uid"]
        name = descriptor.get("name")
        # Descriptors before event-model 1.2 had no name; their readers called the stream primary.
        self.stream: str = name if isinstance(name, str) else "primary"
        self.last_seq_num = -(2**63)
        self._expected = expectations(descriptor)
        self._width = len(self._expected)
        self.order(self._expected)
        self._is_ordered = False
        self._layout: Layout | None = None
        self._widened = 0
        self._row_width = _FIXED + 2 * self._width
        # Either events or pages are being gathered; what was gathered before waits in lots.
        self._flat: list[Any] = []
        self._pages: list[Gathering] = []
        self._paged = 0
        self._lots: list[Rows] = []
        self._waiting = 0
        self._oddities: list[tuple[str, str, int]] = []
        self._array_bytes = 0
        self.is_heavy = False

    @property
    def pending(self) -> int:
        """The number of events that are not packed."""
        return self._waiting + self._paged + len(self._flat) // self._row_width

    @property
    def is_full(self) -> bool:
        """Tell whether no more should come before this is committed, or memory would run out."""
        count = self.pending
        return self.is_heavy or count >= _MOST_EVENTS or count * self._row_width >= _MOST_VALUES

    def add(self, event: dict[str, Any], arrival: int) -> None:
        """Take an event, whatever is in it; it must have a text ``uid``."""
        try:
            data, times = event["data"], event["timestamps"]
            if not self._is_ordered:
                self.order(data)
            seq_num, time, filled = event["seq_num"], event["time"], event["filled"]
            values = (*self._take(data), *self._take(times))
            if (
                len(event) == _FIELDS
                and len(data) == len(times) == self._width
                and type(seq_num) is int
                and 0 <= seq_num < _MOST
                and type(time) is float
                and filled == {}
            ):
                row = (seq_num, time, event["uid"], arrival, _EMPTY, None, *values)
            else:
                row = self._odd_row(event, arrival)
            if not IMMUTABLE.issuperset(map(type, values)):
                # Arrays are copied: a device may use one buffer for all its readings.
                row = tuple([value if type(value) in IMMUTABLE else copy.deepcopy(value) for value in row])
                self._array_bytes += sum(map(bytes_of, row))
                self.is_heavy = self._array_bytes >= _MOST_ARRAY_BYTES
        except Exception:  # anything may come, and is kept
            row = self._odd_row(event, arrival)
        if self._pages:
            self._gather()
        # One flat list: its columns are slices, and the garbage collector has nothing to visit.
        self._flat += row

    def add_page(self, page: dict[str, Any], arrival: int) -> int:
        """Take a regular page of events; return how many, 0 if it is not regular.

        Regular means: equal lengths, exactly the described keys, nothing filled, no odd field. An
        irregular page is to be taken apart into its events.
        """
        try:
            if not self._is_ordered:
                self.order(page["data"])
            columns = [page["seq_num"], page["time"], page["uid"]]
            columns += self._take(page["data"])
            columns += self._take(page["timestamps"])
            filled = page.get("filled", None)
            regular = _EVENT_FIELDS.issuperset(page) and (
                len(page["data"]) == len(page["timestamps"]) == self._width
            )
            if not regular or filled not in ({}, None):
                return 0
            rows = [owned(column) for column in columns]
        except Exception:  # anything may come, and is kept: event by event
            return 0
        count = len(rows[0])
        if not count or any(len(column) != count for column in rows):
            return 0
        seq_nums, times, uids = rows[:3]
        if not (all_are(int, seq_nums) and all_are(float, times) and all_are(str, uids)):
            return 0
        if isinstance(seq_nums, list) and not -_MOST <= min(seq_nums) <= max(seq_nums) < _MOST:
            return 0
        if self._flat:
            self._gather()
        marker = None if filled is None else _EMPTY
        arrivals = np.arange(arrival, arrival + count)
        if not self._pages:
            self._pages = [Gathering() for _ in range(self._row_width)]
        columns = [*rows[:3], arrivals, [marker] * count, [None] * count, *rows[3:]]
        for gathered, column in zip(self._pages, columns, strict=True):
            gathered.add(column)
        self._paged += count
        return count

    def take(self) -> list[Rows]:
        """Return all that is pending, in order of arrival, and forget it; see :meth:`pack`."""
        self._gather()
        lots, self._lots, self._waiting = self._lots, [], 0
        self._array_bytes, self.is_heavy = 0, False
        return lots

    def take_oddities(self) -> list[tuple[str, str, int]]:
        """Return what was odd about events on arrival: key, reason, arrival number."""
        oddities, self._oddities = self._oddities, []
        return oddities

    def pack(self, columns: Rows) -> PackedEvents:
        """Return events as a record batch; its layout is at least as wide as the last one's."""
        width = self._width
        before = self._layout
        seq_nums, times, uids, arrivals, filled, wholes = columns[:_FIXED]
        readings = columns[_FIXED : _FIXED + width]
        packed = pack_all(columns[_FIXED:], self._at_least())
        kinds = [column.column for column in packed]
        layout = Layout(
            data=tuple(zip(self._keys, kinds[:width], strict=True)),
            timestamps=tuple(zip(self._keys, kinds[width:], strict=True)),
            filled=_filled_kind(filled, before),
            whole=(before is not None and before.whole) or wholes.count(None) < len(wholes),
        )
        self._widened += before is not None and layout != before
        self._layout = layout
        arrays = [
            pa.array(integers(seq_nums)),
            pa.array(times, pa.float64()),
            pa.array(uids, pa.string()),
            pa.array(integers(arrivals)),
        ]
        if layout.filled is Filled.COLUMN:
            arrays.append(pa.array(filled, pa.binary()))
        if layout.whole:
            arrays.append(pa.array(wholes, pa.binary()))
        for column in packed:
            arrays.append(column.array)
            if column.flags is not None:
                arrays.append(column.flags)
        batch = pa.RecordBatch.from_arrays(arrays, schema=layout.schema)
        found = PackedEvents(layout, batch, int(arrivals[0]))
        self.last_seq_num = max(self.last_seq_num, int(integers(seq_nums).max()))
        found.breaches = self._breaches(readings, packed[:width], arrivals)
        return found

    def twin(self) -> StreamBuffer:
        """Return an empty buffer of the same descriptor, whose rows are like those of this one."""
        twin = StreamBuffer(self._descriptor)
        twin.order(self._keys)
        return twin

    def _at_least(self) -> list[Column]:
        """Return what each column was so far, or more if columns widen again and again: segments stay few."""
        if self._layout is None:
            return [_NOTHING] * (2 * self._width)
        columns = [column for _, column in (*self._layout.data, *self._layout.timestamps)]
        if self._widened < _MOST_WIDENED:
            return columns
        promises = [*(self._expected[key] for key in self._keys), *repeat(TIMESTAMP, self._width)]
        return [promise.generous(column) for promise, column in zip(promises, columns, strict=True)]

    def event_of(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return the event of a row, in plain Python types."""
        return decode(encode_lossy(self.raw_event_of(row))[0])  # type: ignore[no-any-return]

    def raw_event_of(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return the event of a row, with its readings as they came."""
        seq_num, time, uid, _, filled, whole, *values = row
        if whole is not None:
            return decode(whole)  # type: ignore[no-any-return]
        event = {
            "uid": uid,
            "time": time,
            "data": dict(zip(self._keys, values, strict=False)),
            "timestamps": dict(zip(self._keys, values[self._width :], strict=True)),
            "seq_num": seq_num,
            "descriptor": self.uid,
        }
        if filled is not None:
            event["filled"] = decode(filled)
        return event

    def raw_page_of(self, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Return the page of rows that are all filled alike and not kept whole."""
        seq_nums, times, uids, _, filled, _, *columns = rows
        page = {
            "uid": uids,
            "time": times,
            "data": dict(zip(self._keys, columns, strict=False)),
            "timestamps": dict(zip(self._keys, columns[self._width :], strict=True)),
            "seq_num": seq_nums,
            "descriptor": self.uid,
        }
        if filled[0] is not None:
            page["filled"] = {}
        return page

    def _breaches(
        self, readings: Rows, packed: list[Packed], arrivals: Sequence[int]
    ) -> list[tuple[str, str, int, int]]:
        found = []
        for key, values, column in zip(self._keys, readings, packed, strict=True):
            breaches = self._expected[key].breaches(values, column.needed)
            if column.replaced:
                breaches[REPLACED] = list(column.replaced)
            for reason, positions in breaches.items():
                found.append((key, reason, len(positions), int(arrivals[positions[0]])))
        return found

    def _odd_row(self, event: dict[str, Any], arrival: int) -> tuple[Any, ...]:
        """Return the row of an event that does not fit: kept whole, with the columns it can fill."""
        whole, replaced = encode_lossy(event)
        plain = decode(whole)
        data, times = plain.get("data"), plain.get("timestamps")
        data = data if isinstance(data, dict) else {}
        times = times if isinstance(times, dict) else {}
        seq_num, time, filled = plain.get("seq_num"), plain.get("time"), plain.get("filled")
        reasons = list(self._structure(plain, data, times))
        reasons += [(place, REPLACED) for place in replaced]
        fits = not reasons and type(time) is float and is_integer(seq_num)
        self._oddities += [(key, reason, arrival) for key, reason in reasons]
        if fits:  # as they came: arrays remain arrays
            data, times = event["data"], event["timestamps"]
        return (
            seq_num if is_integer(seq_num) else 0,
            seconds(time),
            plain["uid"],
            arrival,
            None if fits and filled is None else _EMPTY if not fits or not filled else encode(filled),
            None if fits else whole,
            *[data.get(key) for key in self._keys],
            *[times.get(key) for key in self._keys],
        )

    def _structure(
        self, event: dict[str, Any], data: dict[str, Any], times: dict[str, Any]
    ) -> Iterable[tuple[str, str]]:
        """Yield what is odd about an event: key and reason."""
        for key in self._keys:
            if key not in data:
                yield key, "is missing"
            if key not in times:
                yield key, "has no timestamp"
        for key in data.keys() - self._expected.keys():
            yield key, "is not described"
        for key in times.keys() - self._expected.keys() - data.keys():
            yield key, "has a timestamp and is not described"
        for key in event.keys() - _EVENT_FIELDS:
            yield key, "is no field of an event"
        for name in ("data", "timestamps", "filled"):
            if not isinstance(event.get(name, {}), dict):
                yield name, "is no dictionary"
        if not is_integer(event.get("seq_num")):
            yield "seq_num", "is no integer of 64 bit"
        if math.isnan(seconds(event.get("time"))):
            yield "time", "is no number"

    def order(self, keys: Iterable[str]) -> None:
        """Keep readings in the order of the first event, if it has the described keys."""
        if self._expected.keys() == set(keys):
            self._keys: tuple[str, ...] = tuple(keys)
            self._take = _taker(self._keys)
        self._is_ordered = True

    def _gather(self) -> None:
        """Make a lot of what is being gathered."""
        if self._pages:
            lot = [gathered.values() for gathered in self._pages]
            self._pages, self._paged = [], 0
        elif self._flat:
            flat, self._flat = self._flat, []
            width = self._row_width
            lot = [flat[column::width] for column in range(width)]
        else:
            return
        self._lots.append(lot)
        self._waiting += len(lot[0])


def join_rows(lots: list[Rows]) -> Rows:
    """Return several lots of rows, column by column, as one."""
    return [join(parts) for parts in zip(*lots, strict=True)]


def _taker(keys: tuple[str, ...]) -> Any:
    """Return a function that takes the values of keys out of a dictionary, as a tuple, in C."""
    if len(keys) == 1:
        only = keys[0]
        return lambda mapping: (mapping[only],)
    return itemgetter(*keys) if keys else lambda _: ()


def _filled_kind(filled: Sequence[bytes | None], before: Layout | None) -> Filled:
    if filled.count(_EMPTY) == len(filled):
        now = Filled.EMPTY
    elif filled.count(None) == len(filled):
        now = Filled.ABSENT
    else:
        now = Filled.COLUMN
    return now if before is None or before.filled is now else Filled.COLUMN
