"""Files of LArPix detectors as their readout writes them: packets, raw messages, geometries.

They are written without larpix-control, after its descriptions of the formats: ``larpix.format.hdf5format``
2.4, ``larpix.format.rawhdf5format`` 0.0, ``larpix.format.pacman_msg_format``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

__all__ = [
    "CHANNELS",
    "CONFIGS",
    "MESSAGES",
    "PACKETS",
    "append_packets",
    "append_raw",
    "messages_of",
    "packets",
    "write_geometry",
    "write_packets",
    "write_raw",
]

PACKETS = np.dtype(
    [
        *((name, "u1") for name in ("io_group", "io_channel", "chip_id", "packet_type", "downstream_marker")),
        *((name, "u1") for name in ("parity", "valid_parity", "channel_id")),
        ("timestamp", "<u8"),
        *((name, "u1") for name in ("dataword", "trigger_type", "local_fifo", "shared_fifo")),
        *((name, "u1") for name in ("register_address", "register_data", "direction", "local_fifo_events")),
        ("shared_fifo_events", "<u2"),
        ("counter", "<u4"),
        ("fifo_diagnostics_enabled", "u1"),
        ("first_packet", "u1"),
        ("receipt_timestamp", "<u4"),
    ]
)
"""A row of ``packets`` in version 2.4: 22 fields, 36 bytes."""

MESSAGES = np.dtype([("message", "S64"), ("timestamp", "<u8"), ("index", "<u4")])
CONFIGS = np.dtype(
    [
        ("timestamp", "<u8"),
        ("io_group", "u1"),
        ("io_channel", "u1"),
        ("chip_id", "u1"),
        ("registers", "u1", 239),
    ]
)

CHANNELS = (*range(6), *range(10, 22), *range(26, 38), *range(41, 54), *range(58, 64))
"""The 49 channels of a chip that have a pixel."""

_DATA, _CONFIG_READ, _TIMESTAMP, _SYNC, _TRIGGER = 0, 3, 4, 6, 7
_CLOCK_HZ = 10_000_000
_START = 1_700_000_000
"""When the first packets were taken, s since 1970."""


def packets(
    count: int,
    seed: int = 0,
    *,
    start_s: int = _START,
    per_message: int = 20,
    messages_per_second: int = 40,
    io_groups: Sequence[int] = (1, 2),
    tiles: Sequence[int] = tuple(range(1, 9)),
) -> np.ndarray:
    """Return packets in the order of a file: messages, each of a timestamp and what arrived by then.

    Most are data; each second begins with a sync of each io_group, now and then there are a trigger and a
    chip's answer about a register. Each pixel has a baseline of its own, a few are noisy.

    :param count: how many, shape ``(count,)``.
    :param per_message: data packets of a message.
    :param tiles: which have io_channels; tile *t* has ``4 t - 3`` to ``4 t``.
    """
    rng = np.random.default_rng(seed)
    groups: list[np.ndarray] = []
    made = number = 0
    while made < count:
        second, within = divmod(number, messages_per_second)
        group = io_groups[number % len(io_groups)]
        some = _message(rng, start_s + second, group, per_message, tiles)
        if within < len(io_groups):
            some = np.concatenate([some, _clock_row(_SYNC, group, _CLOCK_HZ, ord("S"))])
        if rng.random() < 0.1:  # noqa: PLR2004
            some = np.concatenate([some, _clock_row(_TRIGGER, group, int(rng.integers(_CLOCK_HZ)), 2)])
        groups.append(some)
        made += len(some)
        number += 1
    return np.concatenate(groups)[:count] if groups else np.zeros(0, PACKETS)


def _message(
    rng: np.random.Generator, second: int, io_group: int, count: int, tiles: Sequence[int]
) -> np.ndarray:
    """Return the rows of one message: its timestamp, then packets of chips."""
    tile = rng.choice(np.asarray(tiles, "u8"), count)
    quarter = rng.integers(0, 4, count, dtype="u8")
    chip = 11 + 25 * quarter + rng.integers(0, 25, count, dtype="u8")
    channel = rng.choice(np.array(CHANNELS, "u8"), count)
    clock = rng.integers(0, _CLOCK_HZ, count, dtype="u8")
    baseline = 50 + (chip * 7 + channel * 3) % 20
    spread = np.where((chip + channel) % 97 == 0, 12, 2)
    adc = np.clip(np.rint(rng.normal(baseline, spread)), 0, 255).astype("u8")
    fifo = rng.choice(np.array([0, 1, 3], "u8"), (2, count), p=(0.97, 0.02, 0.01))
    trigger = rng.choice(np.array([0, 1, 2, 3], "u8"), count, p=(0.9, 0.04, 0.03, 0.03))
    word = chip << 2 | channel << 10 | clock << 16 | 1 << 47 | adc << 48
    word |= trigger << 56 | fifo[0] << 58 | fifo[1] << 60 | 1 << 62
    answers = rng.random(count) < 0.01  # noqa: PLR2004
    register = rng.integers(0, 256, (2, count), dtype="u8")
    word[answers] = (_CONFIG_READ | chip << 2 | register[0] << 10 | register[1] << 18 | 1 << 62)[answers]
    ones = np.unpackbits(word.view("u1").reshape(-1, 8), axis=1).sum(axis=1, dtype="u8")
    wrong = rng.random(count) < 0.002  # noqa: PLR2004
    word |= ((1 - ones % 2) ^ wrong) << 63
    rows = _rows_of_words(word)
    rows["io_group"] = io_group
    rows["io_channel"] = 4 * (tile - 1) + quarter + 1
    rows["receipt_timestamp"] = clock + 300
    return np.concatenate([_clock_row(_TIMESTAMP, io_group, second, 0), rows])


def _rows_of_words(word: np.ndarray) -> np.ndarray:
    """Return what the words of chips say: each field is some of the 64 bits, from the lowest on."""
    rows = np.zeros(len(word), PACKETS)
    bits = {
        "packet_type": (0, 2),
        "chip_id": (2, 10),
        "channel_id": (10, 16),
        "register_address": (10, 18),
        "register_data": (18, 26),
        "timestamp": (16, 47),
        "first_packet": (47, 48),
        "dataword": (48, 56),
        "trigger_type": (56, 58),
        "local_fifo": (58, 60),
        "shared_fifo": (60, 62),
        "downstream_marker": (62, 63),
        "parity": (63, 64),
    }
    for name, (low, high) in bits.items():
        rows[name] = word >> np.uint64(low) & np.uint64((1 << high - low) - 1)
    ones = np.unpackbits(word.view("u1").reshape(-1, 8), axis=1).sum(axis=1)
    rows["valid_parity"] = ones % 2
    return rows


def _clock_row(packet_type: int, io_group: int, timestamp: int, trigger_type: int) -> np.ndarray:
    row = np.zeros(1, PACKETS)
    row["packet_type"], row["io_group"] = packet_type, io_group
    row["timestamp"], row["trigger_type"] = timestamp, trigger_type
    return row


def write_packets(
    path: Path | str,
    rows: np.ndarray,
    *,
    version: str = "2.4",
    chunks: int = 256,
    compression: str | None = None,
    libver: str | None = None,
    swmr: bool = False,
    created: float = _START,
) -> h5py.File | None:
    """Write a file of packets.

    :param rows: of any dtype: what the version says may be wrong.
    :param created: when, as its header says, in s since 1970.
    :param swmr: returns the file, still open, as a writer of SWMR has it; it is closed otherwise.
    """
    file = h5py.File(path, "w", libver="latest" if swmr else libver)
    header = file.create_group("_header")
    header.attrs["version"] = version
    header.attrs["created"] = header.attrs["modified"] = float(created)
    options: dict[str, Any] = {"maxshape": (None,), "chunks": (chunks,), "compression": compression}
    file.create_dataset("packets", data=rows, **options)
    file.create_dataset("messages", (0,), MESSAGES, maxshape=(None,))
    file.create_dataset("configs", (0,), CONFIGS, maxshape=(None,))
    if swmr:
        file.swmr_mode = True
        return file
    file.close()
    return None


def append_packets(file: Path | str | h5py.File, rows: np.ndarray) -> None:
    """Add packets to a file, or to one that is open for writing, which is flushed."""
    if not isinstance(file, h5py.File):
        with h5py.File(file, "a") as opened:
            append_packets(opened, rows)
        return
    dataset = file["packets"]
    there = len(dataset)
    dataset.resize(there + len(rows), axis=0)
    dataset[there:] = rows
    dataset.flush()
    file.flush()


def messages_of(rows: np.ndarray) -> tuple[list[bytes], list[int]]:
    """Return the PACMAN messages that rows came in, and the io_group of each.

    A message begins with each row that is a timestamp; so must the first.
    """
    starts = np.flatnonzero(rows["packet_type"] == _TIMESTAMP)
    assert not len(rows) or (len(starts) and not starts[0])
    parts = np.split(rows, starts[1:]) if len(rows) else []
    return [_message_of(part) for part in parts], [int(part["io_group"][0]) for part in parts]


def _message_of(rows: np.ndarray) -> bytes:
    """Return a header of 8 bytes, and a word of 16 for each row but the first, which is the header's."""
    words = b"".join(map(_word_of, rows[1:]))
    head = (
        b"D" + int(rows["timestamp"][0]).to_bytes(4, "little") + b"\0" + (len(rows) - 1).to_bytes(2, "little")
    )
    return head + words


