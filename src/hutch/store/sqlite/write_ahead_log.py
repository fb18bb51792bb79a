"""A look at SQLite's write-ahead log, whose format is documented: https://sqlite.org/fileformat2.html#walformat.

The file is never shorter than it once was; what is in use of it are frames with the salt of its header.
"""

from __future__ import annotations

import os

__all__ = ["has_frames"]

_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24


def has_frames(descriptor: int, count: int) -> bool:
    """Tell whether an open log has at least so many pages in it.

    :param count: 1 or more.
    """
    header = os.pread(descriptor, _HEADER_BYTES, 0)
    page_bytes = int.from_bytes(header[8:12], "big")
    place = _HEADER_BYTES + (count - 1) * (_FRAME_HEADER_BYTES + page_bytes)
    frame = os.pread(descriptor, _FRAME_HEADER_BYTES, place)
    return len(frame) == _FRAME_HEADER_BYTES and frame[8:16] == header[16:24]
