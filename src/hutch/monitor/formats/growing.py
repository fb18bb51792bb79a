"""Any HDF5 file with datasets that grow along their first dimension, one row at a time or many.

Which datasets belong together is found out: those that may grow (if none may, all), of about the same
length; if there are several such sets, the largest of them. If no two that may grow are of about the same
length, one may lag behind the other: the longest counts, with those that have most of its rows. A writer adds
to one after the other, so that the shortest counts. ``SourceSpec.datasets`` names others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hutch.errors import UnknownFormatError
from hutch.monitor.batch import Batch
from hutch.monitor.formats.files import FileSource
from hutch.monitor.formats.opened_files import opened
from hutch.monitor.sources import Source, SourceSpec

__all__ = ["Growing", "GrowingSource"]

_KINDS = "biufcSUmM"
"""Of dtypes that columns may have: numbers, text of fixed length, times; no objects."""
_SLACK_ROWS, _SLACK_PART = 16, 0.1
"""By so much datasets that belong together differ in length while they are written."""
_LAG_PART = 0.55
"""Of the rows of the longest dataset one that lags behind it has so many at least."""
_HEAD_BYTES = 2**16
_MOST_LISTED = 5
_KEYS = "data_keys"


class GrowingSource(FileSource):
    """The growing datasets of a file.

    A column is called by the path of its dataset, ``entry/data/temperature``; a field of a structured one
    ``entry/table.temperature``. Facts of its batches are the attributes of the file, and ``data_keys``: the
    units of the columns whose datasets have an attribute ``units``, as in NeXus.
    """

    def __init__(self, spec: SourceSpec) -> None:
        super().__init__(spec)
        self._found: tuple[Any, Sequence[str], Sequence[str]] | None = None
        """A file while it is open, its datasets, and those that are left out."""

    def check(self, file: Any) -> None:
        """Refuse a file without datasets that have rows."""
        missing = [name for name in self.spec.datasets if not _is_rows(file.get(name))]
        if missing or not self._datasets(file):
            what = ", ".join(map(repr, missing)) or "dataset"
            msg = (
                f"{self.spec.address!r} has no {what} of numbers with at least one dimension. "
                f"It has: {', '.join(_paths(file)) or 'none'}"
            )
            raise UnknownFormatError(msg)

    def count(self, file: Any) -> int:
        """Return how many rows all the datasets have."""
        return min(int(file[name].shape[0]) for name in self._datasets(file))

    def head(self, file: Any) -> bytes:
        """Return the names, the first row of the narrowest dataset, and when the file says it was made.

        With other datasets rows are others: they count from the first one anew.
        """
        names = self._datasets(file)
        narrowest = min(names, key=lambda name: (_bytes_of(file[name]), name))
        first = file[narrowest][:1] if self.count(file) else np.zeros(0)
        made = file.attrs.get("file_time", file.attrs.get("created", ""))
        return repr((made, *names)).encode() + first.tobytes()[:_HEAD_BYTES]

    def remark(self, file: Any) -> str:
        """Return which datasets are left out though they grow, and how to name those that are wanted."""
        read, left_out = self._datasets(file), self._left_out(file)
        if not left_out:
            return ""
        return (
            f"Of files with the growing datasets {_listed([*read, *left_out])} only {_listed(read)} "
            f"{'is' if len(read) == 1 else 'are'} read: the others differ much in length. "
            f"Name those that belong together, as in --datasets {read[0]} {left_out[0]}"
        )

    def row_bytes(self, file: Any) -> int:
        """Return how large a row of all datasets is."""
        return sum(_bytes_of(file[name]) for name in self._datasets(file))

    def chunk_rows(self, file: Any) -> int:
        """Return how many rows the smallest chunk has."""
        chunks = [file[name].chunks for name in self._datasets(file)]
        return min((int(chunk[0]) for chunk in chunks if chunk), default=1)

    def take(self, file: Any, start: int, stop: int) -> Batch:
        """Return rows."""
        columns: dict[str, npt.NDArray[Any]] = {}
        units: dict[str, dict[str, str]] = {}
        for name in self._datasets(file):
            rows = file[name][start:stop]
            told = _text(file[name].attrs.get("units"))
            if told and rows.dtype.names is None:
                units[name] = {"units": told}
            for field in rows.dtype.names or ():
                if rows.dtype[field].base.kind in _KINDS:
                    columns[f"{name}.{field}"] = rows[field]
            if rows.dtype.names is None:
                columns[name] = rows
        facts = dict(file.attrs) | ({_KEYS: units} if units else {})
        return Batch(self.spec.address, self.spec.format, start, columns, facts)

    def write(self, batch: Batch, group: Any) -> None:
        """Write rows into datasets of the same paths."""
        for name, value in batch.facts.items():
            if name != _KEYS:
                group.attrs[name] = value
        with opened(self.spec.address) as file:
            kinds = {name: file[name].dtype for name in self._datasets(file)}
        for name, kind in kinds.items():
            rows = batch[name] if kind.names is None else _joined(batch, name, kind)
            group.create_dataset(name, data=rows, maxshape=(None, *rows.shape[1:]))

    def _datasets(self, file: Any) -> Sequence[str]:
        return self._find(file)[1]

    def _left_out(self, file: Any) -> Sequence[str]:
        return self._find(file)[2]

    def _find(self, file: Any) -> tuple[Any, Sequence[str], Sequence[str]]:
        if self._found is None or self._found[0] is not file:
            self._found = (file, self.spec.datasets, ()) if self.spec.datasets else (file, *_together(file))
        return self._found


class Growing:
    """The format of all other files."""

    name = "hdf5"
    suffixes: tuple[str, ...] = (".h5", ".hdf5", ".nxs", ".hdf")

    def fits(self, file: Any) -> bool:
        """Tell whether there is a dataset with rows."""
        return bool(_paths(file))

    @property
    def open(self) -> Callable[[SourceSpec], Source]:
        """What opens such a file."""
        return GrowingSource


def _text(attribute: Any) -> str:
    """Return an attribute that is text; empty if it is none."""
    if isinstance(attribute, bytes):
        return attribute.decode(errors="replace")
    return attribute if isinstance(attribute, str) else ""


def _is_rows(found: Any) -> bool:
    """Tell whether something in a file is a dataset with rows of numbers or text of fixed length."""
    kind, shape = getattr(found, "dtype", None), getattr(found, "shape", None)
    if kind is None or not shape:
        return False
    fields = [kind[name].base.kind for name in kind.names] if kind.names else [kind.base.kind]
    return any(field in _KINDS for field in fields)


def _paths(file: Any) -> list[str]:
    """Return the paths of all datasets with rows, however deep; no link to another file is followed."""
    found: list[str] = []
    file.visititems(lambda name, what: found.append(name) if _is_rows(what) else None)
    return sorted(found)


def _together(file: Any) -> tuple[list[str], list[str]]:
    """Return the datasets that grow together, and which others have rows and may grow.

    Of several sets it is the one with the most members, of those the longest.
    """
    shapes = {name: (file[name].shape[0], file[name].maxshape[0]) for name in _paths(file)}
    growing = [name for name, (rows, most) in shapes.items() if most is None or most > rows]
    sets: list[list[str]] = []
    last = 0
    for name in sorted(growing or shapes, key=lambda name: shapes[name][0]):
        rows = shapes[name][0]
        if not sets or rows - last > max(_SLACK_ROWS, _SLACK_PART * rows):
            sets.append([])
        sets[-1].append(name)
        last = rows
    most = max(map(len, sets), default=0)
    found = next((names for names in reversed(sets) if len(names) == most), [])
    if growing and most == 1:
        found = [name for name in growing if shapes[name][0] >= _LAG_PART * last]
    return sorted(found), [name for name in growing if name not in found and shapes[name][0]]


def _listed(names: Sequence[str]) -> str:
    """Return names, not more than a line takes."""
    more = len(names) - _MOST_LISTED
    return ", ".join(map(repr, names[:_MOST_LISTED])) + (f" and {more} more" if more > 0 else "")


def _bytes_of(dataset: Any) -> int:
    """Return how large a row is."""
    size: int = dataset.dtype.itemsize * math.prod(dataset.shape[1:])
    return size


def _joined(batch: Batch, name: str, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the columns that are fields of one dataset as its rows."""
    fields = [field for field in kind.names or () if f"{name}.{field}" in batch]
    rows = np.zeros(len(batch), [(field, kind[field]) for field in fields])
    for field in fields:
        rows[field] = batch[f"{name}.{field}"]
    return rows
