"""Virtual datasets: whether what they are made of is there.

HDF5 fills what it does not find with a value that looks like data. So before frames are read, each file and
dataset that they come from is looked at.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hutch.assets.hdf5_links import Found, find
from hutch.assets.places import missing
from hutch.errors import ExternalDataError

__all__ = ["VirtualParts"]


@dataclass(frozen=True)
class _Part:
    """Frames of a virtual dataset, from ``first`` on before ``last``, and what they are read from."""

    first: int
    last: int
    file: str
    dataset: str
    start: int
    stop: int


class VirtualParts:
    """What a virtual dataset is made of.

    :param found: the dataset.
    """

    def __init__(self, found: Found) -> None:
        self._found = found
        self._parts = [_part(one, found) for one in found.dataset.virtual_sources()]
        self._sources: dict[tuple[str, str], Found] = {}
        self._checked: set[_Part] = set()

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of a chunk of the first source, if it has frames of the same shape."""
        if not self._parts:
            return None
        dataset = self._source(self._parts[0]).dataset
        chunks: tuple[int, ...] | None = dataset.chunks
        return chunks if dataset.shape[1:] == self._found.dataset.shape[1:] else None

    def check(self, start: int, stop: int) -> None:
        """Make sure that frames are there, all that they are made of.

        :raises ExternalDataError: naming the file that is missing or has not enough.
        """
        covered = start
        for part in sorted(self._parts, key=lambda one: one.first):
            if part.first >= stop or part.last <= start:
                continue
            if part not in self._checked:
                self._check(part)
                self._checked.add(part)
            if part.first <= covered:
                covered = max(covered, part.last)
        if covered < stop:
            msg = f"frame {covered} of {self._name()} is made of nothing"
            raise ExternalDataError(msg)

    def _check(self, part: _Part) -> None:
        source = self._source(part)
        rows = source.dataset.shape[0] if source.dataset.shape else 0
        if rows < part.stop:
            msg = (
                f"the dataset {part.dataset!r} in {source.path!r} has {rows:,} frames, and {self._name()} is "
                f"made of its first {part.stop:,}: it has been cut short, or is still being written"
            )
            raise ExternalDataError(msg)
        if source.dataset.is_virtual:
            VirtualParts(source).check(part.start, part.stop)
        else:
            source.check_storage()
            source.check_chunks(part.start, part.stop)

    def _source(self, part: _Part) -> Found:
        key = part.file, part.dataset
        if key not in self._sources:
            files, path = self._found.files, self._found.path
            name = path if part.file == "." else self._look(part.file)
            self._sources[key] = find(files, (files.open(name), name), part.dataset)
        return self._sources[key]

    def _look(self, name: str) -> str:
        """Return the file that HDF5 takes: it looks where the name says, then beside the virtual dataset."""
        folder = os.path.dirname(os.path.abspath(self._found.path))
        tried = [name] if os.path.isabs(name) else [os.path.join(folder, name)]
        tried += [os.path.join(folder, os.path.basename(name)), os.path.abspath(name)]
        there = [one for one in tried if os.path.exists(one)]
        for one in there:
            self._found.files.places.check(one)
        if not there:
            msg = f"{missing(tried[0])}, or put it beside {self._found.path!r}. {self._name()} is made of it"
            raise ExternalDataError(msg)
        return there[0]

    def _name(self) -> str:
        return f"the virtual dataset {self._found.dataset.name!r} in {self._found.path!r}"


def _part(one: Any, found: Found) -> _Part:
    """Return what h5py says of one source."""
    import h5py

    virtual, source = one.vspace, one.src_space
    unlimited = h5py.h5s.UNLIMITED
    if virtual.get_select_type() == h5py.h5s.SEL_ALL:
        first, last = 0, found.dataset.shape[0]
    else:
        bounds = virtual.get_select_bounds()
        first, last = bounds[0][0], bounds[1][0] + 1
        if last >= unlimited:
            last = found.dataset.shape[0]
    if source.get_select_type() == h5py.h5s.SEL_ALL:
        start, stop = 0, last - first
    else:
        low, high = source.get_select_bounds()
        start, stop = low[0], high[0] + 1
    return _Part(first, last, one.file_name, one.dset_name, start, stop)
