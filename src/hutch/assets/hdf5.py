"""Datasets in HDF5 files, through links, while they are written, and without invented values."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from hutch.assets.hdf5_links import Files, Found, members
from hutch.assets.hdf5_virtual import VirtualParts
from hutch.assets.places import FilePlaces
from hutch.assets.sources import Index
from hutch.errors import ExternalDataError

__all__ = ["Hdf5Source"]


class Hdf5Source:
    """The frames in a dataset, or in the datasets of a group one after the other.

    :param uri: of the file.
    :param path: of the dataset in it. Of a group (``entry/data`` of an Eiger's master file) the datasets
        ``data_000001``, ``data_000002`` and so on are taken.
    :raises ExternalDataError: if a file or a dataset is missing or damaged.
    """

    def __init__(self, uri: str, path: str, places: FilePlaces) -> None:
        self._uri = uri
        self._path = path
        self._places = places
        self._opened: _Opened | None = None
        self._lock = threading.RLock()

    def _open(self) -> _Opened:
        found = self._opened
        if found is None:
            files = Files(self._places)
            try:
                datasets = [_Dataset(one) for one in members(files, files.open_uri(self._uri), self._path)]
                found = _Opened(files, datasets, self._shape_of(datasets))
            except BaseException:
                files.close()
                raise
            self._opened = found
        return found

    def _shape_of(self, parts: list[_Dataset]) -> tuple[int, ...]:
        shape: tuple[int, ...] = parts[0].shape[1:]
        if any(part.shape[1:] != shape for part in parts):
            msg = f"the datasets in {self._path!r} of {self._uri!r} have frames of different shapes"
            raise ExternalDataError(msg)
        return (sum(part.shape[0] for part in parts), *shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many frames there are, then the shape of one."""
        return self._open().shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return np.result_type(*(part.dtype for part in self._open().datasets))

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of a chunk."""
        return self._open().datasets[0].chunks

    def read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        """Read frames into an array."""
        with self._lock:
            if stop > self.shape[0]:
                # It may have grown since it was opened.
                self.close()
            if stop > self.shape[0]:
                msg = (
                    f"the dataset {self._path!r} in {self._uri!r} has {self.shape[0]:,} frames, and frame "
                    f"{stop - 1:,} is wanted: it has been cut short, or is still being written"
                )
                raise ExternalDataError(msg)
            self._read(start, stop, step, within, out)

    def _read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        first = 0
        for part in self._open().datasets:
            # The first frame of this dataset that is wanted.
            low = max(start, first + (start - first) % step) - first
            high = min(stop - first, part.shape[0])
            if low < high:
                place = (first + low - start) // step
                count = -(-(high - low) // step)
                part.read(low, high, step, within, out[place : place + count])
            first += part.shape[0]

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.files.close()


@dataclass(frozen=True)
class _Opened:
    """Open files, the datasets that were found in them, and the shape of all frames."""

    files: Files
    datasets: list[_Dataset]
    shape: tuple[int, ...]


class _Dataset:
    """One dataset; its first dimension counts frames."""

    def __init__(self, found: Found) -> None:
        self._found = found
        dataset = found.dataset
        if not dataset.shape:
            msg = f"the dataset {dataset.name!r} in {found.path!r} has no dimension to count frames along"
            raise ExternalDataError(msg)
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype
        self._virtual = VirtualParts(found) if dataset.is_virtual else None
        self.chunks: tuple[int, ...] | None = dataset.chunks
        if self._virtual is not None:
            self.chunks = self._virtual.chunks
        else:
            found.check_storage()

    def read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        if self._virtual is not None:
            self._virtual.check(start, stop)
        else:
            self._found.check_chunks(start, stop)
        with _told(self._found):
            if out.flags.c_contiguous and out.dtype == self.dtype and out.size:
                self._found.dataset.read_direct(out, np.s_[(slice(start, stop, step), *within)])
            else:
                out[...] = self._found.dataset[(slice(start, stop, step), *within)]


@contextlib.contextmanager
def _told(found: Found) -> Any:
    """Say which dataset could not be read, whatever HDF5 says."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        msg = (
            f"the dataset {found.dataset.name!r} in {found.path!r} cannot be read, it is damaged or has been "
            f"cut short: {type(error).__name__}: {error}"
        )
        raise ExternalDataError(msg) from error
