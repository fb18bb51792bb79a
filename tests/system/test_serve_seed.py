"""The seed's page on inspecting past runs, line by line, by Tiled's own clients against ``hutch serve``.

Each run is recorded twice at once: by hutch, and by the writer of bluesky-tiled-plugins into a genuine server
of Tiled. What the unmodified clients read from both is compared.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bluesky.plans import count, grid_scan, list_scan, scan
from bluesky_tiled_plugins import TiledWriter
from bluesky_tiled_plugins.clients.bluesky_run import BlueskyRun
from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns
from bluesky_tiled_plugins.queries import PartialUID, ScanID, ScanIDRange, TimeRange
from ophyd.sim import SynAxis, SynGauss
from tiled.queries import (
    AccessTagsFilter,
    Contains,
    Eq,
    FullText,
    In,
    Key,
    KeyPresent,
    KeysFilter,
    Like,
    NotIn,
    Regex,
    SpecsQuery,
    StructureFamilyQuery,
)

import hutch
from hutch.bluesky import run_engine
from hutch.server import Admission, build_app

from ..serving import KEY, genuine_app, serving, tiled_client


def record(catalog, writer):
    """Record five runs of several plans, and return their uids."""
    motor = SynAxis(name="motor", labels={"motors"})
    other = SynAxis(name="other", labels={"motors"})
    det = SynGauss("det", motor, "motor", center=0, Imax=1, sigma=1, labels={"detectors"})
    engine = run_engine(catalog, baseline=[motor, other])
    if writer is not None:
        engine.subscribe(writer)
    plans = [
        (scan([det], motor, -1, 1, 5), {"sample": {"name": "LaB6"}, "color": "blue"}),
        (count([det], 3), {"sample": {"name": "Ni foil"}, "color": "red", "tags": ["first", "dull"]}),
        (list_scan([det], motor, [0.0, 0.5]), {"sample": {"name": "LaB6 again"}, "weight": 3}),
        (grid_scan([det], motor, 0, 1, 2, other, 0, 1, 3), {"color": "red", "weight": 12}),
        (scan([det], motor, -2, 2, 11), {"color": "green", "note": "An annealed thing"}),
    ]
    uids = [engine(plan, **md)[0] for plan, md in plans]
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    engine._th.join(timeout=10)
    engine.loop.close()
    return uids


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The addresses of both servers with the same runs, and the uids of these."""
    folder = tmp_path_factory.mktemp("served")
    with hutch.open_catalog(folder / "store") as catalog, serving(genuine_app(folder / "tiled")) as genuine:
        with tiled_client(genuine) as client:
            uids = record(catalog, TiledWriter(client))
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            yield address, genuine, uids


@pytest.fixture(scope="module")
def uids(recorded):
    return recorded[2]


@pytest.fixture(scope="module")
def root(recorded):
    with tiled_client(recorded[0]) as client:
        yield client


@pytest.fixture(scope="module")
def cat(root):
    return root["raw"]


@pytest.fixture(scope="module")
def theirs(recorded):
    """The genuine catalog."""
    with tiled_client(recorded[1]) as client:
        yield client


# the catalog object


def test_a_fresh_client_finds_the_catalogs_under_the_server_and_the_real_client_of_runs_in_one(root, cat):
    assert list(root) == ["raw"]
    assert type(cat) is CatalogOfBlueskyRuns
    assert repr(cat).startswith("<Catalog {1, 2, 3, 4, 5")


def test_len_is_the_number_of_runs_available(cat):
    assert len(cat) == 5


def test_minus_one_is_the_most_recent_run(cat, uids):
    assert cat[-1].metadata["start"]["uid"] == uids[-1]
    assert cat[-1].metadata["start"]["scan_id"] == 5


def test_every_negative_number_counts_back_from_the_most_recent_run(cat, uids):
    assert [cat[-number].start["uid"] for number in range(1, 6)] == uids[::-1]


def test_a_uid_its_beginning_and_a_scan_id_name_a_run(cat, uids):
    assert cat[uids[2]].start["uid"] == uids[2]
    assert cat[uids[2][:8]].start["uid"] == uids[2]
    assert cat[3].start["uid"] == uids[2]
    assert [run.start["scan_id"] for run in cat[[2, uids[3]]]] == [2, 4]


