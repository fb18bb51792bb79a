"""Dictionaries and lists of the metadata stash that keep what is changed in them.

``md["sample"]["colour"] = "red"`` changes a dictionary that ``md["sample"]`` returned. For the change to
be kept, that dictionary is a :class:`TrackedDict`: a real ``dict`` with the value as it was when it was
read, which knows its path in the stash. A mutation is applied to the fresh value in a transaction of the
store, and then shown; so two processes can each add a key to one dictionary, and both are kept.

Copies (``copy.copy``, ``copy.deepcopy``, pickles) are plain dictionaries and lists.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self, SupportsIndex

from hutch.documents import plain
from hutch.errors import LookupFailedError

__all__ = ["Path", "TrackedDict", "TrackedList", "Work", "descend", "tracked"]

Path = tuple[str | int, ...]
"""Keys and indices from the stash down to a value."""

Work = Callable[[Any], Any]
"""What is done to a plain dictionary or list, in place."""


class Apply(Protocol):
    """Applies work to the fresh value at a path, keeps it, and returns the outcome and the value."""

    def __call__(self, path: Path, kind: type, work: Work) -> tuple[Any, Any]:
        """Apply it."""
        ...


def tracked(value: Any, apply: Apply, path: Path) -> Any:
    """Return a plain value such that changes of dictionaries and lists in it are kept."""
    if isinstance(value, dict):
        return TrackedDict(value, apply, path)
    if isinstance(value, list):
        return TrackedList(value, apply, path)
    return value


def descend(value: Any, path: Path, kind: type) -> Any:
    """Return what is at a path in a plain value.

    :raises LookupFailedError: if there is nothing of this kind any more.
    """
    found = value
    try:
        for step in path:
            found = found[step]
    except (LookupError, TypeError):
        found = None
    if not isinstance(found, kind):
        place = "".join(f"[{step!r}]" for step in path)
        msg = f"The metadata{place} is no longer a {kind.__name__}: it was changed or removed. Read it again."
        raise LookupFailedError(msg)
    return found


class TrackedDict(dict[str, Any]):
    """A dictionary in the stash; see the module."""

    __slots__ = ("_apply", "_path")

    def __init__(self, content: dict[str, Any], apply: Apply, path: Path) -> None:
        self._apply = apply
        self._path = path
        super().__init__()
        self._show(content)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return dict, (plain(self),)

    def __setitem__(self, key: str, value: Any) -> None:
        self._do(lambda fresh: operator.setitem(fresh, key, value))

    def __delitem__(self, key: str) -> None:
        self._do(lambda fresh: operator.delitem(fresh, key))

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def clear(self) -> None:
        """Remove everything."""
        self._do(dict.clear)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value, or the default."""
        return self._do(lambda fresh: fresh.pop(key, *default))

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last key and value."""
        key, value = self._do(dict.popitem)
        return key, value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, which is set to the default if it is missing."""
        self._do(lambda fresh: fresh.setdefault(key, default))
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set many keys at once."""
        changes = dict(*args, **kwargs)
        self._do(lambda fresh: fresh.update(changes))

    def _do(self, work: Work) -> Any:
        outcome, fresh = self._apply(self._path, dict, work)
        self._show(fresh)
        return outcome

    def _show(self, content: dict[str, Any]) -> None:
        super().clear()
        super().update({key: tracked(item, self._apply, (*self._path, key)) for key, item in content.items()})


class TrackedList(list[Any]):
    """A list in the stash; see the module."""

    __slots__ = ("_apply", "_path")

    def __init__(self, content: list[Any], apply: Apply, path: Path) -> None:
        self._apply = apply
        self._path = path
        super().__init__()
        self._show(content)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (plain(self),)

    def __setitem__(self, index: Any, value: Any) -> None:
        items = list(value) if isinstance(index, slice) else value
        self._do(lambda fresh: operator.setitem(fresh, index, items))

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        self._do(lambda fresh: operator.delitem(fresh, index))

    def __iadd__(self, items: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(items)
        return self

    def __imul__(self, times: SupportsIndex) -> Self:
        self._do(lambda fresh: fresh.__imul__(times))
        return self

    def append(self, item: Any) -> None:
        """Add an item at the end."""
        self._do(lambda fresh: fresh.append(item))

    def clear(self) -> None:
        """Remove everything."""
        self._do(list.clear)

    def extend(self, items: Iterable[Any]) -> None:
        """Add items at the end."""
        new = list(items)
        self._do(lambda fresh: fresh.extend(new))

    def insert(self, index: SupportsIndex, item: Any) -> None:
        """Put an item before an index."""
        self._do(lambda fresh: fresh.insert(index, item))

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Remove and return an item."""
        return self._do(lambda fresh: fresh.pop(index))

    def remove(self, item: Any) -> None:
        """Remove the first item that equals one."""
        self._do(lambda fresh: fresh.remove(item))

    def reverse(self) -> None:
        """Turn the order around."""
        self._do(list.reverse)

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place."""
        self._do(lambda fresh: fresh.sort(key=key, reverse=reverse))

    def _do(self, work: Work) -> Any:
        outcome, fresh = self._apply(self._path, list, work)
        self._show(fresh)
        return outcome

    def _show(self, content: list[Any]) -> None:
        super().clear()
        super().extend(
            tracked(item, self._apply, (*self._path, number)) for number, item in enumerate(content)
        )
