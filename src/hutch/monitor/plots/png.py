"""PNG files written quickly: half the time of a general encoder, which picks a filter for each row."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

__all__ = ["encoded"]

_UP = 2
"""The filter of rows: a row is told by what differs from the one above it. Pictures of plots are flat."""


def encoded(pixels: npt.NDArray[np.uint8], dpi: float) -> bytes:
    """Return an image as PNG, as https://www.w3.org/TR/png-3/ describes it.

    :param pixels: shape (rows, columns, 3 or more); red, green, blue, and what is left out.
    """
    rows, columns = pixels.shape[:2]
    whole = np.empty((rows, columns, 3), dtype=np.uint8)
    for color in range(3):  # four times as fast as all three at once
        whole[..., color] = pixels[..., color]
    colors = whole.reshape(rows, -1)
    lines = np.empty((rows, 1 + 3 * columns), dtype=np.uint8)
    lines[:, 0] = _UP
    lines[:1, 1:] = colors[:1]
    np.subtract(colors[1:], colors[:-1], out=lines[1:, 1:])
    per_metre = round(dpi / 0.0254)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)),
        (b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
        (b"IDAT", zlib.compress(lines.data, 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )
