"""Bytes as values: msgpack, JSON and pickles, told apart by how they begin."""

from __future__ import annotations

import json
import pickle

import msgpack
import msgpack_numpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.documents import encode, is_same, plain
from hutch.errors import DocumentError
from hutch.listening.formats import read_message, read_value

keys = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | keys
documents = st.dictionaries(
    keys,
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=6),
    min_size=1,
    max_size=4,
)
WRITERS = {
    "msgpack": lambda value: msgpack.packb(value, default=msgpack_numpy.encode),
    "json": encode,
    "python's json": lambda value: json.dumps(value).encode(),
    "pickle": pickle.dumps,
}


@given(document=documents)
@settings(max_examples=50)
def test_documents_come_as_they_were_whatever_wrote_them(document):
    for write in WRITERS.values():
        found = read_value(write(document).lstrip())
        name, other = read_message(write(["event", document]).lstrip())

        assert is_same(plain(found), document)
        assert (name, is_same(plain(other), document)) == ("event", True)


def test_integers_of_any_size_come_in_json():
    assert read_value(b'{"a":' + b"9" * 40 + b"}") == {"a": int("9" * 40)}


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype="int16").reshape(2, 3),
        np.array(["a", "bc"]),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8", (2,))]),
        np.array([1, "a", None], dtype=object),
        np.zeros((0, 2)),
    ],
    ids=lambda value: str(value.dtype),
)
def test_arrays_come_through_msgpack_as_they_were(value):
    found = read_value(msgpack.packb({"a": value}, default=msgpack_numpy.encode))["a"]

    assert (found.dtype, found.shape) == (value.dtype, value.shape)
    np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("value", [np.float32(1.5), np.int8(-1), np.bool_(True), 1 + 2j])
def test_scalars_come_through_msgpack_as_they_were(value):
    found = read_value(msgpack.packb({"a": value}, default=msgpack_numpy.encode))["a"]

    assert (type(found), found) == (type(value), value)


def test_an_array_of_objects_in_msgpack_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return tmp_path.__class__.mkdir, (tmp_path / "made",)

    packed = msgpack.packb({b"nd": True, b"kind": b"O", b"data": pickle.dumps(Evil())})
    read_value(packed)

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("kind", ["O", "|O", [["a", "O"]], "no type", 7])
def test_an_array_of_a_type_that_is_none_is_an_error(kind):
    packed = msgpack.packb({b"nd": True, b"kind": b"", b"type": kind, b"shape": [1], b"data": bytes(8)})
    with pytest.raises(DocumentError, match="cannot be read"):
        read_value(packed)


@pytest.mark.parametrize("text", [b"", b"\xc1", b"{", b"[1, 2", b"\x80\x04", b"no document", b"[" * 100_000])
def test_what_is_nothing_of_the_kind_is_an_error_that_says_what_is_expected(text):
    with pytest.raises(DocumentError, match="Expected is msgpack, JSON or a pickle"):
        read_value(text)


@pytest.mark.parametrize(
    "value", [[], ["start"], ["start", {}, 1], [1, {}], ["start", []], {"start": {}}, "ab"]
)
def test_a_message_is_a_name_and_a_document(value):
    with pytest.raises(DocumentError, match="no pair of a name and a document"):
        read_message(msgpack.packb(value))


@given(text=st.binary(max_size=100))
def test_any_bytes_are_read_or_a_document_error(text):
    try:
        read_message(text)
    except DocumentError as error:
        assert str(error)


def test_a_pickle_runs_what_it_names_only_if_it_is_trusted():
    text = pickle.dumps({"a": np.longdouble})

    assert read_value(text, trusts_pickles=True) == {"a": np.longdouble}
    assert read_value(text) != {"a": np.longdouble}
