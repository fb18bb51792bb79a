"""Verdicts are in the catalog while a run is going: once, searchable, with what they rest on."""

from __future__ import annotations

import json

import pytest

import hutch
from hutch.documents import decode
from hutch.errors import StoreUnavailableError
from hutch.monitor.verdicts.attaching import Attachments
from hutch.monitor.verdicts.files import VerdictFile
from hutch.monitor.verdicts.keeping import VerdictKeeper
from hutch.monitor.verdicts.publishing import Publishers, TilePublisher
from hutch.store import Topic

from .watched import Clock, Watched, observer, read_state

WARM = {"warm": {"check": "Range", "field": "T", "high": 300, "medium_high": 290, "of": "last"}}
HYSTERESIS = {
    "level": {
        "check": "Threshold",
        "plot": "ColumnStatistics",
        "readout": "maximum",
        "reduce": "last",
        "high": 300,
        "good_high": 280,
    }
}


def told(catalog, after=0):
    """Return what the feed tells of verdicts that turned bad."""
    changes = catalog.store.changes(after)
    return [one.reference.split(" ", 2) for one in changes if one.topic is Topic.VERDICT]


@pytest.fixture
def keeper(catalog, tmp_path):
    return VerdictKeeper(tmp_path, catalog.store, Attachments(catalog.store), read_state=read_state)


def test_a_verdict_is_found_while_the_run_is_going(catalog, tmp_path, keeper):
    with catalog.start_run(plan_name="scan") as run:
        watched = Watched(observer(WARM, tmp_path), keeper, run=run.uid)
        watched.clock.now = catalog[run.uid].start["time"] + 10.0
        watched.grow(280)
        assert [one.uid for one in catalog.search({"dqm.warm": "good"}).runs()] == [run.uid]
        watched.grow(301)

        assert catalog[run.uid].status == "running"
        assert [one.uid for one in catalog.search({"dqm.warm": "bad"}).runs()] == [run.uid]
        assert len(catalog.search({"dqm.warm": "good"})) == 0
        verdict = catalog[run.uid].verdicts()["warm"]
        assert (verdict.verdict, verdict.value, verdict.author) == ("bad", 301.0, "monitor")
        assert verdict.sentence == "the last value of T is 301; good is up to 300."
        begun = catalog[run.uid].start["time"]
        assert dict(verdict.origin) == {
            "value": 301.0,
            "sentence": verdict.sentence,
            "check": "Range",
            "version": hutch.__version__,
            "parameters": {"field": "T", "high": 300, "medium_high": 290, "of": "last"},
            "plot": "ColumnStatistics",
            "plot_version": "1",
            "source": f"{run.uid}/primary",
            "stream": "primary",
            "rows": [0, 2],
            "interval": [begun, begun + 10.0],
            "references": [],
        }


def test_only_changes_are_posted_and_the_last_number_once_at_the_end(catalog, tmp_path, keeper):
    with catalog.start_run() as run:
        watched = Watched(observer(WARM, tmp_path), keeper, run=run.uid)
        for value in (280, 281, 282, 295, 296, 285):
            watched.grow(value)
    watched.grow(250, is_complete=True)
    watched.publisher.settle()

    history = catalog[-1].verdict_history("warm")
    assert [(one.verdict, one.value) for one in history] == [
        ("good", 280.0), ("medium", 295.0), ("good", 285.0), ("good", 250.0),
    ]  # fmt: skip
    assert [one.until for one in history] == [*(one.since for one in history[1:]), None]
    assert catalog[-1].verdict_history("other") == []


def test_a_verdict_that_turns_bad_is_told_once_until_it_has_been_good_again(catalog, tmp_path, keeper):
    with catalog.start_run() as run:
        watched = Watched(observer(WARM, tmp_path), keeper, run=run.uid)
        for value in (280, 301, 302, 295, 303, float("nan"), 304):
            watched.grow(value)
        ((verdict, number, name),) = told(catalog)
        assert (verdict, name) == ("bad", "warm")
        watched.grow(280)
        watched.grow(305)

    assert len(told(catalog)) == 2
    figure = catalog.store.frozen_figure(int(number))
    assert (figure.run, figure.plot) == (catalog[run.uid].row.id, "ColumnStatistics")
    assert figure.picture.startswith(b"\x89PNG")
    first = next(one for one in catalog[run.uid].verdict_history() if one.number == int(number))
    assert (first.verdict, first.value) == ("bad", 301.0)


