"""The names by which documents refer to each other, and the one of a page that has none."""

from __future__ import annotations

import hashlib
from typing import Any

from hutch.documents.leaves import storable

__all__ = ["page_uid", "uid_in"]


def uid_in(doc: dict[str, Any], key: str) -> str:
    """Return the uid in a field of a document; empty if there is none that a store takes."""
    found = doc.get(key)
    return str(found) if isinstance(found, str) and storable(found) == found else ""


def page_uid(doc: dict[str, Any], body: bytes) -> str:
    """Return a name for a page of datum documents, which has no uid of its own.

    :param body: the page as it is kept.
    """
    return f"{uid_in(doc, 'resource')}/{hashlib.sha256(body).hexdigest()[:32]}"
