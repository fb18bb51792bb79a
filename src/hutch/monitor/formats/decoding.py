"""From the messages of a PACMAN, LArPix's readout, to packets; all messages at once.

A message is a header of 8 bytes and words of 16, little-endian throughout, after ``pacman_msg_format`` and
``packet_v2`` of larpix-control 3.7:

======  =======================================================================================
header  0 kind (``D`` data, ``?`` request, ``!`` reply), 1-4 time (s since 1970), 6-7 words
data    0 ``D``, 1 io_channel, 2-5 receipt timestamp, 8-15 the chip's 64 bits
trigger 0 ``T``, 1 trigger bits, 4-7 timestamp
sync    0 ``S``, 1 kind of sync, 2 clock source (its lowest bit), 4-7 timestamp
======  =======================================================================================

Requests and replies carry the chip's bits as data do, without a receipt timestamp, and words about the
PACMAN itself, which are no packets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PACKETS", "SYNC", "TIMESTAMP", "TRIGGER", "Bytes", "decode", "find_bad"]

PACKETS = np.dtype(
    [
        ("io_group", "u1"),
        ("io_channel", "u1"),
        ("chip_id", "u1"),
        ("packet_type", "u1"),
        ("downstream_marker", "u1"),
        ("parity", "u1"),
        ("valid_parity", "u1"),
        ("channel_id", "u1"),
        ("timestamp", "<u8"),
        ("dataword", "u1"),
        ("trigger_type", "u1"),
        ("local_fifo", "u1"),
        ("shared_fifo", "u1"),
        ("register_address", "u1"),
        ("register_data", "u1"),
        ("direction", "u1"),
        ("local_fifo_events", "u1"),
        ("shared_fifo_events", "<u2"),
        ("counter", "<u4"),
        ("fifo_diagnostics_enabled", "u1"),
        ("first_packet", "u1"),
        ("receipt_timestamp", "<u4"),
    ]
)
"""A packet in version 2.4 of LArPix's HDF5 files: 22 fields, 36 bytes."""

TIMESTAMP, SYNC, TRIGGER = 4, 6, 7
"""Packet types of what is no chip's."""

_UNIT = 8
"""Bytes of a header; a word has two such units."""
_WORDS: Mapping[bytes, bytes] = MappingProxyType({b"D": b"DTS", b"?": b"DPWR", b"!": b"DPWRE"})
"""What begins the words of each kind of message."""
_CHIP_BITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "packet_type": (0, 2),
        "chip_id": (2, 8),
        "channel_id": (10, 6),
        "register_address": (10, 8),
        "register_data": (18, 8),
        "timestamp": (16, 31),
        "first_packet": (47, 1),
        "dataword": (48, 8),
        "trigger_type": (56, 2),
        "local_fifo": (58, 2),
        "shared_fifo": (60, 2),
        "downstream_marker": (62, 1),
        "parity": (63, 1),
    }
)
"""The lowest bit of each field of a chip's 64, and how many it has."""

Bytes = npt.NDArray[np.uint8]
_Units = npt.NDArray[np.uint64]


def _known_words() -> npt.NDArray[np.bool_]:
    """Return which words there are in which messages: by the first byte of each."""
    found = np.zeros((256, 256), bool)
    for kind, words in _WORDS.items():
        found[kind[0], list(words)] = True
    return found


_KNOWN_WORDS = _known_words()
_KNOWN_KINDS: npt.NDArray[np.bool_] = np.any(_KNOWN_WORDS, axis=1)


def find_bad(messages: Sequence[Bytes]) -> npt.NDArray[np.bool_]:
    """Return which messages cannot be decoded: those that are cut short, or hold something unknown.

    The number of words that a header names counts for nothing, as for larpix-control: its readers take
    what there is.
    """
    lengths = np.fromiter(map(len, messages), np.intp, len(messages))
    bad: npt.NDArray[np.bool_] = (lengths < _UNIT) | (lengths % (2 * _UNIT) != _UNIT)
    whole: npt.NDArray[np.intp] = np.flatnonzero(~bad)
    if not len(whole):
        return bad
    headers, words, owners = _units([messages[number] for number in whole.tolist()])
    kinds = (headers & 0xFF).astype(np.intp)
    unknown = ~_KNOWN_KINDS[kinds]
    strange = ~_KNOWN_WORDS[kinds[owners], (words[:, 0] & 0xFF).astype(np.intp)]
    unknown[owners[strange]] = True
    bad[whole[unknown]] = True
    return bad


