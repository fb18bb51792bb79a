import subprocess
import sys

import numpy as np
import pytest

import hutch
from hutch.catalogs import Catalog, Run
from hutch.errors import AmbiguousRunError, RunIndexError, RunNotFoundError
from hutch.queries import Contains, Key

ON_EACH_DATABASE = True


@pytest.fixture
def uids(record):
    """Of six runs, oldest first; the scan_ids are 1, 2, 3, 1, 2, 3."""
    return [record(uid=f"{number}0ff-run", scan_id=number % 3 + 1) for number in range(6)]


def test_a_full_uid_gives_its_run(catalog, uids):
    assert catalog[uids[2]].uid == uids[2]


def test_the_beginning_of_a_uid_gives_its_run(catalog, uids):
    assert catalog["40f"].uid == uids[4]


@pytest.mark.parametrize("key", ["\udce9", "\0"])
def test_text_that_no_database_takes_names_no_run(catalog, key):
    for found in (catalog, catalog.search({"uid": {"$exists": True}})):
        assert key not in found
        with pytest.raises(KeyError, match="No run"):
            found[key]


def test_a_full_uid_is_tried_before_the_prefixes(catalog, record):
    record(uid="abc")
    record(uid="abcdef")
    assert catalog["abc"].uid == "abc"


def test_an_ambiguous_prefix_names_at_most_ten_candidates_the_newest_first(catalog, record):
    found = [record(uid=f"same-{number:02}", scan_id=number + 1) for number in range(12)]
    with pytest.raises(AmbiguousRunError, match=r"'same' fits more than 10 runs .*\n.*same-11") as caught:
        catalog["same"]
    assert list(caught.value.candidates) == found[:1:-1]


def test_an_unknown_uid_names_the_newest_run(catalog, uids):
    message = (
        r"^No run '17531z' in catalog 'raw'\. Newest run: 3 \('50ff-run'\)\. List runs with: hutch runs$"
    )
    with pytest.raises(RunNotFoundError, match=message):
        catalog["17531z"]


def test_an_empty_catalog_says_so(catalog):
    with pytest.raises(KeyError, match=r"No run 'x' in catalog 'raw': it is empty"):
        catalog["x"]
    with pytest.raises(IndexError, match=r"No run at -1 in catalog 'raw': it has 0 runs"):
        catalog[-1]


def test_a_search_that_found_nothing_is_no_empty_catalog(catalog, uids):
    nothing = catalog.search({"scan_id": 99})
    with pytest.raises(RunNotFoundError, match=r"'00ff' among these runs of catalog 'raw': there are none"):
        nothing["00ff"]
    assert repr(nothing).endswith(": no runs")


def test_empty_text_is_no_prefix(catalog, record):
    record()
    with pytest.raises(RunNotFoundError, match="No run ''"):
        catalog[""]


@pytest.mark.parametrize("uid", ["\0", "a\0", "\ud800", "a\udfff"])
def test_text_that_no_database_takes_is_no_uid(catalog, uids, uid):
    for runs in (catalog, catalog[1:]):
        assert uid not in runs
        with pytest.raises(RunNotFoundError, match="No run"):
            runs[uid]


@pytest.mark.parametrize("key", ["a\0b", "a\ud800", "k" * 401, "sample.\0"])
def test_values_of_a_key_that_no_index_takes_are_told(catalog, record, key):
    name, _, below = key.partition(".")
    for value in (2, 1, 2):
        record(**{name: {below: value} if below else value})
    assert catalog.distinct(key, counts=True) == {2: 2, 1: 1}
    assert list(catalog.sort(key))[0] == catalog[-2].uid


def test_a_prefix_is_text_and_not_a_pattern(catalog, record):
    record(uid="a_c%")
    record(uid="abc1")
    assert catalog["a_"].uid == "a_c%"
    assert "%" not in catalog


def test_a_positive_number_gives_the_newest_run_with_that_scan_id(catalog, uids):
    assert catalog[1].uid == uids[3]
    assert catalog[np.int64(2)].uid == uids[4]


def test_an_unknown_scan_id_is_a_key_error(catalog, uids):
    with pytest.raises(RunNotFoundError, match=r"No run with scan_id 42 in catalog 'raw'. Newest run: 3"):
        catalog[42]


def test_a_negative_number_counts_back_from_the_newest(catalog, uids):
    assert catalog[-1].uid == uids[5]
    assert catalog[-6].uid == uids[0]
    with pytest.raises(RunIndexError, match=r"No run at -7 in catalog 'raw': it has 6 runs"):
        catalog[-7]


