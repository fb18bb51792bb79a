"""What the plots of LArPix packets share: each batch is tallied once, however many plots look at it.

A packet has no time of day of its own. It came in the second of the last timestamp packet before it in the
file, whichever io group that is from; packets before the first timestamp packet of a batch are tallied
apart, until what precedes the batch is known.

Packet types, fields and flags are those of ``larpix.format.hdf5format`` 2.4. Both fifo flags have two bits:
1 says that the fifo is more than half full, 2 that it is full, so that 0, 1 and 3 occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.plots.geometry import CHANNELS, CHIPS, tile_of

__all__ = [
    "DATA",
    "ELSEWHERE",
    "MOST_BINS",
    "SYNC",
    "SYNC_OF_PPS",
    "TIMESTAMP",
    "TRIGGER",
    "TYPES",
    "ChannelSums",
    "Moments",
    "Tally",
    "chip_code",
    "coarsest",
    "column",
    "data_columns",
    "moments",
    "packet_types",
    "sum_channels",
    "tally",
]

Ints = npt.NDArray[np.int64]

TYPES: Final = ("data", "test", "config write", "config read", "timestamp", "message", "sync", "trigger")
"""What the numbers of packet types mean."""
DATA, TIMESTAMP, SYNC, TRIGGER = 0, 4, 6, 7
SYNC_OF_PPS: Final = ord("S")
"""``trigger_type`` of the sync packets that one pulse a second makes."""

MOST_BINS = 512
"""How many bins of time are kept; there are fewer and wider ones before there are more."""
ELSEWHERE = 16
"""The column of data of tiles that are not 1-1 … 1-8, 2-1 … 2-8."""
_LATEST_S = 1 << 33
"""Timestamps beyond the year 2242 tell no time, nor does 0."""
_MOST_AT_ONCE = 1 << 20
"""Rows; sums of as many 8-bit numbers and their number fit into one float64 exactly."""
_IN_CACHE = 1 << 14
"""Rows that are gone through at once."""
_OF_DATA = (
    "io_group",
    "io_channel",
    "chip_id",
    "channel_id",
    "dataword",
    "valid_parity",
    "local_fifo",
    "shared_fifo",
)
_DEFAULTS = {"valid_parity": 1}
_COUNT_BIT = 30
_WIDE = 1 << 12
"""Numbers whose square times ``_MOST_AT_ONCE`` is no exact float64 any more are none of an ADC."""


def column(batch: Batch, name: str, default: int = 0) -> npt.NDArray[Any]:
    """Return a column in one piece; older versions of the format lack some, which are then all alike."""
    if name not in batch:
        return np.full(len(batch), default, dtype=np.uint8)
    return np.ascontiguousarray(batch[name])


@dataclass(frozen=True, slots=True)
class DataColumns:
    """The data packets of a batch.

    :ivar rows: which rows of the batch they are.
    :ivar address: io group and io channel, ``io_group * 256 + io_channel``; uint16.
    """

    rows: npt.NDArray[np.intp]
    address: npt.NDArray[np.uint16]
    chip: npt.NDArray[Any]
    channel: npt.NDArray[Any]
    adc: npt.NDArray[Any]
    has_wrong_parity: npt.NDArray[np.bool_]
    local_fifo: npt.NDArray[Any]
    shared_fifo: npt.NDArray[Any]


def packet_types(batch: Batch) -> npt.NDArray[Any]:
    """Return the type of each packet; the first version of the format calls the column ``type``."""
    return column(batch, "packet_type" if "packet_type" in batch else "type")


def data_columns(batch: Batch) -> DataColumns:
    """Return what the plots need of data packets."""
    types = batch.once(packet_types)
    rows = np.flatnonzero(types == DATA)
    wanted = {name: _DEFAULTS.get(name, 0) for name in _OF_DATA}
    given = {name: batch[name] for name in wanted if name in batch}
    found = {
        name: np.empty(len(rows), given[name].dtype)
        if name in given
        else np.full(len(rows), default, dtype=np.uint8)
        for name, default in wanted.items()
    }
    borders = range(0, len(types) + _IN_CACHE, _IN_CACHE)
    cuts = np.searchsorted(rows, borders)
    for start, low, high in zip(borders, cuts[:-1], cuts[1:], strict=False):
        # A row is 36 bytes: what is fetched for one column is still there for the next.
        some = rows[low:high] - start
        for name, whole in given.items():
            found[name][low:high] = whole[start : start + _IN_CACHE][some]
    address: npt.NDArray[np.uint16] = np.left_shift(found["io_group"], 8, dtype=np.uint16)
    address |= found["io_channel"].astype(np.uint16)
    return DataColumns(
        rows,
        address,
        found["chip_id"],
        found["channel_id"],
        found["dataword"],
        found["valid_parity"] == 0,
        found["local_fifo"],
        found["shared_fifo"],
    )


# time


@dataclass(frozen=True, slots=True)
class Moments:
    """When the packets of a batch came, in bins of ``2**exponent`` s that begin at multiples of that.

    :ivar bins: numbers of the bins that timestamp packets fall into, growing: Unix time divided by width.
    :ivar slots: of each packet 0 if no timestamp packet precedes it, else 1 + index of its bin.
    :ivar first: the earliest timestamp, Unix s; -1 if there is none.
    :ivar last: that of the last timestamp packet.
    :ivar latest: the latest of all.
    """

    exponent: int
    bins: Ints
    slots: Ints
    first: int
    last: int
    latest: int


def coarsest(numbers: Ints, exponent: int, most: int) -> tuple[int, Ints]:
    """Return the least widening of bins at which few enough are occupied, and their numbers.

    :param numbers: of bins that are ``2**exponent`` wide, growing.
    """
    while len(numbers) > most:
        exponent += 1
        numbers = np.unique(numbers >> 1)
    return exponent, numbers


def moments(batch: Batch) -> Moments:
    """Return when the packets of a batch came."""
    rows = np.flatnonzero(batch.once(packet_types) == TIMESTAMP)
    raw = batch["timestamp"][rows]
    is_good = (raw > 0) & (raw < _LATEST_S)
    rows, seconds = rows[is_good], raw[is_good].astype(np.int64)
    if not len(rows):
        none = np.zeros(0, dtype=np.int64)
        return Moments(0, none, np.zeros(len(batch), dtype=np.int64), -1, -1, -1)
    distinct, index = np.unique(seconds, return_inverse=True)
    exponent, bins = coarsest(distinct, 0, MOST_BINS)
    if exponent:
        index = np.searchsorted(bins, distinct >> exponent)[index]
    until = np.diff(rows, prepend=0, append=len(batch))
    slots = np.repeat(np.concatenate([[0], index + 1]), until)
    return Moments(exponent, bins, slots, int(distinct[0]), int(seconds[-1]), int(distinct[-1]))


@dataclass(frozen=True, slots=True)
class Tally:
    """How many packets came when; the first row is of those before the first timestamp packet.

    :ivar moments: what the other rows are.
    :ivar by_type: int64, shape (bins + 1, 10): a column for each of the eight types, one for others, one for
        packets of chips (types 0 to 3) with wrong parity.
    :ivar by_flags: data packets; int64, shape (bins + 1, 17 tiles, 4 local fifo, 4 shared fifo, 2 parity).
    """

    moments: Moments
    by_type: Ints
    by_flags: Ints


def tally(batch: Batch) -> Tally:
    """Return how many packets of each kind came when."""
    when, types = batch.once(moments), batch.once(packet_types)
    data = batch.once(data_columns)
    size = len(when.bins) + 1
    slots = when.slots
    is_bad = (types < TIMESTAMP) & (column(batch, "valid_parity", 1) == 0)
    kinds = slots << 4
    kinds += np.minimum(types, len(TYPES))
    by_type = np.bincount(kinds, minlength=size * 16).reshape(size, 16)[:, : len(TYPES) + 2].copy()
    by_type[:, -1] = np.bincount(slots[is_bad], minlength=size)
    flags = _TILE_COLUMN[data.address]
    flags <<= 2
    flags |= data.local_fifo & 3
    flags <<= 2
    flags |= data.shared_fifo & 3
    flags <<= 1
    flags |= data.has_wrong_parity
    code = slots[data.rows] << 10
    code += flags
    by_flags = np.bincount(code, minlength=size << 10).reshape(size, 32, 4, 4, 2)[:, : ELSEWHERE + 1]
    return Tally(when, by_type, by_flags)


def _tile_columns() -> npt.NDArray[np.uint16]:
    columns = np.full(1 << 16, ELSEWHERE, dtype=np.uint16)
    for group in (1, 2):
        for io_channel in range(1, 33):
            columns[group << 8 | io_channel] = 8 * (group - 1) + tile_of(io_channel) - 1
    return columns


_TILE_COLUMN = _tile_columns()


# channels


@dataclass(frozen=True, slots=True)
class ChannelSums:
    """Data packets by channel, of the chips that any came from.

    :ivar chips: codes of chips, growing: see :func:`chip_code`.
    :ivar count: how many packets; int64, shape (chips, 64), like the next two.
    :ivar total: the sum of their ADC counts.
    :ivar squares: the sum of the squares of their ADC counts.
    """

    chips: Ints
    count: Ints
    total: Ints
    squares: Ints


def chip_code(io_group: int, tile: int, chip: int) -> int:
    """Return the number by which a chip is known: ``io_group << 16 | tile << 8 | chip``."""
    return io_group << 16 | tile << 8 | chip


def sum_channels(batch: Batch) -> ChannelSums:
    """Return counts and sums of the data packets of each channel, whatever their parity."""
    data = batch.once(data_columns)
    address, chip, channel, adc = data.address, data.chip, data.channel, data.adc
    if len(channel) and channel.max() >= CHANNELS:
        is_good = channel < CHANNELS
        address, chip, channel, adc = address[is_good], chip[is_good], channel[is_good], adc[is_good]
    seen = np.flatnonzero(np.bincount(address, minlength=1 << 16))
    tiles, place = np.unique(_TILE_CODE[seen], return_inverse=True)
    slot = np.zeros(1 << 16, dtype=np.intp)
    slot[seen] = place * CHIPS
    dense = slot[address]
    dense += chip
    known = np.flatnonzero(np.bincount(dense, minlength=len(tiles) * CHIPS))
    number = np.zeros(len(tiles) * CHIPS, dtype=np.intp)
    number[known] = np.arange(len(known)) * CHANNELS
    key = number[dense]
    key += channel
    count, total, squares = _summed(key, adc, len(known) * CHANNELS)
    chips = (tiles[known // CHIPS] << 8) + known % CHIPS
    shape = (len(known), CHANNELS)
    return ChannelSums(chips, count.reshape(shape), total.reshape(shape), squares.reshape(shape))


def _summed(key: npt.NDArray[np.intp], adc: npt.NDArray[Any], size: int) -> tuple[Ints, Ints, Ints]:
    """Return count, sum and sum of squares by key, exactly."""
    count, total, squares = (np.zeros(size, dtype=np.int64) for _ in range(3))
    adc = np.minimum(adc, _WIDE - 1) if adc.dtype.itemsize > 1 else adc
    for start in range(0, len(key), _MOST_AT_ONCE):
        keys, some = key[start : start + _MOST_AT_ONCE], adc[start : start + _MOST_AT_ONCE]
        if some.dtype.itemsize > 1:
            count += np.bincount(keys, minlength=size)
            total += np.bincount(keys, some, size).astype(np.int64)
            squares += np.bincount(keys, some.astype(float) ** 2, size).astype(np.int64)
            continue
        # Count and sum go through one pass: 20 bits of the one above 28 of the other, exact in a float64.
        both = np.bincount(keys, _COUNT_AND_VALUE[some], size).astype(np.int64)
        count += both >> _COUNT_BIT
        total += both & ((1 << _COUNT_BIT) - 1)
        squares += np.bincount(keys, _SQUARE[some], size).astype(np.int64)
    return count, total, squares


def _tile_codes() -> Ints:
    address = np.arange(1 << 16)
    return cast("Ints", (address >> 8) << 8 | ((address & 255) + 3) // 4)


_TILE_CODE = _tile_codes()
_COUNT_AND_VALUE = np.arange(256, dtype=float) + (1 << _COUNT_BIT)
_SQUARE = np.arange(256, dtype=float) ** 2
