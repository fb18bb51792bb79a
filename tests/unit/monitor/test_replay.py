"""Checks over past files and runs: what they would have said, and nothing is written unless asked for."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import hutch.monitor
from hutch.errors import ConfigurationError
from hutch.monitor.checks import Verdict
from hutch.monitor.plots.column_statistics import ColumnStatistics
from hutch.monitor.plots.hot_pixel import HotPixel
from hutch.monitor.reading.watching import sight_file
from hutch.monitor.verdicts.replaying import keep_reference, sightings_of, summarize
from hutch.store import Topic

from ...larpix_files import packets, write_packets

WARM = {"warm": {"check": "Range", "field": "T", "high": 300, "medium_high": 290, "of": "last"}}


def growing(path, values):
    with h5py.File(path, "w") as file:
        file.create_dataset("T", data=np.asarray(values, dtype=float), maxshape=(None,), chunks=(64,))
    return path


def test_a_file_is_judged_as_it_would_have_been_while_it_grew(tmp_path):
    values = np.concatenate(
        [np.full(500, 280.0), np.full(300, 295.0), np.full(200, 310.0), np.full(100, 285.0)]
    )
    path = growing(tmp_path / "a.h5", values)
    (found,) = hutch.monitor.replay([path], WARM, rows_at_once=100)

    assert (found.source, found.name, found.verdict) == (str(path), "warm", Verdict.GOOD)
    assert [(turn.row, turn.verdict, turn.value) for turn in found.turns] == [
        (100, "good", 280.0), (600, "medium", 295.0), (900, "bad", 310.0), (1100, "good", 285.0),
    ]  # fmt: skip
    assert found.last.rows == 1100
    assert [*tmp_path.iterdir()] == [path]


def test_packets_are_judged_by_their_rate_and_their_channels(tmp_path):
    rows = packets(6000, seed=1)
    path = tmp_path / "packets.h5"
    write_packets(path, rows)
    tables = {
        "packet_rate": {"check": "Rate", "low_hz": 10, "least_s": 1},
        "hot": {"check": "HotChannels", "factor": 100},
        "shape": {"check": "ChiSquare", "plot": "PacketRate", "array": "nothing"},
    }
    by_name = {found.name: found for found in hutch.monitor.replay([path], tables)}

    assert by_name["hot"].verdict is Verdict.GOOD
    seconds = rows["timestamp"][rows["packet_type"] == 4].astype(np.int64)
    # Of whole seconds: from the first timestamp to the beginning of the last second.
    last = int(seconds.max())
    before = int(np.flatnonzero((rows["packet_type"] == 4) & (rows["timestamp"] == last))[0])
    assert by_name["packet_rate"].last.value == pytest.approx(before / (last - int(seconds.min())))
    assert summarize(by_name.values())["shape"] == {
        "good": 0, "medium": 0, "bad": 0, "null": 0, "failed": 1,
    }  # fmt: skip


def test_a_check_that_is_no_use_says_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIXEL_GEOMETRY_PATH", raising=False)
    write_packets(tmp_path / "packets.h5", packets(500))
    tables = {"hot": {"check": "HotChannels", "plot": "PixelMap_1_1"}}
    (found,) = hutch.monitor.replay([tmp_path / "packets.h5"], tables)

    assert "layout-2.4.0.yaml" in found.problem
    assert found.to_json()["failed"]
    # What no plot of the file fits is not judged.
    assert [*hutch.monitor.replay([tmp_path / "packets.h5"], WARM)] == []


def test_checks_are_a_file_or_a_mistake(tmp_path):
    path = growing(tmp_path / "a.h5", [280.0] * 10)
    (tmp_path / "checks.toml").write_text("[monitor.checks.warm]\ncheck = 'Range'\nfield = 'T'\n")

    (found,) = hutch.monitor.replay([path], tmp_path / "checks.toml")
    assert found.verdict is Verdict.GOOD
    with pytest.raises(ConfigurationError, match="there is no check 'Rnge'"):
        hutch.monitor.replay([path], {"warm": {"check": "Rnge"}})


def test_parts_that_were_accumulated_elsewhere_are_judged_when_they_are_merged(tmp_path):
    rows = packets(4000, seed=3)
    whole, parts = HotPixel(), [HotPixel() for _ in range(3)]
    path = tmp_path / "packets.h5"
    write_packets(path, rows)
    from hutch.monitor.checks import HotChannels, Seen
    from hutch.monitor.reading.opening import open_source

    with open_source(sight_file(path).spec) as source:
        whole.update(source.read(0, 4000))
        for number, part in enumerate(parts):
            part.update(source.read(number * 1400, min((number + 1) * 1400, 4000)))
    restored = HotPixel()
    for part in parts[::-1]:
        other = HotPixel()
        other.restore(part.state())
        restored.merge(other)

    check = HotChannels(least=100)
    assert check(Seen("a", "HotPixel", restored, 4000), []) == check(Seen("a", "HotPixel", whole, 4000), [])


def test_a_saved_reference_is_what_others_are_compared_with(catalog, tmp_path):
    steady = growing(tmp_path / "steady.h5", [280.0, 281.0, 279.0] * 10)
    other = growing(tmp_path / "other.h5", [290.0, 291.0, 289.0] * 10)
    plots = {"ColumnStatistics": ColumnStatistics}
    keep_reference(catalog, "steady", [sight_file(steady)], plots, "alice")
    drift = {"check": "Drift", "plot": "ColumnStatistics", "series": "series", "field": "T", "bad_above": 5}
    found = hutch.monitor.replay(
        [steady, other], {"drift": {**drift, "references": ["steady"]}}, catalog=catalog
    )

    assert [one.verdict for one in found] == ["good", "bad"]
    assert catalog.store.saved_reference("steady").author == "alice"


def record(catalog, *values, **metadata):
    with catalog.start_run(**metadata) as run:
        for value in values:
            run.add("primary", {"T": value})
    return run.uid


def test_runs_are_judged_and_nothing_is_written_unless_asked_for(catalog):
    uids = [record(catalog, 280.0, *last, sample="A") for last in ((281.0,), (301.0,), (295.0, 302.0))]
    before = catalog.store.last_change()
    found = [*hutch.monitor.replay(catalog.runs(), WARM, catalog=catalog, rows_at_once=1)]

    assert [(one.run, one.verdict) for one in found] == list(zip(uids, ["good", "bad", "bad"], strict=True))
    assert [(turn.row, turn.verdict) for turn in found[2].turns] == [(1, "good"), (2, "medium"), (3, "bad")]
    assert summarize(found) == {"warm": {"good": 1, "medium": 0, "bad": 2, "null": 0, "failed": 0}}
    assert catalog.store.last_change() == before

    list(hutch.monitor.replay(catalog.runs(), WARM, catalog=catalog, post=True))
    assert [run.uid for run in catalog.search({"dqm.warm": "bad"}).runs()] == uids[1:]
    verdict = catalog[uids[1]].verdicts()["warm"]
    assert (verdict.author, verdict.origin["rows"]) == ("monitor replay", [0, 2])
    # It is past: nobody is told.
    assert Topic.VERDICT not in {change.topic for change in catalog.store.changes(0)}
    assert next(iter(sightings_of(catalog[uids[0]], ["primary", "none"]))).rows == 2
