"""Rules for single fields of a start document: what can be declared, and what it refuses.

A rule is declared as a dictionary, in Python or in a file::

    {"type": "number", "minimum": 5, "maximum": 30}

``type``
    one of JSON Schema's names, or a list of them: string, integer, number, boolean, object, array, null.
``allowed``
    a list of the only values; stands alone.
``minimum``, ``maximum``
    of a number, both included.
``pattern``
    a regular expression that text matches as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from hutch.documents import plain
from hutch.errors import DocumentError

__all__ = ["FieldRule", "faults", "near", "named"]

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "text"),
    "integer": (int, "an integer"),
    "number": ((int, float), "a number"),
    "boolean": (bool, "True or False"),
    "object": (dict, "a dictionary"),
    "array": (list, "a list"),
    "null": (type(None), "None"),
}
_WORDS = ("type", "allowed", "minimum", "maximum", "pattern")
_MOST_NAMED = 20
"""As many allowed values are named in a message."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What the value of one field must be, if the field is there.

    :param types: JSON Schema's names; empty for any.
    :param allowed: the only values; empty for any.
    """

    types: tuple[str, ...]
    allowed: tuple[Any, ...]
    minimum: float | None
    maximum: float | None
    pattern: str | None

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> Self:
        """Return a rule that was declared without :func:`faults`."""
        types = _listed(declared.get("type", ()))
        if not types and "pattern" in declared:
            types = ("string",)
        elif not types and declared.keys() & {"minimum", "maximum"}:
            types = ("number",)
        return cls(
            types,
            tuple(plain({"": list(declared.get("allowed", ()))})[""]),
            declared.get("minimum"),
            declared.get("maximum"),
            declared.get("pattern"),
        )

    def accepts(self, value: Any) -> bool:
        """Tell whether a value, in plain types, keeps the rule."""
        if self.allowed:
            return any(_is_same(value, allowed) for allowed in self.allowed)
        if self.types and not any(_is_of(value, name) for name in self.types):
            return False
        if _is_of(value, "number"):
            # Written so that NaN is beyond every limit.
            return (self.minimum is None or value >= self.minimum) and (
                self.maximum is None or value <= self.maximum
            )
        return not isinstance(value, str) or self.pattern is None or bool(re.fullmatch(self.pattern, value))

    @property
    def expected(self) -> str:
        """What the value must be, as the end of a sentence."""
        if self.allowed:
            return f"it must be {'one of ' if len(self.allowed) > 1 else ''}{named(self.allowed)}"
        words = []
        for name in self.types:
            text = _TYPES[name][1]
            if name == "string" and self.pattern is not None:
                text += f" that matches {self.pattern!r} as a whole"
            elif name in ("integer", "number"):
                text += _limits(self.minimum, self.maximum)
            words.append(text)
        return f"it must be {' or '.join(words)}"


def faults(declared: Any) -> Iterator[str]:
    """Yield what is wrong with a rule as it was declared."""
    if not isinstance(declared, Mapping):
        yield f"{declared!r} is no rule; give a dictionary such as {{'type': 'string'}}"
        return
    for word in declared.keys() - set(_WORDS):
        yield f"there is no {word!r}{near(word, _WORDS)}; there are {', '.join(_WORDS)}"
    if not declared:
        yield f"it says nothing; give one of {', '.join(_WORDS)}"
    yield from _faulty_types(declared)
    yield from _faulty_allowed(declared)
    yield from _faulty_limits(declared)
    yield from _faulty_pattern(declared)


def near(word: object, words: tuple[str, ...]) -> str:
    """Return a hint at the word that somebody may have meant, or nothing."""
    found = get_close_matches(str(word), words, 1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def named(values: tuple[Any, ...]) -> str:
    """Return values for a message; of very many the first."""
    more = len(values) - _MOST_NAMED
    return ", ".join(repr(value) for value in values[:_MOST_NAMED]) + (f" or {more} more" if more > 0 else "")


def _faulty_types(declared: Mapping[str, Any]) -> Iterator[str]:
    if declared.get("type", None) == []:
        yield "type is empty"
    for name in _listed(declared.get("type", ())):
        if not isinstance(name, str) or name not in _TYPES:
            yield f"type {name!r} is unknown{near(name, tuple(_TYPES))}; there are {', '.join(_TYPES)}"


def _faulty_allowed(declared: Mapping[str, Any]) -> Iterator[str]:
    if "allowed" not in declared:
        return
    allowed = declared["allowed"]
    if not isinstance(allowed, (list, tuple)) or not allowed:
        yield f"allowed is {allowed!r}; give a list of values"
        return
    try:
        plain({"allowed": list(allowed)})
    except DocumentError as error:
        yield str(error).rstrip(".")
    if len(declared) > 1:
        yield "allowed says all that there is to say; take the other words away"


def _faulty_limits(declared: Mapping[str, Any]) -> Iterator[str]:
    limits = {word: declared[word] for word in ("minimum", "maximum") if word in declared}
    wrong = {word: value for word, value in limits.items() if not _is_of(value, "number") or value != value}
    for word, value in wrong.items():
        yield f"{word} is {value!r}; give a number"
    if not wrong and len(limits) == 2 and limits["minimum"] > limits["maximum"]:
        yield f"minimum {limits['minimum']} is above maximum {limits['maximum']}"
    types = _listed(declared.get("type", ()))
    if limits and types and not {"integer", "number"} & set(map(str, types)):
        yield f"{' and '.join(limits)}: for numbers only, and type is {declared['type']!r}"


def _faulty_pattern(declared: Mapping[str, Any]) -> Iterator[str]:
    if "pattern" not in declared:
        return
    pattern = declared["pattern"]
    try:
        re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        yield f"pattern {pattern!r} is no regular expression: {error}"
    types = _listed(declared.get("type", ()))
    if types and "string" not in types:
        yield f"pattern: for text only, and type is {declared['type']!r}"


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _limits(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    return "" if maximum is None else f" of at most {maximum}"


def _is_of(value: Any, name: str) -> bool:
    # A bool is an int in Python only.
    return isinstance(value, _TYPES[name][0]) and (name == "boolean" or not isinstance(value, bool))


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
