"""Corrections of start documents afterwards: what changes, whether it may, and the history of it.

The recorded document stays as it is; beside it the store keeps the document as amended, which
searches and people see, and for each amendment who made it, when, why, and every value before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hutch.catalogs.signatures import Signature
from hutch.catalogs.tombstones import present_row
from hutch.documents import decode, encode, is_same, leaves
from hutch.errors import MISSING, ConfigurationError, CorruptDocumentError, FieldProblem, MetadataError
from hutch.recording.committing.starting import scan_id_of
from hutch.recording.rules.rules import Rules
from hutch.store.protocols.store import AmendmentRow, RunRow, Store

__all__ = [
    "Amendment",
    "Change",
    "Edit",
    "Path",
    "Values",
    "amend",
    "apply",
    "edits_of",
    "list_amendments",
    "preview",
    "undo",
]

Path = str | tuple[str, ...]
"""Where a value is: dotted, ``"sample.name"``, or its steps, ``("sample", "a.b")``."""

Values = Mapping[str, Any] | Mapping[tuple[str, ...], Any] | Mapping[Path, Any]
"""What is set at which places."""

_FIXED = ("uid", "time")


@dataclass(frozen=True, slots=True)
class Edit:
    """One value that changed; ``MISSING`` stands for one that was not, or is no longer, there."""

    path: tuple[str, ...]
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The dotted path."""
        return ".".join(self.path)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept: a value that is not there has no key."""
        values = {"before": self.before, "after": self.after}
        return {"path": list(self.path), **{k: v for k, v in values.items() if v is not MISSING}}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Edit:
        """Return an edit as it was kept."""
        return cls(tuple(kept["path"]), kept.get("before", MISSING), kept.get("after", MISSING))


@dataclass(frozen=True, slots=True)
class Amendment:
    """One correction of a start document."""

    time: float
    """When it was made, s since 1970."""
    author: str
    reason: str
    edits: tuple[Edit, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        edits = [edit.to_json() for edit in self.edits]
        return {"time": self.time, "author": self.author, "reason": self.reason, "edits": edits}


Change = Callable[[RunRow], dict[str, Any]]
"""Returns the start document that a run gets, as a document of its own."""


def list_amendments(store: Store, run: RunRow) -> list[Amendment]:
    """Return the corrections of a run, oldest first.

    :raises CorruptDocumentError: if what was changed by one is damaged.
    """
    rows = store.amendments(run.id)
    return [Amendment(row.time, row.author, row.reason, edits_of(row)) for row in rows]


def edits_of(row: AmendmentRow) -> tuple[Edit, ...]:
    """Return what was changed by a correction.

    :raises CorruptDocumentError: if that is damaged.
    """
    try:
        return tuple(map(Edit.from_json, decode(row.edits)))
    except (TypeError, LookupError) as error:
        msg = f"Amendment {row.id} is damaged. What is damaged in a store is told by: hutch verify"
        raise CorruptDocumentError(msg) from error


def amend(values: Values, remove: Iterable[Path], rules: Rules | None = None) -> Change:
    """Return a change that sets and removes values in a start document.

    What it is given to remove and is not there is left alone, so a change may be made twice. Making it
    raises :class:`MetadataError` with everything in it that breaks a rule; what broke one before, and
    is not touched, does not matter.

    :param rules: what the metadata must hold.
    :raises ConfigurationError: if there is nothing to change.
    """
    removed = (remove,) if isinstance(remove, str) else tuple(remove)
    if not values and not removed:
        msg = "There is nothing to amend. Give values, such as {'sample.name': 'LaB6'}, or fields to remove."
        raise ConfigurationError(msg)

    def change(run: RunRow) -> dict[str, Any]:
        return _Draft(run, rules or Rules()).changed(values, removed)

    return change


def undo(store: Store) -> Change:
    """Return a change that takes back a run's last amendment; made twice, it takes back itself.

    Making it raises :class:`ConfigurationError` if the run was never amended.
    """

    def change(run: RunRow) -> dict[str, Any]:
        history = list_amendments(store, run)
        if not history:
            msg = f"{_named(run)} was never amended: there is nothing to undo."
            raise ConfigurationError(msg)
        document: dict[str, Any] = decode(run.current)
        for edit in history[-1].edits:
            *above, last = edit.path
            holder = document
            for step in above:
                holder = holder[step]
            if edit.before is MISSING:
                del holder[last]
            else:
                holder[last] = edit.before
        return document

    return change


def preview(store: Store, run: RunRow, change: Change) -> tuple[Edit, ...]:
    """Return what a change would change, and make nothing of it.

    :raises RunDeletedError: if the run has been deleted.
    """
    now = present_row(store, run.id)
    return tuple(_differences(decode(now.current), change(now)))


def apply(store: Store, run: RunRow, change: Change, signature: Signature) -> tuple[Edit, ...]:
    """Make a change, and keep who made it; return what changed, which is nothing if all was so already.

    :raises RunDeletedError: if the run has been deleted.
    :raises StoreError: if the store cannot take it.
    """
    # First without the store's lock: what is wrong is found, and what checks it is loaded, here.
    if not preview(store, run, change):
        return ()
    with store.transaction() as writer:
        writer.lock(f"run/{run.id}")
        now = present_row(store, run.id)
        before, after = decode(now.current), change(now)
        edits = tuple(_differences(before, after))
        if not edits:
            return ()
        body = now.start if is_same(decode(now.start), after) else encode(after)
        old, new = leaves(before), leaves(after)
        writer.remove_leaves(run.id, now.time, old - new)
        writer.add_leaves(run.id, now.time, new - old)
        kept = encode([edit.to_json() for edit in edits])
        amended = replace(now, scan_id=scan_id_of(after))
        writer.amend_run(amended, body, signature.author, signature.reason, kept)
    store.sync()
    return edits


class _Draft:
    """The start document of a run while it is changed, and what is wrong with the changes."""

    def __init__(self, run: RunRow, rules: Rules) -> None:
        self._run = run
        self._rules = rules
        self._document: dict[str, Any] = decode(run.current)
        self._problems: list[FieldProblem] = []
        self._touched: list[tuple[str, ...]] = []

    def changed(self, values: Values, remove: Iterable[Path]) -> dict[str, Any]:
        """Return the document with values set and others removed.

        :raises MetadataError: with everything that is wrong.
        """
        before = self._broken_rules()
        for given, value in values.items():
            self._set(given, value)
        for given in remove:
            self._set(given, MISSING)
        self._problems += [problem for problem in self._broken_rules() if self._is_new(problem, before)]
        if self._problems:
            raise MetadataError(self._problems, outcome=f"{_named(self._run)} was not amended")
        document: dict[str, Any] = decode(encode(self._document))
        return document

    def _set(self, given: Path, value: Any) -> None:
        """Set what is at a place, or remove it."""
        path = tuple(given.split(".")) if isinstance(given, str) else tuple(given)
        wrong = self._what_is_wrong(path)
        if wrong is not None:
            shown = _at(self._document, path) if value is MISSING else value
            self._problems.append(FieldProblem(".".join(map(str, path)), shown, wrong))
            return
        self._touched.append(path)
        holder: Any = self._document
        for depth, step in enumerate(path[:-1], 1):
            if value is MISSING and step not in holder:
                return
            holder = holder.setdefault(step, {})
            if not isinstance(holder, dict):
                place = ".".join(path[:depth])
                expected = f"it is no dictionary, and holds no {path[depth]!r}; set {place!r} as a whole"
                self._problems.append(FieldProblem(place, holder, expected))
                return
        if value is MISSING:
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = value

    def _what_is_wrong(self, path: tuple[Any, ...]) -> str | None:
        """Say why a place cannot be changed; None if it can."""
        if not path or not all(isinstance(step, str) and step for step in path):
            return "give the name of a field, fields within fields with dots between them"
        if path[0] in _FIXED:
            return "it names the run and its moment, and can't be changed"
        if any(other[: len(path)] == path[: len(other)] for other in self._touched):
            return "it is changed twice, or as a part of something that is changed too; say it once"
        return None

    def _broken_rules(self) -> list[FieldProblem]:
        try:
            self._rules.check({key: self._document[key] for key in self._document if key not in _FIXED})
        except MetadataError as error:
            return list(error.problems)
        return []

    def _is_new(self, problem: FieldProblem, before: Sequence[FieldProblem]) -> bool:
        """Tell whether a broken rule is about a value that is given, or was not broken before."""
        places = [".".join(path) for path in self._touched]
        if any(
            problem.field == place or problem.field.startswith((f"{place}.", f"{place}[")) for place in places
        ):
            return True
        return (problem.field, problem.expected) not in {(old.field, old.expected) for old in before}


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], at: tuple[str, ...] = ()
) -> Iterable[Edit]:
    """Yield what differs, dictionary within dictionary; lists are compared whole."""
    for key in {**before, **after}:
        old, new = before.get(key, MISSING), after.get(key, MISSING)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, (*at, key))
        elif old is MISSING or new is MISSING or not is_same(old, new):
            yield Edit((*at, key), old, new)


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    """Return what is at a place; ``MISSING`` if there is nothing."""
    for step in path:
        document = document.get(step, MISSING) if isinstance(document, dict) else MISSING
    return document


def _named(run: RunRow) -> str:
    return f"Run {run.uid[:8]!r}" if run.scan_id is None else f"Run {run.scan_id} ({run.uid[:8]!r})"
