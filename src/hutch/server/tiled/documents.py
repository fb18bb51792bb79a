"""The documents of a run as Tiled's clients export them: a JSON text sequence, as in RFC 7464."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import event_model

from hutch.catalogs import Run
from hutch.errors import DocumentError
from hutch.server.tiled.run import RunAdapter

__all__ = ["MEDIA_TYPE", "document_lines", "export_documents"]

MEDIA_TYPE = "application/json-seq"


def export_documents(
    mimetype: str, adapter: RunAdapter, metadata: Mapping[str, Any], filter_for_access: object = None
) -> Iterator[bytes]:
    """Yield the documents of a run, line by line.

    :raises DocumentError: if only some of its streams are asked for.
    """
    if adapter.run is None:
        msg = "Documents are exported of whole runs, without a choice of fields."
        raise DocumentError(msg)
    return document_lines(adapter.run)


def document_lines(run: Run) -> Iterator[bytes]:
    r"""Yield ``\x1e{"name": …, "doc": …}\n`` for each document of a run, as recorded.

    NaN, infinities and integers of any size are as Python writes them. Datums are in pages: the clients
    of bluesky-tiled-plugins know no others.
    """
    for name, document in run.documents(fill="no"):
        for name_then, found in _known(name, document):
            text = json.dumps({"name": name_then, "doc": found}, separators=(",", ":"))
            yield b"\x1e" + text.encode() + b"\n"


def _known(name: str, document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a document as documents that clients know."""
    if name == "datum":
        yield "datum_page", event_model.pack_datum_page(document)  # type: ignore[arg-type]
    elif name == "bulk_datum":
        yield "datum_page", event_model.bulk_datum_to_datum_page(document)
    else:
        yield name, document
