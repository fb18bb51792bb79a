"""Questions about runs as somebody types them: words, ``KEY=VALUE``, MongoDB's language as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hutch.errors import QueryError
from hutch.queries.fields import Contains, FullText, In, KeyPresent, Regex
from hutch.queries.identities import PlanName
from hutch.queries.query import Query
from hutch.queries.times import TimeRange

__all__ = ["OPERATORS", "parsed_value", "typed_queries"]

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~", "in", "contains", "exists")

_COMPARED = re.compile(r"([^\s=!<>~{]+?)(!=|<=|>=|==|=|<|>|~)(.*)", re.DOTALL)
_MONGO = {"=": "$eq", "==": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_YES = {"true": True, "yes": True, "false": False, "no": False}


def typed_queries(
    words: Sequence[str] = (),
    where: Iterable[tuple[str, str, str]] = (),
    *,
    plan: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Query | dict[str, Any]]:
    """Yield what somebody asks for, to be searched one after the other.

    :param words: each is a dictionary of MongoDB's language as JSON, or ``KEY=VALUE`` (also ``!=``, ``<``,
        ``<=``, ``>``, ``>=``, and ``~`` for a regular expression), or a word of full text.
    :param where: triples of a key, one of the :data:`OPERATORS`, and a value.
    :param since: a time as text, from which on they began.
    :param until: a time as text, before which they began.
    :raises QueryError: if something of it cannot be understood.
    """
    text: list[str] = []
    for word in words:
        compared = _COMPARED.fullmatch(word)
        if word.lstrip().startswith("{"):
            yield _parse_json(word)
        elif compared:
            yield _query(*compared.groups())
        else:
            text.append(word)
    if text:
        yield FullText(" ".join(text))
    for triple in where:
        yield _query(*triple)
    if plan is not None:
        yield PlanName(plan)
    if since is not None or until is not None:
        yield TimeRange(since=since, until=until)


def parsed_value(text: str) -> Any:
    """Return a value: what JSON says, or the text itself if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> Any:
    """Leave NaN and Infinity, which are no JSON, to be text."""
    raise ValueError(constant)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f'{text!r} is no JSON: {error}. Write it as in \'{{"num_points": {{"$gt": 50}}}}\'.'
        raise QueryError(msg) from error


def _query(key: str, operator: str, value: str) -> Any:
    """Return the query of a key, an operator and a value.

    :raises QueryError: if the operator is unknown, or takes no such value.
    """
    if operator in _MONGO:
        return {key: {_MONGO[operator]: parsed_value(value)}}
    match operator:
        case "~":
            return Regex(key, value)
        case "in":
            values = parsed_value(value)
            return In(key, values if isinstance(values, list) else [*map(parsed_value, value.split(","))])
        case "contains":
            return Contains(key, parsed_value(value))
        case "exists":
            if value.lower() not in _YES:
                msg = f"'exists' takes yes or no; not {value!r}."
                raise QueryError(msg)
            return KeyPresent(key, _YES[value.lower()])
    msg = f"Unknown operator {operator!r}. Known are: {', '.join(OPERATORS)}."
    raise QueryError(msg)
