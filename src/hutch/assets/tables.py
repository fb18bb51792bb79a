"""Tables of numbers as text: CSV files, a row for each frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from hutch.assets.places import FilePlaces
from hutch.assets.sources import Index, Resource
from hutch.errors import ExternalDataError

__all__ = ["CsvSource"]

_OPTIONS = ("comment", "delimiter", "encoding", "sep", "skiprows", "skipfooter", "usecols", "dtype")
"""Parameters that mean what they mean to ``pandas.read_csv``."""


class CsvSource:
    """The rows of a CSV file; those of text become objects.

    :param resource: its ``parameters`` say how to read it, as :func:`pandas.read_csv` takes them.
    """

    def __init__(self, resource: Resource, places: FilePlaces) -> None:
        self._resource = resource
        self._places = places
        self._table: np.ndarray | None = None

    @property
    def _rows(self) -> np.ndarray:
        if self._table is None:
            self._table = self._load()
        return self._table

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self._rows.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """One for all columns."""
        return self._rows.dtype

    @property
    def chunks(self) -> None:
        """A file is read as a whole."""
        return None

    def read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        """Read rows into an array."""
        if stop > len(self._rows):
            # It may have been written to since.
            self._table = None
        if stop > len(self._rows):
            msg = (
                f"the file {self._resource['uri']!r} has {len(self._rows):,} rows; row {stop - 1:,} is wanted"
            )
            raise ExternalDataError(msg)
        out[...] = self._rows[(slice(start, stop, step), *within)]

    def close(self) -> None:
        """Forget the table."""
        self._table = None

    def _load(self) -> np.ndarray:
        import pandas as pd

        path = self._places.find(self._resource["uri"])
        given = self._resource["parameters"]
        options = {key: given[key] for key in _OPTIONS if given.get(key) is not None}
        is_headed = self._resource["mimetype"].replace(" ", "") == "text/csv"
        try:
            found = pd.read_csv(path, header=0 if is_headed else None, **options)
        except Exception as error:  # whatever pandas raises
            msg = f"the file {path!r} cannot be read: {type(error).__name__}: {error}"
            raise ExternalDataError(msg) from error
        rows: np.ndarray = found.to_numpy()
        return rows
