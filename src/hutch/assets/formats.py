"""Which source reads a stream_resource: by its mimetype, and what packages add."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np

from hutch.assets.hdf5 import Hdf5Source
from hutch.assets.places import FilePlaces
from hutch.assets.sequences import FileSequence, Reader, read_image, read_npy, read_tiff, refuse_large
from hutch.assets.sliced import SlicedSource
from hutch.assets.sources import Resource, Source
from hutch.assets.tables import CsvSource
from hutch.errors import ExternalDataError, PluginError

__all__ = ["GROUP", "HDF5", "Opener", "mimetype_of", "mimetypes", "open_source", "register_source"]

GROUP = "hutch.sources"
"""The group of entry points that publish sources; their names are mimetypes."""

Opener = Callable[[Resource, FilePlaces, int], Source]
"""``opener(resource, places, count)`` returns a source; ``count`` of its frames have been announced."""

HDF5 = "application/x-hdf5"
"""The mimetype of HDF5 files."""
_MULTIPART = "multipart/related;type="
_READERS: dict[str, Reader] = {
    "image/tiff": read_tiff,
    "image/jpeg": read_image,
    "image/png": read_image,
    "application/x-npy": read_npy,
}
_CSV = ("text/csv", "text/csv;header=absent")
_BY_ENDING = {
    **dict.fromkeys((".h5", ".hdf", ".hdf5", ".nxs", ".cxi"), HDF5),
    **dict.fromkeys((".tif", ".tiff"), "image/tiff"),
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
    ".png": "image/png",
    ".npy": "application/x-npy",
    ".csv": "text/csv",
}

_registered: dict[str, Opener] = {}


def register_source(mimetype: str, opener: Opener) -> None:
    """Read resources of a mimetype with this, in this process, whatever packages publish."""
    _registered[mimetype] = opener


def mimetypes() -> list[str]:
    """Return every mimetype that can be read, sorted."""
    own = [HDF5, f"{_MULTIPART}{HDF5}", *_CSV, *_READERS, *(_MULTIPART + name for name in _READERS)]
    return sorted({*own, *_registered, *_published()})


def mimetype_of(path: Path) -> str | None:
    """Return the mimetype that the ending of a file's name stands for; None if it is none of these."""
    return _BY_ENDING.get(path.suffix.lower())


def open_source(resource: Resource, places: FilePlaces, count: int) -> Source:
    """Return what reads a stream_resource; files are opened when they are needed.

    :param count: of its frames, as many as have been announced.
    :raises ExternalDataError: if nothing reads its mimetype.
    """
    mimetype = str(resource["mimetype"]).replace(" ", "")
    parameters = resource["parameters"]
    opener = _find(mimetype)
    if opener is not None:
        return opener(resource, places, count)
    kind = mimetype.removeprefix(_MULTIPART)
    if kind in _READERS:
        return FileSequence(resource, places, _READERS[kind], count)
    if mimetype in _CSV:
        return CsvSource(resource, places)
    if kind != HDF5:
        msg = (
            f"nothing reads files of the mimetype {mimetype!r}. These are read: {', '.join(mimetypes())}. "
            f"Install the package that publishes a source for it (entry point group {GROUP!r}), or give one: "
            "hutch.assets.register_source(mimetype, opener)"
        )
        raise ExternalDataError(msg)
    dataset = str(parameters.get("dataset") or parameters.get("path") or "/")

    def read_hdf5(path: str, most_bytes: int | None) -> np.ndarray:
        source = Hdf5Source(path, dataset, places)
        try:
            refuse_large(path, math.prod(source.shape) * source.dtype.itemsize, most_bytes)
            found = np.empty(source.shape, source.dtype)
            source.read(0, len(found), 1, (slice(None),) * (found.ndim - 1), found)
        finally:
            source.close()
        return found

    found: Source
    if parameters.get("template"):
        found = FileSequence(resource, places, read_hdf5, count)
    else:
        found = Hdf5Source(resource["uri"], dataset, places)
    if parameters.get("slice"):
        found = SlicedSource(found, parameters["slice"], is_squeezed=bool(parameters.get("squeeze")))
    return found


def _find(mimetype: str) -> Opener | None:
    if mimetype in _registered:
        return _registered[mimetype]
    entry = _published().get(mimetype)
    if entry is None:
        return None
    try:
        found: Any = entry.load()
    except Exception as error:  # whatever the package raises
        msg = f"The source {entry.value!r} for {mimetype!r} can't be loaded: {type(error).__name__}: {error}"
        raise PluginError(msg) from error
    opener: Opener = found
    return opener


@cache
def _published() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