def decode(messages: Sequence[Bytes], io_groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the packets in messages: of each its time, then what its words hold.

    :param messages: none of which :func:`find_bad` finds; shape (bytes,), uint8.
    :param io_groups: of each message.
    :returns: dtype :data:`PACKETS`.
    """
    if not len(messages):
        return np.zeros(0, PACKETS)
    headers, words, owners = _units(messages)
    # A row for each header, and one for each word behind it.
    at_word = np.arange(len(words)) + owners + 1
    rows = len(headers) + len(words)
    is_word = np.zeros(rows, bool)
    is_word[at_word] = True
    at_header = np.flatnonzero(~is_word)

    kind = (words[:, 0] & 0xFF).astype(np.uint8)
    is_chip = kind == ord("D")
    chip = np.zeros(rows, np.uint64)
    chip[at_word] = np.where(is_chip, words[:, 1], 0)
    found = np.zeros(rows, PACKETS)
    for name, (low, bits) in _CHIP_BITS.items():
        found[name] = (chip >> np.uint64(low)) & np.uint64((1 << bits) - 1)
    found["valid_parity"] = _odd_ones(chip)

    groups = np.asarray(io_groups, np.uint8)
    found["io_group"][at_header] = groups
    found["io_group"][at_word] = groups[owners]
    found["packet_type"][at_header] = TIMESTAMP
    found["timestamp"][at_header] = (headers >> np.uint64(8)) & np.uint64(0xFFFFFFFF)
    _fill_chips(found, at_word[is_chip], words[is_chip, 0], (headers & 0xFF)[owners[is_chip]] == ord("D"))
    for letter, packet_type in ((b"S", SYNC), (b"T", TRIGGER)):
        chosen = kind == letter[0]
        _fill_clocks(found, at_word[chosen], words[chosen, 0], packet_type)
    others = at_word[~np.isin(kind, list(b"DST"))]
    return np.delete(found, others) if len(others) else found


def _units(messages: Sequence[Bytes]) -> tuple[_Units, _Units, npt.NDArray[np.intp]]:
    """Return headers, the two halves of each word, and the message that each word is in."""
    lengths = np.fromiter(map(len, messages), np.intp, len(messages)) // _UNIT
    units = np.concatenate(list(messages)).astype(np.uint8, copy=False).view("<u8")
    starts = np.cumsum(lengths) - lengths
    is_header = np.zeros(len(units), bool)
    is_header[starts] = True
    owners = np.repeat(np.arange(len(messages)), (lengths - 1) // 2)
    return units[is_header], units[~is_header].reshape(-1, 2), owners


def _odd_ones(chip: _Units) -> npt.NDArray[np.uint8]:
    """Return whether the number of ones is odd, as it is in what a chip sends."""
    found = chip ^ (chip >> np.uint64(32))
    for shift in (16, 8, 4, 2, 1):
        found = found ^ (found >> np.uint64(shift))
    return (found & np.uint64(1)).astype(np.uint8)


def _fill_chips(
    found: npt.NDArray[Any], rows: npt.NDArray[np.intp], halves: _Units, are_data: npt.NDArray[np.bool_]
) -> None:
    """Fill in what the first half of a word says of a chip's packet."""
    found["io_channel"][rows] = (halves >> np.uint64(8)) & np.uint64(0xFF)
    received = (halves >> np.uint64(16)) & np.uint64(0xFFFFFFFF)
    found["receipt_timestamp"][rows] = np.where(are_data, received, 0)


def _fill_clocks(
    found: npt.NDArray[Any], rows: npt.NDArray[np.intp], halves: _Units, packet_type: int
) -> None:
    """Fill in triggers or syncs."""
    found["packet_type"][rows] = packet_type
    found["trigger_type"][rows] = (halves >> np.uint64(8)) & np.uint64(0xFF)
    found["timestamp"][rows] = halves >> np.uint64(32)
    if packet_type == SYNC:
        found["dataword"][rows] = (halves >> np.uint64(16)) & np.uint64(1)
