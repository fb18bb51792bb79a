"""Event-model documents: their lossless bytes, their schemas, and the leaves that are searched."""

from hutch.documents.encoding import (
    DEEPEST,
    REPLACED,
    decode,
    decode_all,
    encode,
    encode_lossy,
    is_same,
    is_same_text,
    plain,
)
from hutch.documents.leaves import Leaf, leaves

__all__ = [
    "DEEPEST",
    "REPLACED",
    "Leaf",
    "decode",
    "decode_all",
    "encode",
    "encode_lossy",
    "is_same",
    "is_same_text",
    "leaves",
    "plain",
]
