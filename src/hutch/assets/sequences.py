"""Sequences of files, one or some frames in each: TIFF, JPEG, PNG, NPY, HDF5."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Any

import numpy as np

from hutch.assets.places import FilePlaces
from hutch.assets.sources import Index, Resource
from hutch.errors import ExternalDataError, MissingExtraError

__all__ = ["FileSequence", "Reader", "file_name", "read_image", "read_npy", "read_tiff", "refuse_large"]

Reader = Callable[[str, int | None], np.ndarray]
"""Returns what a file at a path has, which is refused above so many bytes, unpacked."""

_WIDEST = 99
_INTEGER = re.compile(r"%([-+#0 ]*)(\d{1,2})?(?:\.(\d{1,2}))?d")


class FileSequence:
    """What files have, one after the other; each file is read as a whole.

    :param resource: whose ``template`` tells the files' names, or whose ``uri`` names the only one.
    :param read: reads one file.
    :param count: files that there are.
    """

    def __init__(self, resource: Resource, places: FilePlaces, read: Reader, count: int) -> None:
        self._resource = resource
        self._places = places
        self._read = read
        self._count = count
        self._is_single = not resource["parameters"].get("template")
        self._first: tuple[tuple[int, ...], np.dtype[Any]] | None = None

    def _looked_at(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and dtype of what the first file has."""
        if self._first is None:
            found = self._of(0)
            self._first = found.shape, found.dtype
        return self._first

    @property
    def shape(self) -> tuple[int, ...]:
        """How many files there are, then the shape of what is in one; of a single file, its own."""
        shape = self._looked_at()[0]
        return shape if self._is_single else (self._count, *shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the first file."""
        return self._looked_at()[1]

    @property
    def chunks(self) -> tuple[int, ...]:
        """One file each."""
        shape = self._looked_at()[0]
        return shape if self._is_single else (1, *shape)

    def read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        """Read the files of some frames."""
        if self._is_single:
            found = self._of(0)
            if stop > len(found):
                msg = f"the file {self._path(0)!r} has {len(found):,} frames; frame {stop - 1:,} is wanted"
                raise ExternalDataError(msg)
            out[...] = found[(slice(start, stop, step), *within)]
            return
        for place, number in enumerate(range(start, stop, step)):
            found = self._of(number)
            if found.shape != self._looked_at()[0]:
                msg = (
                    f"the file {self._path(number)!r} has the shape {found.shape}, and the first file "
                    f"{self._looked_at()[0]}"
                )
                raise ExternalDataError(msg)
            out[place] = found[within]

    def close(self) -> None:
        """Nothing stays open."""

    def _path(self, number: int) -> str:
        uri: str = self._resource["uri"]
        parameters = self._resource["parameters"]
        if self._is_single:
            return self._places.find(uri)
        name = file_name(parameters["template"], str(parameters.get("filename") or ""), number)
        if uri.endswith("/") and name.startswith("/"):
            name = name.lstrip("/")
        return self._places.find(uri + name)

    def _of(self, number: int) -> np.ndarray:
        path = self._path(number)
        try:
            return self._read(path, self._places.largest_bytes)
        except (ExternalDataError, MissingExtraError):
            raise
        except Exception as error:  # whatever a reader of images raises
            why = f"{type(error).__name__}: {error}"
            msg = f"the file {path!r} cannot be read, it is damaged or not yet written: {why}"
            raise ExternalDataError(msg) from error


class _Template(string.Formatter):
    """``str.format`` without attributes and items, which documents of others could reach anything with."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if "." in field_name or "[" in field_name:
            raise ValueError(f"{field_name!r} is neither a number nor a name")
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> Any:
        if any(int(digits) > _WIDEST for digits in re.findall(r"\d+", format_spec)):
            raise ValueError(f"{format_spec!r} is too wide")
        return super().format_field(value, format_spec)


def file_name(template: str, filename: str, number: int) -> str:
    """Return the name of a file of a sequence.

    :param template: as areaDetector has it (``"%s%s_%6.6d.tif"``), whose first ``%s`` is the file name, or as
        Python's ``format`` (``"{:06d}.tif"``, ``"{filename}_{:d}.tif"``).
    :raises ExternalDataError: if it is neither.
    """
    try:
        if "%" not in template:
            return str(_Template().vformat(template, (number,), {"filename": filename}))
        named = template.replace("%s", "\0", 1).replace("%s", "").replace("\0", filename.replace("%", "%%"))
        return _INTEGER.sub(lambda found: _padded(found, number), named).replace("%%", "%")
    except (ValueError, IndexError, KeyError) as error:
        msg = f"{template!r} is no template of files' names: {error}"
        raise ExternalDataError(msg) from error


def _padded(found: re.Match[str], number: int) -> str:
    flags, width, precision = found.groups()
    # areaDetector writes "%6.6d", which C pads with zeros.
    digits = f"{number:0{precision or (width if width and '0' in flags else 0) or 0}d}"
    return digits.ljust(int(width or 0)) if "-" in flags else digits.rjust(int(width or 0))


def read_tiff(path: str, most_bytes: int | None = None) -> np.ndarray:
    """Return the pages of a TIFF file: (rows, columns) of one, (pages, rows, columns) of several."""
    try:
        import tifffile
    except ImportError as error:
        msg = "TIFF files need tifffile. Install it with: pip install 'hutch[files]'"
        raise MissingExtraError(msg) from error
    with tifffile.TiffFile(path) as file:
        pages = file.series[0]
        refuse_large(path, pages.size * pages.dtype.itemsize, most_bytes)
        return np.asarray(pages.asarray())


def read_image(path: str, most_bytes: int | None = None) -> np.ndarray:
    """Return a JPEG or PNG file: uint8, (rows, columns) of grey, (rows, columns, 3) of colours."""
    try:
        from PIL import Image
    except ImportError as error:
        msg = "JPEG and PNG files need pillow. Install it with: pip install 'hutch[files]'"
        raise MissingExtraError(msg) from error
    with Image.open(path) as image:
        refuse_large(path, image.width * image.height * len(image.getbands()), most_bytes)
        return np.asarray(image)


def read_npy(path: str, most_bytes: int | None = None) -> np.ndarray:
    """Return the array in an NPY file, memory-mapped; Python objects in it are refused."""
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    refuse_large(path, found.nbytes, most_bytes)
    return np.asarray(found)


def refuse_large(path: str, size: int, most_bytes: int | None) -> None:
    """Refuse what would take too much memory.

    :raises ExternalDataError: naming the file.
    """
    if most_bytes is not None and size > most_bytes:
        msg = f"the file {path!r} has {size:,} bytes unpacked, and no server reads more than {most_bytes:,}"
        raise ExternalDataError(msg)
