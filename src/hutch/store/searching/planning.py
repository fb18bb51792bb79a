"""What the index can say of a condition: a set of runs that holds all that fulfil it, perhaps others too.

The plan of a condition is exact when the set is just the runs that fulfil it. Where it is not, each run of
the set is put to the test by its documents (:mod:`hutch.queries.matching`); so an answer is never wrong, it
may only take longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from hutch.documents.leaves import (
    LONGEST_TEXT,
    SOURCES,
    Leaf,
    LeafType,
    has_rows,
    leaves_of,
    text_key,
    words_key,
)
from hutch.documents.text import is_storable
from hutch.queries.conditions import (
    And,
    Condition,
    Contained,
    Element,
    Equal,
    Exists,
    Field,
    Lasts,
    Matching,
    NewestOfScanId,
    Not,
    Or,
    Order,
    Path,
    Size,
    Test,
    Words,
)
from hutch.queries.matching import is_position
from hutch.queries.paths import POSTED
from hutch.queries.patterns import finder, literal_prefix, quoted
from hutch.store.rows import index as rows
from hutch.store.rows.index import EVERYTHING, Everything, Rows, RunSet, beginning, meet, rest, union

__all__ = ["MOST_APART", "Plan", "Planner", "keys_of", "prefixes_of"]

_MOST_POSITIONS = 3
"""Positions in a path that the index is asked for."""
MOST_APART = 500
"""Parts of a condition that are asked for one by one."""
_MOST_TEXTS = 500
"""Different texts of a key that are looked at one by one for a pattern."""

_TIME = Path("start", ("time",))

_FLIPPED = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


@dataclass(frozen=True, slots=True)
class Plan:
    """A set that holds all runs that fulfil a condition.

    :ivar is_exact: it holds no others.
    """

    runs: RunSet
    is_exact: bool


class Planner:
    """Makes plans of conditions.

    :param has_pointers: tells whether the index has rows that say of a key: look in the document.
    :param texts_of: returns the different texts of some rows, None if there are more than so many.
    """

    def __init__(
        self,
        has_pointers: Callable[[str], bool],
        texts_of: Callable[[Rows, int], list[str] | None],
    ) -> None:
        self._has_pointers = cache(has_pointers)
        self._texts_of = texts_of

    def plan(self, condition: Condition) -> Plan:
        """Return the plan of a condition."""
        match condition:
            case And(parts):
                plans = [self.plan(part) for part in parts]
                return Plan(meet(*(plan.runs for plan in plans)), all(plan.is_exact for plan in plans))
            case Or(parts):
                plans = [self.plan(part) for part in parts]
                return Plan(union(*(plan.runs for plan in plans)), all(plan.is_exact for plan in plans))
            case Not(part):
                return self._without(part)
            case Words():
                return self._with_words(condition)
            case Lasts():
                return Plan(rows.of_key("stop.time"), False)
            case NewestOfScanId():
                return Plan(EVERYTHING, False)
            case Field(path, test):
                return self._of_field(path, test)

    def _without(self, part: Condition) -> Plan:
        """Return the plan of the runs that do not fulfil a condition."""
        match part:
            case Not(inner):
                return self.plan(inner)
            case And(parts):
                return self.plan(Or(tuple(map(Not, parts))))
            case Or(parts) if len(parts) <= MOST_APART:
                return self.plan(And(tuple(map(Not, parts))))
        plan = self.plan(part)
        return Plan(rest(plan.runs), True) if plan.is_exact else Plan(EVERYTHING, False)

    def _with_words(self, condition: Words) -> Plan:
        keys = [words_key(source) for source in ("start", "stop")]
        found = [
            [rows.exactly(Leaf(key, int(LeafType.TEXT), 0.0, text_key(word))) for key in keys]
            for word in condition.words
        ]
        is_exact = True
        for prefix in condition.prefixes:
            is_exact &= len(prefix) <= LONGEST_TEXT
            low = prefix[:LONGEST_TEXT]
            found.append([rows.texts(key, *beginning(low)) for key in keys])
        pointers = [rows.pointer(key) for key in keys if self._has_pointers(key)]
        return Plan(meet(*(union(*some, *pointers) for some in found)), is_exact and not pointers)

    # fields

    def _of_field(self, path: Path, test: Test) -> Plan:
        plans = []
        keys = list(keys_of(path))
        for key in keys:
            if not has_rows(key):
                return Plan(EVERYTHING, False)
            plans.append(self._of_key(key, path, test))
        if not keys:
            return Plan(EVERYTHING, False)
        is_exact = len(plans) == 1 and not _has_position(path)
        return Plan(union(*(plan.runs for plan in plans)), is_exact and plans[0].is_exact)

    def _of_key(self, key: str, path: Path, test: Test) -> Plan:
        """Return the plan of a test of what a key of the index leads to."""
        plan = self._of_test(key, path, test)
        above = list(prefixes_of(key, path))
        # That there is a pointer says that there is something.
        asked = above[:-1] if isinstance(test, Exists) else above
        pointers = [rows.pointer(place) for place in asked if self._has_pointers(place)]
        return Plan(union(plan.runs, *pointers), plan.is_exact and not pointers)

    def _of_test(self, key: str, path: Path, test: Test) -> Plan:
        match test:
            case Equal(None):
                if len(path.parts) > 1:
                    # An element of a list may lack what others have.
                    return Plan(EVERYTHING, False)
                null = rows.exactly(Leaf(key, int(LeafType.NULL), 0.0, ""))
                return Plan(union(null, rest(_any(key, path))), True)
            case Equal(value):
                return self._equal(key, path, value)
            case Order(operator, value):
                if path == _TIME and not isinstance(value, (str, bool)):
                    # Runs are in the order of this very time.
                    return Plan(Everything((("time", *_bound(_FLIPPED[operator], value)),)), True)
                return self._ordered(key, _FLIPPED[operator], value)
            case Matching(pattern, options):
                return self._matching(key, pattern, options)
            case Contained(value):
                equal = self._equal(key, path, value)
                if not isinstance(value, str):
                    return Plan(equal.runs, False)
                if not is_storable(value):
                    # RE2 takes no lone surrogate.
                    return Plan(EVERYTHING, False)
                return Plan(union(equal.runs, self._matching(key, quoted(value), "").runs), False)
            case Size(0):
                return Plan(rows.exactly(Leaf(key, int(LeafType.EMPTY_LIST), 0.0, "")), True)
            case Size():
                return Plan(_any(key, path), False)
            case Exists():
                return Plan(_any(key, path), True)
            case Element(condition):
                return Plan(self._with_element(key, path, condition), False)

    def _equal(self, key: str, path: Path, value: Any) -> Plan:
        found = leaves_of(key, value)
        certain = [leaf for leaf in found if leaf.type != LeafType.DOCUMENT]
        if isinstance(value, (list, dict)) and value:
            is_searched = certain and path.source not in POSTED
            return Plan(rows.exactly(certain[0]) if is_searched else _any(key, path), False)
        # Where its row would be a pointer, it is found by that alone.
        return Plan(union(*map(rows.exactly, certain)), True)

    def _ordered(self, key: str, operator: str, value: Any) -> Plan:
        if isinstance(value, str):
            if not is_storable(value):
                return Plan(rows.of_key(key, LeafType.TEXT), False)
            if len(value) <= LONGEST_TEXT:
                return Plan(rows.texts(key, (operator, value)), True)
            first = value[:LONGEST_TEXT]
            bounds = ((">=", first),) if operator[0] == ">" else beginning(first)[1:]
            return Plan(rows.texts(key, *bounds), False)
        if isinstance(value, bool):
            return Plan(rows.numbers(key, LeafType.BOOL, (operator, float(value))), True)
        return Plan(rows.numbers(key, LeafType.NUMBER, _bound(operator, value)), True)

    def _matching(self, key: str, pattern: str, options: str) -> Plan:
        prefix = literal_prefix(pattern, options)
        if not is_storable(prefix):
            return Plan(EVERYTHING, False)
        bounds = beginning(prefix[:LONGEST_TEXT])
        within = rows.texts(key, *bounds)
        if prefix and len(prefix) <= LONGEST_TEXT and pattern == f"^{quoted(prefix)}":
            return Plan(within, True)
        found = self._texts_of(within, _MOST_TEXTS)
        if found is None:
            return Plan(within, False)
        fits = finder(pattern, options)
        long = [text for text in found if len(text) > LONGEST_TEXT]
        wanted = [text for text in found if len(text) <= LONGEST_TEXT and fits(text)]
        leaves = (Leaf(key, int(LeafType.TEXT), 0.0, text) for text in (*wanted, *long))
        return Plan(union(*map(rows.exactly, leaves)), not long)

    def _with_element(self, key: str, path: Path, condition: Condition) -> RunSet:
        """Return a set with all runs that have an element which fulfils a condition in a list."""
        match condition:
            case _ if path.source in POSTED:
                return _any(key, path)
            case And(parts):
                return meet(_any(key, path), *(self._with_element(key, path, part) for part in parts))
            case Or(parts):
                return union(*(self._with_element(key, path, part) for part in parts))
            case Field(inner, test) if not isinstance(test, Element):
                return self._of_field(Path(path.source, (*path.parts, *inner.parts)), test).runs
        return _any(key, path)


def _any(key: str, path: Path) -> RunSet:
    """Return the runs that have something at a key."""
    # What was posted has all its rows at its name; what is below that are other names.
    return rows.of_key(key) if path.source in POSTED else union(rows.of_key(key), rows.below(key))


def keys_of(path: Path) -> Iterator[str]:
    """Yield the keys under which the index may have what a path leads to.

    A number in it may be a key, or a position in a list, of which the index knows nothing.
    """
    if path.source not in ("start", "stop"):
        yield ".".join((path.source, *path.parts))
        return
    # What lies at the top is a dictionary.
    head, *others = path.parts
    if sum(map(is_position, others)) > _MOST_POSITIONS:
        return
    first = head if path.source == "start" and head not in SOURCES else f"{path.source}.{head}"
    choices = [((part,), ()) if is_position(part) else ((part,),) for part in others]
    for chosen in product(*choices):
        yield ".".join((first, *(part for some in chosen for part in some)))


def _has_position(path: Path) -> bool:
    return path.source in ("start", "stop") and any(map(is_position, path.parts[1:]))


def prefixes_of(key: str, path: Path) -> Iterator[str]:
    """Yield the keys on the way to a key of the index, and this last."""
    if path.source in ("start", "stop"):
        parts = key.split(".")
        first = 2 if parts[0] in SOURCES else 1
        for count in range(first, len(parts)):
            yield ".".join(parts[:count])
    yield key


def _bound(operator: str, value: int | float) -> tuple[str, float]:
    """Return a bound for the floats of the index: exact, though an integer may be no float."""
    try:
        found = float(value)
    except OverflowError:
        found = float("inf") if value > 0 else float("-inf")
    if found == value:
        return operator, found
    # No float lies between the value and this one.
    is_above = found > value
    if operator[0] == ">":
        return (">=" if is_above else ">"), found
    return ("<" if is_above else "<="), found
