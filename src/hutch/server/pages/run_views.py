"""What a page says of a run's streams and of its metadata."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hutch.assets.layout import promised_dtype
from hutch.catalogs import Run, Stream
from hutch.catalogs.showing.hints import hinted_fields
from hutch.catalogs.summary import printable, shape_text

__all__ = ["KeyView", "MetadataRow", "StreamView", "metadata_rows", "stream_views"]

_MOST_KEYS = 200
_MOST_ROWS = 400
_LONGEST_TEXT = 2000
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class KeyView:
    """One key of a stream."""

    name: str
    dtype: str
    shape: str
    units: str
    object: str
    is_hinted: bool
    is_external: bool


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream.

    :ivar frames: keys whose values are shown as pictures, one row at a time.
    """

    name: str
    rows: int
    keys: list[KeyView]
    left_out: int
    frames: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MetadataRow:
    """One field of a document; of a dictionary what is in it."""

    key: str
    value: str
    below: list[MetadataRow]


def stream_views(run: Run) -> list[StreamView]:
    """Return what is said of the streams of a run, primary first."""
    return [_stream_view(stream) for stream in run.values()]


def _stream_view(stream: Stream) -> StreamView:
    snapshot = stream.snapshot()
    hinted = set(hinted_fields(stream.descriptors))
    keys, frames = [], []
    for key, about in snapshot.data_keys.items():
        shape = about.get("shape")
        sizes = shape if isinstance(shape, list) else []
        is_external = snapshot.is_external(key)
        if len(sizes) > 1 and snapshot.rows and about.get("dtype") == "array":
            frames.append(key)
        keys.append(
            KeyView(
                printable(key),
                printable(_dtype(about) if is_external else str(about.get("dtype") or "")),
                shape_text(sizes),
                printable(str(about.get("units") or "")),
                printable(str(about.get("object_name") or "")),
                key in hinted,
                is_external,
            )
        )
    return StreamView(stream.name, snapshot.rows, keys[:_MOST_KEYS], max(len(keys) - _MOST_KEYS, 0), frames)


def _dtype(data_key: Mapping[str, Any]) -> str:
    """Return the dtype of what is in files: ``uint16`` for ``<u2``."""
    return str(promised_dtype(data_key)) if data_key.get("dtype_numpy") else str(data_key.get("dtype") or "")


def metadata_rows(document: Mapping[str, Any]) -> list[MetadataRow]:
    """Return the fields of a document as a page shows them."""
    return list(_rows(document, 0))


def _rows(document: Mapping[str, Any], depth: int) -> Iterator[MetadataRow]:
    for number, (key, value) in enumerate(document.items()):
        if number == _MOST_ROWS:
            yield MetadataRow("…", f"{len(document) - _MOST_ROWS:,} more", [])
            return
        name = printable(str(key))
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            yield MetadataRow(name, "", list(_rows(value, depth + 1)))
        else:
            yield MetadataRow(name, _text(value), [])


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, float) and math.isfinite(value):
        text = f"{value!r}"
    elif isinstance(value, list):
        text = ", ".join(_text(item) for item in value[:_MOST_ROWS])
        text = f"[{text}{', …' if len(value) > _MOST_ROWS else ''}]"
    else:
        text = str(value)
    shown = "".join(char if char.isprintable() or char == "\n" else printable(char) for char in text)
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"
