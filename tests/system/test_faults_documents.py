"""Documents that are wrong: each is kept in its run, kept there and marked, or put into quarantine whole."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import hutch
from hutch.documents import decode, is_same, plain
from hutch.errors import DocumentError
from hutch.recording import Recorder

KEYS = {
    "x": {"source": "test", "dtype": "number", "shape": []},
    "wave": {"source": "test", "dtype": "array", "shape": [3]},
}


def start(uid="run", **more):
    return {"uid": uid, "time": 100.0, "scan_id": 1, **more}


def descriptor(uid="d", run="run", name="primary", **more):
    return {"uid": uid, "run_start": run, "time": 101.0, "name": name, "data_keys": KEYS, **more}


def event(number, uid=None, of="d", **data):
    return {
        "uid": uid or f"{of}-{number}",
        "descriptor": of,
        "time": 102.0 + number,
        "seq_num": number,
        "data": {"x": number + 0.5, "wave": [1.0, 2.0, 3.0], **data},
        "timestamps": {"x": 102.0, "wave": 102.0},
        "filled": {},
    }


def stop(run="run", **more):
    return {"uid": f"{run}-stop", "run_start": run, "time": 110.0, "exit_status": "success", **more}


Record = Callable[..., list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def record(cat) -> Record:
    """Record documents of the run ``run`` and return what is replayed of it."""

    def record(*documents):
        recorder = cat.recorder()
        for name, document in documents:
            recorder(name, document)
        recorder.close()
        return replayed(cat)

    return record


def replayed(cat, uid="run"):
    return list(cat[uid].documents(fill="no"))


def quarantined(cat):
    return [(row.kind, row.reason, decode(row.body)) for row in cat.store.quarantined()]


def marked(cat, uid="run"):
    return {(mark.stream, mark.key, mark.reason): mark.count for mark in cat.store.marks(cat[uid].row.id)}


def a_run(*events, end=True):
    found = [("start", start()), ("descriptor", descriptor()), *[("event", one) for one in events]]
    return [*found, ("stop", stop())] if end else found


def assert_same(found, expected):
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, got), (_, want) in zip(found, expected, strict=True):
        assert is_same(got, plain(want)), (got, want)


def test_a_good_run_is_replayed_as_it_was_recorded(cat, record):
    documents = a_run(event(1), event(2))

    assert_same(record(*documents), documents)
    assert (quarantined(cat), marked(cat)) == ([], {})


# what has no place


@pytest.mark.parametrize(
    ("kind", "document", "reason"),
    [
        ("event", event(1, of="nobody"), "its descriptor 'nobody' is not known"),
        ("event", {}, "its descriptor None is not known"),
        ("event", {**event(1), "descriptor": ["d"]}, "its descriptor ['d'] is not known"),
        ("event", {**event(1), "uid": 5}, "it has no uid"),
        ("event", {key: value for key, value in event(1).items() if key != "uid"}, "it has no uid"),
        ("event", "text", "it is no dictionary"),
        ("event", None, "it is no dictionary"),
        ("event_page", [1], "it is no dictionary"),
        ("event_page", {"descriptor": "d"}, "it is no page of events"),
        ("event_page", {"descriptor": {}}, "its descriptor {} is not known"),
        ("event_page", {**event(1), "uid": ["a", "b"]}, "it is no page of events"),
        ("event_page", {**event(1), "uid": 7}, "it is no page of events"),
        (
            "event_page",
            {
                "descriptor": "d",
                "uid": ["a", "b"],
                "time": [1.0],
                "seq_num": [1, 2],
                "data": {},
                "timestamps": {},
            },
            "'time' has 1 elements, there are 2 uids",
        ),
        ("bulk_events", {"d": 5}, "'d' holds no list of events"),
        ("descriptor", descriptor(run="nobody"), "its run is not known"),
        ("descriptor", {**descriptor(), "uid": None}, "it has no uid"),
        ("descriptor", {**descriptor(), "uid": ""}, "it has no uid"),
        ("descriptor", {**descriptor(), "uid": "\ud800"}, "it has no uid"),
        ("descriptor", {**descriptor(), "run_start": {}}, "its run is not known"),
        ("stop", stop(run="nobody"), "its run is not known"),
        ("stop", {}, "its run is not known"),
        ("stop", {"run_start": ["run"]}, "its run is not known"),
        ("start", {}, "it has no uid"),
        ("start", {"uid": 5, "time": 1.0}, "it has no uid"),
        ("start", {"uid": "\ud800", "time": 1.0}, "it has no uid"),
        ("start", start(sample="other"), "there is another run of the uid 'run'"),
        ("descriptor", descriptor(time=5.0), "the run has another descriptor of the uid 'd'"),
        ("datum", {"datum_id": "a", "resource": "nobody", "datum_kwargs": {}}, "its run is not known"),
        ("datum", {"datum_id": "a", "resource": {}}, "its run is not known"),
        ("stream_datum", {"uid": "a", "stream_resource": []}, "its run is not known"),
        ("resource", {"uid": "r", "run_start": "nobody"}, "its run is not known"),
        ("resource", {"run_start": "run"}, "it has no uid"),
        ("odd kind", {"uid": "o"}, "there is no such kind of document"),
        ("", {"uid": "o"}, "there is no such kind of document"),
        (None, {"uid": "o"}, "there is no such kind of document"),
        ("\ud800", {"uid": "o"}, "there is no such kind of document"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode() if isinstance(value, str) else "",
)
def test_what_has_no_place_is_put_into_quarantine_whole(cat, record, kind, document, reason):
    good = a_run(event(1))

    found = record(*good[:-1], (kind, copy.deepcopy(document)), good[-1])

    ((_, why, body),) = quarantined(cat)
    assert why.startswith(reason)
    assert is_same(body, document)
    assert_same(found, good)


def test_a_document_in_quarantine_is_linked_to_the_run_that_it_names(cat, record):
    record(*a_run(event(1)), ("event", event(2)), ("stop", {**stop(), "reason": "other"}))

    run = cat["run"].row.id
    assert [(row.run, row.kind) for row in cat.store.quarantined()] == [(run, "event"), (run, "stop")]


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        (("event", event(9)), "it came after the stop document of its run"),
        (("descriptor", descriptor("late")), "its run is not known"),
        (("stop", {**stop(), "exit_status": "fail"}), "the run has another stop document"),
    ],
    ids=["event", "descriptor", "stop"],
)
def test_what_comes_after_the_stop_is_put_into_quarantine(cat, record, late, reason):
    found = record(*a_run(event(1)), late)

    assert quarantined(cat) == [(late[0], reason, late[1])]
    assert_same(found, a_run(event(1)))


# the same again


def test_the_same_documents_again_are_accepted_silently(cat, record):
    resource = {
        "uid": "r",
        "run_start": "run",
        "spec": "X",
        "root": "/",
        "resource_path": "a",
        "resource_kwargs": {},
    }
    datum = {"datum_id": "r/1", "resource": "r", "datum_kwargs": {}}
    page = {"resource": "r", "datum_id": ["r/2"], "datum_kwargs": {"n": [1]}}
    documents = a_run(event(1), event(2))
    documents[2:2] = [("resource", resource), ("datum", datum), ("datum_page", page)]
    twice = [document for document in documents for _ in range(2)]

    assert_same(record(*twice), documents)
    assert (quarantined(cat), marked(cat)) == ([], {})


def test_two_runs_may_use_one_uid_for_their_resources(cat):
    recorder = cat.recorder()
    runs = {}
    for uid in ("a", "b"):
        resource = {
            "uid": "r",
            "run_start": uid,
            "spec": uid,
            "root": "/",
            "resource_path": "a",
            "resource_kwargs": {},
        }
        runs[uid] = [("start", start(uid)), ("resource", resource)]
        for name, document in runs[uid]:
            recorder(name, document)
    recorder.close()
    again = cat.recorder()
    for name, document in runs["a"]:
        again(name, document)
    again.close()

    for uid, documents in runs.items():
        assert_same(replayed(cat, uid), documents)
    assert quarantined(cat) == []


def test_the_same_run_again_is_accepted_silently(cat, record):
    documents = a_run(event(1), event(2))
    reordered = [(name, dict(reversed(document.items()))) for name, document in documents]

    record(*documents)
    feed = [change.topic for change in cat.store.changes(0)]

    assert_same(record(*reordered), documents)
    assert quarantined(cat) == []
    assert [change.topic for change in cat.store.changes(0)] == feed


def test_a_run_that_is_there_with_another_end_keeps_its_own(cat, record):
    documents = a_run(event(1))
    record(*documents)
    other = {**stop(), "exit_status": "fail"}

    assert_same(record(*documents[:-1], ("stop", other)), documents)
    assert quarantined(cat) == [("stop", "the run has another stop document", other)]


def test_the_beginning_of_a_run_that_ended_does_not_interrupt_it(cat, record):
    documents = a_run(event(1))
    record(*documents)

    record(*documents[:-1])

    assert_same(replayed(cat), documents)
    assert [change.reference for change in cat.store.changes(0) if change.topic == "stop"] == ["success"]


def test_an_event_of_the_same_uid_and_other_content_is_put_into_quarantine(cat, record):
    documents = a_run(event(1), event(2))
    other = {**event(1), "data": {"x": -1.0, "wave": [1.0, 2.0, 3.0]}}

    for between in ([], [("descriptor", descriptor("e"))]):
        found = record(*documents[:-1], *between, ("event", other), documents[-1])
        assert_same(found[:4], documents[:4])
        assert quarantined(cat) == [("event", "the run has another event of the uid 'd-1'", other)]


def test_a_rewound_plan_repeats_numbers_and_keeps_both_events(cat, record):
    documents = a_run(event(1), event(2), event(2, uid="again"), event(3))

    assert_same(record(*documents), documents)
    assert (quarantined(cat), marked(cat)) == ([], {})


def test_one_recorder_that_is_subscribed_twice_records_once(cat):
    recorder = cat.recorder()
    documents = a_run(*map(event, range(1, 50)))
    for name, document in documents:
        recorder(name, document)
        recorder(name, document)
    recorder.close()

    assert_same(replayed(cat), documents)
    assert quarantined(cat) == []
    assert [change.reference for change in cat.store.changes(0) if change.topic == "stop"] == ["success"]


def test_two_recorders_of_one_store_record_once(cat):
    first, second = cat.recorder(), cat.recorder()
    documents = a_run(*map(event, range(1, 50)))
    for name, document in documents:
        first(name, document)
        second(name, document)
    first.close()
    second.close()

    assert_same(replayed(cat), documents)
    assert quarantined(cat) == []
    assert [change.reference for change in cat.store.changes(0) if change.topic == "stop"] == ["success"]


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


class Unwilling:
    """What can be neither copied nor shown."""

    def __deepcopy__(self, memo):
        raise RuntimeError("no copy")

    def __repr__(self):
        raise RuntimeError("no name")


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


# pages and bulk documents


def page_of(*events, **changes):
    """Return events as a page."""
    page = {key: [one[key] for one in events] for key in ("uid", "time", "seq_num")}
    for table in ("data", "timestamps", "filled"):
        page[table] = {key: [one[table][key] for one in events] for key in events[0][table]}
    return {"descriptor": "d", **page, **changes}


@pytest.mark.parametrize(
    "page",
    [
        page_of(event(1), event(2)),
        page_of(
            event(1), event(2), uid=("d-1", "d-2"), seq_num=np.array([1, 2]), time=np.array([103.0, 104.0])
        ),
        page_of(event(1), event(2), uid=np.array(["d-1", "d-2"])),
    ],
    ids=["lists", "arrays", "array of uids"],
)
def test_pages_are_taken_apart_into_the_same_events(cat, record, page):
    documents = a_run(event(1), event(2))

    assert_same(record(*documents[:2], ("event_page", page), documents[-1]), documents)
    assert (quarantined(cat), marked(cat)) == ([], {})


@pytest.mark.parametrize(
    ("events", "changes"),
    [
        ([event(1, extra=1), event(2, extra=[2])], {}),
        ([event(1), event(2)], {"seq_num": ["one", 2**70]}),
        ([event(1), event(2)], {"time": [5, "noon"]}),
        ([event(1), event(2)], {"timestamps": {}}),
        ([{**event(1), "filled": {"x": "id"}}, {**event(2), "filled": {"x": True}}], {}),
        ([{**event(1), "more": 7}, {**event(2), "more": 7}], {"more": 7}),
        ([event(1), event(2)], {"data": {}}),
    ],
    ids=["extra key", "numbers", "times", "no timestamps", "filled", "odd field", "no data"],
)
def test_irregular_pages_are_taken_apart_into_their_events(cat, record, events, changes):
    given = a_run(event(9))
    tables = ("data", "timestamps", "filled")
    expected = [
        ("event", {**one, **{key: {} if key in tables else value[row] if key != "more" else value
                             for key, value in changes.items()}})
        for row, one in enumerate(events)
    ]  # fmt: skip

    found = record(*given[:2], ("event_page", page_of(*events, **changes)), *given[2:])

    assert_same(found, [*given[:2], *expected, *given[2:]])
    assert quarantined(cat) == []


def test_bulk_events_are_taken_apart_into_their_events(cat, record):
    documents = a_run(event(1), event(2))
    bulk = {"d": [event(1), MappingProxyType(event(2))]}

    assert_same(record(*documents[:2], ("bulk_events", bulk), documents[-1]), documents)


def test_documents_need_not_be_dictionaries_by_type(cat, record):
    documents = a_run(event(1), event(2))

    assert_same(record(*[(name, MappingProxyType(document)) for name, document in documents]), documents)


def test_old_resources_belong_to_the_run_that_was_started_last(cat, record):
    resource = {"uid": "r", "spec": "X", "root": "/", "resource_path": "a", "resource_kwargs": {}}
    pages = [
        ("datum", {"datum_id": "r/0", "resource": "r", "datum_kwargs": {}}),
        ("datum_page", {"resource": "r", "datum_id": ["r/1"], "datum_kwargs": {"n": [1]}}),
        ("bulk_datum", {"resource": "r", "datum_ids": ["r/2"], "datum_kwarg_list": [{"n": 2}]}),
    ]
    documents = a_run(event(1))
    documents[2:2] = [("resource", resource), *pages]

    assert_same(record(*documents), documents)
    assert quarantined(cat) == []


def test_an_old_resource_without_any_run_is_put_into_quarantine(cat):
    resource = {"uid": "r", "spec": "X"}
    recorder = cat.recorder()
    recorder("resource", resource)

    assert quarantined(cat) == [("resource", "its run is not known", resource)]


# several runs and streams


def test_runs_may_be_interleaved(cat):
    recorder = cat.recorder()
    runs = {}
    for uid in ("a", "b", "c"):
        runs[uid] = [
            ("start", start(uid)),
            ("descriptor", descriptor(f"{uid}-d", uid)),
            *[("event", event(number, of=f"{uid}-d")) for number in range(1, 20)],
            ("stop", stop(uid)),
        ]
    for documents in zip(*runs.values(), strict=True):
        for name, document in documents:
            recorder(name, document)

    for uid, documents in runs.items():
        assert_same(replayed(cat, uid), documents)


def test_a_stream_may_have_several_descriptors_and_another_none_of_events(cat, record):
    documents = [
        ("start", start()),
        ("descriptor", descriptor("d")),
        ("descriptor", descriptor("empty", name="baseline")),
        ("event", event(1)),
        ("descriptor", descriptor("e", configuration={"x": {"data": {"gain": 2}}})),
        ("event", event(2, of="e")),
        ("event", event(3)),
        ("event", event(4, of="e")),
        ("stop", stop()),
    ]

    assert_same(record(*documents), documents)
    assert sorted(cat["run"]) == ["baseline", "primary"]


def test_a_run_that_never_stops_is_interrupted_when_its_recorder_closes(cat):
    recorder = cat.recorder()
    for name, document in a_run(event(1), end=False):
        recorder(name, document)
    assert cat["run"].status == "running"

    recorder.close()

    assert cat["run"].status == "interrupted"
    assert_same(replayed(cat), a_run(event(1), end=False))


def test_an_interrupted_run_goes_on_where_it_was(cat):
    documents = [
        ("start", start()),
        ("descriptor", descriptor("d")),
        ("descriptor", descriptor("e", name="other")),
        *[("event", event(number, of="de"[number % 2])) for number in range(1, 8)],
    ]
    more = [
        ("descriptor", descriptor("f", name="third")),
        ("event", event(8, of="f")),
        ("event", event(9, of="d")),
        ("stop", stop()),
    ]
    for part in (documents, [*documents, *more]):
        recorder = cat.recorder()
        for name, document in part:
            recorder(name, document)
        recorder.close()

    assert_same(replayed(cat), [*documents, *more])
    assert quarantined(cat) == []


# strict


@pytest.mark.parametrize(
    ("kind", "document", "message"),
    [
        ("event", event(2, x="text"), "x: is str, described as number"),
        ("event", event(2, extra=1), "extra: is not described"),
        ("event", {**event(2), "seq_num": "two"}, "seq_num: is no integer"),
        ("event", event(2, x=object()), "its repr is kept"),
        ("event", event(1, x=9.5), "another event of the uid 'd-1'"),
        ("event", event(2, of="nobody"), "put into quarantine: its descriptor 'nobody'"),
        ("event_page", page_of(event(2, wave=[1.0])), "wave: has shape"),
        ("descriptor", descriptor("e", hints=5), "descriptor: hints"),
        ("descriptor", descriptor(time=7.0), "another descriptor"),
        ("resource", {"uid": "r", "run_start": "run"}, "resource: resource"),
        ("odd kind", {}, "no such kind"),
        ("stop", stop(exit_status="odd"), "stop: exit_status"),
        ("start", start("other", time="noon"), "start: time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_strict_recorder_raises_after_it_has_kept_what_is_wrong(cat, kind, document, message):
    recorder = cat.recorder(strict=True)
    for name, good in a_run(event(1), end=False):
        recorder(name, good)

    with pytest.raises(DocumentError, match=message):
        recorder(kind, document)

    uid = document["uid"] if kind == "start" else "run"
    kept = [body for name, body in replayed(cat, uid) if name in (kind, kind.removesuffix("_page"))]
    kept += [body for _, _, body in quarantined(cat)]
    assert document.get("uid") is None or any(str(body.get("uid")) in str(document["uid"]) for body in kept)
    recorder.close()


def test_a_recorder_that_is_not_strict_never_raises_after_the_start(cat):
    recorder = Recorder(cat.store)
    recorder("start", start())
    odd_descriptor = {"uid": "u", "run_start": "run", "data_keys": Unwilling()}
    odd_event = {"uid": "u", "descriptor": "u", "data": {"x": Unwilling()}, "timestamps": Unwilling()}
    recorder("descriptor", odd_descriptor)
    rubbish: list[Any] = [
        None, 5, "text", [], {}, {"uid": []}, {"descriptor": {}}, {"run_start": []}, {"uid": Unwilling()},
        {"resource": 5}, {"data": Unwilling()}, {Unwilling(): 1}, odd_event,
    ]  # fmt: skip
    kinds = [
        "descriptor", "event", "event_page", "bulk_events", "resource", "datum", "datum_page", "bulk_datum",
        "stream_resource", "stream_datum", "stop", "odd", None,
    ]  # fmt: skip
    for kind in kinds:
        for document in rubbish:
            recorder(kind, document)
    recorder("stop", stop())

    assert cat["run"].status == "success"
    assert hutch.open_catalog(cat.store.location)["run"].uid == "run"


def test_a_page_and_the_events_after_it_come_in_order_of_arrival(cat, record):
    documents = a_run(*map(event, range(1, 6)))
    page = page_of(*[one for _, one in documents[2:5]])

    assert_same(record(*documents[:2], ("event_page", page), *documents[5:]), documents)
    assert {type(batch.first_arrival) for batch in cat.store.batches(cat["run"].row.id)} == {int}
