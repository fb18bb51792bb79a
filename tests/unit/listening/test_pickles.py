"""Pickles are read as what documents are made of, and never run what they name."""

from __future__ import annotations

import collections
import datetime
import enum
import os
import pickle
import uuid
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.documents import encode_lossy, is_same, plain
from hutch.listening.pickles import Stranger, load_pickle

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)

numbers = st.integers() | st.floats() | st.booleans()
values = st.recursive(
    st.none() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(value=values, protocol=st.sampled_from(PROTOCOLS))
def test_plain_values_come_as_pickle_itself_reads_them(value, protocol):
    assert is_same(plain(load_pickle(pickle.dumps(value, protocol))), plain(value))


ARRAYS = [
    np.arange(6, dtype="<i2").reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
    np.arange(12).reshape(3, 4)[:, ::2],
    np.array([True, False]),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bc"]),
    np.array([1 + 2j]),
    np.array([]),
    np.zeros((0, 3)),
    np.array(1.5),
    np.array([1, "a", None, [2]], dtype=object),
    np.array([float("nan"), float("inf")], dtype="f4"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
def test_arrays_come_as_they_were(array, protocol):
    found = load_pickle(pickle.dumps({"a": [array]}, protocol))["a"][0]

    assert (type(found), found.dtype, found.shape) == (np.ndarray, array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value", [np.float32(1.5), np.int64(2**40), np.bool_(True), np.str_("a"), np.uint8(7)]
)
def test_scalars_of_numpy_come_as_they_were(value, protocol):
    found = load_pickle(pickle.dumps((value,), protocol))[0]

    assert (type(found), found) == (type(value), value)


class Mode(enum.Enum):
    FAST = "fast"


class Level(enum.StrEnum):
    HIGH = "high"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("member", "value"), [(Mode.FAST, "fast"), (Level.HIGH, "high")])
def test_members_of_enumerations_become_their_values_without_their_class(member, value, protocol):
    assert load_pickle(pickle.dumps({member: [member]}, protocol)) == {value: [value]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        bytearray(b"bytes"),
        {1, 2},
        frozenset({1}),
        1 + 2j,
        collections.OrderedDict(a=1),
        uuid.UUID(int=5),
        datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
        datetime.timedelta(seconds=1),
    ],
    ids=repr,
)
def test_harmless_types_come_as_they_were(value, protocol):
    assert load_pickle(pickle.dumps(value, protocol)) == value


class Device:
    def __init__(self) -> None:
        self.name = "motor"


class Readings(dict[str, float]):
    pass


class Axes(list[str]):
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "part"),
    [
        (Device(), "motor"),
        (Readings(x=1.5), "1.5"),
        (Axes(["theta"]), "theta"),
        (PurePosixPath("/a/b"), "PurePosixPath"),
        (np.array([(1, 2.0)], dtype="i4,f8"), "ndarray"),
        (np.datetime64("2024-02-29"), "generic"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_of_other_classes_are_kept_as_what_they_say(value, part, protocol):
    found = load_pickle(pickle.dumps({"a": value}, protocol))

    assert isinstance(found["a"], Stranger)
    body, replaced = encode_lossy(found)
    assert part.encode() in body
    assert replaced == ["a"]


class Evil:
    """Has a function called where it is unpickled."""

    def __init__(self, function, *arguments) -> None:
        self._made_of = function, arguments

    def __reduce__(self):
        return self._made_of


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_function_is_ever_called(tmp_path, protocol):
    path = str(tmp_path / "made")
    for evil in (
        Evil(os.mkdir, path),
        Evil(eval, f"__import__('os').mkdir({path!r})"),
        Evil(getattr, "text", "upper"),
    ):
        load_pickle(pickle.dumps({"a": evil}, protocol))

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "text",
    [
        b"cos\nmkdir\n(S'/made'\ntR.",  # protocol 0
        b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c\x05/made\x85R.",
        b"\x80\x04\x8c\x05numpy\x8c\x0fdtype.__class__\x93.",  # an attribute of something harmless
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
    ],
)
def test_names_in_a_pickle_stand_for_strangers(text):
    found = load_pickle(text)

    assert found == "/made" or issubclass(found, Stranger)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x80\x04",
        b"\x80\x04K\x01",
        b"\x80\x04Pid.",
        # bytearray of a number would be as many bytes
        b"\x80\x04\x8c\x08builtins\x8c\x09bytearray\x93J\xff\xff\xff\x7f\x85R.",
        # an array of more than its content
        pickle.dumps(np.arange(3.0), 4).replace(b"K\x03\x85", b"M\xff\xff\x85"),
    ],
)
def test_what_is_no_honest_pickle_is_an_error(text):
    with pytest.raises(Exception, match=".*"):  # noqa: B017, PT011 - of any kind
        load_pickle(text)


@given(text=st.binary(max_size=200))
def test_any_bytes_are_read_or_an_error(text):
    try:
        load_pickle(b"\x80\x04" + text)
    except Exception as error:  # of any kind, but not a crash
        assert error is not None
