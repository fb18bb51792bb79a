"""A JSON Schema that a site asks of its start documents."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from hutch.documents import plain
from hutch.errors import MISSING, ConfigurationError, DocumentError, FieldProblem
from hutch.recording.rules.field_rules import named

__all__ = ["NO_SUCH_FIELD", "REQUIRED", "SchemaRule", "at"]

REQUIRED = "it is required for every run"
"""What is said of a field that is missing."""

NO_SUCH_FIELD = "the schema has no such field"
"""What is said of a field too many."""

_WHOLE = "the start document"
"""Stands for the field where no single one is wrong."""

_MOST_PROBLEMS = 100
_LONGEST_MESSAGE = 300


class SchemaRule:
    """A JSON Schema, compiled.

    :raises ConfigurationError: if it is none, naming the place in it.
    """

    def __init__(self, schema: Any) -> None:
        import jsonschema_rs

        if not isinstance(schema, Mapping):
            msg = f"it is {schema!r}; give a dictionary, a JSON Schema"
            raise ConfigurationError(msg)
        try:
            self._validator = jsonschema_rs.validator_for(plain(dict(schema)))
        except jsonschema_rs.ValidationError as error:
            place = ".".join(str(step) for step in error.instance_path)
            msg = f"{f'at {place!r}: ' if place else ''}{error.message}"
            raise ConfigurationError(msg) from error
        except (ValueError, DocumentError) as error:
            raise ConfigurationError(str(error)) from error

    def misfits(self, md: Mapping[str, Any]) -> Iterator[FieldProblem]:
        """Yield what the schema does not allow.

        :param md: a start document in plain types; what it gets later has stand-ins.
        """
        document = {
            "uid": str(uuid.uuid4()),
            "time": time.time(),
            "scan_id": 1,
            "versions": {},
            **md,
        }
        try:
            # Alternatives of the schema may each say something about one place.
            found: dict[str, FieldProblem] = {}
            for error, _ in zip(self._validator.iter_errors(document), range(_MOST_PROBLEMS), strict=False):
                for problem in _problems(error, document):
                    found.setdefault(problem.field, problem)
            yield from found.values()
        except ValueError as error:
            # Integers or depths that the validator does not take.
            yield FieldProblem("schema", MISSING, f"the metadata can't be checked against it: {error}")


def at(document: Mapping[str, Any], place: str) -> Any:
    """Return what is at a dotted place of a document in plain types, or ``MISSING``."""
    found: Any = document
    for step in place.split("."):
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return MISSING
    return found


def _problems(error: Any, document: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Yield one problem for each field that an error of the validator is about."""
    steps = [str(step) for step in error.instance_path]
    place = ".".join(steps)
    kind = error.kind
    if kind.name == "required":
        yield FieldProblem(".".join([*steps, kind.property]), MISSING, REQUIRED)
    elif kind.name == "additionalProperties":
        for name in kind.unexpected:
            where = ".".join([*steps, name])
            yield FieldProblem(where, at(document, where), NO_SUCH_FIELD)
    elif kind.name == "enum":
        yield FieldProblem(place, at(document, place), f"it must be one of {named(tuple(kind.options))}")
    else:
        value = at(document, place) if place else document
        yield FieldProblem(place or _WHOLE, value, _expected(error)[:_LONGEST_MESSAGE])


def _expected(error: Any) -> str:
    """Return what an error of the validator says; of alternatives, what each of them asks."""
    asked = [" and ".join(other.message for other in errors) for errors in getattr(error.kind, "context", ())]
    return f"one of these must change: {', or '.join(asked)}" if all(asked) and asked else str(error.message)
