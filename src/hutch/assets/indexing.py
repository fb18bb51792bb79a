"""What numpy's indexing asks of an array that is not in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Selection", "select"]


@dataclass(frozen=True)
class Selection:
    """Which rows are read, what of each, and what is then done in memory.

    :ivar rows: their numbers.
    :ivar within: of each further dimension, going up.
    :ivar then: the index that makes of what was read what was asked for.
    """

    rows: np.ndarray
    within: tuple[range, ...]
    then: Any

    def finish(self, found: np.ndarray) -> Any:
        """Return what was asked for, from what was read."""
        return found[self.then]


def select(index: Any, shape: Sequence[int]) -> Selection:
    """Return what an index asks for of an array of some shape.

    Integers and slices are read exactly; lists and masks for the rows too. For anything else all of the
    dimension is read, and numpy does it in memory.

    :raises IndexError: as numpy does.
    """
    parts = _expanded(index if isinstance(index, tuple) else (index,), len(shape))
    if any(part is None for part in parts):
        return Selection(np.arange(shape[0]), tuple(map(range, shape[1:])), index)
    fancy = [
        place for place, part in enumerate(parts) if not isinstance(part, slice) and not _is_number(part)
    ]
    if fancy not in ([], [0]) or (fancy and np.ndim(parts[0]) != 1):
        return Selection(np.arange(shape[0]), tuple(map(range, shape[1:])), index)
    then: list[Any] = []
    if fancy:
        rows = np.arange(shape[0])[np.asarray(parts[0])]
        then.append(slice(None))
    else:
        some, rest = _along(parts[0], shape[0], 0)
        rows = np.arange(some.start, some.stop, some.step)
        then.append(rest)
    within = []
    for place, (part, size) in enumerate(zip(parts[1:], shape[1:], strict=True), 1):
        some, rest = _along(part, size, place)
        within.append(some)
        then.append(rest)
    return Selection(rows, tuple(within), tuple(then))


def _is_number(part: Any) -> bool:
    return (
        hasattr(part, "__index__") and not isinstance(part, (bool, np.bool_)) and not getattr(part, "ndim", 0)
    )


def _expanded(parts: tuple[Any, ...], ndim: int) -> list[Any]:
    """Return an index with one part for each dimension."""
    found = list(parts)
    dots = [place for place, part in enumerate(found) if part is Ellipsis]
    if len(dots) > 1:
        msg = "an index can only have a single ellipsis ('...')"
        raise IndexError(msg)
    given = sum(part is not None and part is not Ellipsis for part in found)
    if given > ndim:
        msg = f"too many indices for array: array is {ndim}-dimensional, but {given} were indexed"
        raise IndexError(msg)
    place = dots[0] if dots else len(found)
    found[place : place + len(dots)] = [slice(None)] * (ndim - given)
    return found


def _along(part: Any, size: int, axis: int) -> tuple[range, Any]:
    """Return what is read along a dimension, going up, and what is then taken of that."""
    if not isinstance(part, slice):
        number = int(part.__index__())
        if not -size <= number < size:
            msg = f"index {number} is out of bounds for axis {axis} with size {size}"
            raise IndexError(msg)
        number %= size
        return range(number, number + 1), 0
    wanted = range(size)[part]
    if wanted.step > 0:
        return wanted, slice(None)
    return wanted[::-1], slice(None, None, -1)
