"""The rules that a start document's metadata must keep, checked before anything is emitted.

:meth:`Rules.check` asks one function after the other, each about one thing, and raises a single error
with all they found. A new kind of rule is one more such function.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hutch.documents import plain
from hutch.documents.schemas import problems as schema_problems
from hutch.errors import MISSING, DocumentError, FieldProblem, MetadataError

__all__ = ["START_RUN", "Places", "Rules"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a person can give metadata, as it stands in a message.

    :param call: what is typed for one run; ``{}`` stands for the keyword arguments.
    :param stash: the dictionary for all runs.
    """

    call: str
    stash: str

    def remedy(self, missing: Iterable[str]) -> str:
        """Return the sentence that tells how to give what is missing; empty if nothing is."""
        fields = list(missing)
        if not fields:
            return ""
        call = self.call.format(", ".join(f"{field}=..." for field in fields))
        stash = "; ".join(f"{self.stash}[{field!r}] = ..." for field in fields)
        return f"Give what is missing for this run with {call}, or for all runs with {stash}"


START_RUN = Places("cat.start_run({})", "cat.md")
"""Where metadata is given in programs without Bluesky."""


@dataclass(frozen=True)
class Rules:
    """What the metadata of every run must and must not hold.

    Always: ``uid`` and ``time`` are not given by a person; ``owner``, ``group`` and ``project`` are text,
    ``sample`` is text or a dictionary, ``scan_id`` an integer; keys hold neither ``.`` nor ``/``; values
    are text, numbers, bools, None, lists, dictionaries, or numpy's scalars and arrays of these; and the
    document fits event-model's schema.

    :param required: fields that must be there, neither None nor empty text.
    """

    required: tuple[str, ...] = ()

    def check(self, md: Mapping[str, Any], places: Places = START_RUN) -> dict[str, Any]:
        """Return metadata in plain types, ready for a start document.

        :param md: all metadata of one run, without the uid and time that a start document gets.
        :param places: how the message tells where to give what is missing.
        :raises MetadataError: with every missing or wrong field.
        """
        document, problems = _in_plain_types(md)
        for rule in (_not_given_by_people, _special_fields, self._missing_fields, _misfits):
            known = {_field(problem) for problem in problems}
            # One field, one complaint: a later rule would say the same in other words.
            problems += [problem for problem in rule(document) if _field(problem) not in known]
        if problems:
            missing = [problem.field for problem in problems if problem.expected is _REQUIRED]
            raise MetadataError(problems, places.remedy(missing))
        return document

    def _missing_fields(self, md: Mapping[str, Any]) -> Iterator[FieldProblem]:
        for field in self.required:
            value = md.get(field, MISSING)
            if value is MISSING or value is None or value == "":
                yield FieldProblem(field, value, _REQUIRED)


_REQUIRED = "it is required for every run"
_KEPT = "give text, numbers, bools, None, lists or dictionaries of these"


def _in_plain_types(md: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldProblem]]:
    """Return the fields that can be kept, in plain types, and what is wrong with the others."""
    document: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for key, value in md.items():
        wrong = [*_wrong_key(key), *_wrong_values(value, str(key))]
        if wrong:
            problems += wrong
        else:
            document[str(key)] = plain(value)
    return document, problems


def _wrong_key(key: Any) -> Iterator[FieldProblem]:
    if not isinstance(key, str) or not key or "." in key or "/" in key:
        yield FieldProblem(str(key), key, "a field's name is text that holds neither '.' nor '/'")


def _wrong_values(value: Any, path: str) -> Iterator[FieldProblem]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _wrong_values(item, f"{path}.{key}")
            else:
                yield FieldProblem(path, value, f"its key {key!r} is {type(key).__name__}, keys are text")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _wrong_values(item, f"{path}[{number}]")
    else:
        try:
            plain(value)
        except DocumentError:
            expected = "give text, numbers, bools, None, lists or dictionaries of these"
            yield FieldProblem(
                path, value, f"a value of type {type(value).__name__} can't be kept, {expected}"
            )


def _not_given_by_people(md: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for field in ("uid", "time"):
        if field in md:
            yield FieldProblem(field, md[field], "it is made for each run and can't be set")


def _special_fields(md: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for field in ("owner", "group", "project"):
        if field in md and not isinstance(md[field], str):
            yield FieldProblem(field, md[field], "it must be text")
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
        yield FieldProblem(place, _at(md, place), expected)


def _at(md: Mapping[str, Any], place: str) -> Any:
    """Return what is at a dotted place of a document."""
    found: Any = md
    for step in place.split("."):
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return MISSING
    return found


def _field(problem: FieldProblem) -> str:
    """Return the top-level field that a problem is in."""
    return problem.field.partition(".")[0].partition("[")[0]
