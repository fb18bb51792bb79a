"""How many runs have each of some values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hutch.queries.values import is_equal

__all__ = ["ValueCounts"]


class ValueCounts(Mapping[Any, int]):
    """Values and how many runs have each, those of most runs first; True is not 1, and a list is a value too.

    :param counts: pairs of both, each value once.
    """

    def __init__(self, counts: Sequence[tuple[Any, int]]) -> None:
        self._counts = list(counts)

    def __getitem__(self, value: Any) -> int:
        for known, count in self._counts:
            if is_equal(known, value):
                return count
        raise KeyError(value)

    def __contains__(self, value: object) -> bool:
        return any(is_equal(known, value) for known, _ in self._counts)

    def __iter__(self) -> Iterator[Any]:
        return (value for value, _ in self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return len(self) == len(other) and all(v in self and self[v] == c for v, c in other.items())
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{value!r}: {count}' for value, count in self._counts)}}}"
