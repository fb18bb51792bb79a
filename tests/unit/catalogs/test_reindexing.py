"""The index made again from the documents: whatever is missing or strange in it, and whatever goes on."""

from __future__ import annotations

import threading

import pytest

from hutch.catalogs.care import index_verifying, reindexing
from hutch.catalogs.care.reindexing import Reindexed, reindex
from hutch.documents import leaves
from hutch.errors import RunNotFoundError

from .damage import Damaged

RUNS = 12


@pytest.fixture
def many(place) -> Damaged:
    """A store with runs that were recorded, amended and not ended."""
    with place.open() as cat:
        for number in range(RUNS):
            with cat.start_run(sample=f"S{number}", nested={"list": [1, 2.5, "x"], "none": None}):
                pass
        cat[-1].amend({"sample": "amended"}, remove=["nested"], reason="a test")
        recorder = cat.recorder()
        recorder("start", {"uid": "interrupted", "time": 5.0, "sample": "open"})
        recorder.close()
    return place


def rows(place) -> list:
    return place.say("SELECT key, type, number, text, time, run FROM leaves ORDER BY 1, 2, 3, 4, 5, 6")


def run_reindex(place, runs=None) -> Reindexed:
    with place.open() as cat:
        return reindex(cat.store, runs)


def test_a_right_index_is_left_as_it_is(many) -> None:
    before = rows(many)
    with many.open() as cat:
        last = cat.store.last_change()
        steps: list[tuple[int, int]] = []
        done = reindex(cat.store, progress=lambda *step: steps.append(step))
        assert cat.store.last_change() == last

    assert done == Reindexed(runs=RUNS + 1)
    assert steps == [(RUNS + 1, RUNS + 1)]
    assert rows(many) == before


@pytest.mark.parametrize(
    ("statements", "removed"),
    [
        (["DELETE FROM leaves"], 0),
        (["DELETE FROM leaves WHERE key = 'sample'"], 0),
        (["UPDATE leaves SET key = 'strange' WHERE key = 'sample'"], RUNS + 1),
        (["UPDATE leaves SET time = time + 1 WHERE key = 'sample'"], RUNS + 1),
        (["UPDATE leaves SET run = run + 1000 WHERE key = 'sample'"], RUNS + 1),
        (["UPDATE leaves SET run = -run WHERE key = 'sample'"], RUNS + 1),
        (["DELETE FROM leaves WHERE key <> 'sample'", "UPDATE leaves SET text = 'z'"], RUNS + 1),
    ],
)
def test_any_index_becomes_what_follows_from_the_documents(many, monkeypatch, statements, removed) -> None:
    monkeypatch.setattr(reindexing, "_RUNS_AT_ONCE", 5)
    monkeypatch.setattr(index_verifying, "_ROWS_AT_ONCE", 100)
    before = rows(many)
    for statement in statements:
        many.change(statement)

    done = run_reindex(many)
    assert rows(many) == before
    assert (done.runs, done.completed, done.removed) == (RUNS + 1, RUNS + 1, removed)
    assert run_reindex(many) == Reindexed(runs=RUNS + 1)
    assert many.kinds() == {"interrupted": 1}


def test_some_runs_alone_can_be_indexed(many, monkeypatch) -> None:
    monkeypatch.setattr(reindexing, "_RUNS_OF_A_PASS", 1)
    before = rows(many)
    many.change("UPDATE leaves SET key = 'strange' WHERE key = 'sample'")
    with many.open() as cat:
        chosen = [cat[-1].row.id, cat[-2].row.id]
    done = run_reindex(many, chosen)

    assert done == Reindexed(runs=2, completed=2, cleared=2, removed=2)
    assert [row for row in rows(many) if row[5] in chosen] == [row for row in before if row[5] in chosen]
    assert many.say("SELECT count(*) FROM leaves WHERE key = 'strange'")[0][0] == RUNS - 1


def test_runs_that_cannot_be_read_keep_their_index_rows(many) -> None:
    many.change("UPDATE runs SET start = ? WHERE uid = 'interrupted'", b"{")
    before = rows(many)
    many.change("UPDATE leaves SET key = 'strange' WHERE text = 'S3'")
    done = run_reindex(many)

    assert (done.unreadable, done.completed, done.removed) == (1, 1, 1)
    assert rows(many) == before


def test_what_deleted_runs_left_goes(many) -> None:
    with many.open() as cat:
        number = cat[-1].row.id
        cat.plan_deletion([cat[-1]]).execute("a test")
    left = [row for row in rows(many) if row[5] == number]
    many.change("INSERT INTO leaves VALUES ('sample', 4, 0, 'ghost', 1, ?)", number)
    assert left == []

    done = run_reindex(many)
    assert (done.cleared, done.removed) == (1, 1)
    assert many.kinds() == {"interrupted": 1}


def test_a_run_that_is_not_there_is_no_run(many) -> None:
    assert run_reindex(many, [12345]) == Reindexed(runs=1)


def test_no_index_row_is_ever_away_while_runs_are_recorded_amended_and_deleted(place) -> None:
    """Others write while the index is made again, and one looks all the time."""
    with place.open() as cat, place.open() as other:
        for number in range(40):
            with cat.start_run(sample=f"S{number}"):
                pass
        fixed = [(run.row, leaves(run.start) | leaves(run.stop, "stop")) for run in cat[:20].values()]
        over = threading.Event()
        missing: list[object] = []

        def look() -> None:
            while not over.is_set():
                for row, expected in fixed:
                    missing.extend(cat.store.missing_leaves(row.id, row.time, expected))

        def write() -> None:
            number = 0
            while not over.is_set():
                with other.start_run(sample="new") as run:
                    run.add("primary", {"x": 1.0})
                other[-1].amend({"sample": f"amended {number}"}, reason="a test")
                if number % 5 == 4:
                    other.plan_deletion([other[-1]]).execute("a test")
                number += 1

        threads = [threading.Thread(target=work) for work in (look, write)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            place.change("INSERT INTO leaves VALUES ('strange', 4, 0, 'x', 1, 3)")
            reindex(cat.store)
        # All rows of a run are asked for anew, those that are right among them.
        reindex(cat.store, [row.id for row, _ in fixed])
        over.set()
        for thread in threads:
            thread.join(timeout=30)

    assert missing == []
    assert place.verify().errors == []
    with place.open() as cat, pytest.raises(RunNotFoundError):
        cat["strange"]
