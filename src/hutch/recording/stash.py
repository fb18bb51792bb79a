"""The metadata stash: what is entered once and goes into every run, ``cat.md``.

Each top-level key is one row of the store. A key that holds a ``.`` or a ``/`` can't be a key of a start
document; rows with such keys are the store's own (see :mod:`hutch.recording.scan_ids`) and not shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Self

from hutch.documents import decode, encode, plain
from hutch.errors import DocumentError
from hutch.recording.scan_ids import restart_numbering
from hutch.recording.tracked import Path, Work, descend, tracked
from hutch.store.protocols.store import Store, Writer

__all__ = ["Stash"]


class Stash(MutableMapping[str, Any]):
    """A dictionary that is kept in the store and shared by all processes that use it.

    What is set is on record when the call returns, and others see it when they read next. Changes within
    nested dictionaries and lists are kept as well. Values come back in plain Python types: a tuple or
    an array as a list. ``copy.deepcopy`` gives a plain ``dict``.

    :param store: where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def store(self) -> Store:
        """Where it is kept."""
        return self._store

    def __getitem__(self, key: str) -> Any:
        return tracked(decode(self._rows()[key]), self._apply, (key,))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    def __contains__(self, key: object) -> bool:
        return key in self._rows()

    def __repr__(self) -> str:
        return f"<metadata in {self._store.location!r}: {self.copy()!r}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        opening = f"<metadata in {self._store.location!r}: "
        with printer.group(len(opening), opening, ">"):
            printer.pretty(self.copy())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        with self._store.transaction() as writer:
            self._remove(writer, [key])

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy()

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]
        self.update(other)
        return self

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return self.copy()

    def copy(self) -> dict[str, Any]:
        """Return the contents as a plain dictionary of plain values."""
        return {key: decode(value) for key, value in self._rows().items()}

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set many keys in one transaction: all of them, or none if one can't be kept.

        :raises DocumentError: naming a key, or the path below it, that can't be kept.
        """
        rows = {key: _encode(key, value) for key, value in dict(*args, **kwargs).items()}
        with self._store.transaction() as writer:
            self._save(writer, rows)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, which is set to the default if it is missing."""
        with self._store.transaction() as writer:
            if key not in writer.stash():
                self._save(writer, {key: _encode(key, default)})
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value in plain types, or the default."""
        with self._store.transaction() as writer:
            rows = writer.stash()
            if key not in rows and default:
                return default[0]
            self._remove(writer, [key])
        return decode(rows[key])

    def clear(self) -> None:
        """Remove all keys; the next run has scan_id 1."""
        with self._store.transaction() as writer:
            self._remove(writer, list(_shown(writer.stash())))
            restart_numbering(writer)

    def import_persistent_dict(self, folder: str | os.PathLike[str]) -> None:
        """Take over everything that a bluesky ``PersistentDict`` keeps in a folder.

        The folder is left as it is.

        :raises ImportFileError: if the folder is not there or holds something else.
        :raises MissingExtraError: if msgpack, which comes with ``hutch[bluesky]``, is not installed.
        """
        from hutch.recording.persistent_dict import read_persistent_dict

        self.update(read_persistent_dict(folder))

    def import_history_dict(self, file: str | os.PathLike[str]) -> None:
        """Take over everything that a ``HistoryDict``, the forerunner of that, keeps in its SQLite file.

        The file is left as it is.

        :raises ImportFileError: if the file is not there or is something else.
        """
        from hutch.store.history_dict import read_history_dict

        self.update(read_history_dict(file))

    def _rows(self) -> dict[str, bytes]:
        return _shown(self._store.stash())

    def _save(self, writer: Writer, rows: Mapping[str, bytes]) -> None:
        for key, value in rows.items():
            writer.set_stash(key, value)
        if "scan_id" in rows:
            restart_numbering(writer)

    def _remove(self, writer: Writer, keys: list[str]) -> None:
        rows = writer.stash()
        for key in keys:
            if key not in _shown(rows):
                raise KeyError(key)
            writer.set_stash(key, None)
        if "scan_id" in keys:
            restart_numbering(writer)

    def _apply(self, path: Path, kind: type, work: Work) -> tuple[Any, Any]:
        """Work on the fresh dictionary or list at a path, keep it, and return it with the outcome."""
        key, *below = path
        name = str(key)
        with self._store.transaction() as writer:
            rows = writer.stash()
            fresh = {name: decode(rows[name])} if name in rows else {}
            outcome = work(descend(fresh, path, kind))
            row = _encode(name, fresh[name])
            writer.set_stash(name, row)
        return outcome, descend(decode(row), tuple(below), kind)


def _shown(rows: dict[str, bytes]) -> dict[str, bytes]:
    return {key: value for key, value in rows.items() if _is_key(key)}


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and key != "" and "." not in key and "/" not in key


def _encode(key: Any, value: Any) -> bytes:
    """Return one key's value as bytes.

    :raises DocumentError: if the key is none or the value can't be kept.
    """
    if not _is_key(key):
        msg = f"{key!r} can't be a key of metadata: give text that holds neither '.' nor '/'."
        raise DocumentError(msg)
    kept = plain({key: value})[key]
    if key == "scan_id" and (not isinstance(kept, int) or isinstance(kept, bool)):
        msg = f"'scan_id' can't be {value!r}: runs are numbered from it, so give an integer."
        raise DocumentError(msg)
    return encode(kept)