@pytest.mark.parametrize("runs", [slice(None), slice(1, None), slice(None, None, -1)])
def test_positions_beyond_all_integers_of_a_database_are_beyond_the_runs(catalog, uids, runs):
    for found, expected in ((catalog[runs], uids[runs]), (catalog.search({"scan_id": 1})[runs], [])):
        with pytest.raises(RunIndexError, match=f"No run at {-(10**30)}"):
            found[-(10**30)]
        assert list(found[10**30 : 10**30 + 5]) == []
        if expected:
            assert list(found[: 10**30]) == list(found[-(10**30) :]) == expected
            assert list(found[2 : 10**30]) == expected[2:]


def test_getting_what_no_run_has_gives_the_default(catalog, uids):
    for missing in (-7, 42, "nobody", -(10**30)):
        assert catalog.get(missing) is None
        assert catalog.get(missing, "none") == "none"
    assert catalog.get(-1).uid == uids[5]


@pytest.mark.parametrize("text", ["\udce9", "a\0b"])
def test_text_that_no_database_takes_is_looked_for_and_not_found(catalog, uids, text):
    assert catalog.distinct(text) == catalog.distinct(f"param.{text}") == []
    assert list(catalog.sort(text)) == uids
    for query in ({text: 1}, {"sample": text}, Contains("sample", text)):
        assert list(catalog.search(query)) == []


def test_zero_gives_the_oldest_run(catalog, uids):
    assert catalog[0].uid == uids[0]


def test_runs_are_ordered_by_start_time_and_not_by_when_they_were_recorded(catalog, record):
    late, early = record(time=2e9), record(time=1e9)
    assert list(catalog) == [early, late]
    assert catalog[-1].uid == late


@pytest.mark.parametrize("key", [True, False, 1.0, None, ("a", "b")])
def test_other_keys_are_refused_with_what_a_key_can_be(catalog, uids, key):
    with pytest.raises(TypeError, match="is no key of a run. Give a uid or its beginning"):
        catalog[key]


@pytest.mark.parametrize(
    "slices",
    [
        [slice(-5, None)],
        [slice(-5, -1)],
        [slice(None, None, -1), slice(None, 3)],
        [slice(1, None, 2), slice(None, None, -1), slice(-2, None)],
        [slice(3, 3)],
        [slice(-100, 100)],
    ],
)
def test_slices_of_a_catalog_are_slices_of_the_list_of_its_runs(catalog, uids, slices):
    found, expected = catalog, uids
    for part in slices:
        found, expected = found[part], expected[part]
    assert isinstance(found, Catalog)
    assert list(found) == expected
    assert len(found) == len(expected)
    assert [run.uid for run in found.values()] == expected
    for index in range(-len(expected), 1 if expected else 0):
        assert found[index].uid == expected[index]


def test_a_slice_looks_runs_up_among_its_own_only(catalog, uids):
    last_two = catalog[-2:]
    assert last_two["50"].uid == uids[5]
    assert last_two[3].uid == uids[5]
    assert last_two[2].uid == uids[4]
    for key in (uids[0], "00ff", 1):
        with pytest.raises(
            RunNotFoundError, match=r"among these runs of catalog 'raw'\. The newest of them: 3"
        ):
            last_two[key]
    assert catalog[:4][1].uid == uids[3]
    assert catalog[:3][1].uid == uids[0]


def test_a_reversed_catalog_still_finds_every_run(catalog, uids):
    assert catalog[::-1]["00"].uid == uids[0]
    assert catalog[::-1][1].uid == uids[3]
    assert catalog[::-1][-1].uid == uids[0]


def test_the_last_runs_are_always_the_last(catalog, uids, record):
    last_two = catalog[-2:]
    newest = record()
    assert list(last_two) == [uids[5], newest]


@pytest.mark.parametrize(
    ("part", "error"), [(slice("a", None), TypeError), (slice(None, None, 0), ValueError)]
)
def test_an_impossible_slice_is_refused_at_once(catalog, part, error):
    with pytest.raises(error, match="slice"):
        catalog[part]


def test_a_list_of_keys_gives_a_list_of_runs(catalog, uids):
    assert [run.uid for run in catalog[["10", 3, -1, uids[0]]]] == [uids[1], uids[5], uids[5], uids[0]]


def test_it_is_a_mapping_of_uids_to_runs_oldest_first(catalog, uids):
    assert list(catalog) == list(catalog.keys()) == uids
    assert [run.uid for run in catalog.values()] == uids
    assert [(uid, run.uid) for uid, run in catalog.items()] == list(zip(uids, uids, strict=True))
    assert catalog.get("nothing") is None


def test_many_runs_are_iterated_completely(catalog):
    for number in range(1203):
        with catalog.store.transaction() as writer:
            writer.add_run(f"uid-{number}", number, None, b'{"uid":"x"}')
    assert (
        [run.uid for run in catalog.values()] == list(catalog) == [f"uid-{number}" for number in range(1203)]
    )


