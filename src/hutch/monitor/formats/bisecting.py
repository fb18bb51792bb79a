"""Where a part of many rows cannot be read: finding the smallest such part."""

from __future__ import annotations

from collections.abc import Callable

from hutch.monitor.batch import Batch
from hutch.monitor.sources import BadRange

__all__ = ["readable_part"]


def readable_part(
    take: Callable[[int, int], Batch | BadRange],
    start: int,
    stop: int,
    size: int,
    errors: tuple[type[Exception], ...],
) -> Batch | BadRange:
    """Return the rows before the first that cannot be read, or if that is the first, how many are so.

    :param take: reads rows between two.
    :param size: of the parts that are damaged as a whole, in rows; they are counted from row 0.
    :param errors: what ``take`` raises of rows that cannot be read.
    """

    def attempt(first: int, last: int) -> tuple[Batch | BadRange | None, str]:
        try:
            return take(first, last), ""
        except errors as error:
            return None, f"{type(error).__name__}: {error}"

    found, why = attempt(start, stop)
    if found is not None:
        return found
    ends = [*range((start // size + 1) * size, stop, size), stop]
    readable, beyond = 0, len(ends) - 1
    while readable < beyond:
        middle = (readable + beyond + 1) // 2
        part, error = attempt(start, ends[middle - 1])
        if part is None:
            beyond, why = middle - 1, error
        else:
            readable, found = middle, part
    if found is not None:
        return found
    bad = 1
    while bad < len(ends) and attempt(ends[bad - 1], ends[bad])[0] is None:
        bad += 1
    return BadRange(start, ends[bad - 1], why)
