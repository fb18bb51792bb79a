"""Queries about one field: equal, less, one of several, with a part that fits.

A key is dotted, as in ``sample.name``; ``start.`` reaches the start document whatever the key, ``stop.`` the
stop document, ``param.`` and ``dqm.`` what was posted to the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any as Value

from hutch.errors import QueryError
from hutch.queries.conditions import Condition, Contained, Exists, Field, Matching, Not
from hutch.queries.mongo import comparison, equality, one_of, parse_words, pattern_of, value_of
from hutch.queries.paths import parse_path
from hutch.queries.patterns import check_pattern, wildcards
from hutch.queries.query import Query

__all__ = [
    "Comparison",
    "Contains",
    "Eq",
    "FullText",
    "In",
    "Key",
    "KeyPresent",
    "Like",
    "NotEq",
    "NotIn",
    "Regex",
]

_OPERATORS = {"lt": "$lt", "le": "$lte", "gt": "$gt", "ge": "$gte"}


class _Field(Query):
    """A query about one field, whose key and value are looked at when it is made."""

    __slots__ = ()

    def __post_init__(self) -> None:
        # A mistake shows where it is made.
        _ = self.condition


@dataclass(frozen=True)
class Eq(_Field):
    """A field, or an element of its list, equals a value; None also where there is no such field."""

    key: str
    value: Value

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return equality(parse_path(self.key), self.value)


@dataclass(frozen=True)
class NotEq(_Field):
    """A field does not equal a value, nor has it such an element; there may be no such field."""

    key: str
    value: Value

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Not(equality(parse_path(self.key), self.value))


@dataclass(frozen=True)
class Comparison(_Field):
    """A field is less or greater than a value of the same type.

    :ivar operator: ``lt``, ``le``, ``gt`` or ``ge``.
    """

    operator: str
    key: str
    value: Value

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        if self.operator not in _OPERATORS:
            msg = f"Unknown operator {self.operator!r}. Known are: {', '.join(_OPERATORS)}."
            raise QueryError(msg)
        return comparison(parse_path(self.key), _OPERATORS[self.operator], self.value)


@dataclass(frozen=True)
class In(_Field):
    """A field, or an element of its list, equals one of several values."""

    key: str
    value: Iterable[Value]

    def __post_init__(self) -> None:
        _freeze(self)
        super().__post_init__()

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return one_of(parse_path(self.key), self.value, "In")


@dataclass(frozen=True)
class NotIn(_Field):
    """A field equals none of several values, nor has it such an element; there may be no such field."""

    key: str
    value: Iterable[Value]

    def __post_init__(self) -> None:
        _freeze(self)
        super().__post_init__()

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Not(one_of(parse_path(self.key), self.value, "NotIn"))


@dataclass(frozen=True)
class Contains(_Field):
    """A list has an element, or a text has a part."""

    key: str
    value: Value

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Field(parse_path(self.key), Contained(value_of(self.value)))


@dataclass(frozen=True)
class Regex(_Field):
    """A field is text, or has a text in its list, with a part that a regular expression of RE2 fits."""

    key: str
    pattern: str
    case_sensitive: bool = True

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Field(parse_path(self.key), pattern_of(self.pattern, "" if self.case_sensitive else "i"))


@dataclass(frozen=True)
class Like(_Field):
    """A field is text that fits as a whole: ``%`` stands for any text, ``_`` for any one character."""

    key: str
    pattern: str

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        check_pattern(self.pattern if not isinstance(self.pattern, str) else wildcards(self.pattern))
        return Field(parse_path(self.key), Matching(wildcards(self.pattern)))


@dataclass(frozen=True)
class KeyPresent(_Field):
    """There is such a field, be it None; with ``exists=False`` there is none."""

    key: str
    exists: bool = True

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        found = Field(parse_path(self.key), Exists())
        return found if self.exists else Not(found)


@dataclass(frozen=True)
class FullText(_Field):
    """All of these words are among the values of the start or the stop document.

    Case and accents do not matter; ``anneal*`` stands for every word that begins so. Names of keys are no
    values, and numbers with a fraction no words.
    """

    text: str

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return parse_words(self.text)


class Key:
    """A field to be compared: ``Key("plan_name") == "scan"``, ``Key("num_points") > 50``."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        parse_path(key)
        self.key = key

    def __eq__(self, value: object) -> Eq:  # type: ignore[override]
        return Eq(self.key, value)

    def __ne__(self, value: object) -> NotEq:  # type: ignore[override]
        return NotEq(self.key, value)

    def __lt__(self, value: Value) -> Comparison:
        return Comparison("lt", self.key, value)

    def __le__(self, value: Value) -> Comparison:
        return Comparison("le", self.key, value)

    def __gt__(self, value: Value) -> Comparison:
        return Comparison("gt", self.key, value)

    def __ge__(self, value: Value) -> Comparison:
        return Comparison("ge", self.key, value)

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    def __repr__(self) -> str:
        return f"Key({self.key!r})"


def _freeze(query: In | NotIn) -> None:
    """Keep several values in a tuple, so that nobody changes them later, and they are compared."""
    values: Value = query.value
    if hasattr(values, "tolist") and type(values).__module__.partition(".")[0] == "numpy":
        values = values.tolist()
    if isinstance(values, (list, set, frozenset, range)) or hasattr(values, "__next__"):
        object.__setattr__(query, "value", tuple(values))
