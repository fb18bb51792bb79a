"""Documents in, the same documents out: any valid run."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.documents import is_same, plain
from hutch.recording import Recorder, finish
from hutch.store import open_store

names = itertools.count()

text = st.text(max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
numpy_values = st.sampled_from(
    [
        np.float32(0.1),
        np.int16(-5),
        np.uint64(2**64 - 1),
        np.bool_(True),
        np.str_("text"),
        np.array([1.5, np.nan]),
        np.array([[1, 2], [3, 4]], dtype="u1"),
        np.array([True, False]),
        np.array([], dtype=float),
        np.array(2.5),
    ]
)
# A key mostly has values of one kind, now and then of any.
columns = st.sampled_from(
    [
        ("number", [], st.floats()),
        ("number", [], st.floats() | st.integers(-(2**60), 2**60)),
        ("integer", [], st.integers(-(2**63), 2**63 - 1)),
        ("integer", [], st.integers()),
        ("string", [], text),
        ("boolean", [], st.booleans()),
        ("array", [2], st.lists(st.floats(), min_size=2, max_size=2)),
        ("array", [None], st.lists(st.integers(), max_size=3)),
        ("array", [2, 1], st.lists(st.lists(st.booleans(), min_size=1, max_size=1), min_size=2, max_size=2)),
        ("array", [], nested),
        ("number", [], numpy_values),
        ("number", [], scalars),
        ("string", [], nested | numpy_values),
    ]
)
times = st.floats(allow_nan=False, allow_infinity=False)
keys = st.text(st.characters(exclude_characters=".", exclude_categories=["Cs"]), min_size=1, max_size=5)


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """Return the documents of a run, in an order in which they may come."""
    uid = f"run-{next(names)}"
    metadata = draw(st.dictionaries(keys.map("m{}".format), nested, max_size=3))
    found: list[tuple[str, dict[str, Any]]] = [("start", {**metadata, "uid": uid, "time": draw(times)})]
    streams: list[dict[str, Any]] = []
    resources: list[str] = []
    files: list[str] = []
    counts: dict[str, int] = {}
    for number in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(["descriptor", "event", "event", "event", "page", "page", "asset"]))
        if kind == "descriptor" or not streams:
            streams.append(draw(_streams(uid, len(streams))))
            found.append(("descriptor", streams[-1]["descriptor"]))
        elif kind == "asset":
            found.append(draw(_assets(uid, number, resources, files, streams[-1]["descriptor"]["uid"])))
        else:
            stream = draw(st.sampled_from(streams))
            count = draw(st.integers(1, 5)) if kind == "page" else 1
            name = stream["descriptor"]["name"]
            first = counts.get(name, 0) + 1
            counts[name] = first + count - 1
            events = [draw(_events(stream, seq_num)) for seq_num in range(first, first + count)]
            found.append(("event", events[0]) if kind == "event" else ("event_page", draw(_pages(events))))
    if draw(st.booleans()):
        stop = {"uid": f"{uid}-stop", "run_start": uid, "time": draw(times), "num_events": counts}
        found.append(("stop", {**stop, "exit_status": draw(st.sampled_from(["success", "abort", "fail"]))}))
    return found


@st.composite
def _streams(draw: st.DrawFn, uid: str, number: int) -> dict[str, Any]:
    chosen = draw(st.dictionaries(keys, columns, max_size=3))
    descriptor = {
        "uid": f"{uid}-d{number}",
        "run_start": uid,
        "time": draw(times),
        "name": draw(st.sampled_from(["primary", "baseline", "Å"])),
        "data_keys": {
            key: {"source": "test", "dtype": dtype, "shape": shape}
            for key, (dtype, shape, _) in chosen.items()
        },
        "configuration": {"device": {"data": draw(st.dictionaries(keys, nested, max_size=2))}},
    }
    return {"descriptor": descriptor, "values": {key: values for key, (_, _, values) in chosen.items()}}


@st.composite
def _events(draw: st.DrawFn, stream: dict[str, Any], seq_num: int) -> dict[str, Any]:
    event = {
        "uid": f"event-{next(names)}",
        "descriptor": stream["descriptor"]["uid"],
        "time": draw(times),
        "seq_num": seq_num,
        "data": {key: draw(values) for key, values in stream["values"].items()},
        "timestamps": {key: draw(times) for key in stream["values"]},
    }
    filled = draw(st.sampled_from([None, {}, {}, {}, "some"]))
    if filled == "some":
        filled = {key: draw(st.booleans() | st.just("datum")) for key in stream["values"]}
    return event if filled is None else {**event, "filled": filled}


@st.composite
def _pages(draw: st.DrawFn, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return events as a page; they share what a page has once."""
    page: dict[str, Any] = {"descriptor": events[0]["descriptor"]}
    for field in ("uid", "time", "seq_num"):
        page[field] = [event[field] for event in events]
    for table in ("data", "timestamps"):
        page[table] = {key: [event[table][key] for event in events] for key in events[0][table]}
    filled = draw(st.sampled_from([None, {}, "some"]))
    for event in events:
        event.pop("filled", None)
        if filled == "some":
            event["filled"] = dict.fromkeys(event["data"], False)
        elif filled is not None:
            event["filled"] = {}
    if filled is not None:
        page["filled"] = {key: [False] * len(events) for key in events[0]["filled"]}
    return page


