import copy
import json
import pickle
from itertools import islice

import pytest
import xarray as xr

import hutch
from hutch.catalogs.metadata import Document
from hutch.errors import StreamNotFoundError

ON_EACH_DATABASE = True


@pytest.fixture
def run(catalog, record):
    record(
        streams={"baseline": [{"b": 1}], "primary": [{"x": 0.5}, {"x": 1.5}, {"x": 2.5}]},
        scan_id=7,
        plan_name="scan",
        sample={"name": "A", "layers": [{"nm": 3}]},
    )
    return catalog[-1]


@pytest.fixture
def open_run(catalog, compose):
    """A run whose recorder goes on, and the documents that are still to come."""
    documents = compose(streams={"primary": [{"x": float(number)} for number in range(4)]})
    recorder = catalog.recorder()
    for name, document in documents[:4]:
        recorder(name, document)
    return catalog[-1], recorder, documents[4:]


def wait_for_rows(run, rows):
    """Wait until rows are committed, bounded in time."""
    for _ in range(200):
        cursor = run.store.last_change()
        if "primary" in run and len(run.primary) >= rows:
            return
        run.store.wait(cursor, 0.1)
    pytest.fail(f"{rows} rows were not committed")


def test_metadata_has_start_and_stop_as_recorded(run):
    assert run.metadata["start"]["plan_name"] == "scan"
    assert run.metadata["stop"]["exit_status"] == "success"
    assert run.metadata["start"] == run.start
    assert run.metadata["stop"] == run.stop
    assert list(run.metadata) == ["start", "stop"]


def test_metadata_keys_are_attributes_too_at_any_depth(run):
    assert run.metadata.start.sample.name == "A"
    assert run.start.sample.layers[0].nm == 3
    assert run.start.uid == run.start["uid"] == run.uid
    assert "sample" in dir(run.start)


def test_an_unknown_attribute_of_a_document_names_its_keys():
    with pytest.raises(AttributeError, match="no key 'c'. Keys: a, b"):
        Document({"a": 1, "b": 2}).c  # noqa: B018


def test_documents_are_dictionaries_to_every_program(run):
    plain = json.loads(json.dumps(run.start))
    assert plain == run.start
    assert copy.deepcopy(run.start) == run.start
    assert isinstance(pickle.loads(pickle.dumps(run.start)), Document)  # noqa: S301


def test_streams_are_listed_with_primary_first(run):
    assert list(run) == run.keys() == ["primary", "baseline"]
    assert len(run) == 2
    assert "baseline" in run
    assert [name for name, _ in run.items()] == list(run)
    assert [stream.name for stream in run.values()] == list(run)


def test_a_stream_is_an_attribute_and_an_item(run):
    assert run.primary == run["primary"]
    assert run.primary != run.baseline
    assert {"primary", "baseline"} <= set(dir(run))
    assert run._ipython_key_completions_() == ["primary", "baseline"]


def test_an_unknown_stream_names_those_there_are(run):
    message = f"No stream 'monitor' in run '{run.uid}'. Streams: primary, baseline"
    with pytest.raises(StreamNotFoundError, match=message):
        run["monitor"]
    with pytest.raises(AttributeError, match=message):
        run.monitor  # noqa: B018
    assert not hasattr(run, "_repr_json_")


def test_a_run_without_streams_is_still_a_run(catalog, record):
    record(streams={})
    assert list(catalog[-1]) == []
    assert catalog[-1]
    with pytest.raises(StreamNotFoundError, match="It has no streams"):
        catalog[-1].primary  # noqa: B018


def test_a_stream_without_events_is_listed(catalog, record):
    record(streams={"empty": [], "primary": [{"x": 1}]})
    assert list(catalog[-1]) == ["primary", "empty"]


def test_calling_and_getting_give_the_thing_itself(run):
    assert run() is run
    assert run.get() is run
    assert run["primary"]() == run["primary"].get() == run.primary


def test_its_text_is_one_line_with_the_full_uid(run):
    assert repr(run).startswith(f"<Run 7 '{run.uid}' scan 20")
    assert repr(run).endswith(" success>")


def test_ipython_shows_the_streams(run):
    from IPython.lib.pretty import pretty

    assert pretty(run).splitlines()[1:] == ["  primary: 3 rows of x", "  baseline: 1 row of b"]


