"""Dictionaries in MongoDB's query language, as conditions.

Everything that cannot be meant is refused when the query is made, with the operator and what it takes:
a search that finds nothing because of a misspelt operator would be worse than an error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hutch.documents import plain
from hutch.documents.words import cut
from hutch.errors import DocumentError, QueryError
from hutch.queries.conditions import (
    And,
    Condition,
    Element,
    Equal,
    Exists,
    Field,
    Matching,
    Not,
    Or,
    Order,
    Path,
    Size,
    Words,
    nothing,
)
from hutch.queries.paths import element_path, parse_path
from hutch.queries.patterns import OPTIONS, check_pattern
from hutch.queries.values import bracket

__all__ = ["comparison", "equality", "one_of", "parse", "parse_words", "pattern_of", "value_of"]

_DEEPEST = 100
"""Conditions within each other that are taken."""

_PathParser = Callable[[Any], Path]


def parse(query: Mapping[Any, Any]) -> Condition:
    """Return the condition that a dictionary stands for.

    :raises QueryError: if it stands for none, naming the operator or the value.
    """
    return _parse(query, parse_path, 0)


def parse_words(text: Any) -> Words:
    """Return the condition that a text for a search in full text stands for; ``word*`` is a beginning.

    :raises QueryError: if there is no word in it.
    """
    if not isinstance(text, str):
        msg = f"Words to be searched for are text; {text!r} is {type(text).__name__}."
        raise QueryError(msg)
    words: list[str] = []
    prefixes: list[str] = []
    for part in text.split():
        found = cut(part)
        if found and part.endswith("*"):
            prefixes.append(found.pop())
        words += found
    if not words and not prefixes:
        msg = (
            f"There is no word in {text!r}. Give words of letters and digits, or beginnings as in 'anneal*'."
        )
        raise QueryError(msg)
    return Words(tuple(dict.fromkeys(words)), tuple(dict.fromkeys(prefixes)))


def equality(path: Path, value: Any) -> Condition:
    """Return the condition that a path leads to a value, or to text that a compiled pattern fits.

    :raises QueryError: if no document holds such a value.
    """
    if isinstance(value, re.Pattern):
        return Field(path, pattern_of(value))
    return Field(path, Equal(value_of(value)))


def one_of(path: Path, values: Any, name: str) -> Condition:
    """Return the condition that a path leads to one of several values.

    :param name: of who asks, for messages.
    :raises QueryError: if that is no list.
    """
    return Or(tuple(equality(path, value) for value in _several(values, name)))


def comparison(path: Path, operator: Any, value: Any) -> Condition:
    """Return the condition that what a path leads to is less or greater than a value.

    :param operator: ``$lt``, ``$lte``, ``$gt`` or ``$gte``.
    :raises QueryError: if the value has no order.
    """
    found = value_of(value)
    if bracket(found) in ("list", "dictionary"):
        msg = (
            f"{operator} compares numbers, text and bools; {_short(value)} is a {bracket(found)}. "
            "Compare a field of it, as in {'sample.thickness': {'$gt': 5}}."
        )
        raise QueryError(msg)
    if found is None or found != found:  # noqa: PLR0124 - NaN
        return Field(path, Equal(found)) if operator in ("$lte", "$gte") else nothing
    return Field(path, Order(operator, found))


def pattern_of(pattern: Any, options: Any = "") -> Matching:
    """Return the test by a regular expression, given as text or compiled.

    :raises QueryError: if RE2 does not take it.
    """
    if isinstance(pattern, re.Pattern):
        known = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
        flags = pattern.flags & ~(re.UNICODE | re.ASCII)
        given = {letter for letter, flag in known.items() if flags & flag}
        others = flags & ~(re.IGNORECASE | re.MULTILINE | re.DOTALL)
        if others:
            msg = f"{pattern!r} has flags other than {', '.join(OPTIONS)}. Write it without them."
            raise QueryError(msg)
        options, pattern = "".join(sorted({*given, *str(options)})), pattern.pattern
    check_pattern(pattern, options)
    return Matching(pattern, "".join(sorted(set(options))))


def value_of(value: Any) -> Any:
    """Return a value as documents hold it: numpy's numbers as Python's, tuples as lists.

    :raises QueryError: if no document holds such a value.
    """
    try:
        return plain(value)
    except DocumentError as error:
        msg = f"{_short(value)} cannot be searched for: {error}"
        if hasattr(value, "timestamp"):
            msg += " For times there is TimeRange, or s since 1970."
        raise QueryError(msg) from error


# the language


def _parse(query: Any, path_of: _PathParser, depth: int) -> Condition:
    if not isinstance(query, Mapping):
        msg = f"A query is a dictionary, as in {{'plan_name': 'scan'}}; {_short(query)} is {_kind(query)}."
        raise QueryError(msg)
    if depth > _DEEPEST:
        msg = f"More than {_DEEPEST} conditions are within each other."
        raise QueryError(msg)
    parts: list[Condition] = []
    for key, value in query.items():
        if isinstance(key, str) and key.startswith("$"):
            parts.append(_combined(key, value, path_of, depth))
        else:
            parts.append(_field(path_of(key), value, depth))
    return _all(parts)


def _combined(operator: str, value: Any, path_of: _PathParser, depth: int) -> Condition:
    """Return the condition of an operator that stands where a key could."""
    if operator == "$text":
        return _text(value)
    if operator == "$not":
        msg = "$not stands behind a key, as in {'plan_name': {'$not': {'$regex': '^a'}}}; elsewhere: $nor."
        raise QueryError(msg)
    if operator not in ("$and", "$or", "$nor"):
        raise _unknown(operator, [*_COMBINING, "$text"], "a query")
    queries = _several(value, operator)
    if not queries:
        msg = f"{operator} takes a list of at least one query."
        raise QueryError(msg)
    parts = tuple(_parse(part, path_of, depth + 1) for part in queries)
    if operator == "$and":
        return _all(parts)
    return Or(parts) if operator == "$or" else Not(Or(parts))


def _text(value: Any) -> Words:
    if not isinstance(value, Mapping) or set(value) != {"$search"}:
        msg = f"$text takes {{'$search': 'words'}}; not {_short(value)}."
        raise QueryError(msg)
    return parse_words(value["$search"])


def _field(path: Path, value: Any, depth: int) -> Condition:
    """Return the condition of a key: that it has a value, or what operators say."""
    if not _has_operators(value, str(path)):
        return equality(path, value)
    if "$options" in value and "$regex" not in value:
        msg = "$options stands beside $regex, as in {'$regex': '^lab', '$options': 'i'}."
        raise QueryError(msg)
    parts = [
        _operator(path, operator, argument, value, depth)
        for operator, argument in value.items()
        if operator != "$options"
    ]
    return _all(parts)


def _has_operators(value: Any, where: str) -> bool:
    """Tell whether a value is a dictionary of operators.

    :raises QueryError: if only a part of it is.
    """
    if not isinstance(value, Mapping) or not value:
        return False
    operators = [key for key in value if isinstance(key, str) and key.startswith("$")]
    if operators and len(operators) < len(value):
        other = next(key for key in value if key not in operators)
        msg = f"{where!r} mixes the operator {operators[0]} with the key {other!r}. Give either, or use $and."
        raise QueryError(msg)
    return bool(operators)


def _operator(path: Path, operator: str, value: Any, beside: Mapping[Any, Any], depth: int) -> Condition:
    match operator:
        case "$eq":
            return equality(path, value)
        case "$ne":
            return Not(equality(path, value))
        case "$lt" | "$lte" | "$gt" | "$gte":
            return comparison(path, operator, value)
        case "$in":
            return one_of(path, value, operator)
        case "$nin":
            return Not(one_of(path, value, operator))
        case "$exists":
            return _exists(path, value)
        case "$regex":
            return Field(path, pattern_of(value, beside.get("$options", "")))
        case "$not":
            return _negated(path, value, depth)
        case "$all":
            return _every(path, value, depth)
        case "$size":
            return _size(path, value)
        case "$elemMatch":
            return Field(path, _element(value, depth))
    raise _unknown(operator, _OPERATORS, repr(str(path)))


def _exists(path: Path, value: Any) -> Condition:
    if not isinstance(value, bool) and value not in (0, 1):
        msg = f"$exists takes True or False; not {_short(value)}."
        raise QueryError(msg)
    return Field(path, Exists()) if value else Not(Field(path, Exists()))


def _negated(path: Path, value: Any, depth: int) -> Condition:
    if isinstance(value, re.Pattern):
        return Not(Field(path, pattern_of(value)))
    if not _has_operators(value, str(path)):
        msg = f"$not takes operators, as in {{'$not': {{'$gt': 5}}}}; not {_short(value)}. For a value: $ne."
        raise QueryError(msg)
    if depth > _DEEPEST:
        msg = f"More than {_DEEPEST} conditions are within each other."
        raise QueryError(msg)
    return Not(_field(path, value, depth + 1))


def _every(path: Path, value: Any, depth: int) -> Condition:
    values = _several(value, "$all")
    if not values:
        return nothing
    return _all(
        [
            Field(path, _element(item["$elemMatch"], depth))
            if isinstance(item, Mapping) and set(item) == {"$elemMatch"}
            else equality(path, item)
            for item in values
        ]
    )


def _size(path: Path, value: Any) -> Condition:
    found = value_of(value)
    is_whole = isinstance(found, int) or (isinstance(found, float) and found.is_integer())
    if isinstance(found, bool) or not is_whole or found < 0:
        msg = f"$size takes a whole number from 0 on; not {_short(value)}."
        raise QueryError(msg)
    return Field(path, Size(int(found)))


def _element(value: Any, depth: int) -> Element:
    if not isinstance(value, Mapping):
        msg = f"$elemMatch takes a query or operators; {_short(value)} is {_kind(value)}."
        raise QueryError(msg)
    if value and _has_operators(value, "$elemMatch") and not set(value) & set(_COMBINING):
        return Element(_field(Path("", ()), value, depth + 1), is_document=False)
    return Element(_parse(value, element_path, depth + 1), is_document=True)


_COMBINING = ("$and", "$nor", "$or")
_OPERATORS = (
    "$all",
    "$elemMatch",
    "$eq",
    "$exists",
    "$gt",
    "$gte",
    "$in",
    "$lt",
    "$lte",
    "$ne",
    "$nin",
    "$not",
    "$options",
    "$regex",
    "$size",
)


def _all(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _several(values: Any, name: str) -> list[Any]:
    """Return several values as a list.

    :raises QueryError: if they are none.
    """
    if hasattr(values, "tolist") and type(values).__module__.partition(".")[0] == "numpy":
        values = values.tolist()
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, (Sequence, set, frozenset)):
        msg = f"{name} takes a list; {_short(values)} is {_kind(values)}."
        raise QueryError(msg)
    return list(values)


def _unknown(operator: str, known: Sequence[str], where: str) -> QueryError:
    near = difflib.get_close_matches(operator, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return QueryError(f"Unknown operator {operator!r} in {where}.{hint} Known are: {', '.join(known)}.")


def _kind(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
