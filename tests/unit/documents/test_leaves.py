"""The rows of the index that a document has."""

import hashlib
import math
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.documents import leaves
from hutch.documents.leaves import LONGEST_LIST, LONGEST_TEXT, Leaf, LeafType, storable, text_key


def rows(document, source="start"):
    return sorted(leaves(document, source))


def test_types_in_rows_are_plain_integers():
    values = {"n": None, "b": True, "x": 1, "nan": math.nan, "t": "", "l": [], "d": {}, "m": [[1]]}
    found = {leaf.key: leaf.type for leaf in leaves(values)}

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
        (2**53 + 1, (LeafType.NUMBER, float(2**53), "")),
        (10**400, (LeafType.NUMBER, 1.7976931348623157e308, "")),
        (-(10**400), (LeafType.NUMBER, -1.7976931348623157e308, "")),
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

    assert leaves(document) == {
        Leaf("a.b", LeafType.NUMBER, 1.0, ""),
        Leaf("a.b", LeafType.TEXT, 0.0, "x"),
        Leaf("a.c", LeafType.EMPTY_LIST, 0.0, ""),
        Leaf("a", LeafType.NULL, 0.0, ""),
    }


def test_a_list_of_sixty_four_has_a_row_for_each_element():
    assert len(leaves({"a": list(range(LONGEST_LIST))})) == LONGEST_LIST


def test_equal_elements_have_one_row():
    assert rows({"a": [1, 1.0, 1]}) == [Leaf("a", LeafType.NUMBER, 1.0, "")]


def test_paths_with_dots_of_their_own_have_no_rows():
    assert rows({"a.b": 1, "c": {"d.e": 2, "f": 3}}) == [Leaf("c.f", LeafType.NUMBER, 3.0, "")]


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


def test_text_that_no_database_takes_is_replaced():
    assert storable("a\ud800b\0c") == "a?b\ufffdc"
    assert rows({"k\0\ud800": {"\0": "v\0"}}) == [Leaf("k\ufffd?.\ufffd", LeafType.TEXT, 0.0, "v\ufffd")]


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
