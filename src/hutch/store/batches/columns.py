"""How the events of one descriptor lie in Arrow columns.

A batch has one row an event, and these columns, in this order:

================  ============  ===============================================================
``seq_num``       int64         as recorded
``time``          float64       s since 1970, as recorded
``uid``           utf8          as recorded
``arrival``       int64         arrival number in the run: rows of all streams interleave by it
``filled``        binary        only if some ``filled`` is not empty: its JSON
``whole``         binary        only if some event fits no columns (a key too many or too few, an
                                odd field): that event's JSON; null for the others
``data.<key>``    by kind       the readings
``int.<key>``     bool          beside a NUMBER column: where the value was an integer
``ts.<key>``      by kind       their timestamps, s since 1970
``tsint.<key>``   bool          beside a NUMBER column of timestamps
================  ============  ===============================================================

A column's kind follows what really came, not what the descriptor promised, so nothing is rounded or
cut; when something wider comes, a new segment with wider kinds begins. Kinds widen along

::

    NULL ─► FLOAT ─┬► NUMBER ─► JSON      NULL ─► BOOL │ TEXT │ TENSOR ─► JSON
    NULL ─► INT   ─┘

and a null stands for None, except in JSON columns, which hold ``null`` themselves. In a row that has
its ``whole``, nulls also stand for what is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

import pyarrow as pa

from hutch.errors import CorruptBatchError
from hutch.store.rows.runs import Segment

__all__ = ["Column", "Filled", "Kind", "Layout", "read_columns", "wider"]

_DAMAGED = (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError)
"""What is raised of bytes that are no schema, or no layout's."""


class Kind(StrEnum):
    """What a column holds, and how."""

    NULL = "null"
    """Nothing but None so far."""
    FLOAT = "float"
    """float64; every value was a float."""
    INT = "int"
    """int64; every value was an integer of 64 bit."""
    NUMBER = "number"
    """float64, and a bool column that tells integers; all of them within ±2**53."""
    BOOL = "bool"
    TEXT = "text"
    """utf8."""
    TENSOR = "tensor"
    """Arrow's fixed-shape tensor; bools as uint8."""
    JSON = "json"
    """Each value as JSON text in binary: what fits no other column, ragged arrays for example."""


class Filled(StrEnum):
    """What the events of a segment have under ``filled``."""

    EMPTY = "empty"
    """All have ``{}``."""
    ABSENT = "absent"
    """None has the field (documents before event-model 1.5)."""
    COLUMN = "column"
    """They differ: see the column; null where the field is absent."""


_NUMERIC = {Kind.FLOAT, Kind.INT, Kind.NUMBER}

_PLAIN_TYPES = {
    Kind.NULL: pa.null(),
    Kind.FLOAT: pa.float64(),
    Kind.INT: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOL: pa.bool_(),
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.binary(),
}


@dataclass(frozen=True)
class Column:
    """The kind of one column; ``dtype`` and ``shape`` of an element if it is a TENSOR."""

    kind: Kind = Kind.NULL
    dtype: str = ""
    shape: tuple[int, ...] = ()

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind.value, self.dtype, self.shape))

    def __hash__(self) -> int:
        # Layouts are looked up by their columns, for every batch.
        return self._hash

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type that holds it."""
        if self.kind is Kind.TENSOR:
            storage = "uint8" if self.dtype == "bool" else self.dtype
            return pa.fixed_shape_tensor(pa.from_numpy_dtype(storage), self.shape)
        return _PLAIN_TYPES[self.kind]


def wider(first: Column, second: Column) -> Column:
    """Return the narrowest column that holds, losslessly, what two columns hold."""
    if first is second or first.kind is Kind.NULL:
        return second
    if first == second or second.kind is Kind.NULL:
        # A tensor has no room for None.
        return Column(Kind.JSON) if first.kind is Kind.TENSOR and second.kind is Kind.NULL else first
    if first.kind in _NUMERIC and second.kind in _NUMERIC:
        return Column(Kind.NUMBER)
    return Column(Kind.JSON)


@dataclass(frozen=True)
class Layout:
    """The columns of one segment."""

    data: tuple[tuple[str, Column], ...]
    timestamps: tuple[tuple[str, Column], ...]
    filled: Filled = Filled.EMPTY
    whole: bool = False

    @cached_property
    def _hash(self) -> int:
        return hash((self.data, self.timestamps, self.filled, self.whole))

    def __hash__(self) -> int:
        # Asked for several times a batch, and there may be thousands of columns.
        return self._hash

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the kinds in the fields' metadata."""
        return _schema(self)[0]

    @property
    def schema_bytes(self) -> bytes:
        """The Arrow schema as an IPC message, as segments keep it."""
        return _schema(self)[1]

    @classmethod
    def from_schema(cls, schema: pa.Schema) -> Layout:
        """Return the layout whose :attr:`schema` this is."""
        found: dict[str, list[tuple[str, Column]]] = {"data": [], "ts": []}
        for field in schema:
            prefix, dot, key = field.name.partition(".")
            if dot and prefix in found:
                found[prefix].append((key, _column(field)))
        return cls(
            data=tuple(found["data"]),
            timestamps=tuple(found["ts"]),
            filled=Filled(schema.metadata[b"hutch.filled"].decode()),
            whole="whole" in schema.names,
        )


def _column(field: pa.Field) -> Column:
    kind = Kind(field.metadata[b"kind"].decode())
    if kind is Kind.TENSOR:
        return Column(kind, field.metadata[b"dtype"].decode(), tuple(field.type.shape))
    return Column(kind)


def read_columns(segment: Segment) -> tuple[pa.Schema, Layout]:
    """Return the Arrow schema of a segment's batches, and the layout whose schema it is.

    :raises CorruptBatchError: if its bytes are damaged.
    """
    try:
        return _parse(segment.schema)
    except _DAMAGED as error:
        msg = (
            f"The columns of stream {segment.stream!r} (segment {segment.id}) are damaged, so that its "
            "events cannot be read. Check the store with: hutch verify"
        )
        raise CorruptBatchError(msg) from error


@lru_cache(maxsize=256)
def _parse(schema: bytes) -> tuple[pa.Schema, Layout]:
    found = pa.ipc.read_schema(pa.py_buffer(schema))
    return found, Layout.from_schema(found)


@lru_cache(maxsize=1024)
def _schema(layout: Layout) -> tuple[pa.Schema, bytes]:
    """Return a layout's schema; runs of one kind share it, and it costs more than their events."""
    fields = [
        pa.field("seq_num", pa.int64(), nullable=False),
        pa.field("time", pa.float64(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("arrival", pa.int64(), nullable=False),
    ]
    if layout.filled is Filled.COLUMN:
        fields.append(pa.field("filled", pa.binary()))
    if layout.whole:
        fields.append(pa.field("whole", pa.binary()))
    for prefix, flag, columns in (("data", "int", layout.data), ("ts", "tsint", layout.timestamps)):
        for key, column in columns:
            about = {"kind": column.kind.value, "dtype": column.dtype}
            fields.append(pa.field(f"{prefix}.{key}", column.arrow_type, metadata=about))
            if column.kind is Kind.NUMBER:
                fields.append(pa.field(f"{flag}.{key}", pa.bool_()))
    schema = pa.schema(fields, metadata={"hutch.filled": layout.filled.value})
    return schema, schema.serialize().to_pybytes()
