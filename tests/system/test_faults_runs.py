"""Runs in other forms than one event after the other: pages, several streams, several runs at once."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from .sample_runs import (
    a_run,
    assert_same,
    descriptor,
    event,
    marked,
    page_of,
    quarantined,
    replayed,
    start,
    stop,
)

# pages and bulk documents


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


@pytest.mark.parametrize(
    "column",
    [
        np.array([1, 2], dtype="i2"),
        np.array([1, 2**64 - 1], dtype="u8"),
        np.array([0.1, 2.0], dtype="f4"),
        np.array([0.1, np.nan], dtype=">f8"),
        np.array([True, False]),
        np.array(["a", "b"]),
        np.array([[1, 2], [3, 4]]),
        np.array([1, "a"], dtype=object),
        (1.5, 2),
        range(2),
        [np.float32(0.1), 5],
    ],
    ids=repr,
)
@pytest.mark.parametrize("field", ["x", "seq_num", "time", "timestamps"])
def test_columns_of_any_type_are_kept(cat, record, column, field):
    documents = a_run(event(1), event(2))
    page = page_of(*[one for _, one in documents[2:4]])
    for (_, one), value in zip(documents[2:4], column, strict=True):
        if field == "x":
            one["data"]["x"] = page["data"]["x"] = value
        elif field == "timestamps":
            one["timestamps"]["x"] = value
        else:
            one[field] = value
    if field == "x":
        page["data"]["x"] = column
    elif field == "timestamps":
        page["timestamps"]["x"] = column
    else:
        page[field] = column

    assert_same(record(*documents[:2], ("event_page", page), documents[-1]), documents)
    assert quarantined(cat) == []


def test_a_page_and_the_events_after_it_come_in_order_of_arrival(cat, record):
    documents = a_run(*map(event, range(1, 6)))
    page = page_of(*[one for _, one in documents[2:5]])

    assert_same(record(*documents[:2], ("event_page", page), *documents[5:]), documents)
    assert {type(batch.first_arrival) for batch in cat.store.batches(cat["run"].row.id)} == {int}
