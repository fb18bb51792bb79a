"""The rules for metadata: what is refused, and what the message says."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pytest

from hutch.errors import MetadataError
from hutch.recording.rules.rules import PROMPT, START_RUN, Places, Rules


def _fields(error: MetadataError) -> list[str]:
    return [problem.field for problem in error.problems]


def test_metadata_of_every_allowed_type_is_returned_in_plain_types() -> None:
    md = {
        "task": "calibration",
        "attempt": 5,
        "energy": 12.5,
        "aligned": True,
        "note": None,
        "dimensions": (1, 3),
        "window": [1, [2, 3]],
        "slits": {"width": 1, "inner": {"height": 3}},
        "counts": np.int64(4),
        "offset": np.float32(0.5),
        "grid": np.array([[1, 2], [3, 4]]),
        "huge": 10**40,
        "undefined": math.nan,
        "versions": {"bluesky": "1.15"},
    }
    found = Rules().check(md)
    assert found["dimensions"] == [1, 3]
    assert found["window"] == [1, [2, 3]]
    assert found["slits"] == {"width": 1, "inner": {"height": 3}}
    assert (found["counts"], type(found["counts"])) == (4, int)
    assert (found["offset"], type(found["offset"])) == (0.5, float)
    assert found["grid"] == [[1, 2], [3, 4]]
    assert found["huge"] == 10**40
    assert math.isnan(found["undefined"])
    assert list(found) == list(md)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", 1j, datetime.date(2024, 1, 1), len, np.datetime64("2024-01-01")]
)
def test_a_value_of_another_type_is_refused_naming_key_and_type(value: Any) -> None:
    with pytest.raises(MetadataError, match=f"'setup': |'setup' is .*type {type(value).__name__}") as caught:
        Rules().check({"setup": value, "task": "calibration"})
    assert _fields(caught.value) == ["setup"]


def test_a_nested_value_of_another_type_is_refused_naming_its_path() -> None:
    with pytest.raises(MetadataError, match=r"'slits\.blades\[1\]\.motor' is <object"):
        Rules().check({"slits": {"blades": [{"motor": "x"}, {"motor": object()}]}})


def test_a_dictionary_within_itself_is_refused_by_name() -> None:
    within: dict[str, Any] = {}
    within.update(a=within, b=[within])
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    for value in (within, deep):
        with pytest.raises(MetadataError, match="'sample' is .*are within themselves, or more than 250 deep"):
            Rules().check({"sample": {"name": value}})


def test_a_nested_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(MetadataError, match="its key 1 is int, keys are text"):
        Rules().check({"positions": {1: 0.5}})


@pytest.mark.parametrize("key", ["a.b", "a/b", ".", ""])
def test_a_key_with_a_dot_or_a_slash_or_nothing_is_refused(key: str) -> None:
    with pytest.raises(MetadataError, match=r"neither '\.' nor '/'"):
        Rules().check({key: 1})


def test_a_nested_key_that_event_model_does_not_allow_is_refused() -> None:
    with pytest.raises(MetadataError, match=r"'positions' is .*'a\.b'.*neither '\.' nor '/'"):
        Rules().check({"positions": {"a.b": 1}})


@pytest.mark.parametrize("field", ["owner", "group", "project"])
@pytest.mark.parametrize("value", [5, None, ["a"], {"name": "a"}, True])
def test_owner_group_and_project_must_be_text(field: str, value: Any) -> None:
    with pytest.raises(MetadataError, match=f"'{field}' is .*: it must be text") as caught:
        Rules().check({field: value})
    assert _fields(caught.value) == [field]
    assert Rules().check({field: ""}) == {field: ""}


@pytest.mark.parametrize("value", [5, None, ["a"], 1.5])
def test_sample_must_be_text_or_a_dictionary(value: Any) -> None:
    with pytest.raises(MetadataError, match="'sample' is .*: it must be text or a dictionary"):
        Rules().check({"sample": value})
    assert Rules().check({"sample": "dirt"}) == {"sample": "dirt"}
    assert Rules().check({"sample": {"color": "red"}}) == {"sample": {"color": "red"}}


@pytest.mark.parametrize("value", ["5", 5.0, True, None, [5]])
def test_scan_id_must_be_an_integer_and_no_bool(value: Any) -> None:
    with pytest.raises(MetadataError, match="'scan_id' is .*: it must be an integer"):
        Rules().check({"scan_id": value})
    assert Rules().check({"scan_id": np.int64(5)}) == {"scan_id": 5}


@pytest.mark.parametrize("field", ["uid", "time"])
def test_uid_and_time_cannot_be_given(field: str) -> None:
    with pytest.raises(MetadataError, match=f"'{field}' is 3: it is made for each run and can't be set"):
        Rules().check({field: 3})


@pytest.mark.parametrize("places", [START_RUN, PROMPT])
def test_the_message_tells_how_to_remove_what_cannot_be_given_from_the_metadata_of_all_runs(
    places: Places,
) -> None:
    removal = f"del {places.stash}['uid']; del {places.stash}['time']"
    with pytest.raises(MetadataError) as caught:
        Rules().check({"uid": "x", "time": 3, "owner": 5}, places)
    _, given, left_out = str(caught.value).rsplit("\n", 2)
    assert given.endswith(f"{places.stash}['owner'] = ...")
    assert left_out == f"Leave them out; where they come from {places.stash}, remove them with {removal}"


def test_what_event_models_schema_says_of_other_fields_holds_too() -> None:
    with pytest.raises(MetadataError, match=r"'data_groups\.1' is 3") as caught:
        Rules().check({"data_groups": ["a", 3], "hints": {"dimensions": 5}, "data_session": 7})
    assert sorted(_fields(caught.value)) == ["data_groups.1", "data_session", "hints.dimensions"]


def test_every_missing_and_wrong_field_is_listed_at_once() -> None:
    rules = Rules(required=("sample", "proposal"))
    with pytest.raises(MetadataError) as caught:
        rules.check({"owner": 5, "scan_id": "7", "uid": "u", "setup": object(), "a.b": 1, "data_session": 7})
    assert _fields(caught.value) == [
        "setup",
        "a.b",
        "uid",
        "owner",
        "scan_id",
        "sample",
        "proposal",
        "data_session",
    ]


def test_the_message_tells_how_to_give_what_is_missing_or_wrong() -> None:
    places = Places("RE(plan(), {})", "RE.md")
    with pytest.raises(MetadataError) as caught:
        Rules(required=("sample", "operator")).check({"owner": 5}, places)
    assert str(caught.value) == (
        "The run was not started, its metadata cannot be taken:\n"
        "  - 'owner' is 5: it must be text\n"
        "  - 'sample' is missing: it is required for every run\n"
        "  - 'operator' is missing: it is required for every run\n"
        "Give them for this run with RE(plan(), owner=..., sample=..., operator=...), or for all runs with "
        "RE.md['owner'] = ...; RE.md['sample'] = ...; RE.md['operator'] = ..."
    )


@pytest.mark.parametrize("blank", [None, ""])
def test_a_required_field_that_is_blank_counts_as_missing(blank: Any) -> None:
    with pytest.raises(MetadataError, match="'operator' is .*: it is required for every run"):
        Rules(required=("operator",)).check({"operator": blank})
    assert Rules(required=("operator",)).check({"operator": 0}) == {"operator": 0}
