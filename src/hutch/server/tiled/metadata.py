"""Metadata of runs and streams as ``TiledWriter`` of bluesky-tiled-plugins writes it, layout 3.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from hutch.catalogs import Run

__all__ = ["TABLE", "run_metadata", "served_names", "servable", "stream_metadata"]

TABLE = "internal"
"""The name of the table of events."""
_TAKEN = ("time", "seq_num", TABLE)
"""The table of events and its own columns; a data key of such a name gets a ``_`` behind it."""
_IN_ADDRESSES = re.compile(r"[/?#%]")
"""What has a meaning in the addresses that Tiled's clients make of names."""
_LEFT_OUT = frozenset({"name", "object_keys", "run_start"})
_DTYPES = {"number": "<f8", "array": "<f8", "boolean": "|b1", "string": "<U0", "integer": "<i8"}
"""Of numpy, for what descriptors say broadly."""
_LEAST, _MOST = -(2**63), 2**64 - 1
"""Integers that both JSON of orjson and MessagePack carry."""


def run_metadata(run: Run) -> dict[str, Any]:
    """Return the start document, as amended, and the stop document, None as long as there is none."""
    return {"start": servable(run.start), "stop": servable(run.stop)}


def stream_metadata(descriptors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the first descriptor of a stream, less what its place in the tree says.

    Later ones are there because the configuration changed: ``_config_updates`` lists what it became.
    """
    if not descriptors:
        return {}
    first, *later = (_normal(descriptor) for descriptor in descriptors)
    found = {key: value for key, value in first.items() if key not in _LEFT_OUT}
    if later:
        found["_config_updates"] = [
            {key: descriptor[key] for key in ("uid", "time", "configuration") if descriptor.get(key)}
            for descriptor in later
        ]
    return dict(servable(found))


def served_names(keys: Sequence[str], taken: Sequence[str] = _TAKEN) -> dict[str, str]:
    """Return the name each data key, or stream, is served under: its own, unless it cannot be asked for.

    :param taken: names of what stands beside them.
    """
    found: dict[str, str] = {}
    for key in keys:
        name = _IN_ADDRESSES.sub("_", key)
        while name in taken or (name != key and (name in keys or name in found.values())):
            name += "_"
        found[key] = name
    return found


def servable(value: Any) -> Any:
    """Return a plain copy of a value that JSON and MessagePack carry.

    Integers beyond 64 bit become floats, and beyond those text; half a character becomes a ``?``.
    """
    if isinstance(value, dict):
        return {_text(key): servable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [servable(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return value


def _text(value: str) -> str:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value


def _normal(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """Return a descriptor as the writer's ``RunNormalizer`` has it."""
    found = deepcopy(dict(descriptor))
    keys = found.get("data_keys")
    if not isinstance(keys, dict):
        return found
    names = served_names(list(keys))
    found["data_keys"] = keys = {names[key]: about for key, about in keys.items()}
    for about in _described(found):
        numpy_dtype = about.pop("dtype_descr", None) or about.pop("dtype_str", None)
        about.pop("dtype_str", None)
        dtype = numpy_dtype if isinstance(numpy_dtype, list) else about.get("dtype_numpy", numpy_dtype)
        dtype = dtype or _DTYPES.get(str(about.get("dtype")))
        if dtype:
            about["dtype_numpy"] = dtype
        if "shape" in about and about["shape"] is None:
            about["shape"] = []
    for device, held in _items(found.get("object_keys")):
        for key in held if isinstance(held, list) else ():
            known = keys.get(names.get(key, key))
            if isinstance(known, dict):
                known["object_name"] = device
    for about in keys.values():
        if isinstance(about, dict) and "external" in about and about["external"] is None:
            about["external"] = ""
    return found


def _described(descriptor: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is said of each key, of readings and of configuration."""
    found = list(descriptor["data_keys"].values())
    for _, device in _items(descriptor.get("configuration")):
        found += [about for _, about in _items(device.get("data_keys") if isinstance(device, dict) else None)]
    return [about for about in found if isinstance(about, dict)]


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