def test_a_uid_that_nobody_has_is_a_key_error(cat):
    with pytest.raises(KeyError, match="No match for partial_uid 00000000-0000"):
        cat["00000000-0000-0000-0000-000000000000"]


# the structure of a run


def test_a_run_lists_its_streams(cat):
    assert set(cat[-1]) == {"primary", "baseline"}


def test_a_stream_lists_its_keys_and_the_bookkeeping(cat):
    assert {"seq_num", "time", "det", "motor", "motor_setpoint", "ts_det"} <= set(cat[-1].primary)


@pytest.fixture
def older_layout(cat):
    """The last run as clients of DataBroker's days see it; that view outlives the request for it."""
    yield cat[-1].v2
    cat.structure_clients.set("BlueskyRun", lambda: BlueskyRun)


def test_a_stream_in_the_older_layout_lists_data_timestamps_and_config(older_layout):
    assert {"data", "timestamps", "config"} <= set(older_layout.primary)
    assert older_layout.primary["data"].read().sizes == {"time": 11}
    assert older_layout.primary["config"]["det"].read()["det_Imax"] == [1]


# reading the data


def test_primary_reads_as_a_dataset_over_time(cat):
    dataset = cat[-1].primary.read()
    assert isinstance(dataset, xr.Dataset)
    assert dataset.sizes == {"time": 11}
    np.testing.assert_allclose(dataset["motor"], np.linspace(-2, 2, 11))
    # Of a Gaussian of height 1 and width 1 around 0.
    np.testing.assert_allclose(dataset["det"], np.exp(-(np.linspace(-2, 2, 11) ** 2) / 2), atol=1e-12)


def test_a_dataset_becomes_a_data_frame(cat):
    assert list(cat[-1].primary.read().to_pandas()["motor"]) == pytest.approx(np.linspace(-2, 2, 11))


def test_a_column_of_a_dataset_is_plotted(cat):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    (line,) = cat[-1].primary.read()["det"].plot()
    assert len(line.get_ydata()) == 11
    pyplot.close("all")


def test_a_single_column_is_a_data_array(cat):
    assert isinstance(cat[-1].primary.read()["motor"], xr.DataArray)
    assert list(cat[-1].primary.read(["motor"])) == ["motor"]


def test_a_single_column_can_be_read_without_the_others(cat):
    np.testing.assert_allclose(cat[-1].primary["motor"].read(), np.linspace(-2, 2, 11))
    np.testing.assert_allclose(cat[-1].primary["motor"][2:4], [-1.2, -0.8])
    np.testing.assert_allclose(cat[-1]["primary/motor"].read(), np.linspace(-2, 2, 11))


# metadata


def test_start_and_stop_are_read_without_the_data(cat, uids):
    run = cat[uids[0]]
    assert run.metadata["start"]["plan_name"] == "scan"
    assert run.metadata["start"]["num_points"] == 5
    assert run.metadata["start"]["detectors"] == ["det"]
    assert run.metadata["stop"]["exit_status"] == "success"
    assert run.metadata["stop"]["num_events"] == {"baseline": 2, "primary": 5}
    assert run.start is run.metadata["start"] or run.start == run.metadata["start"]


def test_baseline_has_a_row_at_the_start_and_one_at_the_end(cat):
    dataset = cat[-1].baseline.read()
    assert dataset.sizes == {"time": 2}
    assert set(dataset) == {"motor", "motor_setpoint", "other", "other_setpoint"}


# filtering and searching


def test_runs_are_found_by_plan_name(cat, uids):
    assert list(cat.search(Key("plan_name") == "scan")) == [uids[0], uids[4]]


def test_runs_of_the_last_hour_are_found(cat):
    assert len(cat.search(Key("time") > time.time() - 3600)) == 5
    assert len(cat.search(Key("time") > time.time() + 3600)) == 0


def test_the_last_of_what_was_found_is_the_most_recent_of_it(cat, uids):
    assert cat.search(Key("color") == "red")[-1].start["uid"] == uids[3]
    assert cat.search(Key("color") == "red")[uids[1]].start["uid"] == uids[1]
    with pytest.raises(KeyError, match="No match"):
        cat.search(Key("color") == "red")[uids[0]]