@st.composite
def _assets(
    draw: st.DrawFn, uid: str, number: int, resources: list[str], files: list[str], descriptor: str
) -> tuple[str, dict[str, Any]]:
    """Return a document about external files; a datum needs its resource."""
    kind = draw(st.sampled_from(["resource", "datum", "datum_page", "stream_resource", "stream_datum"]))
    arguments = draw(st.dictionaries(keys, nested, max_size=2))
    if kind == "resource" or (kind.startswith("datum") and not resources):
        resources.append(f"{uid}-r{number}")
        resource = {"uid": resources[-1], "spec": "X", "root": "/", "resource_path": "a"}
        return "resource", {
            **resource,
            "run_start": uid,
            "resource_kwargs": arguments,
            "path_semantics": "posix",
        }
    if kind == "datum":
        resource_uid = draw(st.sampled_from(resources))
        return "datum", {"datum_id": f"{uid}-{number}", "resource": resource_uid, "datum_kwargs": arguments}
    if kind == "datum_page":
        columns = {key: [value] for key, value in arguments.items()}
        resource_uid = draw(st.sampled_from(resources))
        return kind, {"datum_id": [f"{uid}-{number}"], "resource": resource_uid, "datum_kwargs": columns}
    if kind == "stream_resource" or not files:
        files.append(f"{uid}-s{number}")
        about = {"uid": files[-1], "run_start": uid, "data_key": "img", "mimetype": "application/x-hdf5"}
        return "stream_resource", {**about, "uri": "file://localhost/a.h5", "parameters": arguments}
    span = {"start": 0, "stop": number}
    about = {
        "uid": f"{uid}-{number}",
        "stream_resource": draw(st.sampled_from(files)),
        "descriptor": descriptor,
    }
    return kind, {**about, "indices": span, "seq_nums": {"start": 1, "stop": number + 1}}


def events_apart(documents):
    """Return documents in plain types, with each page as its events."""
    found = []
    for name, document in documents:
        if name != "event_page":
            found.append((name, plain(document)))
            continue
        for row, uid in enumerate(document["uid"]):
            event = {"uid": uid, "descriptor": document["descriptor"]}
            event |= {field: document[field][row] for field in ("time", "seq_num")}
            for table in {"data", "timestamps", "filled"} & document.keys():
                event[table] = {key: column[row] for key, column in document[table].items()}
            found.append(("event", plain(event)))
    return found


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("round-trip") / "store")
    yield Catalog(store)
    finish(store)
    store.close()


def assert_same(found, expected):
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (name, got), (_, want) in zip(found, expected, strict=True):
        assert is_same(got, want), (name, got, want)


quick = settings(
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@quick
@given(documents=runs())
def test_any_run_comes_back_as_it_went_in(catalog, documents):
    recorder = Recorder(catalog.store)
    for name, document in documents:
        recorder(name, document)
    recorder.close()

    run = catalog[documents[0][1]["uid"]]
    assert_same(list(run.documents(fill="no")), events_apart(documents))
    assert catalog.store.quarantined() == []


@settings(quick, max_examples=50)
@given(several=st.lists(runs(), min_size=2, max_size=3), data=st.data())
def test_interleaved_runs_come_back_each_as_it_went_in(catalog, several, data):
    recorders = [Recorder(catalog.store), Recorder(catalog.store)]
    chosen = [data.draw(st.sampled_from(recorders)) for _ in several]
    waiting = [list(documents) for documents in several]
    while any(waiting):
        number = data.draw(st.sampled_from([number for number, rest in enumerate(waiting) if rest]))
        chosen[number](*waiting[number].pop(0))
    for recorder in recorders:
        recorder.close()

    for documents in several:
        run = catalog[documents[0][1]["uid"]]
        assert_same(list(run.documents(fill="no")), events_apart(documents))
    assert catalog.store.quarantined() == []


@settings(quick, max_examples=50)
@given(documents=runs(), cut=st.integers(1, 20), pieces=st.integers(1, 4))
def test_a_run_that_is_interrupted_and_given_again_comes_back_once(catalog, documents, cut, pieces):
    # Committed after every few documents, given up in the middle, and given again from the beginning.
    for part in (documents[:cut], documents):
        recorder = Recorder(catalog.store)
        for number, (name, document) in enumerate(part):
            recorder(name, document)
            if number % pieces == 0:
                recorder.close()
                recorder = Recorder(catalog.store)
                recorder(*documents[0])
        recorder.close()

    run = catalog[documents[0][1]["uid"]]
    assert_same(list(run.documents(fill="no")), events_apart(documents))
    assert catalog.store.quarantined() == []


def test_everything_that_went_in_is_sound(catalog):
    found = verify(catalog.store)

    assert found.is_sound, found.errors
