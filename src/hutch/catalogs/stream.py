"""One stream of a run: its readings, their timestamps, the configuration of its devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hutch.catalogs.metadata import Document, stream_name
from hutch.catalogs.reading.configuration import Configuration
from hutch.catalogs.reading.lazy import LazyArray
from hutch.errors import StreamNotFoundError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import xarray as xr
    from matplotlib.figure import Figure

    from hutch.assets import StreamFrames
    from hutch.catalogs.reading.datum_frames import DatumFrames
    from hutch.catalogs.reading.snapshot import Snapshot
    from hutch.catalogs.run import Run

__all__ = ["Readings", "Stream"]

_SHOWN = 8
"""As many keys are named when a stream is shown."""
_PARTS = ("data", "timestamps", "config", "time", "seq_num")


class Stream:
    """A stream of a run; everything about it is read anew when asked for.

    :param run: the run it belongs to.
    :param name: ``primary``, ``baseline`` and so on.
    """

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    # reading

    def read(self, keys: str | Iterable[str] | None = None, datetimes: bool | None = None) -> xr.Dataset:
        """Return the readings as a dataset; arrays may be written to.

        Scalars have the dimension ``time``, arrays ``time`` and those the descriptor names, else
        ``dim_0``, ``dim_1``; units and the device's name are in ``attrs``. Numbers that some rows lack
        are NaN; text, ragged arrays and what else numpy has no dtype for are objects.

        :param keys: reads only these.
        :param datetimes: True gives ``time`` as datetime64[ns], False as seconds since 1970; None does
            what the catalog was opened with.
        :raises StreamNotFoundError: if there is no such key, naming those there are.
        :raises ExternalDataError: if a detector's file cannot be read, or detectors' files are larger than
            what is read at once; other keys still can.
        """
        return self.data.read(keys, datetimes)

    def to_dask(self, keys: str | Iterable[str] | None = None, datetimes: bool | None = None) -> xr.Dataset:
        """Return what :meth:`read` does over dask arrays: values are read when they are computed.

        Chunks of keys in detectors' files are those of the files; other keys are one chunk each. A file
        that is missing is missed when its key is computed.

        :param keys: only these.
        :raises StreamNotFoundError: if there is no such key, naming those there are.
        :raises MissingExtraError: if dask is not installed.
        """
        from hutch.catalogs.reading.lazy_datasets import lazy_dataset

        snapshot = self.snapshot()
        return lazy_dataset(snapshot, snapshot.choose(keys), datetimes=self.wants_datetimes(datetimes))

    def frames(self, key: str) -> StreamFrames | DatumFrames:
        """Return a key that is in detectors' files as an array of all rows, read as far as it is asked for.

        It has ``shape``, ``dtype`` and ``chunks`` (dask's way); rows that come later are not in it.

        :raises StreamNotFoundError: if there is no such key, or its values are in events.
        """
        snapshot = self.snapshot()
        snapshot.choose([key])
        if not snapshot.is_external(key):
            msg = f"{key!r} in stream {self.place} is in events, and not in files"
            raise StreamNotFoundError(msg)
        return snapshot.frames(key)

    def external_keys(self) -> list[str]:
        """Return the keys whose values are in detectors' files."""
        snapshot = self.snapshot()
        return [key for key in snapshot.data_keys if snapshot.is_external(key)]

    def to_pandas(
        self, keys: str | Iterable[str] | None = None, datetimes: bool | None = None
    ) -> pd.DataFrame:
        """Return the readings as columns indexed by ``time``; arrays stay whole, as objects."""
        from hutch.catalogs.reading.datasets import read_pandas

        snapshot = self.snapshot()
        chosen = snapshot.choose(keys)
        snapshot.check_size(chosen)
        snapshot.narrow(chosen)
        return read_pandas(snapshot, chosen, datetimes=self.wants_datetimes(datetimes))

    def to_arrow(self, keys: str | Iterable[str] | None = None) -> pa.Table:
        """Return ``time`` (float64, s since 1970), ``seq_num`` and the readings as an Arrow table."""
        from hutch.catalogs.reading.datasets import read_arrow

        snapshot = self.snapshot()
        chosen = snapshot.choose(keys)
        snapshot.check_size(chosen)
        snapshot.narrow(chosen)
        return read_arrow(snapshot, chosen)

    def plot(self, *, x: str | None = None, y: Iterable[str] = ()) -> Figure:
        """Return a picture of the stream, as the hints say: lines, or an image of a grid.

        :param x: the key to draw against, or ``time``; else the axes that the hints name.
        :param y: the keys to draw; else those that the hints name, else every number.
        :raises StreamNotFoundError: if there is no such key, or no number to draw.
        """
        from hutch.catalogs.showing.plotting import draw

        return draw(self.run, stream=self.name, x=x, y=y)

    @property
    def data(self) -> Readings:
        """The readings, key by key."""
        return Readings(self, "data")

    @property
    def timestamps(self) -> Readings:
        """When each reading was taken, in s since 1970, key by key."""
        return Readings(self, "ts")

    @property
    def config(self) -> Configuration:
        """The configuration of each device."""
        return Configuration(self)

    @property
    def time(self) -> LazyArray:
        """When each event was made: float64, s since 1970."""
        return LazyArray(f"time of {self.place}", self.snapshot, "time", "fixed")

    @property
    def seq_num(self) -> LazyArray:
        """The sequence number of each event: int64, from 1."""
        return LazyArray(f"seq_num of {self.place}", self.snapshot, "seq_num", "fixed")

    # metadata

    @property
    def descriptors(self) -> list[Document]:
        """The descriptors of this stream, in order of arrival; more than one if a device was reconfigured."""
        return [found for found in self.run.descriptors if stream_name(found) == self.name]

    @property
    def metadata(self) -> Document:
        """Start, stop and descriptors, and the ``dims``, ``data_vars`` and ``coords`` that read() gives."""
        from hutch.catalogs.reading.datasets import dimensions, variable_name

        snapshot = self.snapshot()
        keys = snapshot.choose(None)
        shapes = {key: snapshot.row_shape(key) for key in keys}
        names = dimensions(shapes, snapshot.data_keys)
        sizes = {name: size for key in keys for name, size in zip(names[key], shapes[key], strict=True)}
        return Document(
            {
                "start": self.run.start,
                "stop": self.run.stop,
                "descriptors": snapshot.descriptors,
                "dims": {"time": snapshot.rows, **sizes},
                "data_vars": {variable_name(key): ["time", *names[key]] for key in keys},
                "coords": ("time",),
            }
        )

    # as a container

    def __iter__(self) -> Iterator[str]:
        return iter(_PARTS)

    def __getitem__(self, key: str) -> Readings | Configuration | LazyArray:
        """Return a part of the stream, or a column of its readings without reading it.

        :raises StreamNotFoundError: if there is none, naming the keys there are.
        """
        if key in _PARTS:
            found: Readings | Configuration | LazyArray = getattr(self, key)
            return found
        return self.data[key]

    def __contains__(self, key: object) -> bool:
        return key in _PARTS or key in self.data

    def __len__(self) -> int:
        """Return the number of rows that are committed."""
        return self.run.count_rows().get(self.name, 0) or self.snapshot().rows

    def __bool__(self) -> bool:
        return True  # a stream without rows is a stream

    def __call__(self) -> Stream:
        """Return the stream itself, as DataBroker's entries do."""
        return self

    def get(self) -> Stream:
        """Return the stream itself, like :meth:`__call__`."""
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stream):
            return NotImplemented
        return self.run == other.run and self.name == other.name

    def __hash__(self) -> int:
        return hash((self.run, self.name))

    # showing

    def counted(self) -> str:
        """Return its rows and keys in a few words."""
        snapshot = self.snapshot()
        rows = f"{snapshot.rows:,} row{'s' if snapshot.rows != 1 else ''}"
        keys = list(snapshot.data_keys)
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        return f"{rows} of {', '.join(keys[:_SHOWN]) or 'no keys'}{more}"

    def __repr__(self) -> str:
        return f"<Stream {self.place}: {self.counted()}>"

    def _repr_html_(self) -> str:
        from hutch.catalogs.showing.notebook import stream_html

        return stream_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        return [*_PARTS, *self.data]

    @property
    def place(self) -> str:
        """Its name and its run, for messages."""
        return f"{self.name!r} of run {self.run.uid!r}"

    def snapshot(self) -> Snapshot:
        """Return what is committed of it now."""
        from hutch.catalogs.reading.snapshot import Snapshot

        return Snapshot(self.run.store, self.run.row, self.name, self.run.places)

    def wants_datetimes(self, wanted: bool | None) -> bool:
        """Return what is wanted, and if nothing is said, what the catalog was opened with."""
        return self.run.datetimes if wanted is None else wanted


