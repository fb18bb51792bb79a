"""Parts of a source that come in any order, and are put together where they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

__all__ = ["joined"]


class _Part(Protocol):
    """Rows without a gap, up to ``stop``."""

    start: int
    stop: int


_AnyPart = TypeVar("_AnyPart", bound=_Part)


def joined(
    parts: Iterable[_AnyPart], meet: Callable[[_AnyPart, _AnyPart], None], most: int
) -> list[_AnyPart]:
    """Return parts in order, with those put together that meet.

    :param meet: adds to a part the one that follows it.
    :param most: of more than so many the first are taken to meet, though rows between them are missing.
    """
    kept: list[_AnyPart] = []
    for part in sorted(parts, key=lambda part: (part.start, part.stop)):
        if kept and kept[-1].stop == part.start:
            meet(kept[-1], part)
        else:
            kept.append(part)
    while len(kept) > most:
        meet(kept[0], kept.pop(1))
    return kept