QUERIES = {
    "equal": (Key("color") == "red", [2, 4]),
    "not equal": (Key("start.color") != "red", [1, 3, 5]),
    "less": (Key("num_points") < 6, [1, 2, 3]),
    "at most": (Key("num_points") <= 5, [1, 2, 3]),
    "greater": (Key("weight") > 3, [4]),
    "at least": (Key("weight") >= 3, [3, 4]),
    "of the stop document": (Key("stop.exit_status") == "success", [1, 2, 3, 4, 5]),
    "nested": (Eq("sample.name", "LaB6"), [1]),
    "one of": (In("color", ["red", "green"]), [2, 4, 5]),
    "none of": (NotIn("color", ["red", "green"]), [1, 3]),
    "contains": (Contains("tags", "dull"), [2]),
    "full text": (FullText("annealed"), [5]),
    "like": (Like("sample.name", "LaB6%"), [1, 3]),
    "like somewhere": (Like("sample.name", "%foil"), [2]),
    "regex": (Regex("sample.name", "^LaB6$"), [1]),
    "regex without case": (Regex("sample.name", "LAB6", case_sensitive=False), [1, 3]),
    "there": (KeyPresent("start.weight"), [3, 4]),
    "not there": (KeyPresent("start.weight", exists=False), [1, 2, 5]),
    "specs": (SpecsQuery(["BlueskyRun"]), [1, 2, 3, 4, 5]),
    "other specs": (SpecsQuery([], exclude=["BlueskyRun"]), []),
    "family": (StructureFamilyQuery("container"), [1, 2, 3, 4, 5]),
    "other family": (StructureFamilyQuery("table"), []),
    "tags of access": (AccessTagsFilter(["mine"]), []),
    "scan id": (ScanID(3), [3]),
    "scan ids": (ScanIDRange(2, 4), [2, 3]),
    "since": (TimeRange(since="2019"), [1, 2, 3, 4, 5]),
    "until": (TimeRange(until="2019"), []),
}


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_tiled_and_of_its_plugins_finds_its_runs(cat, name):
    query, expected = QUERIES[name]
    assert [run.start["scan_id"] for run in cat.search(query).values()] == expected


def test_keys_and_beginnings_of_uids_are_queries_too(cat, uids):
    assert list(cat.search(KeysFilter([uids[3], uids[1]]))) == [uids[1], uids[3]]
    assert list(cat.search(PartialUID(uids[2][:8]))) == [uids[2]]


def test_searches_narrow(cat, uids):
    assert list(cat.search(Key("color") == "red").search(Key("weight") > 3)) == [uids[3]]


def test_a_pattern_that_is_none_is_told_to_who_searches(cat):
    from tiled.client.utils import ClientError

    with pytest.raises(ClientError, match=r"400: .* is no regular expression that RE2 takes"):
        len(cat.search(Regex("color", "(")))


# order, places, values


def test_runs_are_sorted_by_a_key_in_both_directions(cat):
    def scan_ids(found):
        return [run.start["scan_id"] for run in found.values()]

    assert scan_ids(cat.sort(("start.num_points", 1))) == [3, 2, 1, 4, 5]
    assert scan_ids(cat.sort(("start.num_points", -1)))[:2] == [5, 4]
    assert scan_ids(cat.sort(("start.time", -1))) == [5, 4, 3, 2, 1]
    assert cat.sort(("start.num_points", 1))[-1].start["scan_id"] == 5
    assert cat.sort(("start.num_points", 1)).values().first().start["scan_id"] == 3


def test_views_are_sliced_from_both_ends(cat, uids):
    assert cat.keys()[1:3] == uids[1:3]
    assert cat.keys()[-1] == uids[-1]
    assert list(cat.keys().head(2)) == uids[:2]
    assert cat.keys().tail(2) == uids[-2:]
    assert [key for key, _ in cat.items()[-1:-3:-1]] == uids[:-3:-1]