@pytest.mark.parametrize("lost", ["nothing", "the line in the folder", "the folder"])
def test_a_monitor_that_is_started_again_says_nothing_twice(catalog, tmp_path, lost):
    with catalog.start_run() as run:
        for values in ([280, 301], [302], [303]):
            keeper = VerdictKeeper(tmp_path, catalog.store)
            watched = Watched(observer(WARM, tmp_path), keeper, run=run.uid)
            for value in values:
                watched.grow(value)
            file = tmp_path / f"{run.uid}_dqm" / "verdicts.jsonl"
            if lost == "the line in the folder":
                file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:1]) + b'{"cut')
            elif lost == "the folder":
                file.unlink()

    assert len(told(catalog)) == 1
    assert [one.verdict for one in catalog[run.uid].verdict_history("warm")] == ["good", "bad"]


def test_what_was_bad_stays_so_within_its_limits_after_a_restart(tmp_path):
    def grow(*values, identity="1"):
        watched = Watched(observer(HYSTERESIS, tmp_path), VerdictKeeper(tmp_path), identity=identity)
        return [found.verdict for value in values for found in watched.grow(value)]

    assert grow(290) == ["good"]
    assert grow(301) == ["bad"]
    assert grow(290) == ["bad"]
    # Another file at the same place has its own history.
    assert grow(290, identity="2") == ["good"]
    assert grow(270) == ["good"]
    assert grow(290) == ["good"]


def test_verdicts_of_files_stand_in_the_folder(tmp_path):
    watched = Watched(observer(WARM, tmp_path), VerdictKeeper(tmp_path))
    for value in (280, 281, 301):
        watched.grow(value)

    lines = [json.loads(line) for line in (tmp_path / "a_dqm" / "verdicts.jsonl").read_text().splitlines()]
    assert [(line["verdict"], line["value"], line["rows"]) for line in lines] == [
        ("good", 280.0, [0, 1]), ("bad", 301.0, [0, 3]),
    ]  # fmt: skip
    assert lines[0]["source"] == "/data/a.h5"
    assert lines[0]["run"] is None


def test_lines_that_are_cut_short_or_of_another_file_do_not_count(tmp_path):
    path = tmp_path / "a_dqm" / "verdicts.jsonl"
    VerdictFile(path, "1").append({"name": "warm", "verdict": "bad"})
    with path.open("a") as file:
        file.write('{"name": "warm", "verdict": "go')
    VerdictFile(path, "1").append({"name": "warm", "verdict": None})
    VerdictFile(path, "2").append({"name": "warm", "verdict": "good"})

    file = VerdictFile(path, "1")
    assert file.last("warm")["verdict"] is None
    assert file.last_verdict("warm") == "bad"
    assert file.last("cold") is file.last_verdict("cold") is None


def test_a_check_that_fails_says_so_and_stops_nothing(tmp_path, caplog):
    tables = {
        "broken": {"check": "Threshold", "plot": "ColumnStatistics", "readout": "nothing"},
        **WARM,
    }
    broken, warm = Watched(observer(tables, tmp_path), VerdictKeeper(tmp_path)).grow(280)

    assert (broken.verdict, broken.is_broken, warm.verdict) == (None, True, "good")
    assert "The check 'broken' has failed: The plot 'ColumnStatistics' has no read-out" in broken.sentence
    assert "has failed" in caplog.text


def test_a_check_is_for_one_stream_and_names_each_plot_of_several(tmp_path):
    tables = {
        "many": {"check": "Range", "field": "T", "plot": "Column*"},
        "baseline": {"check": "Range", "field": "T", "stream": "baseline"},
    }
    (found,) = Watched(observer(tables, tmp_path), VerdictKeeper(tmp_path), run="uid").grow(280)

    assert found.name == "many/ColumnStatistics"


# files that belong to runs


