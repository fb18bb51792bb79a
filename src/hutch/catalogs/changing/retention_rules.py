"""Rules of retention: which runs may be deleted, and which must be kept whatever happens.

A rule that **deletes** takes runs that are older than so many days, counted from their start, and fit its
conditions. A rule that **keeps** holds the runs that fit its conditions: no other rule deletes them, and
nobody by hand, as long as the rule stands. A run that is being recorded fits no rule that deletes.

Conditions name dotted keys, as a search does: ``sample.name`` in the start document as it was amended,
``stop.reason`` in the stop document. A list fits when one of its elements does.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from hutch.catalogs.finding.selection import rows_by_uid
from hutch.catalogs.metadata import dictionary
from hutch.catalogs.open_runs import open_status
from hutch.catalogs.summary import printable
from hutch.documents import decode, encode, is_same, plain
from hutch.errors import ConfigurationError, DocumentError
from hutch.store.protocols.store import RunRow, Store

__all__ = ["STATUSES", "Facts", "RetentionRule", "RuleBook"]

STATUSES = ("success", "abort", "fail", "interrupted")
"""What a run that is not being recorded may be."""

_DAMAGED = (ValueError, RecursionError)
"""What the reading of a damaged document raises."""

_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class RetentionRule:
    """One rule.

    :ivar keep: it keeps runs instead of deleting them.
    :ivar older_than_days: of runs to delete, the least age in days since their start.
    :ivar where: values that a run has at dotted keys, all of them.
    :ivar unless: values at dotted keys, any of which takes a run out of the rule.
    :ivar status: what a run is, one of these; nothing stands for any.
    :ivar keep_last: of the runs that fit, a rule that deletes spares so many of the newest, and one that
        keeps holds only these; 0 stands for none, and for all.
    """

    name: str
    keep: bool = False
    older_than_days: float | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    unless: Mapping[str, Any] = field(default_factory=dict)
    status: tuple[str, ...] = ()
    keep_last: int = 0

    def __post_init__(self) -> None:
        wrong = list(_faults(self))
        if wrong:
            listed = "\n".join(f"  - {sentence}" for sentence in wrong)
            msg = f"The rule {self.name!r} can't be used:\n{listed}"
            raise ConfigurationError(msg)
        object.__setattr__(self, "where", plain(self.where))
        object.__setattr__(self, "unless", plain(self.unless))
        object.__setattr__(self, "status", tuple(self.status))

    @classmethod
    def of(cls, name: str, declared: Mapping[str, Any]) -> RetentionRule:
        """Return a rule that is given as a dictionary.

        :raises ConfigurationError: naming everything that is wrong with it.
        """
        words = [word for word in cls.__dataclass_fields__ if word != "name"]
        for word in declared:
            if word not in words:
                near = get_close_matches(word, words, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f". There are {', '.join(words)}."
                msg = f"The rule {name!r} can't be used: it has no {word!r}{hint}"
                raise ConfigurationError(msg)
        return cls(name, **declared)

    def to_json(self) -> dict[str, Any]:
        """Return what it declares, without its name, as it is kept."""
        found: dict[str, Any] = {"keep": self.keep}
        for word in ("older_than_days", "where", "unless", "status", "keep_last"):
            value = getattr(self, word)
            if value:
                found[word] = list(value) if word == "status" else value
        return found

    def fits(self, facts: Facts) -> bool:
        """Tell whether a run fits its conditions, whatever its age."""
        return (
            facts.status != "running"
            and (not self.status or facts.status in self.status)
            and all(facts.has(key, value) for key, value in self.where.items())
            and not any(facts.has(key, value) for key, value in self.unless.items())
        )

    @property
    def age_s(self) -> float:
        """Its age in s; 0 if it has none."""
        return (self.older_than_days or 0.0) * 86_400.0

    def __str__(self) -> str:
        age = "" if self.older_than_days is None else f" older than {self.older_than_days:g} days"
        wanted = _in_words(self.where)
        if self.status:
            wanted.append(f"status = {' or '.join(self.status)}")
        text = f"{'keep' if self.keep else 'delete'} runs{age}"
        if wanted:
            text += f" where {' and '.join(wanted)}"
        if self.unless:
            text += f", unless {' or '.join(_in_words(self.unless))}"
        if self.keep_last:
            text += f", {'only' if self.keep else 'but not'} the newest {self.keep_last:,}"
        return text


class Facts:
    """What a rule asks of a run."""

    def __init__(self, store: Store, row: RunRow) -> None:
        self._store = store
        self._row = row

    @cached_property
    def status(self) -> str:
        """``running``, ``interrupted``, or how the run ended."""
        if self._row.stop is not None:
            return str(self._stop.get("exit_status", "unknown"))
        return open_status(self._store, self._row)

    def has(self, key: str, value: Any) -> bool:
        """Tell whether a value is at a dotted key."""
        source, *steps = key.split(".")
        if source == "stop" and steps:
            return _is_at(self._stop, steps, value)
        return _is_at(self._start, [source, *steps] if source != "start" or not steps else steps, value)

    @cached_property
    def _start(self) -> dict[str, Any]:
        return dictionary(decode(self._row.current))

    @cached_property
    def _stop(self) -> dict[str, Any]:
        return {} if self._row.stop is None else dictionary(decode(self._row.stop))


class RuleBook:
    """The rules of a store as they were when they were read.

    :raises ConfigurationError: if there is one that this hutch does not understand: it may hold runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.retention()
        self.rules = [RetentionRule.of(row.name, decode(row.rule)) for row in self._rows]
        self._newest: dict[str, set[str]] = {}

    @property
    def is_current(self) -> bool:
        """Tell whether the store has the same rules still."""
        return self._store.retention() == self._rows

    def keeping(self, row: RunRow) -> RetentionRule | None:
        """Return the rule that keeps a run, or None."""
        facts = Facts(self._store, row)
        for rule in self.rules:
            try:
                if rule.keep and rule.fits(facts) and self._is_among_newest(row, rule, otherwise=True):
                    return rule
            except _DAMAGED:
                return rule  # nobody knows what it says
        return None

    def deleting(self, row: RunRow, now: float) -> RetentionRule | None:
        """Return the rule that deletes a run, or None.

        :param now: the time of today, s since 1970.
        """
        facts = Facts(self._store, row)
        for rule in self.rules:
            try:
                if (
                    not rule.keep
                    and row.time <= now - rule.age_s
                    and rule.fits(facts)
                    and not self._is_among_newest(row, rule, otherwise=False)
                ):
                    return rule
            except _DAMAGED:
                return None
        return None

    def _is_among_newest(self, row: RunRow, rule: RetentionRule, *, otherwise: bool) -> bool:
        """Tell whether a run is among the newest that fit a rule, if the rule counts them."""
        if not rule.keep_last:
            return otherwise
        if rule.name not in self._newest:
            self._newest[rule.name] = _newest_fitting(self._store, rule)
        return row.uid in self._newest[rule.name]


