"""Whoever asks a catalog sees the runs that they may read, and no sign of another, however they ask.

What they may read is said once more here, run by run, in plain Python.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.access import PUBLIC, Access, Identity
from hutch.catalogs import Catalog
from hutch.errors import (
    AccessDeniedError,
    AmbiguousRunError,
    QueryError,
    RunDeletedError,
    RunIndexError,
    RunNotFoundError,
)
from hutch.queries import FullText, Key, PartialUID, Regex, ScanID, ScanIDRange, TimeRange
from hutch.store import Topic, open_store

from ...conftest import DATABASES
from .conftest import Clock

COUNT = 60
WORDS = ("silver", "copper", "gold")
EXPERIMENTS: list[Any] = [
    ..., ..., ..., None, "", "open", "ours", "theirs", "both", "slip", "Ours",
    ["open", "theirs"], ["ours", None], ["slip"], [], 42, {"name": "ours"},
]  # fmt: skip
INSTRUMENTS: list[Any] = [..., "XPP", "xpp", "XPP", "CXI", "MFX", "XPPX", ["CXI", "XPP"], 5]
STATIONS: list[Any] = [..., ..., 0, 1, "A", 1.0, True]

# name, instrument, station, open
MADE = [
    ("open", "XPP", 0, True),
    ("ours", "XPP", 0, False),
    ("theirs", "CXI", 0, False),
    ("both", "XPP", 1, False),
]
ACTIVE = [
    (100.0, "theirs"),
    (200.0, "ours"),
    (300.0, "both"),
    (400.0, "open"),
    (500.0, "-open"),
    (600.0, "ours"),
]
# what was active where, said by hand: name, instrument, station, from, until
WHEN = [("theirs", "CXI", 0, 100.0, 1e9), ("ours", "XPP", 0, 200.0, 400.0), ("both", "XPP", 1, 300.0, 1e9),
        ("open", "XPP", 0, 400.0, 500.0), ("ours", "XPP", 0, 600.0, 1e9)]  # fmt: skip
READERS = {
    "ann": {"open", "ours", "both"},
    "bob": {"open"},
    "eve": {"open", "theirs"},
    "xppopr": {"open", "ours", "both"},
    "cxiopr": {"open", "theirs"},
    "xpp": {"open"},
}


def told(value: Any) -> list[Any]:
    """What a field of a document says: itself, or what is in its list."""
    return value if isinstance(value, list) else [value]


def may_read(start: dict[str, Any], readable: set[str]) -> bool:
    named = told(start.get("experiment"))
    if any(isinstance(name, str) and name in readable for name in named):
        return True
    if None not in named and "" not in named:
        return False
    for name, instrument, station, since, until in WHEN:
        there = any(
            isinstance(one, str) and one.upper() == instrument for one in told(start.get("instrument"))
        )
        at = start.get("station")
        is_one = at == 1 and at is not True
        if there and is_one == (station == 1) and since <= start["time"] < until and name not in readable:
            return False
    return True


@dataclass
class Site:
    """A store with runs of all kinds, and those who ask."""

    access: Access
    catalog: Catalog
    starts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """In order of time."""
    identities: dict[str, tuple[Identity | None, set[str] | None]] = field(default_factory=dict)
    """Who they are, and which experiments they read; None for all there are."""

    def expected(self, who: str) -> list[str]:
        identity, readable = self.identities[who]
        if identity is None or "read" not in identity.scopes:
            return []
        if identity.catalogs is not None and "raw" not in identity.catalogs:
            return []
        everything = readable is None
        return [uid for uid, start in self.starts.items() if everything or may_read(start, readable)]

    def visible(self, who: str) -> Catalog:
        return self.access.visible(self.catalog, self.identities[who][0])


def random_start(rng: random.Random) -> dict[str, Any]:
    start = {
        "uid": f"{rng.choice('ab')}{rng.getrandbits(64):016x}",
        "time": rng.choice([100.0, 200.0, 300.0, 400.0, 500.0, 600.0, rng.uniform(0, 800)]),
        "scan_id": rng.randrange(1, 8),
        "sample": rng.choice(WORDS),
    }
    for key, values in (("experiment", EXPERIMENTS), ("instrument", INSTRUMENTS), ("station", STATIONS)):
        value = rng.choice(values)
        if value is not ...:
            start[key] = value
    return start


def make_access(site: Site, clock: Clock) -> None:
    access = site.access
    for name, instrument, station, is_open in MADE:
        access.experiments.create(name, instrument=instrument, station=station, is_open=is_open)
    for clock.now, name in ACTIVE:
        if name.startswith("-"):
            access.experiments.deactivate(name[1:])
        else:
            access.experiments.activate(name)
    for name in READERS:
        access.users.add(name)
    for user, experiment, role in (
        ("ann", "ours", "reader"),
        ("ann", "both", "writer"),
        ("eve", "theirs", "editor"),
    ):
        access.experiments.set_role(experiment, user, role)
    identify = access.identify_trusted
    site.identities = {name: (identify(name), readable) for name, readable in READERS.items()}
    key = access.identify_key
    site.identities |= {
        "key of ann": (key(access.keys.create(["read"], owner="ann")[0]), READERS["ann"]),
        "key of nobody": (key(access.keys.create(["read", "record"])[0]), {"open"}),
        "key for raw": (key(access.keys.create(["read"], owner="eve", catalogs=["raw"])[0]), READERS["eve"]),
        "key for others": (key(access.keys.create(["read"], owner="ann", catalogs=["x"])[0]), set()),
        "key that records": (key(access.keys.create(["record"], owner="ann")[0]), set()),
        "admin": (key(access.keys.create(["admin"])[0]), None),
        "public": (PUBLIC, {"open"}),
        "nobody": (None, set()),
    }


@pytest.fixture(scope="module", params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    address = str(folder / "store")
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres_server").make_store(folder)
    clock = Clock(0.0)
    catalog = Catalog(open_store(address))
    site = Site(Access(catalog.store, clock=clock), catalog)
    rng = random.Random(26)
    starts = sorted((random_start(rng) for _ in range(COUNT)), key=lambda start: start["time"])
    recorder = catalog.recorder()
    for start in starts:
        recorder("start", start)
        site.starts[start["uid"]] = start
    recorder.close()
    make_access(site, clock)
    yield site
    catalog.close()


WHO = [*READERS, "key of ann", "key of nobody", "key for raw", "key for others", "key that records", "admin",
       "public", "nobody"]  # fmt: skip


@pytest.fixture(params=["ann", "xppopr", "key of nobody", "key for others", "admin", "nobody"])
def who(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_runs_are_of_every_kind(site):
    counts = {who: len(site.expected(who)) for who in WHO}

    assert counts["admin"] == COUNT
    assert 0 < counts["bob"] < counts["ann"] < COUNT
    assert counts["nobody"] == counts["key for others"] == counts["key that records"] == 0
    assert len({tuple(site.expected(who)) for who in WHO}) == 5


def test_rows_and_counts(site, who):
    cat, expected = site.visible(who), site.expected(who)

    assert list(cat) == expected
    assert len(cat) == len(expected)
    assert [run.uid for run in cat.values()] == expected
    assert [uid for uid, _ in cat.items()] == expected
    assert f": {len(expected)} run" in repr(cat) or (not expected and "no runs" in repr(cat))
    for part in (slice(-5, None), slice(None, None, -1), slice(3, 40, 7), slice(None, 10), slice(2, 2)):
        assert list(cat[part]) == expected[part]
        assert len(cat[part]) == len(expected[part])
        assert list(cat[part].search({})) == expected[part]
        assert list(cat[part].sort(("time", -1)).search({})[::-1]) is not None
        assert set(cat[part].sort("sample")) == set(expected[part])
        again = site.access.visible(site.catalog[part], site.identities[who][0])
        assert list(again) == list(again.search({})) == expected[part]
        assert len(again) == len(again.search({})) == len(expected[part])
    assert set(cat._ipython_key_completions_()) == set(expected[-100:])


def test_positions(site, who):
    cat, expected = site.visible(who), site.expected(who)

    assert [cat[-1 - place].uid for place in range(len(expected))] == expected[::-1]
    with pytest.raises(RunIndexError, match=f"it has {len(expected)} run"):
        cat[-1 - len(expected)]


def test_uids(site, who):
    cat, expected = site.visible(who), site.expected(who)

    for uid in site.starts:
        assert (uid in cat) == (uid in expected)
        if uid in expected:
            assert cat[uid].uid == uid
        else:
            with pytest.raises(RunNotFoundError, match=f"No run {uid!r}") as caught:
                cat[uid]
            assert_tells_only(site, expected, str(caught.value).replace(uid, ""))
        assert list(cat[-5:].search({"uid": uid})) == [one for one in expected[-5:] if one == uid]


def assert_tells_only(site: Site, expected: list[str], text: str) -> None:
    assert not [uid for uid in site.starts if uid not in expected and uid[:8] in text]


def test_prefixes(site, who):
    cat, expected = site.visible(who), site.expected(who)

    for prefix in {uid[:length] for uid in [*site.starts][::3] for length in (1, 2, 3)}:
        fits = [uid for uid in expected if uid.startswith(prefix)]
        assert list(cat.search(PartialUID(prefix))) == fits
        if len(fits) == 1:
            assert cat[prefix].uid == fits[0]
            continue
        with pytest.raises((AmbiguousRunError, RunNotFoundError), match=prefix) as caught:
            cat[prefix]
        assert isinstance(caught.value, AmbiguousRunError) == (len(fits) > 1)
        assert_tells_only(site, expected, str(caught.value))
        assert set(getattr(caught.value, "candidates", [])) <= set(fits)


def test_scan_ids(site, who):
    cat, expected = site.visible(who), site.expected(who)

    for scan_id in range(1, 9):
        same = [uid for uid in expected if site.starts[uid]["scan_id"] == scan_id]
        if same:
            assert cat[scan_id].uid == same[-1]
        else:
            with pytest.raises(RunNotFoundError, match=f"No run with scan_id {scan_id}"):
                cat[scan_id]
        assert list(cat.search(ScanID(scan_id))) == same[-1:]
        narrowed = site.catalog.search(ScanID(scan_id))
        assert list(site.access.visible(narrowed, site.identities[who][0])) == same[-1:]
        assert list(cat.search(~ScanID(scan_id))) == [uid for uid in expected if uid not in same[-1:]]
        assert list(cat.search(ScanID(scan_id, duplicates="all"))) == same
        if len(same) > 1:
            with pytest.raises(QueryError, match="Several runs have the scan_id") as caught:
                list(cat.search(ScanID(scan_id, duplicates="error")))
            assert_tells_only(site, expected, str(caught.value))
        else:
            assert list(cat.search(ScanID(scan_id, duplicates="error"))) == same
    newest = {site.starts[uid]["scan_id"]: uid for uid in expected}
    assert set(cat.search(ScanIDRange(1, 9))) == set(newest.values())
    assert set(cat.search(ScanIDRange(1, 9))[::-1].search({})) == set(newest.values())


def test_values(site, who):
    cat, expected = site.visible(who), site.expected(who)
    starts = [site.starts[uid] for uid in expected]

    assert dict(cat.distinct("sample", counts=True)) == Counter(start["sample"] for start in starts)
    assert set(cat.distinct("uid")) == set(expected)
    for key in ("experiment", "instrument"):
        texts = {value for start in starts for value in told(start.get(key)) if isinstance(value, str)}
        assert {value for value in cat.distinct(key) if isinstance(value, str)} == texts
    assert set(cat.search({"sample": "gold"}).distinct("sample")) <= {"gold"}
    assert cat.deleted == []


def test_the_feed(site, who):
    cat, expected = site.visible(who), site.expected(who)
    seen: list[str] = []
    cursor, last = 0, site.catalog.store.last_change()
    while cursor < last:
        found, cursor = cat.changes(cursor, 7)
        seen += [change.reference for change in found if change.topic is Topic.START]
        uids = site.catalog.store.uids_by_id([change.run for change in found if change.run is not None])
        assert set(uids.values()) <= set(expected)

    assert sorted(seen) == sorted(expected)
    assert cat.changes(cursor) == ([], cursor)
    some, _ = cat.search({"sample": "gold"}).changes(0, 1000)
    golden = {uid for uid in expected if site.starts[uid]["sample"] == "gold"}
    assert {change.reference for change in some if change.topic is Topic.START} == golden


_QUERIES: list[tuple[Any, Any]] = [
    ({}, lambda start: True),
    ({"sample": "gold"}, lambda start: start["sample"] == "gold"),
    ({"sample": {"$ne": "gold"}}, lambda start: start["sample"] != "gold"),
    ({"$or": [{"sample": "gold"}, {"scan_id": {"$gt": 3}}]},
     lambda start: start["sample"] == "gold" or start["scan_id"] > 3),
    ({"$nor": [{"experiment": "theirs"}]}, lambda start: "theirs" not in told(start.get("experiment"))),
    ({"experiment": {"$exists": False}}, lambda start: "experiment" not in start),
    ({"experiment": "theirs"}, lambda start: "theirs" in told(start.get("experiment"))),
    (Key("time") > 350.0, lambda start: start["time"] > 350.0),
    (TimeRange(since=200.0, until=400.0), lambda start: 200.0 <= start["time"] < 400.0),
    (FullText("gold"), lambda start: start["sample"] == "gold"),
    (FullText("co*"), lambda start: start["sample"] == "copper"),
    (Regex("sample", "^[cg]o"), lambda start: start["sample"] in ("copper", "gold")),
    (~FullText("silver"), lambda start: start["sample"] != "silver"),
]  # fmt: skip


@settings(max_examples=80)
@given(
    who=st.sampled_from(WHO),
    queries=st.lists(st.sampled_from(range(len(_QUERIES))), max_size=3),
    start=st.none() | st.integers(-6, 6),
    stop=st.none() | st.integers(-6, 6),
    step=st.sampled_from([None, 1, -1, 3]),
    place=st.integers(0, 3),
)
def test_searches_in_searches(site, who, queries, start, stop, step, place):
    cat, expected = site.visible(who), site.expected(who)
    for number, query in enumerate(queries):
        if number == place:
            cat, expected = cat[start:stop:step], expected[start:stop:step]
        asked, holds = _QUERIES[query]
        cat = cat.search(asked)
        expected = [uid for uid in expected if holds(site.starts[uid])]

    assert list(cat) == expected
    assert len(cat) == len(expected)
    assert dict(cat.distinct("scan_id", counts=True)) == Counter(
        site.starts[uid]["scan_id"] for uid in expected
    )


def test_one_run_is_told_the_same_of_as_all(site):
    known = {name for name, *_ in MADE}
    for uid, start in site.starts.items():
        belongs = site.access.experiments.of_run(start)
        for name in known:
            runs = site.catalog.restricted(site.access.experiments.runs_of(name))
            assert (uid in runs) == (name in belongs)
            break  # all of them would take long
    for name in known:
        runs = set(site.catalog.restricted(site.access.experiments.runs_of(name)))
        assert runs == {
            uid for uid, start in site.starts.items() if name in site.access.experiments.of_run(start)
        }


def test_a_catalog_for_some_is_not_the_store(site):
    cat = site.visible("bob")

    for what in ("md", "retention"):
        with pytest.raises(AccessDeniedError, match=f"cat.{what} is about all runs"):
            getattr(cat, what)
    assert site.visible("admin").retention.rules() == []


def test_the_name_under_which_a_catalog_is_served_decides(site):
    identity, _ = site.identities["key for others"]

    assert len(site.access.visible(site.catalog, identity, "x")) == len(site.expected("ann"))
    assert not site.access.may_open(identity, "raw")


# what changes


def test_a_deleted_run_is_not_told_of_to_who_could_not_read_it(cat, store):
    access = Access(store)
    access.experiments.create("ours", instrument="XPP")
    with cat.start_run(experiment="ours", scan_id=7) as run:
        pass
    uid = run.uid
    seen = access.visible(cat, PUBLIC)
    cat.plan_deletion(uid).execute(reason="a test")

    for key in (uid, uid[:4], 7):
        with pytest.raises(RunNotFoundError, match="No run") as caught:
            seen[key]
        assert not isinstance(caught.value, RunDeletedError)
        with pytest.raises(RunDeletedError, match="was deleted"):
            cat[key]
    assert seen.changes(0)[0] == []
    assert seen.deleted == []
    assert len(cat.deleted) == 1


def test_what_is_decided_later_holds_for_the_next_catalog(cat, store):
    access = Access(store)
    with cat.start_run(experiment="ours"):
        pass
    access.users.add("ann")
    ann = access.identify_trusted("ann")

    def seen() -> int:
        return len(access.visible(cat, ann))

    assert seen() == 1  # no experiment has been made yet: its name is a field like any other
    access.experiments.create("others", instrument="XPP")
    assert seen() == 0  # nobody has made the one that is named
    access.experiments.create("ours", instrument="XPP")
    assert seen() == 0
    access.experiments.set_role("ours", "ann", "reader")
    assert seen() == 1
    access.experiments.set_role("ours", "ann", None)
    assert seen() == 0
    access.experiments.open("ours")
    assert seen() == 1
    access.experiments.restrict("ours")
    assert seen() == 0


def test_an_amendment_moves_a_run_to_another_experiment(cat, store):
    access = Access(store)
    access.experiments.create("open", instrument="XPP", is_open=True)
    access.experiments.create("ours", instrument="XPP")
    with cat.start_run(experiment="open"):
        pass
    assert len(access.visible(cat, PUBLIC)) == 1
    cat[-1].amend({"experiment": "ours"}, reason="a test")

    assert len(access.visible(cat, PUBLIC)) == 0
