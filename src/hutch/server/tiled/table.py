"""The events of a stream as a table of Tiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio.to_thread
import numpy as np
import pandas as pd
import pyarrow as pa
from tiled.server.core import NoEntry
from tiled.structures.core import Spec, StructureFamily
from tiled.structures.table import TableStructure

from hutch.catalogs.reading.snapshot import Snapshot
from hutch.server.frames import HeldFrames
from hutch.server.tiled.array import ArrayAdapter
from hutch.server.tiled.placing import TableColumn

__all__ = ["TableAdapter"]

_PARTITION_BYTES = 32_000_000
"""A partition has about so many, at 8 a value."""
_LEAST_ROWS = 1000


class TableAdapter:
    """A table with a row for each event, in partitions of consecutive rows.

    :param metadata: what the descriptor says of each key, by the name of its column.
    """

    structure_family = StructureFamily.table

    def __init__(
        self, snapshot: Snapshot, columns: Mapping[str, TableColumn], metadata: Mapping[str, Any]
    ) -> None:
        self._snapshot = snapshot
        self._columns = columns
        self._metadata = dict(metadata)
        self._rows = snapshot.rows
        self._partition_rows = max(_PARTITION_BYTES // (8 * len(columns)), _LEAST_ROWS)
        schema = pa.schema([pa.field(name, column.type) for name, column in columns.items()])
        self._structure = TableStructure.from_schema(schema, max(-(-self._rows // self._partition_rows), 1))

    @property
    def specs(self) -> list[Spec]:
        """None: it is a table like any other."""
        return []

    def metadata(self) -> dict[str, Any]:
        """Return what the descriptor says of each key."""
        return self._metadata

    def structure(self) -> TableStructure:
        """Return its columns and the number of partitions."""
        return self._structure

    def read(self, fields: Sequence[str] | None = None) -> pd.DataFrame:
        """Return some columns, or all.

        :raises KeyError: if there is no such column.
        """
        return self._between(0, self._rows, fields)

    def read_partition(self, partition: int, fields: Sequence[str] | None = None) -> pd.DataFrame:
        """Return some columns, or all, in some consecutive rows.

        :raises IndexError: if there is no such partition.
        :raises KeyError: if there is no such column.
        """
        if not 0 <= partition < self._structure.npartitions:
            raise IndexError(partition)
        start = partition * self._partition_rows
        return self._between(start, min(start + self._partition_rows, self._rows), fields)

    def __getitem__(self, name: str) -> ArrayAdapter:
        """Return a column as an array.

        :raises KeyError: if there is none.
        """
        values = self.read([name])[name].to_numpy()
        if values.dtype == object:
            values = np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
        return ArrayAdapter(HeldFrames(values, ("time",)), self._metadata.get(name, {}))

    async def lookup_adapter(self, segments: Sequence[str]) -> ArrayAdapter:
        """Return a column as an array, read by another thread.

        :raises NoEntry: if there is none.
        """
        name, *rest = segments
        if rest or name not in self._columns:
            raise NoEntry(list(segments))
        return await anyio.to_thread.run_sync(partial(self.__getitem__, name))

    def _between(self, start: int, stop: int, names: Sequence[str] | None) -> pd.DataFrame:
        columns = self._columns if names is None else {name: self._columns[name] for name in names}
        rows = self._snapshot.cut(start, stop, [column.key for column in columns.values()])
        found = {name: column.values(rows, start, stop) for name, column in columns.items()}
        return pd.DataFrame(found, index=pd.RangeIndex(start, stop))
