"""A run and its streams as containers of Tiled, in the layout 3.0 of bluesky-tiled-plugins."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import anyio.to_thread
from tiled.adapters.mapping import MapAdapter
from tiled.server.core import NoEntry
from tiled.structures.core import Spec

from hutch.catalogs import Run, Stream
from hutch.errors import ExternalDataError, StreamNotFoundError
from hutch.server.frames import MissingFrames
from hutch.server.tiled.array import ArrayAdapter
from hutch.server.tiled.metadata import TABLE, run_metadata, served_names, stream_metadata
from hutch.server.tiled.placing import Placed, place
from hutch.server.tiled.table import TableAdapter

__all__ = ["RUN_SPEC", "RunAdapter", "StreamAdapter"]

RUN_SPEC = Spec("BlueskyRun", version="3.0")
_STREAM_SPECS = [Spec("BlueskyEventStream", version="3.0"), Spec("composite")]


class StreamAdapter(MapAdapter):
    """A stream: the table of its events, and arrays beside it.

    The structure of these does not come along with it: of a table that did, Tiled's clients find no column.
    """

    @classmethod
    def of(cls, stream: Stream) -> StreamAdapter:
        """Return the adapter of a stream; what is needed to tell its structure is read."""
        snapshot = stream.snapshot()
        metadata = stream_metadata(snapshot.descriptors)
        keys = metadata.get("data_keys")
        about = keys if isinstance(keys, dict) else {}
        external = stream.external_keys()
        placed = place(snapshot, external)
        parts: dict[str, Any] = {}
        if placed.columns.keys() - {"seq_num", "time"} or snapshot.rows:
            shown = {name: about[name] for name in placed.columns if name in about}
            parts[TABLE] = TableAdapter(snapshot, placed.columns, shown)
        if snapshot.rows:
            parts |= _arrays(placed, about)
            for key in external:
                name, data_key = placed.names[key], snapshot.data_keys[key]
                known = _array_metadata(about, name)
                parts[name] = _external_array(stream, key, snapshot.rows, data_key, known)
        return cls(parts, metadata=metadata, specs=_STREAM_SPECS)

    async def lookup_adapter(self, segments: Sequence[str]) -> Any:
        """Return a part.

        :raises NoEntry: if there is none.
        """
        name, *rest = segments
        if name not in self:
            raise NoEntry(list(segments))
        return await self[name].lookup_adapter(rest) if rest else self[name]

    def __dask_tokenize__(self) -> str:
        # Without this, dask would pickle all of it to tell whether it has changed.
        return uuid.uuid4().hex


class RunAdapter(MapAdapter):
    """A run: its streams.

    :ivar run: None for some of its streams only.
    :ivar is_inlined: whether its streams come along when it is asked for, which saves requests.
    """

    run: Run | None = None
    is_inlined = False
    _token = ""

    @classmethod
    def of(cls, run: Run, *, is_inlined: bool = False) -> RunAdapter:
        """Return the adapter of a run: its metadata is read now, its streams when they are needed."""
        metadata = run_metadata(run)
        found = cls(_Streams(run), metadata=metadata, specs=[RUN_SPEC])
        found.run = run
        found.is_inlined = is_inlined and metadata["stop"] is not None
        # Nothing tells whether an open run is still as it was.
        state = f"{run.row.current!r}" if metadata["stop"] is not None else uuid.uuid4().hex
        found._token = hashlib.sha256(f"{run.store.uid} {run.uid} {state}".encode()).hexdigest()
        return found

    def inlined_contents_enabled(self, depth: int) -> bool:
        """Tell whether the structure of its streams comes along, which saves requests."""
        return self.is_inlined

    async def exact_len(self) -> int:
        """Return the number of streams; read what comes along with them, before it is asked for."""
        if self.is_inlined:
            await anyio.to_thread.run_sync(lambda: list(self._mapping.values()))
        return len(self._mapping)

    async def lookup_adapter(self, segments: Sequence[str]) -> Any:
        """Return a stream, or a part of it.

        :raises NoEntry: if there is none.
        """
        name, *rest = segments
        try:
            stream = await anyio.to_thread.run_sync(partial(self._mapping.__getitem__, name))
        except KeyError:
            raise NoEntry(list(segments)) from None
        return await stream.lookup_adapter(rest) if rest else stream

    def read(self, fields: Sequence[str] | None = None) -> MapAdapter:
        """Return the run itself, or some of its streams."""
        return self if fields is None else super().read(fields)

    def __dask_tokenize__(self) -> str:
        return self._token


class _Streams(Mapping[str, StreamAdapter]):
    """The streams of a run by name, primary first, each read when it is first asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._names = {served: name for name, served in served_names(run.keys(), ()).items()}
        self._found: dict[str, StreamAdapter] = {}

    def __getitem__(self, name: str) -> StreamAdapter:
        if name not in self._names:
            raise KeyError(name)
        found = self._found.get(name)
        if found is None:
            try:
                found = StreamAdapter.of(self._run[self._names[name]])
            except StreamNotFoundError as error:  # the run was deleted a moment ago
                raise KeyError(name) from error
            self._found[name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _arrays(placed: Placed, about: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: ArrayAdapter(frames, _array_metadata(about, name, str(frames.dtype)))
        for name, frames in placed.arrays.items()
    }
    if placed.ragged:
        from tiled.adapters.ragged import RaggedAdapter

        for name, rows in placed.ragged.items():
            found[name] = RaggedAdapter.from_array(
                [row.tolist() for row in rows], metadata=_array_metadata(about, name)
            )
    return found


def _array_metadata(about: Mapping[str, Any], name: str, dtype: str | None = None) -> dict[str, Any]:
    known = about.get(name)
    found = dict(known) if isinstance(known, dict) else {}
    return {**found, "dtype_numpy": dtype} if dtype else found


def _external_array(
    stream: Stream, key: str, rows: int, data_key: Mapping[str, Any], metadata: Mapping[str, Any]
) -> ArrayAdapter:
    """Return a key in detectors' files; of one whose file is gone, what tells so when it is read."""
    try:
        return ArrayAdapter(stream.frames(key), metadata)
    except ExternalDataError as error:
        return ArrayAdapter(MissingFrames(rows, data_key, error), metadata)
