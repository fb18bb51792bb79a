"""Event-model's JSON Schemas, compiled once, to check documents with.

The schemas are event-model's own; they are compiled by ``jsonschema-rs``, which takes some
microseconds a document where an interpreted validator takes milliseconds.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["SCHEMAS", "problems"]

SCHEMAS = {
    "start": "run_start",
    "stop": "run_stop",
    "descriptor": "event_descriptor",
    "event": "event",
    "event_page": "event_page",
    "resource": "resource",
    "datum": "datum",
    "datum_page": "datum_page",
    "stream_resource": "stream_resource",
    "stream_datum": "stream_datum",
}
"""Kinds of documents, and the names of their schemas in event-model."""

_MOST_PROBLEMS = 20
_LONGEST_MESSAGE = 300


def problems(kind: str, document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with a document by its schema.

    :param document: in plain Python types.
    :returns: pairs of the place (a dotted path, the kind for the document itself) and a sentence.
    """
    validator = _validator(kind)
    found = []
    try:
        if validator.is_valid(document):
            return []
        for error, _ in zip(validator.iter_errors(document), range(_MOST_PROBLEMS), strict=False):
            place = ".".join(str(part) for part in error.instance_path) or kind
            found.append((place, error.message[:_LONGEST_MESSAGE]))
    except ValueError as error:
        # A key with a lone surrogate, or lists deeper than the validator goes.
        found.append((kind, f"cannot be checked: {error}"[:_LONGEST_MESSAGE]))
    return found


@cache
def _validator(kind: str) -> Any:
    import jsonschema_rs

    spec = find_spec("event_model")
    if spec is None or spec.origin is None:
        msg = "event-model is not installed."
        raise ModuleNotFoundError(msg)
    # Read without importing event_model, which costs ten times as much as the schema.
    path = Path(spec.origin).parent / "schemas" / f"{SCHEMAS[kind]}.json"
    return jsonschema_rs.validator_for(json.loads(path.read_text()))
