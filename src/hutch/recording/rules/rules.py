"""The rules that a start document's metadata must keep, checked before anything is emitted.

:meth:`Rules.check` asks one function after the other, each about one thing, and raises a single error
with all they found. A new kind of rule is one more such function. What can be declared for a single field
is in :mod:`hutch.recording.rules.field_rules`, for the whole document in
:mod:`hutch.recording.rules.schema_rule`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hutch.documents import DEEPEST, plain
from hutch.documents.schemas import problems as schema_problems
from hutch.errors import MISSING, ConfigurationError, DocumentError, FieldProblem, MetadataError
from hutch.recording.rules.field_rules import FieldRule, faults, near
from hutch.recording.rules.schema_rule import NO_SUCH_FIELD, REQUIRED, SchemaRule, at

__all__ = ["PROMPT", "START_RUN", "DeclaredRules", "Places", "Rules"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a person can give metadata, as it stands in a message.

    :param call: what is typed for one run; ``{}`` stands for the keyword arguments.
    :param stash: the dictionary for all runs.
    """

    call: str
    stash: str

    def remedy(self, places: Iterable[str]) -> str:
        """Return the sentence that tells how to give fields, or what is at dotted places in them.

        Empty if there are none.
        """
        fields: dict[str, Any] = {}
        for place in places:
            *above, last = place.split(".")
            holder = fields
            for step in above:
                holder = holder.setdefault(step, {})
            holder.setdefault(last, {})
        if not fields:
            return ""
        shown = {name: _blank(below) for name, below in fields.items()}
        call = self.call.format(", ".join(f"{name}={value}" for name, value in shown.items()))
        stash = "; ".join(f"{self.stash}[{name!r}] = {value}" for name, value in shown.items())
        return f"Give them for this run with {call}, or for all runs with {stash}"

    def removal(self, fields: Iterable[str]) -> str:
        """Return the sentence that tells how to be rid of fields; empty if there are none."""
        named = "; ".join(f"del {self.stash}[{name!r}]" for name in fields)
        return f"Leave them out; where they come from {self.stash}, remove them with {named}" if named else ""


START_RUN = Places("cat.start_run({})", "cat.md")
"""Where metadata is given in programs without Bluesky."""

PROMPT = Places("RE(plan(), {})", "RE.md")
"""Where metadata is given at the prompt of a RunEngine."""


