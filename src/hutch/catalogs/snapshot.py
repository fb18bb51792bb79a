"""What is committed of one stream at one moment, and its values as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hutch.catalogs.metadata import data_keys_of, dictionary, is_datum_key, is_stream_key, stream_name
from hutch.catalogs.pieces import Part, Piece, assemble, empty
from hutch.catalogs.tombstones import check_present
from hutch.documents import decode
from hutch.errors import CorruptBatchError, ExternalDataError, StreamNotFoundError
from hutch.store.columns import Column, Kind, Layout
from hutch.store.protocol import Batch, RunRow, Segment, Store
from hutch.store.rereading import read_rows
from hutch.store.unpacking import join_small

if TYPE_CHECKING:
    from hutch.catalogs.external import External

__all__ = ["Snapshot"]

_TIMESTAMP = {"dtype": "number"}
_FIXED = {"time": {"dtype": "number"}, "seq_num": {"dtype": "integer"}, "arrival": {"dtype": "integer"}}


class Snapshot:
    """The rows of a stream that are committed now, in order of arrival over all its descriptors.

    :param store: where they are.
    :param run: the run as the store has it.
    :param name: of the stream.
    :param root_map: folders of detector files that have moved, old to new.
    """

    def __init__(self, store: Store, run: RunRow, name: str, root_map: Mapping[str, str]) -> None:
        self.name = name
        self._store = store
        self._run = run
        self._root_map = root_map
        documents = (decode(row.body) for row in store.documents(run.id, ["descriptor"]))
        self.descriptors: list[dict[str, Any]] = [found for found in documents if stream_name(found) == name]
        self._segments = {segment.id: segment for segment in store.segments(run.id) if segment.stream == name}
        self._batches: dict[int, list[Batch]] = {segment: [] for segment in self._segments}
        for batch in store.batches(run.id):
            if batch.segment in self._batches:
                self._batches[batch.segment].append(batch)
        self._keys: frozenset[str] | None = None
        if not any(self._batches.values()):
            check_present(store, run.id)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(batch.rows for batches in self._batches.values() for batch in batches)

    @cached_property
    def data_keys(self) -> dict[str, dict[str, Any]]:
        """What the descriptors say of each key, the newest if several do; ``{}`` if none does."""
        found: dict[str, dict[str, Any]] = {}
        for descriptor in self.descriptors:
            found.update(data_keys_of(descriptor))
            for name, keys in dictionary(descriptor, "object_keys").items():
                for key in keys if isinstance(keys, list) else ():
                    if key in found:
                        found[key] = {"object_name": name, **found[key]}
        for segment in self._segments.values():
            _, layout = _layout(segment.schema)
            for key, _ in layout.data:
                found.setdefault(key, {})
            if layout.whole:
                self._add_odd_keys(found, segment)
        return found

    @cached_property
    def stream_keys(self) -> list[str]:
        """The keys whose values are in files that stream_resource documents name, not in events."""
        stored = {key for segment in self._segments.values() for key, _ in _layout(segment.schema)[1].data}
        return [key for key, about in self.data_keys.items() if is_stream_key(about) and key not in stored]

    def choose(self, keys: str | Iterable[str] | None) -> list[str]:
        """Return the keys to read, every one of them known and readable; None chooses all that are.

        :raises StreamNotFoundError: if there is no such key, naming those there are.
        :raises ExternalDataError: if its values are where hutch does not read.
        """
        if keys is None:
            return [key for key in self.data_keys if key not in self.stream_keys]
        chosen = [keys] if isinstance(keys, str) else list(dict.fromkeys(keys))
        for key in chosen:
            if key not in self.data_keys:
                known = ", ".join(self.data_keys) or "none"
                msg = f"No key {key!r} in stream {self.name!r} of run {self._run.uid!r}. Keys: {known}"
                raise StreamNotFoundError(msg)
            if key in self.stream_keys:
                msg = (
                    f"{key!r} in stream {self.name!r} of run {self._run.uid!r} is in files that "
                    "stream_resource documents name; this version of hutch does not read those. The "
                    "documents are in run.documents(fill='no')."
                )
                raise ExternalDataError(msg)
        return chosen

    def narrow(self, keys: Iterable[str]) -> None:
        """Have only some keys read from now on, so that others cost nothing."""
        self._keys = frozenset(keys)

    def array(self, key: str, prefix: str = "data") -> np.ndarray:
        """Return the values of a key in all rows as a new array; see :func:`pieces.assemble`.

        :param prefix: ``data`` for readings, ``ts`` for their timestamps in s since 1970.
        :raises ExternalDataError: if they are in files that cannot be read.
        """
        found = assemble(self.pieces(key, prefix), self._about(key, prefix))
        return found if self.order is None else found[self.order]

    def pieces(self, key: str, prefix: str = "data") -> list[Piece]:
        """Return the values of a key record batch by record batch, not yet brought into :attr:`order`."""
        return [self._piece(part, key, prefix) for part in self.parts]

    def window(self, key: str, prefix: str, start: int, stop: int) -> np.ndarray:
        """Return the values of a key in the rows between two, reading only these."""
        pieces = [self._piece(part, key, prefix) for part in self._rows_between(start, stop)]
        return assemble(pieces, self._about(key, prefix))

    def fixed(self, name: str) -> np.ndarray:
        """Return ``time`` (float64, s since 1970), ``seq_num`` or ``arrival`` (int64) of all rows."""
        found = assemble([part.fixed(name) for part in self.parts], _FIXED[name])
        return found if self.order is None else found[self.order]

    def fixed_window(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return ``time`` or ``seq_num`` in the rows between two, reading only these."""
        return assemble([part.fixed(name) for part in self._rows_between(start, stop)], _FIXED[name])

    def is_external(self, key: str) -> bool:
        """Tell whether the values of a key are in files that datum documents point into."""
        return is_datum_key(self.data_keys[key])

    def row_shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of one row of a key; of external data, as its descriptor promises it."""
        about = self.data_keys[key]
        if self.is_external(key):
            return empty(about).shape[1:]
        columns = self.columns(key)
        if columns is None:
            return self.array(key).shape[1:]
        shapes = {column.shape for column in columns if column.kind is not Kind.NULL}
        return shapes.pop() if len(shapes) == 1 else () if shapes else empty(about).shape[1:]

    def columns(self, key: str) -> list[Column] | None:
        """Return the columns that hold a key, one for each segment; None if only its values tell."""
        found = [columns.get(key, Column()) for columns in self._columns]
        layouts = [_layout(segment.schema)[1] for segment in self._segments.values()]
        if any(column.kind is Kind.JSON for column in found) or any(layout.whole for layout in layouts):
            return None
        return found

    def cut(self, start: int, stop: int, keys: Iterable[str]) -> Snapshot:
        """Return some keys in the rows between two as a snapshot of its own, which reads only these."""
        found = copy(self)
        found.narrow(keys)
        found.parts = Snapshot._rows_between(found, start, stop)
        found.order = None
        return found

    @cached_property
    def parts(self) -> list[Part]:
        """All rows, record batch by record batch, in order of their first rows."""
        found = [part for segment in self._segments.values() for part in self._load(segment)]
        if len(self._segments) > 1:
            found.sort(key=lambda part: part.batch.column("arrival")[0].as_py())
        return found

    @cached_property
    def order(self) -> np.ndarray | None:
        """The permutation that brings rows of several descriptors into order; None if they are in order."""
        if len(self._segments) < 2:
            return None
        arrivals = [part.fixed("arrival").to_numpy() for part in self.parts]
        arrival = np.concatenate(arrivals) if arrivals else np.empty(0)
        return None if bool(np.all(arrival[1:] > arrival[:-1])) else np.argsort(arrival, kind="stable")

    @cached_property
    def _columns(self) -> list[dict[str, Column]]:
        return [dict(_layout(segment.schema)[1].data) for segment in self._segments.values()]

    @cached_property
    def _external(self) -> External:
        from hutch.catalogs.external import External

        return External(self._store, self._run, self._root_map)

    def _about(self, key: str, prefix: str) -> Mapping[str, Any]:
        return self.data_keys[key] if prefix == "data" else _TIMESTAMP

    def _piece(self, part: Part, key: str, prefix: str) -> Piece:
        piece = part.piece(key, prefix)
        if prefix != "data" or key not in self._datum_keys.get(part.descriptor, ()):
            return piece
        found, filled = piece.values(), part.is_filled(key)
        rows = [row for row, value in enumerate(found) if value is not None and not filled[row]]
        arrays = self._external.fill(key, part.descriptor, [found[row] for row in rows])
        for row, array in zip(rows, arrays, strict=True):
            found[row] = array
        return Piece(part.rows, Column(Kind.JSON), loaded=found)

    @cached_property
    def _datum_keys(self) -> dict[str, set[str]]:
        """For each descriptor, the keys whose values are datum ids."""
        return {
            found["uid"]: {key for key, about in data_keys_of(found).items() if is_datum_key(about)}
            for found in self.descriptors
        }

    def _add_odd_keys(self, found: dict[str, dict[str, Any]], segment: Segment) -> None:
        """Add the keys that only events have which fit no columns."""
        for part in self.parts:
            if part.descriptor == segment.descriptor:
                for event in part.wholes.values():
                    for key in dictionary(event, "data"):
                        found.setdefault(key, {})

    def _rows_between(self, start: int, stop: int) -> list[Part]:
        """Return the rows between two; of a stream of one segment, loading only batches they are in."""
        if len(self._segments) < 2:
            return [part for found in self._segments.values() for part in self._load(found, start, stop)]
        if self.order is None:
            return _cut(self.parts, start, stop)
        rows = self.order[start:stop]
        stretches = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if rows.size else []
        return [part for some in stretches for part in _cut(self.parts, int(some[0]), int(some[-1]) + 1)]

    def _load(self, segment: Segment, start: int = 0, stop: int | None = None) -> list[Part]:
        """Return rows of a segment, by their places in it."""
        batches = self._batches[segment.id]
        schema, layout = _layout(segment.schema)
        try:
            reading = read_rows(self._store, segment, schema, batches, start, stop)
            loaded = [part for some in reading for part in some]
        except CorruptBatchError:
            check_present(self._store, self._run.id)
            raise
        size = sum(batch.size for batch in batches) * sum(part.num_rows for part in loaded)
        size //= max(sum(batch.rows for batch in batches), 1)
        if self._keys is not None:
            names = _columns_of(schema, self._keys)
            loaded = [part.select(names) for part in loaded]
            size = size * len(names) // len(schema)
        return [Part(segment.descriptor, layout, part) for part in join_small(loaded, size)]


def _cut(parts: Sequence[Part], start: int, stop: int) -> list[Part]:
    """Return the rows between two of consecutive parts."""
    found, row = [], 0
    for part in parts:
        first, last = max(start - row, 0), min(stop - row, part.rows)
        if first < last:
            found.append(part.cut(first, last))
        row += part.rows
    return found


def _columns_of(schema: pa.Schema, keys: frozenset[str]) -> list[str]:
    """Return the columns that some keys need, and those that every batch has."""
    # What stands before a dot says what of the key a column holds; the key may have dots too.
    names: list[str] = schema.names
    return [name for name in names if "." not in name or name.partition(".")[2] in keys]


@lru_cache(maxsize=256)
def _layout(schema: bytes) -> tuple[pa.Schema, Layout]:
    found = pa.ipc.read_schema(pa.py_buffer(schema))
    return found, Layout.from_schema(found)
