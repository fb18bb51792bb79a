"""Streams of runs as the monitor reads them: events that are committed, from any process."""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from hutch.catalogs.showing.hints import hinted_fields
from hutch.errors import (
    CorruptBatchError,
    RunNotFoundError,
    SourceChangedError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from hutch.monitor.batch import Batch, Deferred
from hutch.monitor.formats.bisecting import readable_part
from hutch.monitor.sources import BadRange, SourceSpec

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run
    from hutch.catalogs.reading.snapshot import Snapshot
    from hutch.catalogs.stream import Stream

_Answer = TypeVar("_Answer")

__all__ = ["FORMAT", "RunSource", "catalog_at", "know_catalog", "spec_of"]

FORMAT = "run"
"""The name of the format of streams."""

_MOST_ROWS = 100_000
_MOST_BYTES = 2**26
"""Of what is read at once, frames in detectors' files included."""
_ITEM_BYTES = 8
_LONGEST_BASE = 100

_catalogs: dict[str, Catalog] = {}
_lock = threading.Lock()


def catalog_at(address: str) -> Catalog:
    """Return the catalog of a store, which is opened once in a process, and never made.

    :raises StoreError: if there is none, or it cannot be opened.
    """
    from hutch.catalogs import Catalog
    from hutch.store import open_store

    with _lock:
        found = _catalogs.get(address)
        if found is None or found.store.is_closed:
            found = _catalogs[address] = Catalog(open_store(address, create=False))
        return found


def know_catalog(address: str, catalog: Catalog) -> None:
    """Have sources of a store read through a catalog that is open in this process."""
    with _lock:
        _catalogs[address] = catalog


def spec_of(address: str, run: Run, stream: str) -> SourceSpec:
    """Return what opens a stream of a run.

    :param address: of the store, as another process opens it.
    """
    name = f"{run.uid}/{stream}"
    told = "-".join([*([] if run.scan_id is None else [str(run.scan_id)]), run.uid, stream])
    base = re.sub(r"[^\w.-]", "_", told)[:_LONGEST_BASE]
    if base != told:
        base = f"{base}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    # A run that was deleted and came back has another number.
    return SourceSpec(
        f"{address} {quote(run.uid, safe='')}/{quote(stream, safe='')}",
        f"{run.store.uid}-{run.row.id}",
        FORMAT,
        base,
    )


class RunSource:
    """The events of a stream, in order of arrival.

    Columns: ``time`` (float64, s since 1970), ``seq_num``, and each data key; those in detectors' files are
    read when they are asked for. Facts: ``start``, ``descriptors``, ``stream``, ``data_keys``, and
    ``hinted``, the keys that the hints name.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec
        store, _, name = spec.address.rpartition(" ")
        self._store = store
        self._uid, self._stream_name = map(unquote, name.split("/"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def rows(self) -> int:
        """Return how many rows are committed now."""
        return self._ask(len)

    def read(self, start: int, stop: int) -> Batch | BadRange:
        """Return rows from ``start`` on, as many as fit into memory together."""
        return self._ask(partial(self._read, start=start, stop=stop))

    def write(self, batch: Batch, group: Any) -> None:
        """Write a dataset for each key, numbers and text; what is in detectors' files stays there."""
        group.attrs["start"] = json.dumps(batch.facts.get("start", {}), default=str)
        group.attrs["descriptors"] = json.dumps(batch.facts.get("descriptors", []), default=str)
        columns: Mapping[str, Any] = {} if isinstance(batch.columns, np.ndarray) else batch.columns
        for name, column in columns.items():
            if isinstance(column, Deferred):
                continue
            if column.dtype.kind in "biufc":
                group.create_dataset(name, data=column, maxshape=(None, *column.shape[1:]))
            elif all(isinstance(value, str) for value in column):
                from h5py import string_dtype

                group.create_dataset(name, data=column, dtype=string_dtype(), maxshape=(None,))

    def _ask(self, question: Callable[[Stream], _Answer]) -> _Answer:
        try:
            run = catalog_at(self._store)[self._uid]
            if spec_of(self._store, run, self._stream_name).identity != self.spec.identity:
                msg = f"The run {self._uid!r} has been deleted, and another of its uid is there now"
                raise SourceChangedError(msg)
            from hutch.catalogs.stream import Stream

            return question(Stream(run, self._stream_name))
        except RunNotFoundError as error:
            raise SourceChangedError(str(error)) from error
        except StoreUnavailableError as error:
            raise SourceUnavailableError(str(error)) from error

    def _read(self, stream: Stream, *, start: int, stop: int) -> Batch | BadRange:
        snapshot = stream.snapshot()
        row_bytes = sum(_bytes_of(snapshot, key) for key in snapshot.data_keys)
        most = min(_MOST_ROWS, max(1, _MOST_BYTES // max(row_bytes, _ITEM_BYTES)))
        stop = max(start, min(stop, snapshot.rows, start + most))
        facts = {
            "start": dict(stream.run.start),
            "descriptors": snapshot.descriptors,
            "stream": stream.name,
            "data_keys": snapshot.data_keys,
            "hinted": hinted_fields(snapshot.descriptors),
        }

        def take(first: int, last: int) -> Batch:
            columns = _columns(snapshot, first, last)
            return Batch(f"{self._uid}/{stream.name}", FORMAT, first, columns, facts)

        return readable_part(take, start, stop, 1, (CorruptBatchError,))


def _columns(snapshot: Snapshot, start: int, stop: int) -> dict[str, npt.NDArray[Any] | Deferred]:
    external = {key for key in snapshot.data_keys if snapshot.is_external(key)}
    own = [key for key in snapshot.data_keys if key not in external]
    # Fixed columns come with any key.
    part = snapshot.cut(start, stop, own)
    found: dict[str, npt.NDArray[Any] | Deferred] = {
        name: snapshot.fixed_window(name, start, stop) for name in ("time", "seq_num")
    }
    for key in snapshot.data_keys:
        if key in external:
            found[key] = Deferred(stop - start, partial(snapshot.window, key, "data", start, stop))
        else:
            found[key] = part.array(key)
    return found


def _bytes_of(snapshot: Snapshot, key: str) -> int:
    """Return about how large a value of a key is, as its descriptor says."""
    shape = snapshot.data_keys[key].get("shape")
    sizes = [size for size in shape if isinstance(size, int) and size > 0] if isinstance(shape, list) else []
    return _ITEM_BYTES * math.prod(sizes)