def _word_of(row: np.void) -> bytes:
    kind = int(row["packet_type"])
    stamp = int(row["timestamp"])
    if kind == _SYNC:
        return (
            b"S" + bytes([row["trigger_type"], row["dataword"], 0]) + stamp.to_bytes(4, "little") + bytes(8)
        )
    if kind == _TRIGGER:
        return b"T" + bytes([row["trigger_type"], 0, 0]) + stamp.to_bytes(4, "little") + bytes(8)
    word = kind | int(row["chip_id"]) << 2 | int(row["channel_id"]) << 10 | stamp << 16
    word |= int(row["first_packet"]) << 47 | int(row["dataword"]) << 48 | int(row["trigger_type"]) << 56
    word |= int(row["local_fifo"]) << 58 | int(row["shared_fifo"]) << 60
    word |= int(row["downstream_marker"]) << 62 | int(row["parity"]) << 63
    received = int(row["receipt_timestamp"]).to_bytes(4, "little")
    return b"D" + bytes([row["io_channel"]]) + received + b"\0\0" + word.to_bytes(8, "little")


def write_raw(
    path: Path | str, rows: np.ndarray, *, chunks: int = 64, swmr: bool = False
) -> h5py.File | None:
    """Write a file of raw messages that hold packets.

    :param swmr: returns the file, still open, as a writer of SWMR has it; it is closed otherwise.
    """
    file = h5py.File(path, "w", libver="latest")
    meta = file.create_group("meta")
    meta.attrs["version"] = "0.0"
    meta.attrs["created"] = meta.attrs["modified"] = float(_START)
    options: dict[str, Any] = {"maxshape": (None,), "chunks": (chunks,), "compression": "gzip"}
    file.create_dataset("msgs", (0,), h5py.vlen_dtype(np.dtype("u1")), **options)
    file.create_dataset("msg_headers", (0,), np.dtype([("io_groups", "u1")]), **options)
    append_raw(file, *messages_of(rows))
    if swmr:
        file.swmr_mode = True
        return file
    file.close()
    return None


