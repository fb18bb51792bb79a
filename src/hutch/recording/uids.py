"""The names by which documents refer to each other, and the one of a page that has none."""

from __future__ import annotations

import hashlib
from typing import Any

from hutch.documents.text import storable

__all__ = ["document_uid", "uid_in"]

_FIELDS = {
    "descriptor": "uid",
    "resource": "uid",
    "datum": "datum_id",
    "stream_resource": "uid",
    "stream_datum": "uid",
}


def uid_in(doc: dict[str, Any], key: str) -> str:
    """Return the uid in a field of a document; empty if there is none that a store takes."""
    found = doc.get(key)
    return str(found) if isinstance(found, str) and storable(found) == found else ""


def document_uid(kind: str, doc: dict[str, Any], body: bytes) -> str:
    """Return by what uid a document is kept that is neither start, stop nor event.

    A page of datum documents has none of its own, and gets one from what is in it.

    :param body: the document as it is kept.
    :returns: empty if it should have one and has none.
    """
    if kind in _FIELDS:
        return uid_in(doc, _FIELDS[kind])
    return f"{uid_in(doc, 'resource')}/{hashlib.sha256(body).hexdigest()[:32]}"
