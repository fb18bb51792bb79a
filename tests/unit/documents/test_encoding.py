"""Documents as bytes: nothing is lost on the way there and back."""

import datetime
import enum
import math
import re
import uuid
from collections import OrderedDict, namedtuple
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.documents import decode, encode, encode_lossy, is_same, is_same_text, plain
from hutch.errors import DocumentError

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# A high and a low surrogate side by side are read back as one character, as the module says.
text = st.text(st.characters(exclude_categories=[])).filter(lambda found: not _PAIR.search(found))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_what_is_decoded_is_what_was_encoded(value):
    assert is_same(decode(encode(value)), value)


@given(values)
def test_plain_values_are_copied_as_they_are(value):
    assert is_same(plain(value), value)


@given(values)
def test_equal_values_have_equal_bytes(value):
    assert encode(plain(value)) == encode(value)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        -math.inf,
        2**64,
        -(10**400),
        "a\0b",
        "\ud800",
        "\udfff end",
        "",
        -0.0,
        5e-324,
        1.7976931348623157e308,
        [[], {}, [[]]],
        {"null": None, "": {"": [None]}},
    ],
    ids=repr,
)
def test_odd_values_are_kept(value):
    found = decode(encode(value))

    assert is_same(found, value)
    assert repr(found) == repr(value)


def test_keys_keep_their_order_in_both_notations():
    keys = ["z", "a", "m", "", "ä", "1"]
    for odd in (1, math.nan, 2**70):
        assert list(decode(encode(dict.fromkeys(keys, odd)))) == keys


class Mode(enum.Enum):
    FAST = "fast"
    LIMIT = math.inf


class Level(enum.IntEnum):
    HIGH = 3


class Celsius(float):
    pass


class Name(str):
    __slots__ = ()

    def __str__(self):
        return "somebody else"


Point = namedtuple("Point", "x y")  # noqa: PYI024


@pytest.mark.parametrize("beside", [None, math.nan, 2**70], ids=repr)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.str_("Å"), "Å"),
        (np.array(4.5), 4.5),
        (np.array([[1, 2], [3, 4]], dtype="u2"), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan, np.inf]), [0.5, math.nan, math.inf]),
        (np.array([], dtype=float), []),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([True, False]), [True, False]),
        (np.array([1, 2], dtype=">i4"), [1, 2]),
        ((1, (2, ())), [1, [2, []]]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Level.HIGH, 3),
        (Mode.FAST, "fast"),
        (Celsius(21.5), 21.5),
        (Name("me"), "me"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_relatives_of_plain_types_become_plain(value, expected, beside):
    # Beside something that JSON does not hold, the other writer is taken: it must say the same.
    assert is_same(decode(encode({"value": value, "beside": beside})), {"value": expected, "beside": beside})


def test_an_infinite_member_of_an_enumeration_is_no_null():
    assert decode(encode({"limit": Mode.LIMIT})) == {"limit": math.inf}


@pytest.mark.parametrize(
    "odd",
    [
        object(),
        {1, 2},
        b"bytes",
        1j,
        datetime.date(2026, 1, 1),
        np.datetime64("2026-01-01"),
        np.longdouble(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_document_holds_is_refused_by_its_place(odd):
    document = {"a": [1, {"b": odd}]}

    with pytest.raises(DocumentError, match=r"at 'a\[1\]\.b' cannot be kept"):
        plain(document)
    with pytest.raises(DocumentError, match=r"at 'a\[1\]\.b' cannot be kept"):
        encode(document)


@pytest.mark.parametrize("odd", [Mode.FAST, uuid.UUID(int=5)], ids=repr)
def test_metadata_of_people_holds_neither_uuids_nor_enumerations(odd):
    with pytest.raises(DocumentError, match="type (Mode|UUID) at 'a' cannot be kept"):
        plain({"a": odd})


@pytest.mark.parametrize("key", [1, None, (1, 2), 2.5], ids=repr)
def test_keys_that_are_no_text_are_refused(key):
    with pytest.raises(DocumentError, match="keys are text"):
        encode({"a": {key: 1}})


def test_a_dictionary_within_itself_is_refused():
    loop: dict = {}
    loop["again"] = loop

    with pytest.raises(DocumentError, match="more than 250 deep"):
        encode(loop)


def test_two_hundred_and_fifty_levels_are_kept():
    value: list = [math.nan]
    for _ in range(249):
        value = [value]

    assert is_same(decode(encode(value)), value)


def test_encoding_with_losses_says_what_was_replaced():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no name")

    loop: list = []
    loop.append(loop)
    text, replaced = encode_lossy({"a": [1, 1j], "b": Broken(), "c": loop, 3: "three", "good": 2**70})

    found = decode(text)
    assert found["a"] == [1, "1j"]
    assert found["b"] == "<Broken>"
    assert found["3"] == "three"
    assert found["good"] == 2**70
    assert {"a[1]", "b", ".3"} <= set(replaced)
    assert any(place.startswith("c[0][0]") for place in replaced)


def test_encoding_what_can_be_kept_has_no_losses():
    assert encode_lossy({"a": (1, 2)}) == (encode({"a": [1, 2]}), [])


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, 1.0), (1, True), (0, False), (0.0, None), ([], ()), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ("1", 1)],
    ids=repr,
)
def test_values_of_other_types_are_not_the_same(first, second):
    assert not is_same(first, second)
    assert not is_same({"key": [first]}, {"key": [second]})


def test_not_a_number_is_the_same_as_itself():
    assert is_same({"a": [math.nan]}, {"a": [math.nan]})


def test_texts_are_the_same_whatever_the_order_of_their_keys():
    assert is_same_text(encode({"a": 1, "b": math.nan}), encode({"b": math.nan, "a": 1}))
    assert not is_same_text(encode({"a": 1}), encode({"a": 1.0}))