def test_pages_join_to_the_whole(root, uids):
    link = f"{root['raw'].item['links']['search']}?page[limit]=2&fields="
    found = []
    while link:
        page = root.context.http_client.get(link).json()
        found += [item["id"] for item in page["data"]]
        assert page["meta"]["count"] == 5
        link = page["links"]["next"]
    assert found == uids


def test_distinct_counts_the_values_of_what_was_found(cat):
    found = cat.search(Key("scan_id") > 1).distinct(
        "start.color", "start.tags", structure_families=True, specs=True, counts=True
    )
    colors = {item["value"]: item["count"] for item in found["metadata"]["start.color"]}
    assert colors == {"red": 2, "green": 1}
    assert {item["value"] for item in found["metadata"]["start.tags"]} == {"first", "dull"}
    assert found["structure_families"] == [{"value": "container", "count": 4}]
    assert found["specs"] == [{"value": [{"name": "BlueskyRun", "version": "3.0"}], "count": 4}]


# documents


def test_documents_come_as_they_were_recorded(recorded, cat, uids, tmp_path):
    names = [name for name, _ in cat[uids[0]].documents()]
    assert names[0] == "start" and names[-1] == "stop"
    assert names.count("event") == 5 + 2 and names.count("descriptor") == 2
    descriptors = {doc["name"]: doc for name, doc in cat[uids[0]].documents() if name == "descriptor"}
    assert descriptors["primary"]["object_keys"] == {"det": ["det"], "motor": ["motor", "motor_setpoint"]}


# compared with a genuine server


def test_metadata_of_runs_and_streams_is_what_the_genuine_server_has(cat, theirs, uids):
    for uid in uids:
        ours, genuine = cat[uid], theirs[uid]
        assert dict(ours.metadata) == dict(genuine.metadata)
        assert list(ours) == list(genuine)
        for name in genuine:
            assert dict(ours[name].metadata) == dict(genuine[name].metadata)
            assert ours[name].descriptors == genuine[name].descriptors
        assert ours.specs == genuine.specs


def test_data_of_every_stream_are_what_the_genuine_server_has(cat, theirs, uids):
    for uid in uids:
        for name in theirs[uid]:
            ours, genuine = cat[uid][name], theirs[uid][name]
            # The writer goes through a set of keys: their order is another one each time.
            assert sorted(ours) == sorted(genuine)
            xr.testing.assert_identical(ours.read(), genuine.read())
            table, expected = (stream.base["internal"].read() for stream in (ours, genuine))
            pd.testing.assert_frame_equal(table, expected[list(table)])
            # What it says of a key is what another stream of the run says of that, if one came later.
            assert set(ours.base["internal"].metadata) == set(genuine.base["internal"].metadata)


# A genuine catalog refuses regular expressions, and takes a list for text.
COMPARED = [name for name in QUERIES if name not in ("contains", "regex", "regex without case")]


@pytest.mark.parametrize("name", COMPARED)
def test_queries_find_what_they_find_on_the_genuine_server(cat, theirs, name):
    query, _ = QUERIES[name]
    ours, genuine = ([run.start["scan_id"] for run in one.search(query).values()] for one in (cat, theirs))
    missing = {"not equal", "none of"}  # SQL leaves out what has no such key, and MongoDB does not
    assert ours == genuine or (name in missing and set(genuine) < set(ours))


def test_documents_say_what_they_say_on_the_genuine_server(cat, theirs, uids):
    def readings(run):
        return sorted(
            (doc["time"], sorted(doc["data"].items())) for name, doc in run.documents() if name == "event"
        )

    for uid in uids:
        assert readings(cat[uid]) == readings(theirs[uid])


def test_distinct_and_order_are_those_of_the_genuine_server(cat, theirs):
    for one in (cat, theirs):
        found = one.distinct("start.plan_name", counts=True)["metadata"]["start.plan_name"]
        assert {item["value"]: item["count"] for item in found} == {
            "scan": 2, "count": 1, "list_scan": 1, "grid_scan": 1
        }  # fmt: skip
    # Not numbers: a genuine server sorts 11 before 2.
    for key in ("start.plan_name", "start.time"):
        ours, genuine = (list(one.sort((key, 1), ("start.scan_id", 1))) for one in (cat, theirs))
        assert ours == genuine
