"""Runs whose process died, and that somebody else ends."""

from __future__ import annotations

import pytest

from hutch.catalogs.signatures import this_user
from hutch.errors import ConfigurationError, DocumentError, RunClosedError, RunDeletedError, RunOwnedError

from .damage import DESCRIPTOR, START, Damaged, event


@pytest.fixture
def interrupted(place) -> Damaged:
    with place.open() as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        recorder("descriptor", {**DESCRIPTOR, "uid": "b", "name": "baseline"})
        for number in (1, 2, 3):
            recorder("event", event(number))
        recorder.close()
    return place


def test_a_closed_run_has_a_stop_document_that_says_who_wrote_it(interrupted) -> None:
    with interrupted.open() as cat:
        run = cat["run-1"]
        stop = run.close_interrupted(reason="the power failed", author="me")

        assert (run.status, run.stop) == ("abort", stop)
        assert stop.reason == "closed afterwards by me: the power failed"
        assert stop.num_events == {"primary": 3, "baseline": 0}
        assert (stop.time, stop.run_start, stop.closed["by"]) == (4.0, "run-1", "me")
        assert stop.closed["time"] > 1.7e9
        assert list(run.documents(fill="no"))[-1] == ("stop", stop)
        assert cat.store.missing_leaves(run.row.id, run.row.time, []) == set()
    assert interrupted.kinds() == {}


def test_a_run_without_events_ends_when_it_began(place) -> None:
    with place.open() as cat:
        recorder = cat.recorder()
        recorder("start", START)
        recorder.close()
        stop = cat[-1].close_interrupted(reason="why not", exit_status="fail")

    assert (stop["time"], stop["exit_status"], stop["num_events"]) == (1.0, "fail", {})
    assert this_user() in stop["reason"]
    assert place.kinds() == {}


def test_a_run_that_has_ended_is_left_as_it_is(interrupted) -> None:
    with interrupted.open() as cat:
        first = cat[-1].close_interrupted(reason="once")
        with pytest.raises(RunClosedError, match="has ended already"):
            cat[-1].close_interrupted(reason="twice")
        assert cat[-1].stop == first


def test_a_run_that_is_recorded_is_not_ended(place) -> None:
    with place.open() as cat, cat.start_run() as run:
        with pytest.raises(RunOwnedError, match=r"is being recorded by .*\(process \d+ on .*\)"):
            cat[run.uid].close_interrupted(reason="impatience")
        run.add("primary", {"x": 1.0})
    with place.open() as cat:
        assert cat[-1].status == "success"


def test_a_run_that_was_deleted_is_not_ended(interrupted) -> None:
    with interrupted.open() as cat:
        run = cat[-1]
        cat.plan_deletion([run]).execute("a test")
        with pytest.raises(RunDeletedError):
            run.close_interrupted(reason="too late")


def test_how_it_ended_and_why_must_be_said(interrupted) -> None:
    with interrupted.open() as cat:
        with pytest.raises(DocumentError, match="not with 'done'"):
            cat[-1].close_interrupted(reason="why not", exit_status="done")
        with pytest.raises(ConfigurationError, match="The reason is ''"):
            cat[-1].close_interrupted(reason="")
        assert cat[-1].status == "interrupted"


def test_what_the_process_left_in_the_spool_comes_first(interrupted, tmp_path, monkeypatch) -> None:
    from hutch.documents import encode
    from hutch.recording.spooling.spool import SpoolName, mark_of

    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    with interrupted.open() as cat:
        path = tmp_path / "spool" / str(SpoolName.fresh("run-1", mark_of(cat.store), "free", 0))
        documents = [("start", START), ("descriptor", DESCRIPTOR), ("event", event(4))]
        path.write_bytes(b"".join(encode(list(document)) + b"\n" for document in documents))

        stop = cat["run-1"].close_interrupted(reason="the power failed")
        assert (stop.num_events["primary"], stop.time) == (4, 5.0)
    assert interrupted.kinds() == {}


def test_documents_that_come_afterwards_are_kept(interrupted) -> None:
    with interrupted.open() as cat:
        cat[-1].close_interrupted(reason="the power failed")
        recorder = cat.recorder()
        recorder("start", START)
        recorder("descriptor", DESCRIPTOR)
        recorder("event", event(4))
        stop = {"uid": "s", "run_start": "run-1", "time": 9.0, "exit_status": "success"}
        recorder("stop", stop)
        recorder.close()
    with interrupted.open() as cat:
        assert len(cat[-1].primary.read()["a"]) == 4
        assert [row.reason for row in cat[-1].quarantined] == ["the run has another stop document"]
    assert set(interrupted.kinds()) == {"more-events", "quarantine"}
