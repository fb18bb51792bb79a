"""Documents that are wrong: each is kept in its run, kept there and marked, or put into quarantine whole."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import hutch
from hutch.documents import is_same
from hutch.errors import DocumentError
from hutch.recording import Recorder

from .sample_runs import (
    Unwilling,
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
