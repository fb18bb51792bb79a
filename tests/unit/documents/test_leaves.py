"""The rows of the index that a document has."""

import hashlib
import math
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.documents import leaves
from hutch.documents.leaves import (
    LONGEST_LIST,
    LONGEST_PATH,
    LONGEST_TEXT,
    MOST_WORDS,
    Leaf,
    LeafType,
    posted_leaves,
    text_key,
    words_key,
)
from hutch.documents.text import is_storable, storable


def rows(document, source="start"):
    """Return the rows of a document that are no words, with a time as every start document has one."""
    timed = {"time": 1.5, **document} if source == "start" else document
    time = Leaf("time", LeafType.NUMBER, 1.5, "")
    return sorted(leaf for leaf in leaves(timed, source) if leaf != time and leaf.key != words_key(source))


def words(document, source="start"):
    return {leaf.text for leaf in leaves(document, source) if leaf.key == words_key(source)}


def pointer(key):
    return Leaf(key, LeafType.DOCUMENT, 0.0, "")


def test_types_in_rows_are_plain_integers():
    values = {"n": None, "b": True, "x": 1, "nan": math.nan, "t": "", "l": [], "d": {}, "m": [[1]]}
    found = {leaf.key: leaf.type for leaf in rows(values)}

    names = ["NULL", "BOOL", "NUMBER", "NAN", "TEXT", "EMPTY_LIST", "EMPTY_DICT", "DOCUMENT"]
    assert [LeafType(found[key]).name for key in values] == names
    assert {type(number) for number in found.values()} == {int}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (LeafType.NULL, 0.0, "")),
        (True, (LeafType.BOOL, 1.0, "")),
        (False, (LeafType.BOOL, 0.0, "")),
        (3, (LeafType.NUMBER, 3.0, "")),
        (-2.5, (LeafType.NUMBER, -2.5, "")),
        (math.inf, (LeafType.NUMBER, math.inf, "")),
        (math.nan, (LeafType.NAN, 0.0, "")),
        (2**60, (LeafType.NUMBER, 2.0**60, "")),
        (2**53 + 1, (LeafType.DOCUMENT, 0.0, "")),
        (10**400, (LeafType.DOCUMENT, 0.0, "")),
        (-(10**400), (LeafType.DOCUMENT, 0.0, "")),
        ("", (LeafType.TEXT, 0.0, "")),
        ("Åse", (LeafType.TEXT, 0.0, "Åse")),
        ([], (LeafType.EMPTY_LIST, 0.0, "")),
        ({}, (LeafType.EMPTY_DICT, 0.0, "")),
        ([[1], 2], (LeafType.DOCUMENT, 0.0, "")),
        ([[]], (LeafType.DOCUMENT, 0.0, "")),
        ([0] * (LONGEST_LIST + 1), (LeafType.DOCUMENT, 0.0, "")),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_each_value_has_its_row(value, expected):
    assert rows({"key": value}) == [Leaf("key", *expected)]


def test_lists_are_walked_through_to_their_elements():
    document = {"a": [{"b": 1}, {"b": "x", "c": []}, None]}

    assert rows(document) == [
        Leaf("a", LeafType.NULL, 0.0, ""),
        Leaf("a.b", LeafType.NUMBER, 1.0, ""),
        Leaf("a.b", LeafType.TEXT, 0.0, "x"),
        Leaf("a.b", LeafType.SEVERAL, 0.0, ""),
        Leaf("a.c", LeafType.EMPTY_LIST, 0.0, ""),
    ]


def test_a_list_of_sixty_four_has_a_row_for_each_element():
    assert len(rows({"a": list(range(LONGEST_LIST))})) == LONGEST_LIST + 1


def test_equal_elements_have_one_row():
    assert rows({"a": [1, 1.0, 1]}) == [Leaf("a", LeafType.NUMBER, 1.0, "")]


def test_keys_that_no_path_names_leave_a_pointer_where_they_lie():
    document = {"a.b": 1, "": 2, "c": {"d.e": 2, "f": 3}, "g": [{"": 1}]}
    assert rows(document) == [pointer("c"), Leaf("c.f", LeafType.NUMBER, 3.0, ""), pointer("g")]


