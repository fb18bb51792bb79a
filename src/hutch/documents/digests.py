"""Documents by what they say: 16 bytes that are equal where two documents are the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hutch.documents.encoding import decode, encode_lossy

__all__ = ["digest"]


def digest(name: str, document: Any) -> bytes:
    """Return 16 bytes that stand for a document, whatever the order of its keys."""
    plain = decode(encode_lossy(document)[0])
    text = json.dumps([name, plain], sort_keys=True, check_circular=False)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
