r"""Documents as bytes, losslessly.

A document is kept as JSON text. JSON proper cannot hold NaN, infinities, integers beyond 64 bit or
lone surrogates, so there are two writers of one notation:

- the fast one (orjson), for everything that JSON holds exactly: the text begins with ``{`` or ``[``;
- the wide one (the standard library's ``json``, ASCII only), for the rest: ``NaN``, ``Infinity`` and
  big integers appear as Python writes them, lone surrogates as ``\udXXX``. Its text begins with a
  space, so a reader knows which reader to take.

Key order is kept by both. numpy scalars and arrays become Python numbers and nested lists, tuples
become lists, members of an enumeration their values, UUIDs text. What no JSON can hold (an arbitrary
object, a key that is no string, a dictionary within itself) is refused with
:class:`~hutch.errors.DocumentError`, which says where it is. A high and a low surrogate side by side
are read back as the one character that they stand for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from hutch.errors import CorruptDocumentError, DocumentError

__all__ = [
    "DEEPEST",
    "REPLACED",
    "decode",
    "decode_all",
    "encode",
    "encode_lossy",
    "is_same",
    "is_same_text",
    "plain",
]

REPLACED = "cannot be kept exactly: its repr is kept"
"""Said of what no document can hold, an arbitrary object for example."""

_FAST_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_EXACT = frozenset({str, int, float, bool, type(None)})
DEEPEST = 250
"""Dictionaries and lists within each other that are kept; the readers of JSON have their limits near."""


def encode(value: Any) -> bytes:
    """Return a document, or any value of one, as bytes that :func:`decode` turns back exactly.

    :param value: str, int of any size, float, bool, None, list, tuple, dict with text keys, numpy
        scalars and arrays, up to 250 of them within each other.
    :returns: JSON text; see the module's docstring for its two forms.
    :raises DocumentError: if something in it is none of these.
    """
    try:
        text = orjson.dumps(value, default=_fallback, option=_FAST_OPTIONS)
    except (TypeError, RecursionError):
        return _encode_wide(value)
    # orjson writes NaN and infinities as null: a text with a null in it is taken again, slowly.
    if b"null" in text and _has_nonfinite(value):
        return _encode_wide(value)
    return text


def encode_lossy(value: Any) -> tuple[bytes, list[str]]:
    """Return a document as bytes even if something in it cannot be kept, and say what.

    :returns: the bytes, and the paths of what was replaced by its ``repr``.
    """
    replaced: list[str] = []
    try:
        return encode(value), replaced
    except DocumentError:
        return _dump_wide(_plain(value, replaced=replaced)), replaced


def decode(text: bytes) -> Any:
    """Return the value that :func:`encode` was given, in plain Python types.

    :raises CorruptDocumentError: if these are not the bytes that it returned.
    """
    try:
        return json.loads(text) if text[:1] == b" " else orjson.loads(text)
    except ValueError as error:
        msg = f"A document is damaged: {error}. What is damaged in a store is told by: hutch verify"
        raise CorruptDocumentError(msg) from error


def decode_all(texts: Sequence[bytes]) -> list[Any]:
    """Return what :func:`decode` returns of each, sooner if they are many."""
    if any(text[:1] == b" " for text in texts):
        return [decode(text) for text in texts]
    try:
        found: list[Any] = orjson.loads(b"[%b]" % b",".join(texts))
    except ValueError:
        return [decode(text) for text in texts]
    return found


def plain(value: Any) -> Any:
    """Return a deep copy in plain Python types: dict, list, str, int, float, bool, None.

    :raises DocumentError: naming the path of what is none of these, nor of numpy's.
    """
    return _plain(value, is_strict=True)


def is_same(first: Any, second: Any) -> bool:
    """Tell whether two values in plain Python types are the same: NaN is NaN, 1 is neither 1.0 nor True."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(is_same, first, second))
    return bool(first == second) or (first != first and second != second)  # noqa: PLR0124


def is_same_text(first: bytes, second: bytes) -> bool:
    """Tell whether two encoded values are the same, whatever the order of their keys."""
    return first == second or is_same(decode(first), decode(second))


def _encode_wide(value: Any) -> bytes:
    return _dump_wide(_plain(value))


def _dump_wide(value: Any) -> bytes:
    return b" " + json.dumps(value, separators=(",", ":"), check_circular=False).encode()


def _fallback(value: Any) -> Any:
    """Tell orjson what to do with a value it does not know."""
    if type(value) in (tuple, list, dict):
        raise TypeError
    return _plain_scalar_or_array(value, "")


def _plain(
    value: Any, path: str = "", depth: int = 0, replaced: list[str] | None = None, is_strict: bool = False
) -> Any:
    """Return a deep copy in plain types.

    :param replaced: gets the paths of what is replaced by its ``repr``; None refuses such things.
    :param is_strict: refuse also what JSON has a customary form of, UUIDs and enumerations.
    """
    kind = type(value)
    if kind in _EXACT:
        return value
    if not is_strict and isinstance(value, (UUID, Enum)):
        value = str(value) if isinstance(value, UUID) else value.value
        return _plain(value, path, depth, replaced)
    try:
        if depth > DEEPEST:
            msg = f"Lists and dictionaries are more than {DEEPEST} deep, or within themselves: {path[:80]}"
            raise DocumentError(msg)
        found = _plain_scalar_or_array(value, path)
    except DocumentError:
        if replaced is None:
            raise
        replaced.append(path)
        return _shown(value)
    if isinstance(found, dict):
        return {
            key: _plain(item, f"{path}.{key}" if path else key, depth + 1, replaced, is_strict)
            for key, item in [(_plain_key(key, path, replaced), item) for key, item in found.items()]
        }
    if isinstance(found, list):
        return [
            _plain(item, f"{path}[{number}]", depth + 1, replaced, is_strict)
            for number, item in enumerate(found)
        ]
    return found


def _shown(value: Any) -> str:
    """Return the ``repr`` of anything, also of what has none."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - it is not ours
        return f"<{type(value).__name__}>"


def _plain_key(key: Any, path: str, replaced: list[str] | None) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if replaced is None:
        msg = f"Key {_shown(key)} in {path or 'the document'!r} is {type(key).__name__}; keys are text."
        raise DocumentError(msg)
    shown = _shown(key)
    replaced.append(f"{path}.{shown}")
    return shown


def _plain_scalar_or_array(value: Any, path: str) -> Any:
    """Return a numpy object, or a subclass of a plain type, as plain Python."""
    # numpy is not imported for this: its objects are known by what they offer.
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        found = value.tolist()
        if type(found) in _EXACT or isinstance(found, list):
            return found
    elif isinstance(value, Mapping):
        return dict(value)
    elif isinstance(value, (list, tuple)):
        return list(value)
    else:
        for kind in (bool, int, float, str):
            if isinstance(value, kind):
                return _UNBOUND[kind](value)
    where = f" at {path!r}" if path else ""
    msg = (
        f"A value of type {type(value).__name__}{where} cannot be kept: {_shown(value):.80}. "
        "Give text, numbers, bools, None, lists or dictionaries of these."
    )
    raise DocumentError(msg)


_UNBOUND: dict[type, Any] = {
    bool: bool,
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
}


def _has_nonfinite(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return not math.isfinite(value)
    if kind in _EXACT:
        return False
    if isinstance(value, Mapping):
        return any(_has_nonfinite(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_nonfinite(item) for item in value)
    if isinstance(value, (UUID, Enum)):
        return isinstance(value, Enum) and _has_nonfinite(value.value)
    return _has_nonfinite(_plain_scalar_or_array(value, ""))
