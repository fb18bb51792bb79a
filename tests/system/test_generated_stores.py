"""The stores that benchmarks load in bulk are what recording their runs one by one would have made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.queries import FullText, Key

ON_EACH_DATABASE = True
RUNS = 3000


@pytest.fixture
def generated_stores(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    from benchmarks import generated_stores

    yield generated_stores
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.fixture
def loaded(generated_stores, store, store_address):
    # The store exists by now, and is empty.
    if "://" in store_address:
        generated_stores.load_server(store_address, RUNS)
    else:
        generated_stores.load_folder(Path(store_address), RUNS)
    return store


def test_a_generated_store_is_sound(loaded):
    found = verify(loaded)
    assert found.runs == RUNS
    assert found.findings == []


def test_searches_find_what_the_generated_documents_say(generated_stores, loaded, store_address):
    made = [generated_stores.documents(number)[0] for number in range(RUNS)]
    with hutch.open_catalog(store_address) as cat:
        for key in ("plan_name", "num_points", "operator", "proposal_id"):
            value = made[7][key]
            wanted = [start["uid"] for start in made if start[key] == value]
            assert list(cat.search(Key(key) == value)) == wanted
        noted = [start["uid"] for start in made if "furnace" in start["notes"]]
        assert list(cat.search(FullText("furnace"))) == noted
        assert cat[-1].metadata["start"] == made[-1]
        assert cat[500].uid == generated_stores.uid_of(499)


def test_a_walk_that_misses_too_often_goes_on_where_it_gave_up(generated_stores, loaded, store_address):
    uids = [generated_stores.uid_of(number) for number in range(RUNS)]
    with hutch.open_catalog(store_address) as cat:
        # The newest 1,800 are not among them, and the others are more than one page.
        early = cat.search(Key("scan_id") <= 1200)
        assert list(early[::-1]) == uids[1199::-1]
        assert list(early[-3:]) == uids[1197:1200]
        late = cat.search(Key("scan_id") > 1800)
        assert list(late) == uids[1800:]


def test_a_run_recorded_into_a_generated_store_is_its_newest(loaded, store_address):
    with hutch.open_catalog(store_address) as cat:
        with cat.start_run(plan_name="dwell") as run:
            run.add("primary", {"temperature": 21.4})
        assert cat[-1].metadata["start"]["plan_name"] == "dwell"
        assert len(cat) == RUNS + 1
