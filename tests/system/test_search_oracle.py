"""Searches find what a slow and plain reading of the documents finds, on both databases."""

from __future__ import annotations

import contextlib
import random

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings

import hutch
from hutch.catalogs.care.reindexing import reindex
from hutch.catalogs.changing.posting import post
from hutch.catalogs.verifying import verify
from hutch.documents import encode
from hutch.queries import condition_of
from hutch.queries.matching import matches
from hutch.recording import Recorder
from hutch.store.searching import planning, searching

from . import generated_queries as generated
from . import slow_queries as slow

many = settings(max_examples=1500, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@many
@given(run=generated.runs(), query=generated.queries)
def test_the_documents_of_a_run_are_tested_as_the_slow_reading_does(run, query):
    assert matches(condition_of(query), run) == slow.fits(query, run), (query, run)


# in a store

RUNS = 60
QUERIES = 1000
PARTS = [slice(-3, None), slice(None, None, -1), slice(1, 4), slice(None, None, 2), slice(-4, -1)]


def examples(strategy, count, seed):
    """Return examples of a strategy, the same each time."""
    found = []

    @hypothesis.seed(seed)
    @settings(many, max_examples=count, phases=[hypothesis.Phase.generate])
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


@pytest.fixture(scope="module")
def recorded():
    """Documents of runs, with what a run must have."""
    found = []
    for number, run in enumerate(examples(generated.runs(), RUNS, 1)):
        uid, time = f"{number:04x}-run", 1_600_000_000.0 + 10 * (number * 7 % RUNS)
        plan = ["scan", "count", "grid scan"][number % 3]
        start = {"uid": uid, "time": time, "scan_id": number % 20, "plan_name": plan, **run["start"]}
        stop = run["stop"]
        if stop is not None:
            stop = {
                "uid": f"{uid}-stop",
                "run_start": uid,
                "time": time + number,
                "exit_status": "success",
                **stop,
            }
        found.append({**run, "start": start, "stop": stop})
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def cat(request, recorded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    where = str(folder / "store")
    if request.param == "postgresql":
        where = request.getfixturevalue("postgres_server").make_store(folder / "files")
    with contextlib.closing(hutch.open_catalog(where)) as found:
        recorder = Recorder(found.store)
        for run in recorded:
            recorder("start", run["start"])
            if run["stop"] is not None:
                recorder("stop", run["stop"])
        recorder.close()
        for run in recorded:
            number = found[run["start"]["uid"]].row.id
            for source in ("param", "dqm"):
                for name, value in run[source].items():
                    post(found.store, number, source, name, 0, author="before")
                    post(found.store, number, source, name, value, author="test")
        yield found


@pytest.fixture(scope="module")
def queries():
    found = examples(generated.queries, QUERIES, 2)
    assert len({repr(query) for query in found}) > QUERIES * 0.8
    return found


def in_time(runs):
    return [run["start"]["uid"] for run in sorted(runs, key=lambda run: run["start"]["time"])]


def test_a_store_finds_what_the_slow_reading_finds(cat, recorded, queries):
    hits = 0
    for query in queries:
        expected = in_time(run for run in recorded if slow.fits(query, run))
        found = cat.search(query)
        assert list(found) == expected, query
        assert len(found) == len(expected), query
        hits += 0 < len(expected) < RUNS
    assert hits > QUERIES / 4


def test_what_large_sets_have_in_common_is_counted_right(cat, recorded, monkeypatch):
    # As if these few runs were many.
    monkeypatch.setattr(searching, "_MOST_MISSES", 2)
    monkeypatch.setattr(searching, "_MANY", 2)
    for plan in ("scan", "count"):
        for number in range(20):
            for query in (
                {"plan_name": plan, "scan_id": number},
                {"plan_name": plan, "stop.exit_status": "success"},
                {"plan_name": plan, "stop.exit_status": "success", "scan_id": number},
            ):
                expected = in_time(run for run in recorded if slow.fits(query, run))
                found = cat.search(query)
                assert len(found) == len(expected), query
                assert list(found) == expected, query
    assert len(cat.search({"plan_name": "scan", "stop.exit_status": "success"})) > 2


def test_values_that_are_asked_for_together_are_found_right(cat, recorded, queries, monkeypatch):
    # As if these few values were many.
    monkeypatch.setattr(searching, "MOST_APART", 1)
    monkeypatch.setattr(planning, "MOST_APART", 1)
    for query in queries:
        expected = in_time(run for run in recorded if slow.fits(query, run))
        assert list(cat.search(query)) == expected, query


@pytest.mark.parametrize("path", ["scan_id", "a", "b", "param.g", "stop.a", "a.b", "time"])
def test_one_of_very_many_values_is_found_as_the_slow_reading_finds_it(cat, recorded, path):
    odd = [
        *generated.NUMBERS,
        *generated.ODD_NUMBERS,
        *generated.TEXTS,
        *generated.ODD_TEXTS,
        None,
        True,
        [1],
    ]
    many_values = [*odd, *range(5, 700), *(f"x{number}" for number in range(700))]
    for chosen in (many_values, many_values[60:], odd[:8] + many_values[60:]):
        for query in (
            {path: {"$in": chosen}},
            {path: {"$nin": chosen}},
            {"plan_name": "scan", path: {"$in": chosen}},
            {"plan_name": "scan", path: {"$nin": chosen}},
            {"time": {"$gte": 1_600_000_200.0}, "$or": [{path: value} for value in chosen]},
        ):
            expected = in_time(run for run in recorded if slow.fits(query, run))
            found = cat.search(query)
            assert list(found) == expected, query
            assert len(found) == len(expected), query
            assert list(found[-2:]) == expected[-2:], query


def test_results_can_be_sliced_searched_and_looked_up_in(cat, recorded, queries):
    chance = random.Random(3)
    for query in queries[::5]:
        expected = in_time(run for run in recorded if slow.fits(query, run))
        found = cat.search(query)
        for part in (
            slice(-3, None),
            slice(None, None, -1),
            slice(1, 4),
            slice(None, None, 2),
            slice(-4, -1),
        ):
            assert list(found[part]) == expected[part], (query, part)
        assert list(found[::-1][:3]) == expected[::-1][:3], query
        assert [run.uid for run in found.head(2).runs()] == expected[:2], query
        if expected:
            assert found[-1].uid == expected[-1], query
            assert found[0].uid == expected[0], query
        another = chance.choice(queries)
        both = in_time(run for run in recorded if slow.fits(query, run) and slow.fits(another, run))
        assert list(found.search(another)) == both, (query, another)
        last = [uid for uid in expected[-5:] if uid in both]
        assert list(found[-5:].search(another)) == last, (query, another)
        for run in chance.sample(recorded, 3):
            uid = run["start"]["uid"]
            assert (uid in found) == (uid in expected), (query, uid)


@pytest.mark.parametrize(
    "path", ["a", "b", "plan_name", "a.b", "c.0", "stop.a", "param.g", "dqm.a", "scan_id", "start.stop"]
)
def test_values_are_counted_as_the_slow_reading_counts_them(cat, recorded, queries, path):
    for query in [{}, {"plan_name": "scan"}, queries[7]]:
        counts = []
        for run in recorded:
            if slow.fits(query, run):
                for value in distinct(run, path):
                    add(counts, value)
        found = cat.search(query).distinct(path, counts=True)
        assert len(found) == len(counts)
        for value, count in counts:
            assert found[value] == count, (query, value)


def distinct(run, path):
    head, _, rest = path.partition(".")
    if head in ("param", "dqm"):
        reached = [run[head][rest]] if rest in run[head] else []
    else:
        document = run[head] if head in ("start", "stop") else run["start"]
        parts = rest if head in ("start", "stop") else path
        reached = [item for item in slow.leads_to(document, parts.split(".")) if item is not slow.MISSING]
    found = []
    for item in reached:
        for value in item if isinstance(item, list) else [item]:
            if not any(slow.same(value, known) for known in found):
                found.append(value)
    return found


def add(counts, value):
    for number, (known, count) in enumerate(counts):
        if slow.same(known, value):
            counts[number] = (known, count + 1)
            return
    counts.append((value, 1))


@pytest.mark.parametrize("path", ["a", "plan_name", "scan_id", "b", "stop.time", "time"])
@pytest.mark.parametrize("direction", [1, -1])
def test_runs_are_sorted_as_the_slow_reading_sorts_them(cat, recorded, path, direction):
    by_time = sorted(recorded, key=lambda run: run["start"]["time"])
    expected = sorted(by_time, key=lambda run: rank(run, path, direction), reverse=direction < 0)
    found = cat.sort((path, direction))
    assert list(found) == [run["start"]["uid"] for run in expected]
    assert found[0].uid == expected[0]["start"]["uid"]
    assert list(found[:5]) == [run["start"]["uid"] for run in expected[:5]]


def rank(run, path, direction):
    head, _, rest = path.partition(".")
    document, parts = (run["stop"], rest) if head == "stop" else (run["start"], path)
    reached = [item for item in slow.leads_to(document, parts.split(".")) if item is not slow.MISSING]
    ranks = []
    for item in reached:
        ranks += [place(value) for value in item] if isinstance(item, list) else [place(item)]
        if item == []:
            ranks.append((-1, 0))
    best = min if direction > 0 else max
    return best(ranks, default=(0, 0))


def place(value):
    kind = slow.kind_of(value)
    if kind == "number" and value != value:
        return (1, 0)
    order = {"NoneType": 0, "number": 2, "str": 3, "dict": 4, "list": 5, "bool": 6}[kind]
    if kind in ("dict", "list"):
        return (order, encode(normal(value)))
    return (order, 0 if value is None else value)


def normal(value):
    if isinstance(value, dict):
        return {key: normal(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_an_index_that_is_made_anew_is_the_same(cat):
    found = verify(cat.store)
    assert not [finding for finding in found.errors if "index" in finding.kind.value], found.errors
    done = reindex(cat.store)
    assert (done.completed, done.removed) == (0, 0)