def test_a_path_that_is_too_long_leaves_a_pointer_where_it_begins():
    assert rows({"k" * (LONGEST_PATH + 1): 1, "a": {"k" * LONGEST_PATH: 1}}) == [pointer("a")]


@pytest.mark.parametrize("time", [None, "2026", True, math.nan, 2**53 + 1, [1.0]])
def test_a_time_that_is_none_has_a_pointer_as_rows_are_ordered_by_another(time):
    assert pointer("time") in leaves({"time": time})


def test_a_start_document_without_a_time_has_a_pointer():
    assert leaves({}) == {pointer("time")}
    assert leaves({}, "stop") == set()


def test_other_sources_stand_before_their_keys():
    assert rows({"exit_status": "fail", "num_events": {"primary": 3}}, "stop") == [
        Leaf("stop.exit_status", LeafType.TEXT, 0.0, "fail"),
        Leaf("stop.num_events.primary", LeafType.NUMBER, 3.0, ""),
    ]


def test_a_key_of_the_start_that_is_named_like_a_source_can_be_told_from_it():
    assert rows({"stop": 1, "param": {"a": 2}, "start": 3}) == [
        Leaf("start.param.a", LeafType.NUMBER, 2.0, ""),
        Leaf("start.start", LeafType.NUMBER, 3.0, ""),
        Leaf("start.stop", LeafType.NUMBER, 1.0, ""),
    ]


def test_long_text_is_a_prefix_and_a_hash():
    text = "x" * LONGEST_TEXT

    assert text_key(text) == text
    digest = hashlib.sha256((text + "y").encode()).hexdigest()[:32]
    assert text_key(text + "y") == f"{text}\x01{digest}"
    assert text_key(text + "y") != text_key(text + "z")


def test_text_that_no_database_takes_has_a_pointer():
    assert storable("a\ud800b\0c") == "a?b\ufffdc"
    assert [is_storable(text) for text in ("ä", "\0", "\ud800", "")] == [True, False, False, True]
    assert rows({"a": "v\0", "k\0\ud800": 1, "b": {"\0": 1}}) == [pointer("a"), pointer("b")]


# words


def test_the_words_of_all_values_are_rows_and_keys_are_none():
    document = {
        "plan_name": "rel_scan",
        "sample": {"name": "LaB6, Nürnberg"},
        "notes": [["ok"], 42, 2.5, True],
    }
    assert words(document) == {"rel", "scan", "lab6", "nurnberg", "ok", "42"}


def test_uids_of_the_stop_document_are_no_words():
    document = {"uid": "a", "run_start": "b", "reason": "The shutter is stuck"}
    assert words(document, "stop") == {"the", "shutter", "is", "stuck"}


def test_of_many_words_some_have_rows_and_a_pointer_tells_of_the_others():
    found = leaves({"time": 1.0, "text": " ".join(map(str, range(MOST_WORDS + 1)))})
    assert pointer(words_key("start")) in found
    assert len([leaf for leaf in found if leaf.key == words_key("start")]) == MOST_WORDS + 1


# what is posted


@pytest.mark.parametrize("name", ["gain", "a.b", "x.y.z", "with blank", "ü"])
def test_what_is_posted_has_one_literal_name(name):
    assert posted_leaves("param", name, [1, "x"]) == {
        Leaf(f"param.{name}", LeafType.NUMBER, 1.0, ""),
        Leaf(f"param.{name}", LeafType.TEXT, 0.0, "x"),
        Leaf(f"param.{name}", LeafType.SEVERAL, 0.0, ""),
    }


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], [[1]]])
def test_what_is_posted_and_holds_more_than_scalars_has_a_pointer(value):
    assert posted_leaves("dqm", "rate", value) == {pointer("dqm.rate")}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=[]), max_size=4), values, max_size=4))
def test_any_document_has_rows_that_a_database_takes_and_gives_back(document):
    found = leaves(document)

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE leaves (key TEXT, type INT, number REAL, text TEXT)")
    connection.executemany("INSERT INTO leaves VALUES (?, ?, ?, ?)", sorted(found))
    assert {Leaf(*row) for row in connection.execute("SELECT * FROM leaves")} == found
    connection.close()
