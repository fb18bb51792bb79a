"""Values and how they compare, by MongoDB's rules.

Values of different types are never equal, less or greater: numbers, bools, text, None, lists, dictionaries.
A bool is no number, however deep it lies. Numbers are compared exactly, and NaN is NaN. The order of a
dictionary's keys does not matter, unlike in MongoDB.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["OPERATORS", "bracket", "is_equal", "is_ordered"]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}

_BRACKETS: dict[type, str] = {
    bool: "bool",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "dictionary",
    type(None): "null",
}


def bracket(value: Any) -> str:
    """Return the name of the type in which a value compares."""
    return _BRACKETS[type(value)]


def is_equal(first: Any, second: Any) -> bool:
    """Tell whether two values are equal."""
    if bracket(first) != bracket(second):
        return False
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_equal(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(is_equal, first, second))
    return bool(first == second) or (first != first and second != second)  # noqa: PLR0124


def is_ordered(first: Any, name: str, second: Any) -> bool:
    """Tell whether one value stands to another, which is a number, a text or a bool, as an operator says.

    :param name: one of the :data:`OPERATORS`.
    """
    return bracket(first) == bracket(second) and OPERATORS[name](first, second)
