"""One column of a stream, read when, and as far as, it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from hutch.catalogs.reading.snapshot import Snapshot

__all__ = ["LazyArray"]


class LazyArray:
    """The values of one key in all rows; ``run.primary["img"][0]`` reads one row and no other.

    :param name: what people call it.
    :param snapshot: gives what is committed of the stream now.
    :param key: of the readings, or the name of a column that every stream has.
    :param prefix: ``data`` for readings, ``ts`` for their timestamps, ``fixed`` for ``time`` and
        ``seq_num``.
    """

    def __init__(self, name: str, snapshot: Callable[[], Snapshot], key: str, prefix: str) -> None:
        self.name = name
        self._snapshot = snapshot
        self._key = key
        self._prefix = prefix

    def read(self) -> np.ndarray:
        """Return all of it: dims (time, …), dtype as in the stream's dataset.

        :raises ExternalDataError: if it is in files that cannot be read.
        """
        found = self._narrow()
        if self._prefix == "data":
            found.check_size([self._key])
        return found.fixed(self._key) if self._prefix == "fixed" else found.array(self._key, self._prefix)

    def __getitem__(self, index: Any) -> Any:
        """Return what numpy would; an integer or a slice in front reads only those rows.

        :raises IndexError: if there are not so many rows.
        """
        found = self._snapshot()
        if self._prefix == "data" and found.is_external(self._key):
            found.narrow([self._key])
            return found.frames(self._key)[index]
        first, rest = (index[0], index[1:]) if isinstance(index, tuple) and index else (index, ())
        if isinstance(first, slice):
            return self._slice(first)[(slice(None), *rest)]
        if hasattr(first, "__index__") and not isinstance(first, bool) and not getattr(first, "ndim", 0):
            return self._row(int(first))[rest]
        return self.read()[index]

    def __len__(self) -> int:
        return self._snapshot().rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.read())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = self.read()
        return found if dtype is None else found.astype(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, then the shape of one."""
        if self._prefix != "data":
            return (len(self),)
        found = self._narrow()
        return (found.rows, *found.row_shape(self._key))

    @property
    def ndim(self) -> int:
        """The number of dimensions, ``time`` included."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        found = self._narrow()
        is_external = self._prefix == "data" and found.is_external(self._key)
        return found.frames(self._key).dtype if is_external else self.read().dtype

    @property
    def attrs(self) -> dict[str, Any]:
        """What the descriptor says of it: units, source, precision and so on."""
        return {} if self._prefix == "fixed" else dict(self._snapshot().data_keys[self._key])

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self):,} rows>"

    def _narrow(self) -> Snapshot:
        """Return what is committed now, of which only this column is read."""
        found = self._snapshot()
        found.narrow([self._key])
        return found

    def _slice(self, rows: slice) -> np.ndarray:
        found = self._narrow()
        wanted = range(found.rows)[rows]
        if not wanted:
            return self._window(found, 0, 0)
        return self._window(found, min(wanted), max(wanted) + 1)[:: rows.step]

    def _row(self, row: int) -> Any:
        found = self._narrow()
        if not -found.rows <= row < found.rows:
            msg = f"No row {row} in {self.name}: it has {found.rows:,}"
            raise IndexError(msg)
        row %= found.rows
        return self._window(found, row, row + 1)[0]

    def _window(self, found: Snapshot, start: int, stop: int) -> np.ndarray:
        if self._prefix == "fixed":
            return found.fixed_window(self._key, start, stop)
        return found.window(self._key, self._prefix, start, stop)
