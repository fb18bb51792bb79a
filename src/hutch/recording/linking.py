"""Files that have the readings of a key: what documents say of them, going by the files as they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hutch.assets import FilePlaces, open_source
from hutch.assets.formats import HDF5, mimetype_of, mimetypes
from hutch.errors import DocumentError

__all__ = ["LinkedFile", "look_into"]

_DTYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}
_IMAGES = ("image/jpeg", "image/png", "image/tiff")
_COLORS = (3, 4)
"""So many values a pixel are its colours, and no column of them."""


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """A file, and what is in it.

    :ivar frames: how many values it has, one for each event.
    :ivar data_key: what a descriptor says of them.
    :ivar resource: what a stream_resource document says of the file.
    """

    frames: int
    data_key: dict[str, Any]
    resource: dict[str, Any]


def look_into(
    key: str, file: str | os.PathLike[str], dataset: str | None, mimetype: str | None
) -> LinkedFile:
    """Return what documents say of a file whose frames are the values of a key.

    :param dataset: the path of a dataset in an HDF5 file; the only one if it is not given.
    :param mimetype: that of the ending of the file's name if it is not given.
    :raises DocumentError: if it is not clear what is meant, or there are no frames.
    :raises ExternalDataError: if the file cannot be read.
    """
    path = Path(file).absolute()
    kind = mimetype or mimetype_of(path)
    if kind is None:
        msg = (
            f"The ending of {path.name!r} does not tell what is in it. Give mimetype=, one of "
            f"{', '.join(mimetypes())}."
        )
        raise DocumentError(msg)
    resource: dict[str, Any] = {
        "mimetype": kind,
        "uri": f"file://localhost{quote(str(path))}",
        "data_key": key,
        "parameters": {},
    }
    if kind == HDF5:
        resource["parameters"]["dataset"] = dataset or _only_dataset(path)
    elif dataset is not None:
        msg = f"{path.name!r} is read as {kind}, which has no datasets. Leave dataset= out."
        raise DocumentError(msg)
    source = open_source(resource, FilePlaces(), 1)
    try:
        shape, dtype, chunks = source.shape, source.dtype, source.chunks
    finally:
        source.close()
    if _is_one_image(kind, shape):
        frames, frame, chunks = 1, shape, None
    elif shape:
        frames, frame = shape[0], shape[1:]
    else:
        frames, frame = 0, ()
    if not frames:
        msg = f"There are no frames in {str(path)!r} yet. Link it when they are written."
        raise DocumentError(msg)
    if dtype.kind not in _DTYPES:
        msg = f"What is in {str(path)!r} is {dtype}; readings in files are numbers."
        raise DocumentError(msg)
    resource["parameters"]["chunk_shape"] = [*(chunks or (1, *frame))]
    data_key = {
        "source": f"hutch:{key}",
        "dtype": "array" if frame else _DTYPES[dtype.kind],
        "shape": [*frame],
        "dtype_numpy": dtype.str,
        "external": "STREAM:",
    }
    return LinkedFile(frames, data_key, resource)


def _is_one_image(mimetype: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a file is an image as a whole, and not several along the first dimension."""
    return mimetype in _IMAGES and (len(shape) == 2 or (len(shape) == 3 and shape[-1] in _COLORS))  # noqa: PLR2004


def _only_dataset(path: Path) -> str:
    """Return the path of the dataset in a file that has only one."""
    import h5py

    found: list[str] = []

    def visit(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset) and thing.ndim:
            found.append(f"/{name}")

    try:
        with h5py.File(path, "r", locking=False) as opened:
            opened.visititems(visit)
    except OSError:
        # Whoever reads it says what is wrong.
        return "/"
    if len(found) != 1:
        told = f"It has {', '.join(found[:8])}." if found else "It has none."
        msg = f"Which dataset of {str(path)!r} is meant? {told} Give dataset=."
        raise DocumentError(msg)
    return found[0]