@dataclass(frozen=True)
class Rules:
    """What the metadata of every run must and must not hold.

    Always: ``uid`` and ``time`` are not given by a person; ``owner``, ``group`` and ``project`` are text,
    ``sample`` is text or a dictionary, ``scan_id`` an integer; keys hold neither ``.`` nor ``/``; values
    are text, numbers, bools, None, lists, dictionaries, or numpy's scalars and arrays of these; and the
    document fits event-model's schema. Beyond that, what is declared:

    >>> Rules(
    ...     required=["sample", "sample.name"],
    ...     fields={"energy_keV": {"type": "number", "minimum": 5, "maximum": 30}},
    ... )

    :param required: fields that must be there, neither None nor empty text; ``sample.name`` is the field
        ``name`` in ``sample``.
    :param fields: rules for single fields that are there; see :mod:`hutch.recording.rules.field_rules`.
    :param schema: a JSON Schema that the start document fits.
    :raises ConfigurationError: naming everything that is wrong with the rules.
    """

    required: Sequence[str] = ()
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    _by_field: dict[str, FieldRule] = field(init=False, repr=False, compare=False)
    _schema_rule: SchemaRule | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = list(_faults(self.required, self.fields))
        try:
            schema_rule = None if self.schema is None else SchemaRule(self.schema)
        except ConfigurationError as error:
            found.append(f"schema: {error}")
        if found:
            listed = "\n".join(f"  - {sentence}" for sentence in found)
            msg = f"The rules for metadata can't be used:\n{listed}"
            raise ConfigurationError(msg)
        object.__setattr__(self, "required", tuple(dict.fromkeys(self.required)))
        by_field = {name: FieldRule.of(declared) for name, declared in self.fields.items()}
        object.__setattr__(self, "_by_field", by_field)
        object.__setattr__(self, "_schema_rule", schema_rule)

    @classmethod
    def of(cls, declared: DeclaredRules) -> Rules:
        """Return rules that are given as such, as a dictionary, or as a file that holds one.

        :param declared: of a dictionary the keys ``required``, ``fields`` and ``schema``.
        :raises ConfigurationError: naming everything that is wrong with the rules.
        """
        if isinstance(declared, Rules):
            return declared
        if not isinstance(declared, Mapping):
            return cls.from_file(declared)
        words = ("required", "fields", "schema")
        unknown = [word for word in declared if word not in words]
        if unknown:
            hints = "; ".join(f"there is no {word!r}{near(word, words)}" for word in unknown)
            msg = f"The rules for metadata can't be used: {hints}. There are {', '.join(words)}."
            raise ConfigurationError(msg)
        # A key of a file with nothing behind it.
        return cls(**{word: value for word, value in declared.items() if value is not None})

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Rules:
        """Return the rules in a YAML, TOML or JSON file with ``required``, ``fields`` and ``schema``.

        :param path: its name ends in ``.yml``, ``.yaml``, ``.toml`` or ``.json``. In it ``schema`` may be the
            name of a file of its own, beside this one.
        :raises ConfigurationError: naming the file and everything that is wrong with the rules.
        """
        from hutch.recording.rules.rules_file import read_rules

        declared = read_rules(path)
        try:
            return cls.of(declared)
        except ConfigurationError as error:
            msg = f"{os.fspath(path)!r}: {error}"
            raise ConfigurationError(msg) from error

    def check(self, md: Mapping[str, Any], places: Places = START_RUN) -> dict[str, Any]:
        """Return metadata in plain types, ready for a start document.

        :param md: all metadata of one run, without the uid and time that a start document gets.
        :param places: how the message tells where to give what is missing or wrong.
        :raises MetadataError: with every missing or wrong field.
        """
        document, problems = _in_plain_types(md)
        for rule in (
            _not_given_by_people,
            _special_fields,
            self._missing_fields,
            self._declared_fields,
            _misfits,
            self._schema_misfits,
        ):
            known = [_steps(problem.field) for problem in problems]
            # One field, one complaint: a later rule would say the same in other words.
            problems += [found for found in rule(document) if not _is_on_one_line(found.field, known)]
        if problems:
            remedies = (places.remedy(_to_be_given(problems)), places.removal(_to_be_left_out(problems)))
            raise MetadataError(problems, "\n".join(filter(None, remedies)))
        return document

    def validate(self, md: Mapping[str, Any]) -> None:
        """Check metadata at a RunEngine that hutch did not make: ``RE.md_validator = rules.validate``.

        :raises MetadataError: with every missing or wrong field.
        """
        self.check(md, PROMPT)

    def _missing_fields(self, md: Mapping[str, Any]) -> Iterator[FieldProblem]:
        for name in self.required:
            value = at(md, name)
            if value is MISSING or value is None or value == "":
                yield FieldProblem(name, value, REQUIRED)

    def _declared_fields(self, md: Mapping[str, Any]) -> Iterator[FieldProblem]:
        for name, rule in self._by_field.items():
            value = at(md, name)
            if value is not MISSING and not rule.accepts(value):
                yield FieldProblem(name, value, rule.expected)

    def _schema_misfits(self, md: Mapping[str, Any]) -> Iterator[FieldProblem]:
        return iter(()) if self._schema_rule is None else self._schema_rule.misfits(md)


DeclaredRules = Rules | Mapping[str, Any] | str | os.PathLike[str]
"""Rules, a dictionary of them, or the name of a file."""

_MADE = ("uid", "time")
"""Fields that every start document has, made for it."""


def _faults(required: Any, fields: Any) -> Iterator[str]:
    """Yield what is wrong with rules as they were declared."""
    if not isinstance(required, (list, tuple)):
        yield f"required is {required!r}; give a list of fields"
    else:
        for name in required:
            yield from (f"required {name!r}: {fault}" for fault in _faulty_name(name))
    if not isinstance(fields, Mapping):
        yield f"fields is {fields!r}; give a dictionary of fields and their rules"
        return
    for name, declared in fields.items():
        for fault in (*_faulty_name(name), *faults(declared)):
            yield f"field {name!r}: {fault}"


def _faulty_name(name: Any) -> Iterator[str]:
    if not isinstance(name, str) or "/" in name or not all(name.split(".")):
        yield "a field is text without '/', fields within fields with dots between them"
    elif name in _MADE:
        yield "it is made for each run, and can't be set or ruled"


