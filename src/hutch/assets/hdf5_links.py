"""HDF5 files, and the links between them, which are followed here and not by HDF5.

So a missing file is missed and not skipped, folders that have moved are found, and no link leads to a file
that may not be opened.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hutch.assets.chunk_limits import check_chunks, check_storage
from hutch.assets.places import FilePlaces, missing, moved
from hutch.errors import ExternalDataError, MissingExtraError

__all__ = ["Files", "Found", "find", "members"]

_MOST_LINKS = 32
_SUPERBLOCK = struct.Struct("<8sBBBBQQQ")
_WITH_FLAGS, _SWMR = 2, 4
_MEMBER = re.compile(r"data_\d+")


@dataclass(frozen=True)
class Found:
    """A dataset, and what it was found through.

    :ivar files: open files, itself among them.
    :ivar file: its file, of h5py.
    :ivar path: its file's path.
    """

    files: Files
    file: Any
    path: str
    dataset: Any

    def check_storage(self) -> None:
        """Refuse what would make this process read other files, or take all memory.

        :raises ExternalDataError: naming it.
        """
        check_storage(self.dataset, self.path, self.files.places)

    def check_chunks(self, start: int, stop: int) -> None:
        """Refuse frames whose chunks are more than they say, where files come from anybody.

        :raises ExternalDataError: naming them.
        """
        check_chunks(self.dataset, self.path, self.files.places, start, stop)


class Files:
    """Open files, each once."""

    def __init__(self, places: FilePlaces) -> None:
        self.places = places
        self._open: dict[str, Any] = {}

    def open_uri(self, uri: str) -> tuple[Any, str]:
        """Return a file for reading, and its path; see :meth:`open`."""
        path = self.places.find(uri)
        return self.open(path), path

    def open(self, path: str) -> Any:
        """Return a file for reading, together with whoever writes it.

        :raises ExternalDataError: if it is missing or no HDF5 file.
        :raises ForbiddenFileError: if it may not be opened.
        """
        if path not in self._open:
            self.places.check(path)
            self._open[path] = _open(path)
        return self._open[path]

    def close(self) -> None:
        """Close all."""
        while self._open:
            with contextlib.suppress(Exception):  # it may be damaged; it was only read
                self._open.popitem()[1].close()


def _open(path: str) -> Any:
    """Open a file without a lock, which could keep its writer from opening it."""
    h5py = _h5py()
    if not os.path.exists(path):
        raise ExternalDataError(missing(path))
    mode: dict[str, Any] = {"swmr": True} if _is_written_with_swmr(path) else {}
    errors = []
    # HDF5 has a file open in one way only: where this process writes it, that is the writer's.
    for options in ({**mode, "locking": False}, mode):
        try:
            return h5py.File(path, "r", **options)
        except OSError as error:
            errors.append(error)
    msg = (
        f"the file {path!r} is no HDF5 file that can be read: it is damaged, cut short, or being written "
        f"without SWMR: {errors[0]}"
    )
    raise ExternalDataError(msg) from errors[0]


def _is_written_with_swmr(path: str) -> bool:
    """Tell whether a file says that it is open for writing by one and reading by others.

    Only then it is opened so, as HDF5 tries without end to read what a file that was cut short lacks.
    The superblock: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, II.A.

    :raises ExternalDataError: if it has been cut short.
    """
    with open(path, "rb") as file:
        block = file.read(_SUPERBLOCK.size)
    if len(block) < _SUPERBLOCK.size:
        return False
    signature, version, offset_size, _, flags, _, _, end = _SUPERBLOCK.unpack(block)
    if signature != b"\x89HDF\r\n\x1a\n" or version < _WITH_FLAGS or offset_size != 8:  # noqa: PLR2004
        return False
    if not flags & _SWMR:
        return False
    if os.path.getsize(path) < end:
        msg = f"the file {path!r} has been cut short: it has {os.path.getsize(path):,} of {end:,} bytes"
        raise ExternalDataError(msg)
    return True


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        msg = "HDF5 files need h5py. Install it with: pip install 'hutch[files]'"
        raise MissingExtraError(msg) from error
    return h5py


def find(files: Files, opened: tuple[Any, str], path: str) -> Any:
    """Return what is at a path of an open file, links followed, as :class:`Found`.

    :raises ExternalDataError: if something on the way is missing.
    """
    h5py = _h5py()
    file, name = opened
    here, at = file, ""
    parts = [part for part in path.split("/") if part]
    links = 0
    while parts:
        part = parts.pop(0)
        if not isinstance(here, h5py.Group):
            raise ExternalDataError(_nothing(path, name, f"{at!r} is no group"))
        link = here.get(part, getlink=True)
        if link is None:
            raise ExternalDataError(_nothing(path, name, f"no {part!r} in {at or '/'!r}"))
        links += not isinstance(link, h5py.HardLink)
        if links > _MOST_LINKS:
            raise ExternalDataError(_nothing(path, name, "its links lead in a circle"))
        if isinstance(link, h5py.ExternalLink):
            name = _beside(files.places, name, link.filename)
            file = here = files.open(name)
            at, parts = "", [*filter(None, link.path.split("/")), *parts]
        elif isinstance(link, h5py.SoftLink):
            if link.path.startswith("/"):
                here, at = file, ""
            parts = [*filter(None, link.path.split("/")), *parts]
        else:
            here, at = here[part], f"{at}/{part}"
    return Found(files, file, name, here)


def members(files: Files, opened: tuple[Any, str], path: str) -> Sequence[Found]:
    """Return the dataset at a path, or those of the group that is there, in order of their numbers.

    :raises ExternalDataError: if there is none.
    """
    h5py = _h5py()
    found = find(files, opened, path)
    if isinstance(found.dataset, h5py.Dataset):
        return [found]
    names = sorted(filter(_MEMBER.fullmatch, found.dataset), key=lambda name: (len(name), name))
    if not names:
        where = f"a group without datasets of frames; it has {', '.join(found.dataset) or 'nothing'}"
        raise ExternalDataError(_nothing(path, found.path, where))
    return [find(files, opened, f"{path}/{name}") for name in names]


def _beside(places: FilePlaces, path: str, name: str) -> str:
    """Return where a file is that another one names: as HDF5 looks for it, and where it has moved to."""
    folder = os.path.dirname(path)
    tried = [moved(name, places.root_map)] if os.path.isabs(name) else []
    tried += [
        os.path.join(folder, name) if not os.path.isabs(name) else "",
        os.path.join(folder, os.path.basename(name)),
    ]
    found = next((one for one in tried if one and os.path.exists(one)), None)
    if found is None:
        raise ExternalDataError(f"{missing(next(filter(None, tried)))}. The file {path!r} links to it")
    return found


def _nothing(path: str, file: str, why: str) -> str:
    return f"there is no dataset {path!r} in {file!r}: {why}"