def test_membership_is_whether_a_look_up_finds_a_run(catalog, uids):
    assert uids[0] in catalog
    assert "30f" in catalog
    assert 3 in catalog
    assert catalog[0] in catalog
    assert catalog[0] in catalog.values()
    assert catalog[0] not in catalog[1:]
    assert "z" not in catalog
    assert 42 not in catalog
    assert None not in catalog


def test_head_and_tail_are_catalogs_of_the_first_and_last_runs(catalog, uids):
    assert list(catalog.head(2)) == uids[:2]
    assert list(catalog.tail(2)) == uids[-2:]
    assert list(catalog.tail()) == uids[-5:]
    assert list(catalog.head(0)) == list(catalog.tail(0)) == []


def test_a_run_of_another_process_is_there_without_refresh(catalog, record, store_address):
    with hutch.open_catalog(store_address) as other:
        assert len(other) == 0
        uid = record()
        other.refresh()
        assert list(other) == [uid]


def test_its_text_is_a_table_of_the_newest_runs_the_newest_first(catalog, record):
    for number in range(12):
        record(uid=f"{number:02}-0123456789", scan_id=number, plan_name="scan" if number % 2 else "count")
    lines = repr(catalog).splitlines()
    assert lines[0] == f"Catalog 'raw' in {catalog.store.location}: 12 runs, the newest 10"
    assert lines[1].split() == ["scan_id", "uid", "plan", "time", "status", "points"]
    assert lines[2].split()[:3] == ["11", "11-01234", "scan"]
    assert lines[2].split()[-2:] == ["success", "2"]
    assert len(lines) == 12


def test_the_text_of_a_slice_has_its_own_order(catalog, uids):
    lines = repr(catalog[::2]).splitlines()
    assert [line.split()[1] for line in lines[2:]] == uids[::2]


def test_its_html_escapes_what_people_wrote(catalog, record):
    record(plan_name="<script>")
    html = catalog._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_runs_with_odd_metadata_have_a_row_as_well(catalog, record):
    record(plan_name=["a", "list"], scan_id="text", streams={})
    assert repr(["a", "list"]) in repr(catalog)


def test_completion_offers_uids(catalog, uids):
    assert catalog._ipython_key_completions_() == uids[::-1]


def test_start_run_records_a_run(catalog):
    with catalog.start_run(plan_name="dwell", sample="A") as run:
        run.add("primary", {"temperature": 21.4})
    assert catalog[-1].start["sample"] == "A"
    assert catalog[-1].primary.read()["temperature"].values.tolist() == [21.4]


def test_md_is_kept_in_the_store(catalog, store_address):
    catalog.md["proposal"] = 12
    with hutch.open_catalog(store_address) as other:
        assert other.md["proposal"] == 12
    assert catalog.md is catalog.md


def test_looking_at_metadata_loads_no_numerical_library(catalog, record, store_address):
    record(scan_id=1)
    program = f"""
import sys, hutch
cat = hutch.open_catalog({store_address!r})
run = cat[-1]
repr(cat), repr(run), list(run), run.metadata["start"]["uid"], run.stop.exit_status, len(run.primary)
heavy = {{"numpy", "pyarrow", "xarray", "pandas", "event_model", "dask", "alembic", "matplotlib"}}
print(sorted(heavy & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_catalog_equals_only_itself(catalog):
    assert catalog == catalog
    assert catalog != catalog[:]
    assert len({catalog, catalog[:]}) == 2


def test_values_are_runs(catalog, uids):
    assert all(isinstance(run, Run) for run in catalog.values())


def test_a_time_bounds_what_has_one_of_two_things_or_lacks_another(catalog, record):
    uids = [record(sample=sample) for sample in ("a", "b", "a", "b")]
    time = catalog[uids[1]].start["time"]

    late = catalog.search({"time": {"$gt": time}})
    assert list(late.search({"$or": [{"sample": "a"}, {"plan_name": {"$ne": "x"}}]})) == uids[2:]
    assert list(late.search({"$or": [{"sample": "a"}, {"plan_name": None, "scan_id": None}]})) == uids[2:]


def test_conditions_may_be_many(catalog, uids):
    others = range(3, 1500)
    assert list(catalog.search({"uid": uids[0], "scan_id": {"$nin": [*others]}})) == [uids[0]]
    assert list(catalog.search({"uid": uids[0], "detectors": {"$all": [*map(str, others)]}})) == []
    found, query = catalog.search({"uid": uids[1]}), Key("scan_id") == 2
    for number in others:
        found = found.search(Key("scan_id") != number)
        query = query | (Key("scan_id") == -number)
    assert list(found) == list(catalog.search({"uid": uids[1]}).search(query)) == [uids[1]]
    assert len(catalog.search(~query)) == len(uids) - 2