class Readings:
    """The readings of a stream, or their timestamps, key by key: ``list(readings)`` names the keys.

    :param prefix: ``data`` for readings, ``ts`` for their timestamps.
    """

    def __init__(self, stream: Stream, prefix: str) -> None:
        self._stream = stream
        self._prefix = prefix

    def read(self, keys: str | Iterable[str] | None = None, datetimes: bool | None = None) -> xr.Dataset:
        """Return them as a dataset; see :meth:`Stream.read`."""
        from hutch.catalogs.reading.datasets import read_dataset

        stream = self._stream
        snapshot = stream.snapshot()
        chosen = snapshot.choose(keys)
        if self._prefix == "data":
            snapshot.check_size(chosen)
        snapshot.narrow(chosen)
        return read_dataset(snapshot, chosen, self._prefix, datetimes=stream.wants_datetimes(datetimes))

    def keys(self) -> list[str]:
        """Return the keys, in the order of the descriptors."""
        return list(self._stream.snapshot().data_keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __getitem__(self, key: str) -> LazyArray:
        """Return a column, without reading it.

        :raises StreamNotFoundError: if there is none, naming the keys there are.
        """
        stream = self._stream
        stream.snapshot().choose([key])
        return LazyArray(f"{key!r} in stream {stream.place}", stream.snapshot, key, self._prefix)

    def __repr__(self) -> str:
        what = "Readings" if self._prefix == "data" else "Timestamps"
        return f"<{what} of {self._stream.place}: {', '.join(self) or 'no keys'}>"

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys()
