"""The readings of a stream as JSON, as an Arrow stream, and as CSV."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa

from hutch.catalogs import Stream
from hutch.documents import plain
from hutch.errors import QueryError
from hutch.server.tiled.array import MOST_BYTES
from hutch.server.tiled.metadata import servable

__all__ = ["MEDIA_TYPES", "DataFormat", "stream_data"]

DataFormat = Literal["json", "arrow", "csv"]

MEDIA_TYPES: dict[DataFormat, str] = {
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv",
}


def stream_data(stream: Stream, keys: Sequence[str] | None, wanted: DataFormat) -> bytes:
    """Return ``time``, ``seq_num`` and readings of a stream.

    As JSON a list a key, NaN as null; in CSV arrays are JSON text.

    :raises StreamNotFoundError: if there is no such key.
    :raises QueryError: if that is too much for one answer.
    """
    table = stream.to_arrow(keys)
    if table.nbytes > MOST_BYTES:
        msg = (
            f"The answer would have {table.nbytes:,} bytes, and may have {MOST_BYTES:,}. Ask for fewer keys."
        )
        raise QueryError(msg)
    if wanted == "arrow":
        return _as_arrow(table)
    columns = {name: _values(table.column(name)) for name in table.column_names}
    if wanted == "csv":
        return _as_csv(columns)
    return orjson.dumps({name: servable(values) for name, values in columns.items()})


def _values(column: pa.ChunkedArray) -> list[Any]:
    if isinstance(column.type, pa.FixedShapeTensorType):
        return [row for chunk in column.chunks for row in chunk.to_numpy_ndarray().tolist()]
    found: list[Any] = column.to_pylist()
    return found


def _as_arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def _as_csv(columns: dict[str, list[Any]]) -> bytes:
    import csv

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict, np.ndarray)):
        return json.dumps(plain(value))
    return value
