"""New rows of something that grows, as plots and checks see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Batch", "Deferred"]

_Made = TypeVar("_Made")

_DIGITS = 16


class Deferred:
    """A column that is read when it is first asked for: frames of a detector, which few plots want.

    :param rows: how many it has.
    :param load: reads it; what it raises, whoever asks gets.
    """

    def __init__(self, rows: int, load: Callable[[], npt.NDArray[Any]]) -> None:
        self._rows = rows
        self._load = load
        self._found: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        """Return how many rows it has."""
        return self._rows

    def array(self) -> npt.NDArray[Any]:
        """Return the values."""
        if self._found is None:
            self._found = _read_only(self._load())
        return self._found


class Batch:
    """Some rows of a source: of a file, or of a stream of a run.

    Columns are asked for by name, ``batch["timestamp"]``; each is an array whose first dimension is rows. All
    plots of a process share them, so that they cannot be written to.

    :param source: what the rows are from: the path of a file, or ``uid/stream``.
    :param format: the name of the format that read them, ``"packets"`` for example.
    :param start: the number of the first row in the source, from 0.
    :param columns: a structured array, shape ``(rows,)``, or arrays by name, equally long; some may be
        deferred.
    :param facts: what is known of the source beside its rows: attributes of the file, or
        ``start`` and ``descriptors``, documents of the run.
    :param span: how many rows of the source these were made from, if that is another number: messages,
        each of which holds many packets.
    """

    def __init__(
        self,
        source: str,
        format: str,
        start: int,
        columns: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any] | Deferred],
        facts: Mapping[str, Any] | None = None,
        span: int | None = None,
    ) -> None:
        self.source = source
        self.format = format
        self.start = start
        self.columns: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any] | Deferred] = (
            _read_only(columns)
            if isinstance(columns, np.ndarray)
            else MappingProxyType({name: _read_only(column) for name, column in columns.items()})
        )
        self.facts: Mapping[str, Any] = MappingProxyType(
            {name: _read_only(fact) for name, fact in (facts or {}).items()}
        )
        self._span = span
        self._made: dict[Callable[[Batch], Any], Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        if isinstance(self.columns, np.ndarray):
            return self.columns.dtype.names or ()
        return tuple(self.columns)

    @property
    def stop(self) -> int:
        """One more than the number of the last row in the source."""
        return self.start + (len(self) if self._span is None else self._span)

    def __len__(self) -> int:
        """Return how many rows there are."""
        if isinstance(self.columns, np.ndarray):
            return len(self.columns)
        return min((len(column) for column in self.columns.values()), default=0)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return a column.

        :raises KeyError: if there is none of that name.
        """
        if isinstance(self.columns, np.ndarray) and name not in self.names:
            raise KeyError(name)
        column: npt.NDArray[Any] | Deferred = self.columns[name]
        return column.array() if isinstance(column, Deferred) else column

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a column of that name."""
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the columns."""
        return iter(self.names)

    def digest(self) -> str:
        """Return what tells these rows from others; it leaves out columns that are deferred."""
        found = sha256()
        for name in self.names:
            column = self.columns[name]
            if not isinstance(column, Deferred):
                found.update(f"{name} {column.dtype.str}\0".encode())
                found.update(
                    repr(column.tolist()).encode() if column.dtype.hasobject else np.asarray(column).tobytes()
                )
        return found.hexdigest()[:_DIGITS]

    def once(self, make: Callable[[Batch], _Made]) -> _Made:
        """Return what a function makes of this batch; it is called once, however many plots ask.

        Arrays that it returns, by themselves, in a tuple or in a dataclass, cannot be written to afterwards.

        :param make: a function that always gives the same of the same batch; not a lambda, which is new
            each time.
        """
        if make not in self._made:
            self._made[make] = made = make(self)
            _lock(made)
        found: _Made = self._made[make]
        return found


def _read_only(value: _Made) -> _Made:
    """Return an array as one that cannot be written to, without copying it; anything else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _lock(made: object) -> None:
    """Have arrays that somebody made for all not be written to any more."""
    if isinstance(made, np.ndarray):
        made.flags.writeable = False
    elif isinstance(made, tuple):
        for one in made:
            _lock(one)
    elif is_dataclass(made):
        for field in fields(made):
            _lock(getattr(made, field.name))
