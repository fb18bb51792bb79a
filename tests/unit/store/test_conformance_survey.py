"""What every backend must tell about many runs at once, and about everything."""

from __future__ import annotations

import sqlite3

import pytest

from hutch.documents import encode, leaves
from hutch.store import DocumentRow, Mark, RunContents
from hutch.store.reading import surveying as survey

from .conftest import add_batch, add_run, add_segment, numbers


def test_runs_come_by_id_from_one_on(store) -> None:
    ids = [add_run(store, f"run-{number}", time=-float(number)) for number in range(5)]

    assert [row.id for row in store.runs_after(0, 3)] == ids[:3]
    assert [row.uid for row in store.runs_after(ids[2], 10)] == ["run-3", "run-4"]
    assert store.runs_after(ids[-1], 10) == []


def test_contents_are_those_of_each_run_and_of_no_other(store) -> None:
    first, empty, last, other = (add_run(store, name) for name in ("first", "empty", "last", "other"))
    for run in (first, last, other):
        segment = add_segment(store, run, numbers(2))
        add_batch(store, run, numbers(2), segment, first_arrival=4)
        add_batch(store, run, numbers(2), segment, first_arrival=2)
        with store.transaction() as writer:
            writer.add_documents(
                run,
                [
                    DocumentRow(number, "resource", f"{run}-{number}", encode({"number": number}))
                    for number in (1, 0)
                ],
            )
            writer.add_marks(run, [Mark("primary", "x", "is text", run, 2)])
            writer.quarantine(run, "event", f"of {run}", b"{}")
    with store.transaction() as writer:
        writer.quarantine(None, "event", "of nobody", b"{}")

    found = store.contents(first, last)
    assert sorted(found) == [first, last]
    assert empty not in found
    for run, contents in found.items():
        assert contents == RunContents(
            store.batches(run),
            store.segments(run),
            store.documents(run),
            store.marks(run),
            [("event", f"of {run}")],
        )
        assert len(contents.batches) == len(contents.documents) == 2


def test_bodies_are_those_in_rows(store) -> None:
    runs = [add_run(store, name) for name in "abc"]
    for run in runs:
        segment = add_segment(store, run, numbers(3))
        add_batch(store, run, numbers(3), segment)
        add_batch(store, run, numbers(200_000), segment, first_arrival=4)

    found = store.bodies(runs[0], runs[1])
    expected = [batch for run in runs[:2] for batch in store.batches(run) if batch.file is None]
    assert found == {batch.id: store.read_bytes(batch) for batch in expected}
    assert len(found) == 2
    assert store.count_bytes() == sum(batch.size for run in runs for batch in store.batches(run))


def test_an_empty_store_has_no_bytes(store) -> None:
    assert store.count_bytes() == 0
    assert list(store.leaf_pages()) == []


def test_the_index_comes_whole_in_pages(store, monkeypatch) -> None:
    monkeypatch.setattr(survey, "_LEAVES_AT_ONCE", 7)
    documents = [
        {"sample": "Ä" * number, "n": number / 3, "none": None, "list": [1, True, "x"], "big": 2**70, "o": {}}
        for number in range(9)
    ]
    expected = set()
    for number, document in enumerate(documents):
        run = add_run(store, f"run-{number}", time=number / 7)
        with store.transaction() as writer:
            writer.add_leaves(run, number / 7, leaves(document))
        expected |= {(run, number / 7, *leaf) for leaf in leaves(document)}

    pages = list(store.leaf_pages())
    found = [row for page in pages for row in page]
    assert len(found) == len(expected)
    assert set(found) == expected
    assert all(len(page) == 7 for page in pages[:-1])


def test_a_mark_that_no_longer_holds_is_removed(store) -> None:
    run = add_run(store, "run")
    marks = [Mark("primary", "x", "is text", 1, 2), Mark("primary", "y", "is text", 3, 4)]
    with store.transaction() as writer:
        writer.add_marks(run, marks)
    with store.transaction() as writer:
        writer.remove_mark(run, marks[0])

    assert store.marks(run) == marks[1:]


def test_a_sound_database_has_nothing_to_say(store) -> None:
    add_run(store, "run")

    assert store.check_database() == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_rows_of_a_run_that_is_not_there_are_named(backend, store) -> None:
    run = add_run(store, "run")
    add_segment(store, run, numbers(1))
    connection = sqlite3.connect(f"{backend.address}/hutch.db")
    with connection:
        connection.execute("DELETE FROM runs")
    connection.close()

    assert store.check_database() == [
        "1 rows of table 'segments' name a row of table 'runs' that is not there"
    ]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_processes_that_own_nothing_any_more_are_forgotten_after_a_week(backend, store, monkeypatch) -> None:
    run = add_run(store, "run")
    owner = store.run_by_id(run).owner
    ended = store.run_by_id(add_run(backend.open(), "ended")).owner
    with store.transaction() as writer:
        writer.end_run(run + 1, b"{}", "success")
    monkeypatch.setattr("hutch.store.writing.runs._FORGET_S", -3600.0)
    add_run(backend.open(), "other")

    assert store.owner(owner) is not None  # its run is open
    assert store.owner(ended) is None