def _newest_fitting(store: Store, rule: RetentionRule) -> set[str]:
    """Return the uids of the newest runs that fit a rule, as many as it counts."""
    found: set[str] = set()
    # By uid, as runs may come and go meanwhile.
    for row in rows_by_uid(store, reversed(store.run_uids())):
        with contextlib.suppress(*_DAMAGED):
            if rule.fits(Facts(store, row)):
                found.add(row.uid)
        if len(found) >= rule.keep_last:
            break
    return found


def _faults(rule: RetentionRule) -> Iterator[str]:
    """Yield what is wrong with a rule."""
    if not isinstance(rule.name, str) or not _NAME.fullmatch(rule.name):
        yield f"its name is {rule.name!r}; give letters, digits, '_', '-' and '.'"
    age = rule.older_than_days
    if rule.keep:
        if age is not None:
            yield "it keeps runs, so it has no age; leave out older_than_days"
    elif age is None:
        yield "give older_than_days (--older-than), the age at which runs may go, or keep (--keep)"
    elif isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 < age < math.inf:
        yield f"older_than_days is {age!r}; give a number of days above 0"
    for word in ("where", "unless"):
        yield from _faulty_conditions(word, getattr(rule, word))
    if not isinstance(rule.status, (list, tuple)) or not set(map(str, rule.status)) <= set(STATUSES):
        yield f"status is {rule.status!r}; give some of {', '.join(STATUSES)}"
    last = rule.keep_last
    if isinstance(last, bool) or not isinstance(last, int) or last < 0:
        yield f"keep_last is {last!r}; give how many runs, 0 or more"


def _faulty_conditions(word: str, conditions: Any) -> Iterator[str]:
    if not isinstance(conditions, Mapping):
        yield f"{word} is {conditions!r}; give a dictionary of dotted keys and values"
        return
    for key, value in conditions.items():
        if not isinstance(key, str) or not all(key.split(".")):
            yield f"{word} has the key {key!r}; give names with dots between them, such as 'sample.name'"
            continue
        if isinstance(value, Mapping) and any(str(name).startswith("$") for name in value):
            # It would fit no run, and a rule that keeps some would keep none.
            yield f"{word} {key!r} is {value!r}; give the value itself, as rules only ask what is equal"
            continue
        try:
            encode(plain(value))
        except DocumentError as error:
            yield f"{word} {key!r}: {error}"


def _is_at(holder: Any, steps: Sequence[str], value: Any) -> bool:
    """Tell whether a value is at a place in a document; in a list, in one of its elements."""
    if not steps:
        return _is_equal(holder, value) or (
            isinstance(holder, list) and any(_is_equal(item, value) for item in holder)
        )
    if isinstance(holder, list):
        return any(_is_at(item, steps, value) for item in holder if isinstance(item, dict))
    return isinstance(holder, dict) and steps[0] in holder and _is_at(holder[steps[0]], steps[1:], value)


def _is_equal(found: Any, value: Any) -> bool:
    if isinstance(found, (int, float)) and isinstance(value, (int, float)):
        # A bool is no number; 1 and 1.0 are the same one.
        return isinstance(found, bool) is isinstance(value, bool) and found == value
    return is_same(found, value)


def _in_words(conditions: Mapping[str, Any]) -> list[str]:
    return [
        printable(f"{key} = {json.dumps(value, ensure_ascii=False)}") for key, value in conditions.items()
    ]