_MOST_PROBLEMS = 20
"""Of one field."""

_MADE_ONLY = "it is made for each run and can't be set"
_NAMES = "a field's name is text that holds neither '.' nor '/'"
_KEPT = "give text, numbers, bools, None, lists or dictionaries of these"


def _in_plain_types(md: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldProblem]]:
    """Return the fields that can be kept, in plain types, and what is wrong with the others."""
    document: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for key, value in md.items():
        wrong = [*_wrong_key(key), *islice(_wrong_values(value, str(key)), _MOST_PROBLEMS)]
        if wrong:
            problems += wrong
        else:
            document[str(key)] = plain(value)
    return document, problems


def _wrong_key(key: Any) -> Iterator[FieldProblem]:
    if not isinstance(key, str) or not key or "." in key or "/" in key:
        yield FieldProblem(str(key), key, _NAMES)


def _wrong_values(value: Any, path: str, depth: int = 1) -> Iterator[FieldProblem]:
    if depth >= DEEPEST:
        expected = f"its lists and dictionaries are within themselves, or more than {DEEPEST} deep"
        yield FieldProblem(next(iter(_steps(path)), ""), value, expected)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _wrong_values(item, f"{path}.{key}", depth + 1)
            else:
                yield FieldProblem(path, value, f"its key {key!r} is {type(key).__name__}, keys are text")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _wrong_values(item, f"{path}[{number}]", depth + 1)
    else:
        try:
            plain(value)
        except DocumentError:
            expected = f"a value of type {type(value).__name__} can't be kept, {_KEPT}"
            yield FieldProblem(path, value, expected)


def _not_given_by_people(md: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for name in _MADE:
        if name in md:
            yield FieldProblem(name, md[name], _MADE_ONLY)


def _special_fields(md: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for name in ("owner", "group", "project"):
        if name in md and not isinstance(md[name], str):
            yield FieldProblem(name, md[name], "it must be text")
    if "sample" in md and not isinstance(md["sample"], (str, dict)):
        yield FieldProblem("sample", md["sample"], "it must be text or a dictionary")
    scan_id = md.get("scan_id", 0)
    if not isinstance(scan_id, int) or isinstance(scan_id, bool):
        yield FieldProblem("scan_id", scan_id, "it must be an integer")


def _misfits(md: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Yield what event-model's schema of a start document does not allow."""
    # Alternatives of the schema may each say the same about one place.
    found: dict[str, str] = {}
    for place, sentence in schema_problems("start", {**md, "uid": "", "time": 0.0}):
        found.setdefault(place, sentence)
    for place, sentence in found.items():
        expected = sentence
        if sentence.startswith("Additional properties"):
            expected = f"{sentence}; names hold neither '.' nor '/'"
        yield FieldProblem(place, at(md, place), expected)


def _blank(below: dict[str, Any]) -> str:
    """Return what stands for a value that is to be given: ``...``, or a dictionary of them."""
    inside = ", ".join(f"{name!r}: {_blank(deeper)}" for name, deeper in below.items())
    return f"{{{inside}}}" if inside else "..."


def _to_be_given(problems: Iterable[FieldProblem]) -> Iterator[str]:
    """Yield the places of problems that another value solves."""
    for problem in problems:
        place = problem.field
        if not all(step.isidentifier() for step in place.split(".")):
            # Something in a list, say: give the whole field.
            place = next(iter(_steps(place)), "")
        if place.split(".")[0].isidentifier() and problem.expected not in (_MADE_ONLY, _NAMES, NO_SUCH_FIELD):
            yield place


def _to_be_left_out(problems: Iterable[FieldProblem]) -> Iterator[str]:
    """Yield the fields that no value may be given to."""
    for problem in problems:
        if problem.expected in (_MADE_ONLY, NO_SUCH_FIELD) and len(_steps(problem.field)) == 1:
            yield problem.field


def _steps(place: str) -> list[str]:
    """Return the keys and numbers that lead to a place."""
    return [step for step in re.split(r"[.\[\]]", place) if step]


def _is_on_one_line(place: str, known: Iterable[list[str]]) -> bool:
    """Tell whether a place is in, at or above one of those that are known."""
    steps = _steps(place)
    return any(steps[: len(other)] == other[: len(steps)] for other in known)
