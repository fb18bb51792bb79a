"""Files from anybody: datasets that would have a process read other files, or take all its memory.

Compressed chunks say how large they are unpacked, and plug-ins believe them. So where files are limited,
what a chunk says is compared with the shape of the dataset's chunks, before HDF5 unpacks it.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from hutch.assets.places import FilePlaces
from hutch.errors import ExternalDataError, ForbiddenFileError

__all__ = ["check_chunks", "check_storage"]

_DEFLATE, _FLETCHER32, _LZF, _BLOSC, _LZ4, _BITSHUFFLE, _ZSTANDARD = 1, 3, 32000, 32001, 32004, 32008, 32015
_SHUFFLE, _SZIP, _NBIT, _SCALEOFFSET = 2, 4, 5, 6
_OF_KNOWN_SIZE = {_SHUFFLE, _SZIP, _NBIT, _SCALEOFFSET}
_DEFLATED = 1032
"""A byte of deflate is at most so many bytes unpacked: https://zlib.net/zlib_tech.html."""
_OVERHEAD_BYTES = 2**16


def check_storage(dataset: Any, path: str, places: FilePlaces) -> None:
    """Refuse a dataset whose values are in other files, or whose chunks are very large.

    :raises ExternalDataError: naming it.
    """
    _prepare_filters(dataset)
    if not places.are_limited:
        return
    if dataset.external:
        msg = f"the values of {dataset.name!r} in {path!r} are in another file; no server opens those"
        raise ForbiddenFileError(msg)
    size = _chunk_bytes(dataset)
    if size > places.limit_bytes:
        msg = (
            f"a chunk of {dataset.name!r} in {path!r} has {size:,} bytes, and no server reads chunks above "
            f"{places.limit_bytes:,}"
        )
        raise ExternalDataError(msg)


def check_chunks(dataset: Any, path: str, places: FilePlaces, start: int, stop: int) -> None:
    """Refuse frames in compressed chunks that are more than their shape.

    :raises ExternalDataError: naming them.
    """
    if not places.are_limited or not dataset.chunks:
        return
    codes = [code for code, _ in _filters(dataset)]
    packing = [code for code in codes if code not in {*_OF_KNOWN_SIZE, _FLETCHER32}]
    if not packing:
        return
    unknown = [code for code in packing if code not in _UNPACKED]
    if unknown or len(packing) > 1:
        msg = f"{dataset.name!r} in {path!r} is compressed with filters {codes}; no server unpacks these"
        raise ExternalDataError(msg)
    size = _chunk_bytes(dataset)
    for place in _chunk_places(dataset, start, stop):
        info = dataset.id.get_chunk_info_by_coord(place)
        if info.byte_offset is None:
            continue
        told = 2 * size + _OVERHEAD_BYTES
        if info.size <= told:
            _, packed = dataset.id.read_direct_chunk(place)
            told = _UNPACKED[packing[0]](packed, size, dict(_filters(dataset))[packing[0]])
            if told <= size + _OVERHEAD_BYTES:
                continue
        msg = f"a chunk of {dataset.name!r} in {path!r} says that it is larger unpacked than it can be"
        raise ExternalDataError(msg)


def _prepare_filters(dataset: Any) -> None:
    """Load the compressions of detectors, if HDF5 lacks one that is needed."""
    import h5py

    if all(h5py.h5z.filter_avail(code) for code, _ in _filters(dataset)):
        return
    try:
        import hdf5plugin  # noqa: F401 - loading it adds filters to HDF5
    except ImportError as error:
        from hutch.errors import MissingExtraError

        msg = f"{dataset.name!r} is compressed; install the filters with: pip install 'hutch[files]'"
        raise MissingExtraError(msg) from error


def _filters(dataset: Any) -> list[tuple[int, tuple[int, ...]]]:
    """Return code and values of each filter, in order of writing."""
    properties = dataset.id.get_create_plist()
    found = (properties.get_filter(number) for number in range(properties.get_nfilters()))
    return [(entry[0], entry[2]) for entry in found]


def _chunk_bytes(dataset: Any) -> int:
    return math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0


def _chunk_places(dataset: Any, start: int, stop: int) -> Iterator[tuple[int, ...]]:
    """Yield the first element of each chunk that has some of the frames."""
    first, *others = dataset.chunks
    along = [range(start - start % first, min(stop, dataset.shape[0]), first)]
    along += [range(0, size, step) for size, step in zip(dataset.shape[1:], others, strict=True)]
    return itertools.product(*along)


# what a chunk says of its size in bytes, unpacked


def _deflated(packed: bytes, size: int, _: tuple[int, ...]) -> int:
    if len(packed) * _DEFLATED <= size + _OVERHEAD_BYTES:
        return size
    unpacker = zlib.decompressobj()
    found = len(unpacker.decompress(packed, size + _OVERHEAD_BYTES + 1))
    return found


def _big_endian(packed: bytes, size: int, _: tuple[int, ...]) -> int:
    return int.from_bytes(packed[:8], "big")


def _bitshuffled(packed: bytes, size: int, values: tuple[int, ...]) -> int:
    # The fifth value names what is done after shuffling; nothing if it is missing or 0.
    is_packed = len(values) > 4 and values[4]  # noqa: PLR2004
    return _big_endian(packed, size, values) if is_packed else len(packed)


def _blosc(packed: bytes, size: int, _: tuple[int, ...]) -> int:
    return int.from_bytes(packed[4:8], "little")


def _lzf(packed: bytes, size: int, _: tuple[int, ...]) -> int:
    return size  # at most 264 bytes for 3, so two times a chunk is no bomb


def _zstandard(packed: bytes, size: int, _: tuple[int, ...]) -> int:
    """Return the size of content in a frame's header (RFC 8878, 3.1.1); one that is not told is too large."""
    if len(packed) < 6 or packed[:4] != b"\x28\xb5\x2f\xfd":  # noqa: PLR2004
        return size + 2 * _OVERHEAD_BYTES
    flags = packed[4]
    is_single = flags >> 5 & 1
    width = (1 if is_single else 0, 2, 4, 8)[flags >> 6]
    place = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    if not width:
        return size + 2 * _OVERHEAD_BYTES
    told = int.from_bytes(packed[place : place + width], "little")
    return told + 256 if width == 2 else told  # noqa: PLR2004


_UNPACKED: dict[int, Callable[[bytes, int, tuple[int, ...]], int]] = {
    _DEFLATE: _deflated,
    _LZF: _lzf,
    _BLOSC: _blosc,
    _LZ4: _big_endian,
    _BITSHUFFLE: _bitshuffled,
    _ZSTANDARD: _zstandard,
}
"""By the code of a filter: https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md."""
