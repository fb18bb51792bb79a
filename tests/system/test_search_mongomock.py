"""MongoDB's language means here, on both databases, what mongomock says where that says what MongoDB does.

It does not for True and 1, NaN, None, ``$size`` of scalars, ``$all: []``, lists within ``$in`` and ``$all``,
``$elemMatch`` and ``$not``; nor, of a path through a list, for ``$all``, and for ``$exists: False`` where
some elements have it. So none of these is drawn.
"""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis
import mongomock
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hutch
from hutch.queries import condition_of
from hutch.queries.matching import matches
from hutch.recording import Recorder

KEYS = ["a", "b", "c"]

scalars = st.integers(-2, 3) | st.sampled_from([0.5, 1.0, 2.5]) | st.sampled_from(["", "a", "ab", "b", "A"])
objects = st.dictionaries(st.sampled_from(KEYS), scalars | st.lists(scalars, max_size=3), max_size=3)
values = scalars | st.lists(scalars, max_size=3) | objects | st.lists(objects, min_size=1, max_size=3)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=3)

paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=2).map(".".join)
numbers = st.integers(-2, 3) | st.sampled_from([0.5, 1.0])


@st.composite
def one_field(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(OPERATORS))
    match name:
        case "$gt" | "$gte" | "$lt" | "$lte":
            return {name: draw(numbers | st.sampled_from(["", "a", "b"]))}
        case "$in" | "$nin":
            return {name: draw(st.lists(scalars, max_size=3))}
        case "$all":
            return {name: draw(st.lists(scalars, min_size=1, max_size=2))}
        case "$exists":
            return {name: draw(st.booleans())}
        case "$size":
            return {name: draw(st.integers(0, 3))}
        case "$regex":
            return {name: draw(st.sampled_from(["a", "^a", "b$", "^$", "[ab]b"]))}
    return {name: draw(scalars)}


OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$all", "$exists", "$regex")


def _differs(query: dict[str, Any]) -> bool:
    return any(
        "." in path and ("$all" in test or test.get("$exists") is False) for path, test in query.items()
    )


simple = st.one_of(
    st.builds(lambda path, value: {path: value}, paths, scalars | st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda path, test: {path: test}, paths, one_field()).filter(lambda query: not _differs(query)),
)
queries = st.recursive(
    simple,
    lambda inner: st.builds(
        lambda name, parts: {name: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)

collection = mongomock.MongoClient().db.runs

many = settings(max_examples=2000, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@many
@given(documents, queries)
def test_a_query_means_what_mongomock_says(document, query):
    collection.delete_many({})
    collection.insert_one({"_id": 1, **document})
    expected = collection.count_documents(query) == 1

    assert matches(condition_of(query), {"start": document, "stop": None}) == expected


RUNS = 100
QUERIES = 1000


def examples(strategy, count, seed):
    found = []

    @hypothesis.seed(seed)
    @settings(many, max_examples=count, phases=[hypothesis.Phase.generate])
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_store_finds_what_mongomock_finds(database, tmp_path, request):
    where = tmp_path / "store"
    if database == "postgresql":
        where = request.getfixturevalue("postgres_server").make_store(tmp_path / "files")
    theirs = mongomock.MongoClient().db.runs
    with contextlib.closing(hutch.open_catalog(where)) as cat:
        recorder = Recorder(cat.store)
        for number, document in enumerate(examples(documents, RUNS, 4)):
            start = {"uid": f"{number:03}", "time": 1000.0 + number, **document}
            recorder("start", start)
            theirs.insert_one({"_id": number, **start})
        recorder.close()
        for query in examples(queries, QUERIES, 5):
            expected = [found["uid"] for found in theirs.find(query).sort("time", 1)]
            assert list(cat.search(query)) == expected, query
