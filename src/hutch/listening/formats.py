"""Bytes from the network as values: msgpack as bluesky-kafka writes it, JSON, and pickles.

Which of them it is, the first byte tells: a document in JSON begins with a bracket, a pickle with its
mark and the number of its protocol, and no message in msgpack begins like either.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

import msgpack
import numpy as np

from hutch.errors import DocumentError
from hutch.listening.pickles import load_pickle

__all__ = ["read_message", "read_value"]

_PICKLE = 0x80
_PROTOCOLS = range(2, 6)
_EXPECTED = "Expected is msgpack, JSON or a pickle"


def read_value(data: bytes, *, trusts_pickles: bool = False) -> Any:
    """Return the value that somebody serialized.

    :param trusts_pickles: let a pickle run what it names.
    :raises DocumentError: if the bytes are nothing of the kind.
    """
    try:
        if len(data) > 1 and data[0] == _PICKLE and data[1] in _PROTOCOLS:
            return pickle.loads(data) if trusts_pickles else load_pickle(data)  # noqa: S301 - as asked for
        if data[:1] in (b"{", b"["):
            # As Python writes it: with NaN, infinities, and integers of any size.
            return json.loads(data)
        return msgpack.unpackb(data, object_hook=_numpy, strict_map_key=False, unicode_errors="surrogatepass")
    except Exception as error:  # anything may come
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        msg = f"it cannot be read ({text:.200}). {_EXPECTED}"
        raise DocumentError(msg) from error


def read_message(data: bytes, *, trusts_pickles: bool = False) -> tuple[str, dict[str, Any]]:
    """Return the name and the document in a message that holds both.

    :raises DocumentError: if it holds something else.
    """
    found = read_value(data, trusts_pickles=trusts_pickles)
    if isinstance(found, (list, tuple)) and len(found) == 2:
        name, document = found
        if isinstance(name, str) and isinstance(document, dict):
            return name, document
    msg = f"it is no pair of a name and a document: {found!r:.80}"
    raise DocumentError(msg)


def _numpy(found: dict[Any, Any]) -> Any:
    """Return what a dictionary stands for that msgpack-numpy wrote.

    Its own reader would unpickle arrays of objects.
    """
    if b"nd" in found:
        kind, content = found.get(b"kind"), found[b"data"]
        if kind == b"O":
            return load_pickle(content)
        dtype = np.dtype(_fields(found[b"type"]))
        if dtype.hasobject:
            msg = f"an array of the type {found[b'type']!r:.80} holds objects"
            raise DocumentError(msg)
        if found[b"nd"] is True:
            return np.ndarray(tuple(found[b"shape"]), dtype, content)
        return np.ndarray((), dtype, content)[()]
    if b"complex" in found:
        return complex(found[b"data"])
    return found


def _fields(kind: Any) -> Any:
    """Return the description of a structured type as numpy wants it, of any other as it is."""
    if isinstance(kind, (list, tuple)):
        return [(name, _fields(field), *map(tuple, shape)) for name, field, *shape in kind]
    return kind