def append_raw(file: Path | str | h5py.File, messages: Sequence[bytes], io_groups: Sequence[int]) -> None:
    """Add messages to a file, or to one that is open for writing, which is flushed.

    :param io_groups: of each message; fewer than messages leaves the file as it is between two writes.
    """
    if not isinstance(file, h5py.File):
        with h5py.File(file, "a", libver="latest") as opened:
            append_raw(opened, messages, io_groups)
        return
    there, heads = len(file["msgs"]), len(file["msg_headers"])
    if messages:
        file["msgs"].resize((there + len(messages),))
        values = np.empty(len(messages), file["msgs"].dtype)
        for number, message in enumerate(messages):
            values[number] = np.frombuffer(message, "u1")
        where = file["msgs"].id.get_space()
        where.select_hyperslab((there,), (len(messages),))
        # Indexing would take messages of one length for a table.
        file["msgs"].id.write(h5py.h5s.create_simple((len(messages),)), where, values)
    if io_groups:
        file["msg_headers"].resize((heads + len(io_groups),))
        file["msg_headers"][heads:] = np.array([(group,) for group in io_groups], [("io_groups", "u1")])
    file.flush()


def write_geometry(path: Path | str, kind: Literal["single", "multi"] = "single") -> None:
    """Write a geometry: 100 chips of a tile, 49 pixels each, 4.434 mm apart; multi: 16 such tiles.

    Chip *c* is at ``divmod(c - 11, 10)`` of a tile's 10 by 10; its pixels are 7 by 7.
    """
    pitch, chips = 4.434, range(11, 111)
    place = {
        (chip, channel): (7 * ((chip - 11) % 10) + number % 7, 7 * ((chip - 11) // 10) + number // 7)
        for chip in chips
        for number, channel in enumerate(CHANNELS)
    }
    if kind == "single":
        Path(path).write_text(_single(place, pitch))
        return
    io = {
        tile: {chip: 1000 * (1 + (tile > 8)) + 4 * ((tile - 1) % 8) + 1 + (chip - 11) // 25 for chip in chips}  # noqa: PLR2004
        for tile in range(1, 17)
    }
    side = 70 * pitch
    index = {tile: [1 + (tile - 1) // 8, 1 + (tile - 1) % 8] for tile in io}
    positions = {
        tile: [
            (-304.31, 304.31)[anode - 1],
            (1.5 - (n - 1) // 2) * side,
            (n % 2 - 0.5) * side * (2 * anode - 3),
        ]
        for tile, (anode, n) in index.items()
    }
    orientations = {
        tile: [1, 1 - 2 * (n % 2), 2 * (n % 2) - 1] if anode == 1 else [-1, 1 - 2 * (n % 2), 1 - 2 * (n % 2)]
        for tile, (anode, n) in index.items()
    }
    parts = {
        "chip_channel_to_position": {chip * 1000 + channel: [*xy] for (chip, channel), xy in place.items()},
        "multitile_layout_version": "2.4.16",
        "pixel_pitch": pitch,
        "tile_chip_to_io": io,
        "tile_indeces": index,
        "tile_layout_version": "2.4.0",
        "tile_orientations": orientations,
        "tile_positions": positions,
        "tpc_centers": {1: [0, 0, 0], 2: [0, 0, 0]},
    }
    Path(path).write_text("".join(f"{name}: {value!r}\n" for name, value in parts.items()))


def _single(place: dict[tuple[int, int], tuple[int, int]], pitch: float) -> str:
    side = 70 * pitch
    numbers = {at: number for number, at in enumerate((x, y) for y in range(70) for x in range(70))}
    chips = [
        [chip, [numbers[place[chip, channel]] if channel in CHANNELS else None for channel in range(64)]]
        for chip in range(11, 111)
    ]
    pixels = [
        [number, round((x + 0.5) * pitch - side / 2, 3), round((y + 0.5) * pitch - side / 2, 3), [], []]
        for (x, y), number in numbers.items()
    ]
    parts = {"chips": chips, "height": side, "pixels": pixels, "width": side, "x": -side / 2, "y": -side / 2}
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in parts.items())
