"""What is committed of one stream at one moment, and its values as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hutch.assets import FilePlaces, StreamFrames
from hutch.catalogs.metadata import data_keys_of, dictionary, is_datum_key, is_stream_key, stream_name
from hutch.catalogs.reading.datum_frames import DatumFrames
from hutch.catalogs.reading.pieces import Part, Piece, assemble, empty
from hutch.catalogs.tombstones import check_present
from hutch.config import read_limit_bytes
from hutch.documents import decode
from hutch.documents.text import size_text
from hutch.errors import CorruptBatchError, ExternalDataError, StreamNotFoundError
from hutch.store.batches.columns import Column, Kind, read_columns
from hutch.store.batches.rereading import read_rows
from hutch.store.batches.unpacking import join_small
from hutch.store.protocols.store import Batch, RunRow, Segment, Store

if TYPE_CHECKING:
    from hutch.catalogs.reading.external import External
    from hutch.catalogs.reading.stream_assets import StreamAssets

__all__ = ["Snapshot"]

_LARGEST_ITEM = 8
"""Bytes of the largest usual number."""
_TIMESTAMP = {"dtype": "number"}
_FIXED = {"time": {"dtype": "number"}, "seq_num": {"dtype": "integer"}, "arrival": {"dtype": "integer"}}

_PICKLED = ("name", "descriptors", "_store", "_run", "_places", "_segments", "_keys", "_batches", "_is_cut")


class Snapshot:
    """The rows of a stream that are committed now, in order of arrival over all its descriptors.

    :param store: where they are.
    :param run: the run as the store has it.
    :param name: of the stream.
    :param places: where the files of detectors are, and which of them are opened.
    """

    def __init__(self, store: Store, run: RunRow, name: str, places: FilePlaces) -> None:
        self.name = name
        self._store = store
        self._run = run
        self._places = places
        documents = (decode(row.body) for row in store.documents(run.id, ["descriptor"]))
        self.descriptors: list[dict[str, Any]] = [found for found in documents if stream_name(found) == name]
        self._segments = {segment.id: segment for segment in store.segments(run.id) if segment.stream == name}
        self._keys: frozenset[str] | None = None
        self._is_cut = False
        self._opened: dict[str, StreamFrames | DatumFrames] = {}
        if not self._segments:
            check_present(store, run.id)

    def __getstate__(self) -> dict[str, Any]:
        # Another process reads the same rows by itself, unless they are a few of all.
        read = ("parts", "order") if self._is_cut else ()
        return {name: getattr(self, name) for name in (*_PICKLED, *read)} | {"_opened": {}}

    @cached_property
    def _batches(self) -> dict[int, list[Batch]]:
        found: dict[int, list[Batch]] = {segment: [] for segment in self._segments}
        for batch in self._store.batches(self._run.id):
            if batch.segment in found:
                found[batch.segment].append(batch)
        if not any(found.values()):
            check_present(self._store, self._run.id)
        return found

    @property
    def rows(self) -> int:
        """The number of rows: of events, or where there are only frames, of these."""
        return self._event_rows or len(self.seq_nums if self.stream_keys else ())

    @cached_property
    def _event_rows(self) -> int:
        return sum(batch.rows for batches in self._batches.values() for batch in batches)

    @cached_property
    def seq_nums(self) -> np.ndarray:
        """The sequence number of each row: int64, from 1."""
        if self._event_rows or not self.stream_keys:
            return self._events("seq_num")
        return self._assets.seq_nums({found["uid"] for found in self.descriptors})

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
            _, layout = read_columns(segment)
            for key, _ in layout.data:
                found.setdefault(key, {})
            if layout.whole:
                self._add_odd_keys(found, segment)
        return found

    @cached_property
    def stream_keys(self) -> list[str]:
        """The keys whose values are in files that stream_resource documents name, not in events."""
        stored = {key for segment in self._segments.values() for key, _ in read_columns(segment)[1].data}
        return [key for key, about in self.data_keys.items() if is_stream_key(about) and key not in stored]

    def choose(self, keys: str | Iterable[str] | None) -> list[str]:
        """Return the keys to read, every one of them known; None chooses all.

        :raises StreamNotFoundError: if there is no such key, naming those there are.
        :raises TypeError: if these are no keys at all.
        """
        if keys is None:
            return list(self.data_keys)
        known = ", ".join(self.data_keys) or "none"
        try:
            chosen = [keys] if isinstance(keys, str) else list(dict.fromkeys(keys))
        except TypeError as error:
            msg = f"{keys!r} names no keys. Give the name of a key, or a list of names. Keys: {known}"
            raise TypeError(msg) from error
        for key in chosen:
            if key not in self.data_keys:
                msg = f"No key {key!r} in stream {self.name!r} of run {self._run.uid!r}. Keys: {known}"
                raise StreamNotFoundError(msg)
        return chosen

    def is_external(self, key: str) -> bool:
        """Tell whether the values of a key are in detectors' files."""
        return key in self.stream_keys or is_datum_key(self.data_keys[key])

    def frames(self, key: str) -> StreamFrames | DatumFrames:
        """Return the values of a key that is in files, which are read when they are asked for."""
        if key not in self.stream_keys:
            return DatumFrames(partial(self.window, key, "data"), self.rows, self.data_keys[key])
        name = f"{key!r} of run {self._run.uid!r}"
        announced = self._assets.announced(key, self.stream_keys, self.seq_nums)
        return StreamFrames(name, self.data_keys[key], announced, self._places)

    def check_size(self, keys: Iterable[str]) -> None:
        """Refuse to read more of detectors' files at once than memory is meant for.

        :raises ExternalDataError: naming the size and what to do.
        """
        external = [key for key in keys if self.is_external(key)]
        if not external:
            return
        limit = read_limit_bytes()
        shapes = [empty(self.data_keys[key]).shape[1:] for key in external]
        most = sum(self.rows * math.prod(shape) * _LARGEST_ITEM for shape in shapes)
        if most <= limit and all(map(math.prod, shapes)):
            return
        sizes = {key: self._frames(key).nbytes for key in external}
        if sum(sizes.values()) > limit:
            key = max(sizes, key=lambda one: sizes[one])
            size = size_text(sum(sizes.values()))
            msg = (
                f"{size} of detectors' files are above the limit of {size_text(limit)} that are read at "
                f"once. Take a part, as in run[{self.name!r}][{key!r}][:10], or to_dask(), which reads "
                "when it computes, or read other keys. The limit is read_limit_bytes in [files] of "
                "hutch.toml, or $HUTCH_READ_LIMIT_BYTES"
            )
            raise ExternalDataError(msg)

    def narrow(self, keys: Iterable[str]) -> None:
        """Have only some keys read from now on, so that others cost nothing."""
        self._keys = frozenset(keys)

    def array(self, key: str, prefix: str = "data") -> np.ndarray:
        """Return the values of a key in all rows as a new array; see :func:`pieces.assemble`.

        :param prefix: ``data`` for readings, ``ts`` for their timestamps in s since 1970.
        :raises ExternalDataError: if they are in files that cannot be read.
        """
        if self._is_announced(key, prefix):
            found: np.ndarray = self._frames(key)[...]
            return found
        if not self._event_rows and self.stream_keys:
            return np.full(self.rows, np.nan)
        found = assemble(self.pieces(key, prefix), self._about(key, prefix))
        return found if self.order is None else found[self.order]

    def pieces(self, key: str, prefix: str = "data") -> list[Piece]:
        """Return the values of a key record batch by record batch, not yet brought into :attr:`order`."""
        return [self._piece(part, key, prefix) for part in self.parts]

    def window(self, key: str, prefix: str, start: int, stop: int) -> np.ndarray:
        """Return the values of a key in the rows between two, reading only these."""
        if self._is_announced(key, prefix):
            found: np.ndarray = self._frames(key)[start:stop]
            return found
        pieces = [self._piece(part, key, prefix) for part in self._rows_between(start, stop)]
        return assemble(pieces, self._about(key, prefix))

    def fixed(self, name: str) -> np.ndarray:
        """Return ``time`` (float64, s since 1970), ``seq_num`` or ``arrival`` (int64) of all rows.

        Frames without events have no ``time``: NaN.
        """
        if self._event_rows or not self.stream_keys:
            return self._events(name)
        return np.full(self.rows, np.nan) if name == "time" else self.seq_nums

    def _events(self, name: str) -> np.ndarray:
        found = assemble([part.fixed(name) for part in self.parts], _FIXED[name])
        return found if self.order is None else found[self.order]

    def fixed_window(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return ``time`` or ``seq_num`` in the rows between two, reading only these."""
        if not self._event_rows and self.stream_keys:
            return self.fixed(name)[start:stop]
        return assemble([part.fixed(name) for part in self._rows_between(start, stop)], _FIXED[name])

    def row_shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of one row of a key; of external data, as its descriptor promises it."""
        about = self.data_keys[key]
        if self._is_announced(key, "data"):
            return self._frames(key).shape[1:]
        if self.is_external(key):
            return empty(about).shape[1:]
        columns = self.columns(key)
        if columns is None:
            return self.array(key).shape[1:]
        shapes = {column.shape for column in columns if column.kind is not Kind.NULL}
        return shapes.pop() if len(shapes) == 1 else () if shapes else empty(about).shape[1:]

    def column_dtype(self, key: str) -> np.dtype[Any] | None:
        """Return the dtype that :meth:`array` gives a key of events; None if only its values tell."""
        kinds = {column.kind for column in self.columns(key) or ()}
        if kinds == {Kind.FLOAT}:
            return np.dtype(np.float64)
        return np.dtype(object) if kinds == {Kind.TEXT} else None

    def columns(self, key: str) -> list[Column] | None:
        """Return the columns that hold a key, one for each segment; None if only its values tell."""
        found = [columns.get(key, Column()) for columns in self._columns]
        layouts = [read_columns(segment)[1] for segment in self._segments.values()]
        if any(column.kind is Kind.JSON for column in found) or any(layout.whole for layout in layouts):
            return None
        return found

    def cut(self, start: int, stop: int, keys: Iterable[str]) -> Snapshot:
        """Return some keys in the rows between two as a snapshot of its own, which reads only these."""
        found = object.__new__(Snapshot)
        found.__dict__.update(self.__dict__, _is_cut=True)
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
    def _assets(self) -> StreamAssets:
        from hutch.catalogs.reading.stream_assets import assets_of

        return assets_of(self._store, self._run)

    @cached_property
    def _columns(self) -> list[dict[str, Column]]:
        return [dict(read_columns(segment)[1].data) for segment in self._segments.values()]

    @cached_property
    def _external(self) -> External:
        from hutch.catalogs.reading.external import External

        return External(self._store, self._run, self._places)

    def _is_announced(self, key: str, prefix: str) -> bool:
        """Tell whether values are in files that stream_resource documents name."""
        return prefix == "data" and key in self.stream_keys

    def _frames(self, key: str) -> StreamFrames | DatumFrames:
        if key not in self._opened:
            self._opened[key] = self.frames(key)
        return self._opened[key]

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
        schema, layout = read_columns(segment)
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
