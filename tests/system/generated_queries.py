"""Documents and queries by chance, made so that they meet often: strategies for hypothesis."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

LONG = "x" * 200

KEYS = ["a", "b", "c", "0", "1", "stop", "param", "start"]
INNER_KEYS = [*KEYS, "x.y", "", "k\0", "\ud800"]

NUMBERS = [0, 1, -1, 2, 3, 0.0, -0.0, 1.0, 1.5, 2**53, 2**53 + 1, 2**64, -(2**64) - 1, 10**400, 1e300]
ODD_NUMBERS = [math.inf, -math.inf, math.nan]
TEXTS = [
    "",
    "a",
    "ab",
    "b",
    "abc",
    "A",
    "1",
    "ä",
    "scan",
    "LaB6 scan",
    "100%",
    "a_b",
    f"{LONG}y",
    f"{LONG}z",
    LONG,
]
ODD_TEXTS = ["a\0", "\ud800", "a\uffff", "\U0010ffff", "\U0010ffffa", "a?", "a\ufffd"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([*NUMBERS, *ODD_NUMBERS]),
    st.sampled_from([*TEXTS, *ODD_TEXTS]),
    st.integers(-3, 3),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(INNER_KEYS), inner, max_size=3),
        st.integers(60, 70).map(lambda length: list(range(length))),
    ),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=5)
posted = st.dictionaries(st.sampled_from(["g", "a.b", "a", "x y"]), values, max_size=2)


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    """The documents of a run, by source, without what every run has."""
    return {
        "start": draw(documents),
        "stop": draw(st.none() | documents),
        "param": draw(posted),
        "dqm": draw(posted),
    }


# queries

_part = st.sampled_from(["a", "b", "c", "0", "1", "2", "stop"])
_path = st.lists(_part, min_size=1, max_size=3).map(".".join)
_own = ["param.g", "param.a.b", "dqm.a", "param.x y", "dqm.g", "param.a"]
paths = st.one_of(
    _path,
    _path,
    _path.map(lambda path: f"stop.{path}"),
    _path.map(lambda path: f"start.{path}"),
    st.sampled_from(_own),
).filter(lambda path: path != "stop")

_ordered = st.one_of(
    st.sampled_from([*NUMBERS, *ODD_NUMBERS]), st.sampled_from([*TEXTS, *ODD_TEXTS]), st.booleans()
)
_patterns = st.sampled_from(
    ["a", "^a", "b$", "^$", "^ab", "x{200}y", "^x", "[0-9]", "^LaB6 scan$", "A|b", "^a?b"]
)

_words = ["scan", "sc*", "lab6 SCAN", "1", "x*", "Ä", "nothing"]


@st.composite
def _tests(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Operators on one field."""
    name = draw(st.sampled_from(_OPERATORS if depth else _OPERATORS[:-2]))
    match name:
        case "$eq" | "$ne":
            return {name: draw(values)}
        case "$gt" | "$gte" | "$lt" | "$lte":
            return {name: draw(_ordered)}
        case "$in" | "$nin" | "$all":
            return {name: draw(st.lists(values, max_size=3))}
        case "$exists":
            return {name: draw(st.booleans())}
        case "$size":
            return {name: draw(st.integers(0, 3))}
        case "$regex":
            options = draw(st.sampled_from(["", "", "i"]))
            return {name: draw(_patterns), **({"$options": options} if options else {})}
        case "$not":
            return {name: draw(_tests(depth - 1))}
    inner = st.one_of(_tests(depth - 1), st.dictionaries(_path, _tests(depth - 1), min_size=1, max_size=2))
    return {name: draw(inner)}


_OPERATORS = (
    *("$eq", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$all", "$exists", "$size", "$regex"),
    *("$not", "$elemMatch"),
)

_simple = st.one_of(
    st.builds(lambda path, value: {path: value}, paths, values.filter(lambda v: not _is_operators(v))),
    st.builds(lambda path, test: {path: test}, paths, _tests()),
    st.builds(lambda path, one, two: {path: {**one, **two}}, paths, _tests(), _tests()),
    st.sampled_from(["scan", "sc*", "lab6 SCAN", "1", "x*", "Ä", "nothing"]).map(
        lambda t: {"$text": {"$search": t}}
    ),
)
queries = st.recursive(
    _simple,
    lambda inner: st.one_of(
        st.builds(
            lambda name, parts: {name: parts},
            st.sampled_from(["$and", "$or", "$nor"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda one, two: {**one, **two}, inner, inner),
    ),
    max_leaves=4,
)


def _is_operators(value: Any) -> bool:
    return isinstance(value, dict) and any(key.startswith("$") for key in value)
