"""LArPix packets: one row of the dataset ``packets`` for each, after ``larpix.format.hdf5format``.

What is there is told by the dataset's dtype. The version in ``_header`` is not asked: files are about that
say another one than they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hutch.errors import UnknownFormatError
from hutch.monitor.batch import Batch
from hutch.monitor.formats.files import FileSource
from hutch.monitor.formats.old_packets import is_old, renamed
from hutch.monitor.sources import Source, SourceSpec

__all__ = ["NEEDED", "Packets", "PacketsSource", "attributes", "write_packets"]

NEEDED = ("io_group", "io_channel", "chip_id", "packet_type", "channel_id", "timestamp", "dataword")
"""Fields that are in every version since 2.0, and without which a packet says nothing; those of the versions
before are called so, too."""

_ROWS = "packets"
_FIRST_ROWS = "raw_packet"
"""What the dataset was called in version 0.0 of the format."""
_HEADER = "_header"
_BESIDE = ("messages", "configs")
"""Datasets that come with the packets, and are small."""
_MOST_BESIDE = 20_000
"""As many rows of them are kept, the last."""


class PacketsSource(FileSource):
    """The packets of a file.

    Facts of its batches: the attributes of the file's header (``version``, ``created``, ``modified``), and
    the rows of ``messages`` and ``configs``, where they are there.
    """

    def __init__(self, spec: SourceSpec) -> None:
        super().__init__(spec)
        self._beside: dict[str, npt.NDArray[Any]] = {}

    def check(self, file: Any) -> None:
        """Refuse a file whose packets lack what is read."""
        rows = _rows_of(file)
        names = getattr(getattr(rows, "dtype", None), "names", None) or ()
        if names and is_old(rows.dtype):
            names = (*names, *NEEDED)
        missing = [name for name in NEEDED if name not in names]
        if missing:
            has = ", ".join(names) or "no fields"
            msg = (
                f"the dataset 'packets' of {self.spec.address!r} has no {', '.join(missing)}; it has {has}. "
                "A plug-in of hutch.formats can read others"
            )
            raise UnknownFormatError(msg)
        if len(rows.shape) != 1:
            msg = f"the dataset 'packets' of {self.spec.address!r} has shape {rows.shape}, not one dimension"
            raise UnknownFormatError(msg)

    def count(self, file: Any) -> int:
        """Return how many packets there are."""
        return int(_rows_of(file).shape[0])

    def head(self, file: Any) -> bytes:
        """Return when the file was made, and its first packet."""
        made = attributes(file, _HEADER).get("created", "")
        return repr(made).encode() + bytes(_rows_of(file)[:1].tobytes())

    def row_bytes(self, file: Any) -> int:
        """Return how large a packet is."""
        return int(_rows_of(file).dtype.itemsize)

    def chunk_rows(self, file: Any) -> int:
        """Return how many packets a chunk has."""
        chunks = _rows_of(file).chunks
        return int(chunks[0]) if chunks else 1

    def take(self, file: Any, start: int, stop: int) -> Batch:
        """Return packets."""
        rows = _rows_of(file)[start:stop]
        rows = renamed(rows) if is_old(rows.dtype) else rows
        return Batch(self.spec.address, self.spec.format, start, rows, self._facts(file))

    def write(self, batch: Batch, group: Any) -> None:
        """Write packets, and what is beside them in the file."""
        write_packets(group, batch.columns, batch.facts)

    def _facts(self, file: Any) -> dict[str, Any]:
        for name in _BESIDE:
            beside = file.get(name)
            shape = getattr(beside, "shape", None)
            if shape and name not in self._beside:
                self._beside[name] = beside[max(0, shape[0] - _MOST_BESIDE) :]
            elif shape and len(self._beside[name]) != min(shape[0], _MOST_BESIDE):
                self._beside[name] = beside[max(0, shape[0] - _MOST_BESIDE) :]
        return {**attributes(file, _HEADER), **self._beside}


class Packets:
    """The format of files with packets."""

    name = "packets"
    suffixes: tuple[str, ...] = (".h5", ".hdf5")

    def fits(self, file: Any) -> bool:
        """Tell whether there is a dataset of that name."""
        return hasattr(_rows_of(file), "dtype")

    @property
    def open(self) -> Callable[[SourceSpec], Source]:
        """What opens such a file."""
        return PacketsSource


def _rows_of(file: Any) -> Any:
    """Return the dataset of the packets; None if there is none."""
    return file.get(_ROWS, file.get(_FIRST_ROWS))


def attributes(file: Any, name: str) -> dict[str, Any]:
    """Return the attributes of a group; none if it is not there."""
    group = file.get(name)
    return {} if group is None else dict(group.attrs)


def write_packets(group: Any, rows: Any, facts: Mapping[str, Any]) -> None:
    """Write packets as files hold them: header, ``packets``, and ``messages`` and ``configs``.

    :param rows: a structured array.
    :param facts: of the batch they are from.
    """
    header = group.create_group(_HEADER)
    for name, value in facts.items():
        if name not in _BESIDE:
            header.attrs[name] = value
    group.create_dataset(_ROWS, data=np.asarray(rows), maxshape=(None,))
    for name in _BESIDE:
        if name in facts:
            group.create_dataset(name, data=facts[name], maxshape=(None,))
