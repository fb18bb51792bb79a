"""Events that contradict their descriptor, or hold what no document holds: kept in their run, and marked."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

from hutch.documents import plain

from .sample_runs import (
    Unwilling,
    a_run,
    assert_same,
    descriptor,
    event,
    marked,
    quarantined,
    replayed,
    start,
    stop,
)

# what contradicts its descriptor


@pytest.mark.parametrize(
    ("data", "marks"),
    [
        ({"x": "text"}, {("primary", "x", "is str, described as number"): 1}),
        ({"x": True}, {("primary", "x", "is bool, described as number"): 1}),
        ({"x": [1.0]}, {("primary", "x", "is list, described as number"): 1}),
        ({"x": {"a": 1}}, {("primary", "x", "is dict, described as number"): 1}),
        ({"x": None}, {}),
        ({"x": math.nan}, {}),
        ({"x": 10**30}, {}),
        ({"x": np.float32(0.5)}, {}),
        ({"wave": [1.0] * 5}, {("primary", "wave", "has shape [5], described as [3]"): 1}),
        ({"wave": [[1.0, 2.0, 3.0]]}, {("primary", "wave", "has shape [1, 3], described as [3]"): 1}),
        ({"wave": [1.0, [2.0], 3.0]}, {("primary", "wave", "is a ragged array"): 1}),
        ({"wave": 5.0}, {("primary", "wave", "is float, described as array"): 1}),
        ({"wave": np.array([1, 2, 3])}, {}),
        ({"wave": np.array([1.0, 2.0])}, {("primary", "wave", "has shape [2], described as [3]"): 1}),
        ({"extra": 1}, {("primary", "extra", "is not described"): 1}),
        ({"extra": 1, "\ud800": 2}, {("primary", "extra", "is not described"): 1}),
    ],
    ids=str,
)
def test_values_that_break_the_descriptor_are_kept_and_marked(cat, record, data, marks):
    documents = a_run(event(1), event(2, **data), event(3))

    assert_same(record(*documents), documents)
    assert quarantined(cat) == []
    assert marks.items() <= marked(cat).items()
    assert bool(marks) == bool(marked(cat))


@pytest.mark.parametrize(
    "change",
    [
        {"seq_num": "one"},
        {"seq_num": 2**70},
        {"seq_num": None},
        {"seq_num": 2.0},
        {"time": "noon"},
        {"time": 5},
        {"time": None},
        {"time": 10**400},
        {"data": None},
        {"data": []},
        {"data": {}},
        {"timestamps": {}},
        {"timestamps": {"x": "noon", "wave": None}},
        {"timestamps": {"x": 1, "wave": 2.0, "other": 3.0}},
        {"filled": {"x": "id"}},
        {"filled": {"x": False, "wave": True}},
        {"filled": None},
        {"filled": [1]},
        {"more": {"a": [math.nan]}},
        {"_private": 1},
    ],
    ids=str,
)
def test_events_with_odd_fields_are_kept_in_their_run(cat, record, change):
    documents = a_run(event(1), {**event(2), **change}, event(3))

    assert_same(record(*documents), documents)
    assert quarantined(cat) == []


def test_an_event_without_fields_but_uid_and_descriptor_is_kept(cat, record):
    documents = a_run(event(1), {"uid": "bare", "descriptor": "d"}, event(2))

    assert_same(record(*documents), documents)
    assert ("primary", "x", "is missing") in marked(cat)


def test_an_event_whose_uid_no_column_takes_costs_no_other_event(cat, record):
    odd = event(2, uid="\ud800")
    documents = a_run(event(1), odd, *map(event, range(3, 100)))

    found = record(*documents)

    assert_same(found, [document for document in documents if document[1] is not odd])
    ((kind, _, body),) = quarantined(cat)
    assert (kind, body) == ("event", odd)


@pytest.mark.parametrize(
    "odd",
    [object(), 1j, b"bytes", {1}, threading.Lock(), Unwilling(), (n for n in "a")],
    ids=lambda v: type(v).__name__,
)
def test_values_that_no_document_holds_are_kept_by_their_repr_and_marked(cat, record, odd):
    documents = a_run(event(1), event(2, x=odd), event(3))

    found = record(*documents)

    assert [name for name, _ in found] == [name for name, _ in documents]
    assert isinstance(found[3][1]["data"]["x"], str)
    assert any("its repr is kept" in reason for _, _, reason in marked(cat))
    assert quarantined(cat) == []


def test_documents_of_objects_are_kept_by_their_repr_and_marked(cat, record):
    loop: dict[str, Any] = {}
    loop["again"] = loop
    found = record(
        ("start", start(odd=object(), loop=loop)),
        ("descriptor", descriptor(odd=1j)),
        ("event", event(1)),
        ("stop", stop(odd={1})),
    )

    assert found[1][1]["odd"] == "1j"
    assert found[3][1]["odd"] == "{1}"
    places = {key for _, key, reason in marked(cat) if "its repr is kept" in reason}
    assert {"start: odd", "descriptor: odd", "stop: odd"} <= places
    assert quarantined(cat) == []


def test_documents_that_break_their_schema_are_kept_and_marked(cat, record):
    documents = [
        ("start", start(time="noon", sample=5)),
        ("descriptor", descriptor(hints=5, data_keys={"x": {"dtype": "complex"}})),
        ("stop", stop(exit_status="odd")),
    ]

    assert_same(record(*documents), documents)
    assert {key for _, key, _ in marked(cat)} >= {
        "start: time",
        "descriptor: data_keys.x",
        "stop: exit_status",
    }


@pytest.mark.parametrize(
    "keys", [None, 5, [], {"x": None}, {"x": {"shape": "odd", "dtype": ["number"]}}], ids=str
)
def test_descriptors_with_odd_keys_take_events(cat, record, keys):
    documents = a_run(event(1), event(2))
    documents[1] = ("descriptor", descriptor(data_keys=keys))

    assert_same(record(*documents), documents)
    assert quarantined(cat) == []


@pytest.mark.parametrize("name", [None, "", 5, "with.dot", "\ud800", "nul\0"], ids=repr)
def test_streams_with_odd_names_are_kept(cat, record, name):
    documents = a_run(event(1), event(2))
    documents[1] = ("descriptor", descriptor(name=name))

    assert_same(record(*documents), documents)


@pytest.mark.parametrize("key", ["", ".", "a.b", "ts.x", "seq_num", "uid", "nul\0", "Å"])
def test_keys_with_odd_names_are_kept(cat, record, key):
    keys = {key: {"source": "test", "dtype": "number", "shape": []}}
    one = {**event(1), "data": {key: 1.5}, "timestamps": {key: 2.5}}
    documents = a_run(one)
    documents[1] = ("descriptor", descriptor(data_keys=keys))

    assert_same(record(*documents), documents)
    assert quarantined(cat) == []


# who owns the values


def test_arrays_that_a_device_uses_again_are_kept_as_they_were(cat):
    wave, listed, nested = np.zeros(3), [0.0, 0.0, 0.0], {"a": [0]}
    filled = {"x": False}
    recorder = cat.recorder()
    recorder("start", start())
    recorder("descriptor", descriptor())
    for number in range(1, 4):
        wave[:], listed[0], nested["a"][0] = number, float(number), number
        recorder("event", {**event(number, x=nested, wave=(wave, listed)[number % 2]), "filled": filled})
        filled["x"] = not filled["x"]
    wave[:], listed[0], nested["a"][0] = -1, -1.0, -1
    recorder("stop", stop())

    events = [document for name, document in replayed(cat) if name == "event"]
    assert [one["data"]["x"] for one in events] == [{"a": [1]}, {"a": [2]}, {"a": [3]}]
    assert [one["data"]["wave"] for one in events] == [[1.0, 0.0, 0.0], [2.0] * 3, [3.0, 0.0, 0.0]]
    assert [one["filled"] for one in events] == [{"x": False}, {"x": True}, {"x": False}]


@pytest.mark.parametrize("kind", ["array", "list of arrays", "objects", "lists", "late lists"])
def test_pages_that_are_used_again_are_kept_as_they_were(cat, kind):
    rows = [np.array([1.0, 2.0, 3.0]) for _ in range(2)]
    waves: Any = {
        "array": np.array(rows),
        "list of arrays": rows,
        "objects": np.array([*rows, None], dtype=object)[:2],
        "lists": [row.tolist() for row in rows],
        "late lists": [None, rows[0].tolist()],
    }[kind]
    page = {
        "descriptor": "d",
        "uid": ["a", "b"],
        "time": [1.0, 2.0],
        "seq_num": [1, 2],
        "data": {"x": np.array([0.5, 1.5]), "wave": waves},
        "timestamps": {"x": [1.0, 2.0], "wave": [1.0, 2.0]},
        "filled": {},
    }
    expected = [plain(wave) for wave in waves]
    recorder = cat.recorder()
    for name, document in [*a_run(end=False), ("event_page", page)]:
        recorder(name, document)
    for row in rows:
        row[:] = -1.0
    page["data"]["x"][:] = -1.0
    for wave in waves:
        if wave is not None:
            wave[0] = -1.0
    page["uid"].append("c")
    recorder("stop", stop())

    events = [document for name, document in replayed(cat) if name == "event"]
    assert [one["data"]["wave"] for one in events] == expected
    assert [one["data"]["x"] for one in events] == [0.5, 1.5]