def test_a_file_belongs_to_the_run_whose_documents_name_it(catalog, tmp_path):
    recorder = catalog.recorder()
    attachments = Attachments(catalog.store)
    path = tmp_path / "data.h5"
    keeper = VerdictKeeper(tmp_path, catalog.store, attachments)
    watched = Watched(observer(WARM, tmp_path), keeper, path=str(path))
    watched.grow(301)
    assert attachments.run_of(str(path)) is None
    start = {"uid": "named", "time": 5.0}
    recorder("start", start)
    about = {"uid": "r", "run_start": "named", "mimetype": "application/x-hdf5", "data_key": "x"}
    recorder("stream_resource", {**about, "parameters": {}, "uri": f"file://localhost{path}"})
    while catalog.store.find_document("stream_resource", "r") is None:
        assert catalog.store.wait(catalog.store.last_change(), 10)
    assert attachments.run_of(str(path)).uid == "named"
    assert Attachments(catalog.store).run_of(str(path)).uid == "named"
    assert Attachments(catalog.store).run_of("/elsewhere.h5") is None
    recorder("stop", {"uid": "s", "run_start": "named", "time": 6.0, "exit_status": "success"})

    # What was said before the run named the file is said of the run as well.
    watched.grow(302)
    assert [run.uid for run in catalog.search({"dqm.warm": "bad"}).runs()] == ["named"]


def test_a_file_that_no_run_names_belongs_to_the_open_one_if_asked_for(catalog, tmp_path):
    with catalog.start_run() as first, catalog.start_run() as second:
        attachments = Attachments(catalog.store, attach_open=True)
        assert attachments.run_of("/data/a.h5").uid == second.uid
        assert Attachments(catalog.store).run_of("/data/a.h5") is None
    # It stays with its run when that has ended.
    assert attachments.run_of("/data/a.h5").uid == second.uid
    assert attachments.run_of("/data/b.h5") is None
    assert first.uid != second.uid


def test_the_interval_of_a_file_that_is_older_than_its_run_ends_not_before_it_begins(catalog, tmp_path):
    with catalog.start_run() as run:
        attachments = Attachments(catalog.store, attach_open=True)
        keeper = VerdictKeeper(tmp_path, catalog.store, attachments)
        watched = Watched(observer(WARM, tmp_path), keeper)
        begun = catalog[run.uid].start["time"]
        for written in (begun - 5.0, begun + 5.0):
            watched.clock.now = written
            watched.grow(280 if written < begun else 301)

    history = catalog[run.uid].verdict_history("warm")
    assert [list(one.origin["interval"]) for one in history] == [[begun - 5.0] * 2, [begun, begun + 5.0]]


# tiles


def test_tiles_tell_the_page_how_plots_stand(catalog, tmp_path):
    tiles = TilePublisher(catalog.store, keep=2)
    with catalog.start_run() as run:
        watched = Watched(observer(WARM, tmp_path), Publishers(VerdictKeeper(tmp_path), tiles), run=run.uid)
        watched.grow(280)
        watched.grow(301)
        (row,) = catalog.store.tiles()

    meta = decode(row.meta)
    assert (row.source, row.run) == (f"{run.uid}/primary", catalog[run.uid].row.id)
    assert (meta["seen"], meta["there"], meta["fraction"], meta["failure"]) == (2, 2, 1.0, None)
    assert meta["verdicts"]["warm"]["verdict"] == "bad"
    for number in range(3):
        clock = Clock()
        clock.now += number + 1
        Watched(observer(WARM, tmp_path), tiles, path=f"/{number}.h5", clock=clock).grow(280)
    assert [row.source for row in catalog.store.tiles()] == ["/1.h5", "/2.h5"]


def test_one_publisher_that_fails_keeps_no_other_from_being_told(tmp_path):
    class Broken:
        def publish(self, tile):
            raise OSError("no room")

    watched = Watched(observer(WARM, tmp_path), Publishers(Broken(), VerdictKeeper(tmp_path)))
    with pytest.raises(OSError, match="no room"):
        watched.grow(280)

    assert (tmp_path / "a_dqm" / "verdicts.jsonl").exists()


def test_verdicts_wait_for_a_store_that_is_away(catalog, tmp_path):
    class Away:
        is_away = False

        def __getattr__(self, name):
            if self.is_away:
                raise StoreUnavailableError("The server of the store does not answer")
            return getattr(catalog.store, name)

    store = Away()
    with catalog.start_run() as run:
        keeper = VerdictKeeper(tmp_path, store, read_state=read_state, settled_s=0.0)
        watched = Watched(observer(WARM, tmp_path), keeper, run=run.uid)
        watched.grow(280)
        store.is_away = True
        with pytest.raises(StoreUnavailableError):
            watched.grow(301)
        keeper.settle()
        with pytest.raises(StoreUnavailableError):
            keeper.settle(all_of_them=True)
        store.is_away = False
        keeper.settle()
        assert catalog[run.uid].verdicts()["warm"].verdict == "bad"
