"""Keys as people write them, and the paths that they stand for."""

from __future__ import annotations

from typing import Any

from hutch.documents.leaves import SOURCES
from hutch.errors import QueryError
from hutch.queries.conditions import Path

__all__ = ["POSTED", "element_path", "parse_path"]

POSTED = frozenset({"param", "dqm"})
"""Sources whose values have one name each, dots and all."""


def parse_path(key: Any) -> Path:
    """Return the path of a key: ``sample.name``, ``start.time``, ``stop.exit_status``, ``param.gain``.

    A name of a source wins over a key of the start document; ``start.stop`` reaches that.

    :raises QueryError: if it is none.
    """
    source, dot, rest = _text(key).partition(".")
    if source in POSTED and dot:
        return Path(source, _parts(key, [rest]))
    if source in SOURCES and dot:
        return Path(source, _parts(key, rest.split(".")))
    if source in SOURCES and source != "start":
        msg = f"{key!r} names a document as a whole. Name a field of it, as in '{source}.name'"
        msg += f"; a key {source!r} of the start document is 'start.{source}'."
        raise QueryError(msg)
    return Path("start", _parts(key, str(key).split(".")))


def element_path(key: Any) -> Path:
    """Return the path of a key within an element of a list.

    :raises QueryError: if it is none.
    """
    return Path("", _parts(key, _text(key).split(".")))


def _text(key: Any) -> str:
    if not isinstance(key, str):
        msg = f"A key is text, as in 'sample.name'; {key!r} is {type(key).__name__}."
        raise QueryError(msg)
    return str.__str__(key)


def _parts(key: Any, parts: list[str]) -> tuple[str, ...]:
    if not all(parts):
        msg = f"{key!r} is no key: between its dots, and before and after them, there must be a name."
        raise QueryError(msg)
    return tuple(parts)
