"""Rules that a site declares: what they refuse, what the message says, and what is said of bad rules."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hutch.errors import ConfigurationError, FieldProblem, MetadataError
from hutch.recording.rules.rules import PROMPT, Rules

RULES_FILE = """
required: [sample, operator]
fields:
  operator: {type: string, pattern: "[A-Z][a-z]+"}
  technique: {allowed: [SAXS, WAXS]}
  energy_keV: {type: number, minimum: 5, maximum: 30}
"""


def _problems(rules: Rules, md: dict[str, Any]) -> list[FieldProblem]:
    with pytest.raises(MetadataError, match="The run was not started") as caught:
        rules.check(md)
    return list(caught.value.problems)


def _said(rules: Rules, **md: Any) -> list[str]:
    return [str(problem) for problem in _problems(rules, md)]


def _faults(**declared: Any) -> list[str]:
    with pytest.raises(ConfigurationError, match="The rules for metadata can't be used:") as caught:
        Rules(**declared)
    return [line.removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


# Single fields


@pytest.mark.parametrize(
    ("declared", "good", "bad", "expected"),
    [
        ({"type": "string"}, ["", "A"], [5, None, ["A"]], "it must be text"),
        ({"type": "integer"}, [5, -5, 10**40], [5.0, True, "5"], "it must be an integer"),
        ({"type": "number"}, [5, 5.5, math.nan], [True, "5"], "it must be a number"),
        ({"type": "boolean"}, [True, False], [0, "yes"], "it must be True or False"),
        ({"type": "object"}, [{}, {"a": 1}], [[], "a"], "it must be a dictionary"),
        ({"type": "array"}, [[], (1, 2), np.arange(3)], [{}, "a"], "it must be a list"),
        ({"type": "null"}, [None], [0, ""], "it must be None"),
        ({"type": ["string", "null"]}, ["A", None], [5], "it must be text or None"),
        ({"minimum": 5}, [5, 5.5], [4.9, -math.inf, math.nan, "9"], "it must be a number of at least 5"),
        ({"type": "integer", "maximum": 5}, [5], [6, 4.5], "it must be an integer of at most 5"),
        ({"minimum": 5, "maximum": 30}, [5, 30.0], [4, 31, True], "it must be a number from 5 to 30"),
        ({"allowed": ["SAXS", "WAXS"]}, ["SAXS"], ["saxs", None], "it must be one of 'SAXS', 'WAXS'"),
        ({"allowed": [1, 2.5]}, [1, 1.0, np.float32(2.5)], [True, "1"], "it must be one of 1, 2.5"),
        ({"allowed": [[1, 2]]}, [(1, 2)], [[1]], "it must be [1, 2]"),
        (
            {"pattern": "[A-Z]{2}"},
            ["AB"],
            ["ABC", "a", 5],
            "it must be text that matches '[A-Z]{2}' as a whole",
        ),
        (
            {"type": ["integer", "string"], "minimum": 3, "pattern": "x+"},
            [3, "xx"],
            [2, "y", None],
            "it must be an integer of at least 3 or text that matches 'x+' as a whole",
        ),
    ],
)
def test_a_field_is_what_its_rule_says(declared: Any, good: list[Any], bad: list[Any], expected: str) -> None:
    rules = Rules(fields={"setup": declared})
    for value in good:
        rules.check({"setup": value})
    for value in bad:
        (problem,) = _problems(rules, {"setup": value})
        assert (problem.field, problem.expected) == ("setup", expected)


def test_a_field_with_a_rule_need_not_be_there() -> None:
    assert Rules(fields={"energy": {"type": "number"}}).check({}) == {}


def test_of_very_many_allowed_values_the_first_are_named() -> None:
    (said,) = _said(Rules(fields={"n": {"allowed": list(range(50))}}), n=99)
    assert said.endswith("17, 18, 19 or 30 more")


def test_a_field_within_a_field_is_named_with_dots() -> None:
    rules = Rules(required=["sample.name"], fields={"sample.mass_mg": {"minimum": 0}})
    assert rules.check({"sample": {"name": "LaB6", "mass_mg": 3}})
    assert _said(rules, sample={"mass_mg": -1}) == [
        "'sample.name' is missing: it is required for every run",
        "'sample.mass_mg' is -1: it must be a number of at least 0",
    ]
    assert _said(rules, sample="LaB6") == ["'sample.name' is missing: it is required for every run"]
    assert _said(rules) == ["'sample.name' is missing: it is required for every run"]


def test_one_field_gets_one_complaint() -> None:
    rules = Rules(
        required=["sample", "sample.name"],
        fields={"sample": {"type": "string"}, "owner": {"pattern": "x"}},
        schema={"properties": {"owner": {"const": "x"}}},
    )
    assert _said(rules, sample=5, owner=6) == [
        "'owner' is 6: it must be text",
        "'sample' is 5: it must be text or a dictionary",
    ]


def test_the_message_lists_everything_and_says_how_to_give_it() -> None:
    rules = Rules(
        required=["sample.name", "sample.mass", "operator"],
        fields={"technique": {"allowed": ["SAXS"]}, "slits.0": {"type": "number"}},
    )
    with pytest.raises(MetadataError) as caught:
        rules.check({"technique": "XRF", "slits": ["wide"], "uid": "u", "a.b": 1}, PROMPT)
    assert str(caught.value) == (
        "The run was not started, its metadata cannot be taken:\n"
        "  - 'a.b' is 'a.b': a field's name is text that holds neither '.' nor '/'\n"
        "  - 'uid' is 'u': it is made for each run and can't be set\n"
        "  - 'sample.name' is missing: it is required for every run\n"
        "  - 'sample.mass' is missing: it is required for every run\n"
        "  - 'operator' is missing: it is required for every run\n"
        "  - 'technique' is 'XRF': it must be 'SAXS'\n"
        "  - 'slits.0' is 'wide': it must be a number\n"
        "Give them for this run with RE(plan(), sample={'name': ..., 'mass': ...}, operator=..., "
        "technique=..., slits=...), or for all runs with RE.md['sample'] = {'name': ..., 'mass': ...}; "
        "RE.md['operator'] = ...; RE.md['technique'] = ...; RE.md['slits'] = ...\n"
        "Leave them out; where they come from RE.md, remove them with del RE.md['uid']"
    )


# A JSON Schema


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "required": ["uid", "time", "scan_id", "versions", "sample"],
    "properties": {
        "technique": {"enum": ["SAXS", "WAXS"]},
        "sample": {"type": ["object", "string"], "required": ["name"]},
        "slits": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}},
    },
}


def test_a_start_document_fits_the_schema() -> None:
    rules = Rules(schema=SCHEMA)
    assert rules.check({"sample": {"name": "LaB6"}, "slits": [1, 2.5], "technique": "SAXS"})


def test_everything_that_does_not_fit_the_schema_is_named() -> None:
    assert sorted(_said(Rules(schema=SCHEMA), technique="XRF", slits=[1, -2, "x"], sample={})) == [
        "'sample.name' is missing: it is required for every run",
        "'slits.1' is -2: -2 is less than or equal to the minimum of 0",
        "'slits.2' is 'x': \"x\" is not of type \"number\"",
        "'technique' is 'XRF': it must be one of 'SAXS', 'WAXS'",
    ]
    assert _said(Rules(schema=SCHEMA)) == ["'sample' is missing: it is required for every run"]


def test_fields_that_a_schema_does_not_know_are_named() -> None:
    known = dict.fromkeys(["uid", "time", "scan_id", "versions", "sample"], True)
    rules = Rules(schema={"properties": known, "additionalProperties": False})
    assert rules.check({"sample": "A"})
    with pytest.raises(MetadataError, match="'smaple' is 'A': the schema has no such field\n"):
        rules.check({"smaple": "A"})


def test_what_the_alternatives_of_a_schema_ask_is_said_of_the_whole_document() -> None:
    rules = Rules(schema={"anyOf": [{"required": ["a"]}, {"required": ["b", "c"]}]})
    with pytest.raises(MetadataError) as caught:
        rules.check({"b": 1})
    _, said = str(caught.value).splitlines()
    assert said.startswith("  - 'the start document' is {")
    assert said.endswith(
        ': one of these must change: "a" is a required property, or "c" is a required property'
    )


def test_metadata_that_a_schema_cannot_say_is_checked_all_the_same() -> None:
    rules = Rules(schema={"properties": {"n": {"minimum": 3}}})
    assert rules.check({"n": 10**40, "other": math.inf})
    assert _said(rules, n=2)


# From a dictionary and from files


def test_rules_are_read_from_yaml_toml_and_json(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES_FILE)
    (tmp_path / "rules.toml").write_text(
        'required = ["sample", "operator"]\n'
        "[fields]\n"
        'operator = {type = "string", pattern = "[A-Z][a-z]+"}\n'
        'technique = {allowed = ["SAXS", "WAXS"]}\n'
        "energy_keV = {type = 'number', minimum = 5, maximum = 30}\n"
    )
    declared = {
        "required": ["sample", "operator"],
        "fields": {
            "operator": {"type": "string", "pattern": "[A-Z][a-z]+"},
            "technique": {"allowed": ["SAXS", "WAXS"]},
            "energy_keV": {"type": "number", "minimum": 5, "maximum": 30},
        },
    }
    (tmp_path / "rules.json").write_text(json.dumps(declared))
    for name in ("rules.yml", "rules.toml", "rules.json"):
        assert Rules.from_file(tmp_path / name) == Rules.of(str(tmp_path / name)) == Rules.of(declared)
    assert Rules.of(Rules.of(declared)) == Rules(**declared)


def test_a_schema_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "start.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "rules.yml").write_text("schema: start.json\nfields:\n")
    assert Rules.from_file(tmp_path / "rules.yml").schema == SCHEMA


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("rules.yml", "required: [a\n", r"rules\.yml' is no YAML: line 2, column 1"),
        ("rules.yml", "required: [a]\nrequired: [b]\n", "line 2: 'required' stands here once more"),
        ("rules.yml", "- a\n", r"rules\.yml' holds list, no dictionary"),
        ("rules.yml", "requird: [a]\n", r"rules\.yml': .*no 'requird' \(did you mean 'required'\?\)"),
        ("rules.yml", "fields: {a: {type: txt}}\n", r"(?s)rules\.yml': .*field 'a': type 'txt' is unknown"),
        ("rules.yml", "schema: other.json\n", r"other\.json' can't be read: No such file"),
        ("rules.toml", "required = [\n", r"rules\.toml' is no TOML: "),
        ("rules.json", "{", r"rules\.json' is no JSON: "),
        ("rules.ini", "", r"rules\.ini' is no file of rules by its name"),
    ],
)
def test_a_bad_file_of_rules_is_refused_by_name(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        Rules.from_file(tmp_path / name)


def test_a_file_of_rules_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"rules\.yml' can't be read: No such file"):
        Rules.of(tmp_path / "rules.yml")


# Bad rules


def test_everything_that_is_wrong_with_rules_is_named_at_once() -> None:
    assert _faults(
        required=["", "a//b", "uid", 5],
        fields={
            "energy": {"type": "nubmer", "minimun": 3},
            "slits": {"minimum": 5, "maximum": 3},
            "technique": {"allowed": []},
            "time": {"type": "number"},
            "x": 5,
        },
        schema={"type": "objekt"},
    ) == [
        "required '': a field is text without '/', fields within fields with dots between them",
        "required 'a//b': a field is text without '/', fields within fields with dots between them",
        "required 'uid': it is made for each run, and can't be set or ruled",
        "required 5: a field is text without '/', fields within fields with dots between them",
        "field 'energy': there is no 'minimun' (did you mean 'minimum'?); there are type, allowed, minimum, "
        "maximum, pattern",
        "field 'energy': type 'nubmer' is unknown (did you mean 'number'?); there are string, integer, "
        "number, boolean, object, array, null",
        "field 'slits': minimum 5 is above maximum 3",
        "field 'technique': allowed is []; give a list of values",
        "field 'time': it is made for each run, and can't be set or ruled",
        "field 'x': 5 is no rule; give a dictionary such as {'type': 'string'}",
        "schema: at 'type': \"objekt\" is not valid under any of the schemas listed in the 'anyOf' keyword",
    ]


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({}, "it says nothing; give one of type, allowed, minimum, maximum, pattern"),
        ({"type": []}, "type is empty"),
        ({"allowed": "SAXS"}, "allowed is 'SAXS'; give a list of values"),
        ({"allowed": [object]}, "allowed"),
        ({"allowed": [1], "type": "number"}, "allowed says all that there is to say"),
        ({"minimum": "5"}, "minimum is '5'; give a number"),
        ({"maximum": math.nan}, "maximum is nan; give a number"),
        ({"minimum": True}, "minimum is True; give a number"),
        ({"type": "string", "minimum": 5}, "minimum: for numbers only, and type is 'string'"),
        ({"pattern": "("}, "pattern '(' is no regular expression: "),
        ({"pattern": 5}, "pattern 5 is no regular expression: "),
        ({"type": "number", "pattern": "x"}, "pattern: for text only, and type is 'number'"),
    ],
)
def test_what_is_said_of_a_bad_rule(declared: Any, fault: str) -> None:
    (said,) = _faults(fields={"a": declared})
    assert fault in said
    assert said.startswith("field 'a': ")


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"required": "sample"}, "required is 'sample'; give a list of fields"),
        ({"fields": ["sample"]}, "fields is ['sample']; give a dictionary of fields and their rules"),
        ({"schema": []}, "schema: it is []; give a dictionary, a JSON Schema"),
        ({"schema": {"properties": {"a": {"pattern": "("}}}}, "schema: at 'properties.a.pattern': "),
    ],
)
def test_what_is_said_of_a_bad_kind_of_rules(declared: Any, fault: str) -> None:
    (said,) = _faults(**declared)
    assert said.startswith(fault)


@pytest.mark.parametrize("declared", [None, 5, ["sample"]])
def test_what_is_no_rules_is_refused(declared: Any) -> None:
    with pytest.raises(ConfigurationError, match="give a dictionary of them, or the name of a file"):
        Rules.of(declared)


# Where they hold


def test_they_hold_for_runs_without_bluesky(cat: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES_FILE)
    cat.rules = tmp_path / "rules.yml"
    with pytest.raises(MetadataError, match=r"(?s)'sample' is missing.*'energy_keV' is 31.*cat\.start_run\("):
        cat.start_run(operator="Dan", energy_keV=31)
    with cat.start_run(operator="Dan", sample="A", energy_keV=30):
        pass
    assert [run.start["scan_id"] for run in cat.values()] == [1]
    cat.rules = {}
    with cat.start_run():
        pass
    assert len(cat) == 2


def test_they_do_not_hold_for_a_recorder_which_is_told_what_has_happened(cat: Any) -> None:
    cat.rules = {"required": ["sample"]}
    recorder = cat.recorder()
    recorder("start", {"uid": "u", "time": 1.0})
    assert list(cat) == ["u"]
