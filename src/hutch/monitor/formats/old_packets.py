"""Packets of LArPix's first version, as the later ones name what they hold.

Files of the format's versions 0.0 and 1.0 tell where a packet is from by the key of its chip, as in
``1-2-13``: io group, io channel, chip.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["OLD_NEEDED", "is_old", "renamed"]

_NEW_NAMES = {
    "type": "packet_type",
    "chipid": "chip_id",
    "channel": "channel_id",
    "adc_counts": "dataword",
    "register": "register_address",
    "value": "register_data",
}
_KEPT = ("timestamp", "parity", "valid_parity", "counter", "direction")
OLD_NEEDED = ("chip_key", "type", "chipid", "channel", "timestamp", "adc_counts")
"""Fields without which such a packet says nothing."""


def is_old(dtype: npt.DTypeLike) -> bool:
    """Tell whether packets are of the first version."""
    return set(OLD_NEEDED) <= set(np.dtype(dtype).names or ())


def renamed(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return packets of the first version with the names of the later ones; shape ``(rows,)`` like theirs."""
    names = rows.dtype.names or ()
    keys, which = np.unique(rows["chip_key"], return_inverse=True)
    places = np.array([_place_of(key) for key in keys], dtype="u1").reshape(-1, 2)[which.reshape(-1)]
    fields = {"io_group": places[:, 0], "io_channel": places[:, 1]}
    fields |= {new: rows[old] for old, new in _NEW_NAMES.items() if old in names}
    fields |= {name: rows[name] for name in _KEPT if name in names}
    if {"fifo_half", "fifo_full"} <= set(names):
        # Both flags in one number, as later: 1 is half full, 3 full.
        fields["local_fifo"] = (rows["fifo_half"] > 0) | (3 * (rows["fifo_full"] > 0)).astype("u1")
    found = np.zeros(len(rows), [(name, values.dtype) for name, values in fields.items()])
    for name, values in fields.items():
        found[name] = values
    return found


def _place_of(key: bytes) -> tuple[int, int]:
    """Return io group and io channel of the key of a chip; 0 where it does not tell."""
    parts = key.decode("ascii", "replace").split("-")
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in parts[:2]]
    group, channel, *_ = [*numbers, 0, 0]
    return min(group, 255), min(channel, 255)
