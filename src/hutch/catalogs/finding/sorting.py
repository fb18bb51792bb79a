"""The order of runs by what is in their documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hutch.errors import QueryError
from hutch.queries.conditions import Path
from hutch.queries.paths import parse_path
from hutch.store.protocols.store import Store
from hutch.store.searching.path_values import MISSING

__all__ = ["SortKey", "in_order", "parse_order"]

SortKey = tuple[Path, int]
"""A path, and 1 for ascending order, -1 for descending."""


def parse_order(keys: Iterable[Any]) -> tuple[SortKey, ...]:
    """Return keys to sort by: each is a key, or a pair of it and 1 (ascending) or -1 (descending).

    :raises QueryError: if one is neither.
    """
    return tuple(_parse_key(key) for key in keys)


def in_order(store: Store, ids: list[int], order: Sequence[SortKey]) -> list[int]:
    """Return runs by some keys, the first of them first; where all are the same, as they stood.

    :param ids: in order of time.
    """
    found = ids
    for path, direction in reversed(order):
        ranks = store.values(path).ranks(ids, highest=direction < 0)
        found = sorted(found, key=lambda run: ranks.get(run, MISSING), reverse=direction < 0)
    return found


def _parse_key(key: Any) -> SortKey:
    if isinstance(key, str):
        return parse_path(key), 1
    if isinstance(key, Sequence) and len(key) == 2 and key[1] in (1, -1) and not isinstance(key[1], bool):
        return parse_path(key[0]), int(key[1])
    msg = f"{key!r} is nothing to sort by. Give a key, or a pair with 1 (ascending) or -1: ('time', -1)."
    raise QueryError(msg)