def test_html_names_the_streams(run):
    assert ">primary</td>" in run._repr_html_()


@pytest.mark.parametrize("status", ["success", "abort", "fail"])
def test_the_status_of_a_closed_run_is_its_exit_status(catalog, record, status):
    record(stop=status)
    assert catalog[-1].status == status


def test_a_run_without_stop_whose_recorder_has_gone_is_interrupted(catalog, record):
    record(stop=None)
    assert catalog[-1].status == "interrupted"
    assert catalog[-1].stop is None
    assert catalog[-1].metadata["stop"] is None


def test_an_open_run_is_read_live(open_run):
    run, recorder, rest = open_run
    assert run.status == "running"
    assert run.stop is None
    wait_for_rows(run, 2)
    assert run.primary.read()["x"].values.tolist() == [0.0, 1.0]
    for name, document in rest:
        recorder(name, document)
    assert run.primary.read()["x"].values.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert run.stop.exit_status == "success"
    assert run.status == "success"


def test_the_points_of_an_open_run_are_its_committed_rows(open_run):
    run, _, _ = open_run
    wait_for_rows(run, 2)
    assert run.summary().points == 2


def test_what_contradicts_a_descriptor_is_told(catalog, record, compose):
    documents = compose(streams={"primary": [{"x": 1}, {"x": 2.5}]})
    stray = {"uid": "stray", "time": 0.0, "seq_num": 1, "data": {}, "timestamps": {}}
    documents.insert(-1, ("event", {**stray, "descriptor": documents[1][1]["uid"], "uid": None}))
    record(documents)
    run = catalog[-1]
    assert [(mark.stream, mark.key, mark.count) for mark in run.nonconforming] == [("primary", "x", 1)]
    assert [row.kind for row in run.quarantined] == ["event"]


def test_runs_of_one_store_and_uid_are_equal(catalog, run, store_address, tmp_path):
    with hutch.open_catalog(store_address) as other, hutch.open_catalog(tmp_path / "another") as another:
        assert other[-1] == run
        assert len({other[-1], run}) == 1
        another.recorder()("start", dict(run.start))
        assert another[-1] != run
    assert run != run.uid


def test_following_an_open_run_yields_its_documents_until_the_stop(open_run, catalog):
    run, recorder, rest = open_run
    followed = run.follow(timeout_s=20)
    seen = [next(followed) for _ in range(4)]
    for name, document in rest:
        recorder(name, document)
    seen += list(followed)
    assert seen == list(run.documents(fill="no"))
    assert seen[-1][0] == "stop"


def test_following_ends_after_the_timeout(open_run):
    run, _, _ = open_run
    wait_for_rows(run, 2)
    assert [name for name, _ in run.follow(timeout_s=0)] == ["start", "descriptor", "event", "event"]


def test_following_an_interrupted_run_ends_without_a_stop(catalog, record):
    record(stop=None)
    assert [name for name, _ in catalog[-1].follow()] == ["start", "descriptor", "event", "event"]


def test_other_processes_compute_the_rows_that_were_there(catalog):
    with catalog.start_run() as recorded:
        recorded.add("primary", {"x": 1.5, "n": 1, "text": "a"})
        list(islice(catalog[-1].follow(), 3))  # start, descriptor, and the event
        stream = catalog[-1].primary
        lazy, rows = stream.to_dask(), stream.read()
        recorded.add("primary", {"x": 2.5, "n": 2, "text": "b"})
    assert len(rows["time"]) == 1
    xr.testing.assert_identical(lazy.compute(scheduler="processes", num_workers=1), rows)


def test_what_is_pickled_is_the_same_where_it_is_unpickled(catalog, record):
    uids = [record(streams={"primary": [{"x": 0.5}, {"x": number}]}) for number in range(3)]
    stream = catalog[-1].primary
    pickled = pickle.dumps((catalog[-2:], catalog[-1], stream["x"], stream.snapshot().cut(1, 2, ["x"])))
    runs, run, column, part = pickle.loads(pickled)  # noqa: S301
    assert list(runs) == uids[1:]
    assert run == catalog[-1]
    assert run.store is not catalog.store
    assert column.read().tolist() == [0.5, 2.0]
    assert part.array("x").tolist() == [2.0]
    run.store.close()
    assert pickle.loads(pickle.dumps(run)).primary["x"][1] == 2.0  # noqa: S301
