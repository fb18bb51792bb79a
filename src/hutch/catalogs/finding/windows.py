"""Slices of runs, each taken of what the one before left, whose number is counted only if it must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

__all__ = ["WHOLE", "Part", "Window"]

Count = Callable[[], int]
"""Counts all runs of which the window is one."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive runs in order of time.

    :ivar start: how many come before them, seen from the oldest, or from the newest.
    :ivar count: how many there are at most; None stands for all the rest.
    :ivar is_turned: they are to be given in the opposite order.
    """

    start: int = 0
    count: int | None = None
    newest_first: bool = False
    is_turned: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Slices, the first taken of all runs, each other of what the one before left."""

    slices: tuple[slice, ...] = ()

    def sliced(self, part: slice) -> Window:
        """Return a slice of this window.

        :raises TypeError: if a bound is no integer.
        :raises ValueError: if the step is zero.
        """
        range(0)[part]
        return Window((*self.slices, part))

    @property
    def is_short(self) -> bool:
        """Tell whether the runs are consecutive and their number is bounded, whatever that of all is."""
        part = self._simple()
        return part is not None and part.count is not None

    def count(self, count: Count) -> int:
        """Return how many runs are in it."""
        return len(self.positions(count))

    def positions(self, count: Count) -> range:
        """Return the positions of its runs among all."""
        found = range(count())
        for part in self.slices:
            found = found[part]
        return found

    def part(self, count: Count) -> Part | None:
        """Return its runs as consecutive ones; None if they are not."""
        simple = self._simple()
        if simple is not None:
            return simple
        total = count()
        positions = self.positions(lambda: total)
        if abs(positions.step) != 1 and len(positions) > 1:
            return None
        if not positions:
            return Part(count=0)
        first, last = min(positions), max(positions)
        is_reversed = positions[0] > positions[-1]
        # From the end that is nearer.
        if first <= total - 1 - last:
            return Part(first, last - first + 1, newest_first=False, is_turned=is_reversed)
        return Part(total - 1 - last, last - first + 1, newest_first=True, is_turned=not is_reversed)

    def _simple(self) -> Part | None:
        """Return its runs if that needs no counting."""
        found = Part()
        for part in self.slices:
            smaller = _narrowed(found, part)
            if smaller is None:
                return None
            found = smaller
        return found


def _narrowed(found: Part, part: slice) -> Part | None:
    """Return a slice of consecutive runs, if that needs no counting."""
    start, stop, step = (None if v is None else int(v) for v in (part.start, part.stop, part.step))
    if found.is_turned:
        return None
    if step in (None, 1):
        if (start is None or start >= 0) and (stop is None or stop >= 0):
            first = start or 0
            left = None if found.count is None else max(found.count - first, 0)
            if stop is not None:
                left = max(stop - first, 0) if left is None else min(left, max(stop - first, 0))
            return replace(found, start=found.start + first, count=left)
        if found.start == 0 and found.count is None and start is not None and start < 0:
            return _tail(found, -start, stop)
    is_everything = found.start == 0 and found.count is None
    if step == -1 and start is None and stop is None and is_everything:
        return replace(found, newest_first=not found.newest_first)
    return None


def _tail(found: Part, first: int, stop: int | None) -> Part | None:
    """Return the last runs, from so many before the end on.

    Where there are fewer, all of them are; what is to be left out at the end is left out all the same.
    """
    if stop is not None and stop >= 0:
        return None
    left_out = 0 if stop is None else -stop
    count = max(first - left_out, 0)
    return Part(left_out, count, newest_first=not found.newest_first, is_turned=True)


WHOLE = Window()
"""Everything."""
