"""The values of one key that are in files: an array of all rows, of which only what is asked for is read."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hutch.assets.formats import open_source
from hutch.assets.indexing import Selection, select
from hutch.assets.layout import Layout, boundaries, dimension_names, summands
from hutch.assets.places import FilePlaces
from hutch.assets.sources import Resource, Source
from hutch.errors import ExternalDataError

__all__ = ["Announced", "StreamFrames"]

_MOST_OPEN = 8
"""Sources that stay open together, of a key whose frames are in many."""


@dataclass(frozen=True)
class Announced:
    """Which frames of which resource each row has; -1 stands for a row without frames.

    :ivar resources: documents of those that have frames.
    :ivar which: of each row the place of its resource.
    :ivar numbers: of each row the number of its value in the resource.
    """

    resources: Sequence[Resource]
    which: np.ndarray
    numbers: np.ndarray


@dataclass
class StreamFrames:
    """The values of a key in all rows.

    :ivar name: what people call it, for messages.
    :ivar data_key: what the descriptor says of it.
    """

    name: str
    data_key: Mapping[str, Any]
    announced: Announced
    places: FilePlaces
    _open: OrderedDict[int, Source] = field(default_factory=OrderedDict, repr=False)
    _lock: Any = field(default_factory=threading.RLock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        # Another process opens files of its own.
        return {**self.__dict__, "_open": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock())

    # what there is

    @cached_property
    def layout(self) -> Layout:
        """How the values are arranged: as in the files, or if these cannot be read, as promised."""
        resources = self.announced.resources
        if not resources:
            return Layout.as_promised(self.data_key, {})
        try:
            return self._layout_of(0)
        except ExternalDataError:
            return Layout.as_promised(self.data_key, resources[0]["parameters"])

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, then the shape of one."""
        return (len(self.announced.which), *self.layout.shape)

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions: ``time``, then the descriptor's, else ``dim_0`` and so on."""
        return dimension_names(self.data_key, len(self.layout.shape))

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the files; float64 where some rows have no frames, which are NaN then."""
        return (
            np.dtype(np.float64) if self._has_gaps and self.layout.dtype.kind in "iub" else self.layout.dtype
        )

    @property
    def nbytes(self) -> int:
        """The size of all values in memory, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """The sizes of what is read as one along each dimension, as dask has it: the chunks of the files."""
        rows, *within = self.layout.chunk
        along = boundaries(self.announced.which, self.announced.numbers, rows)
        lead = tuple((size,) for size in self.layout.lead)
        return (along, *lead, *map(summands, self.layout.frame, within))

    @cached_property
    def _has_gaps(self) -> bool:
        return bool((self.announced.which < 0).any())

    def __len__(self) -> int:
        return len(self.announced.which)

    # reading

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found: np.ndarray = self[...]
        return found if dtype is None else found.astype(dtype)

    def __getitem__(self, index: Any) -> Any:
        """Return what numpy would; only the rows and the parts of frames that are asked for are read.

        :raises IndexError: if there are not so many rows.
        :raises ExternalDataError: naming the file and the key.
        """
        wanted = select(index, self.shape)
        try:
            return wanted.finish(self._read(wanted))
        except ExternalDataError as error:
            msg = f"Cannot read {self.name}: {error}"
            raise type(error)(msg) from error

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _read(self, wanted: Selection) -> np.ndarray:
        which, numbers = self.announced.which[wanted.rows], self.announced.numbers[wanted.rows]
        layout = self.layout
        # What is in the lead of a value is read whole, if it is not all of it.
        is_whole = all(len(part) == size for part, size in zip(wanted.within, layout.lead, strict=False))
        lead = wanted.within[: len(layout.lead)]
        inner = wanted.within[len(layout.lead) :]
        shape = tuple(map(len, inner))
        frames = [layout.frames] if is_whole else [len(part) for part in lead]
        out = np.empty((len(wanted.rows), math.prod(frames), *shape), self.dtype)
        within = tuple(slice(part.start, part.stop, part.step) for part in inner)
        offsets = None if is_whole else np.arange(layout.frames).reshape(layout.lead)[np.ix_(*lead)].ravel()
        for start, stop in _stretches(which, numbers):
            if which[start] < 0:
                out[start:stop] = self._nothing()
                continue
            source = self._source(int(which[start]))
            first, count = int(numbers[start]), stop - start
            step = int(numbers[start + 1] - numbers[start]) if count > 1 else 1
            self._read_stretch(source, out[start:stop], first, step, within, offsets)
        return out.reshape((len(wanted.rows), *map(len, lead), *shape))

    def _read_stretch(
        self,
        source: Source,
        out: np.ndarray,
        first: int,
        step: int,
        within: tuple[slice, ...],
        offsets: np.ndarray | None,
    ) -> None:
        """Read rows that are in one resource, each ``step`` after the one before."""
        frames, rows = self.layout.frames, len(out)
        if offsets is None and (step == 1 or frames == 1):
            low, high = first * frames, (first + (rows - 1) * step + 1) * frames
            source.read(low, high, step if frames == 1 else 1, within, out.reshape((-1, *out.shape[2:])))
            return
        for row in range(rows):
            low = (first + row * step) * frames
            if offsets is None:
                source.read(low, low + frames, 1, within, out[row])
                continue
            for place, offset in enumerate(offsets):
                source.read(low + int(offset), low + int(offset) + 1, 1, within, out[row, place : place + 1])

    def _nothing(self) -> Any:
        if self.dtype.kind not in "fc":
            msg = "some rows have no frames, and there is no value for none"
            raise ExternalDataError(msg)
        return np.nan

    # sources

    def _layout_of(self, place: int) -> Layout:
        resource = self.announced.resources[place]
        return Layout.of(self._opened(place), self.data_key, resource["parameters"])

    def _source(self, place: int) -> Source:
        """Return a source whose frames go with those of the others."""
        found = self._opened(place)
        layout = self.layout
        if found.shape[1:] != layout.frame or not np.can_cast(found.dtype, layout.dtype):
            msg = (
                f"the frames in {self.announced.resources[place]['uri']!r} are {found.shape[1:]} of "
                f"{found.dtype}, others of the key are {layout.frame} of {layout.dtype}"
            )
            raise ExternalDataError(msg)
        return found

    def _opened(self, place: int) -> Source:
        with self._lock:
            found = self._open.get(place)
            if found is None:
                mine = self.announced.which == place
                count = int(self.announced.numbers[mine].max()) + 1 if mine.any() else 0
                found = self._open[place] = open_source(self.announced.resources[place], self.places, count)
                if len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)[1].close()
            return found


def _stretches(which: np.ndarray, numbers: np.ndarray) -> list[tuple[int, int]]:
    """Return where rows begin and end that are in one resource and evenly apart, at least one apart."""
    if not len(which):
        return []
    steps = np.diff(numbers)
    found, start = [], 0
    same = which[1:] == which[:-1]
    usual = np.median(steps) if len(steps) else 1
    even = same & ((steps == usual) & (usual >= 1) | (which[1:] < 0))
    for cut in (*(np.flatnonzero(~even) + 1).tolist(), len(which)):
        found.append((start, cut))
        start = cut
    return found
