"""hutch's own handlers, for resource documents of the kinds that are met everywhere.

What a program registers, or a package publishes, goes first: it may know more. Where files come from
anybody hutch's own goes first, as it opens no file but those that may be opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from hutch.assets.hdf5 import Hdf5Source
from hutch.assets.places import FilePlaces
from hutch.assets.sequences import FileSequence, read_npy, read_tiff
from hutch.assets.sources import Source
from hutch.errors import ExternalDataError
from hutch.plugins import Handler, find_handler, is_known

__all__ = ["handler_of", "own_specs"]


def handler_of(spec: str, places: FilePlaces) -> Handler:
    """Return what opens resources of a spec.

    :raises ExternalDataError: if nothing does, naming the specs that are known.
    """
    own = _OWN.get(spec)
    if own is not None and (places.are_limited or not is_known(spec)):
        return partial(own, places)
    return find_handler(spec, own_specs())


def own_specs() -> list[str]:
    """Return every spec that hutch opens without other packages, sorted."""
    return sorted(_OWN)


def _points(source: Source, frames: int) -> Callable[..., np.ndarray]:
    """Return a function that reads all frames of a point: (frames, rows, columns)."""

    def read(point_number: int = 0, **_: Any) -> np.ndarray:
        start = point_number * frames
        return _read(source, start, start + frames)

    return read


def _read(source: Source, start: int, stop: int) -> np.ndarray:
    frame = source.shape[1:]
    found = np.empty((max(stop - start, 0), *frame), source.dtype)
    source.read(start, stop, 1, (slice(None),) * len(frame), found)
    return found


def _area_detector_hdf5(
    places: FilePlaces, path: str, frame_per_point: int = 1, **_: Any
) -> Callable[..., np.ndarray]:
    """Frames of areaDetector's HDF5 plug-in, of which each point has so many."""
    return _points(Hdf5Source(path, "/entry/data/data", places), frame_per_point)


def _area_detector_tiff(
    places: FilePlaces, path: str, template: str, filename: str = "", frame_per_point: int = 1, **_: Any
) -> Callable[..., np.ndarray]:
    """Files of areaDetector's TIFF plug-in, one for each frame; the template is that of C's printf."""
    folder = path if path.endswith("/") else f"{path}/"
    named = template.replace("%s", "", 1)
    source = FileSequence(_resource(folder, named, filename), places, read_tiff, 0)
    return _points(source, frame_per_point)


def _npy_sequence(places: FilePlaces, path: str, **_: Any) -> Callable[..., np.ndarray]:
    """Files of ophyd's simulated detector, one for each frame: ``path_0.npy``, ``path_1.npy``."""
    source = FileSequence(_resource(path, "_{:d}.npy", ""), places, read_npy, 0)

    def read(index: int) -> np.ndarray:
        found: np.ndarray = _read(source, index, index + 1)[0]
        return found

    return read


def _eiger(
    places: FilePlaces,
    path: str,
    images_per_file: int | None = None,
    frame_per_point: int | None = None,
    **_: Any,
) -> Callable[..., np.ndarray]:
    """Series of an Eiger's file writer: a master file, which links to files of frames.

    Without ``frame_num`` a series is read whole: (frames, rows, columns).
    """

    def read(seq_id: int, frame_num: int | None = None, **_: Any) -> np.ndarray:
        master = f"{path}_{seq_id}_master.h5"
        source: Source = Hdf5Source(master, "/entry/data", places)
        try:
            count = source.shape[0]
        except ExternalDataError:
            if not _has_group(master, places):
                raise
            # The detector's first firmware has the links one group higher.
            source = Hdf5Source(master, "/entry", places)
            count = source.shape[0]
        try:
            if frame_num is None:
                return _read(source, 0, count)
            found: np.ndarray = _read(source, frame_num, frame_num + 1)[0]
            return found
        finally:
            source.close()

    return read


def _has_group(master: str, places: FilePlaces) -> bool:
    """Tell whether a master file has its links in ``/entry`` itself."""
    from hutch.assets.hdf5_links import Files

    files = Files(places)
    try:
        file, _ = files.open_uri(master)
        return "entry/data_000001" in file or "data" not in file.get("entry", ())
    finally:
        files.close()


def _resource(uri: str, template: str, filename: str) -> Mapping[str, Any]:
    return {"uri": uri, "parameters": {"template": template, "filename": filename}}


_OWN: dict[str, Handler] = {
    "AD_EIGER": _eiger,
    "AD_EIGER2": _eiger,
    "AD_EIGER_SLICE": _eiger,
    "AD_HDF5": _area_detector_hdf5,
    "AD_HDF5_SINGLE": _area_detector_hdf5,
    "AD_HDF5_SWMR": _area_detector_hdf5,
    "AD_TIFF": _area_detector_tiff,
    "NPY_SEQ": _npy_sequence,
}
