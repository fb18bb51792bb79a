"""A real monitor, with worker processes, judges a file that grows while a run is open."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.documents import decode
from hutch.errors import ConfigurationError
from hutch.monitor.reading.run_watching import RunWatcher
from hutch.monitor.reading.watching import FolderWatcher
from hutch.monitor.verdicts.setup import set_up_judging
from hutch.monitor.working.cycle import Monitor
from hutch.store import Topic

from ...larpix_files import append_packets, packets, write_packets

CHECKS = """
[monitor.checks.packet_rate]
check = "Rate"
low_hz = 500
least_s = 1
window_s = 3
"""


@pytest.fixture
def folders(tmp_path):
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "checks.toml").write_text(CHECKS)
    return tmp_path


def slowly(start_s, seconds):
    """Return packets that come at a fifth of the rate, from a time on."""
    rows = packets(seconds * 180, start_s=start_s, messages_per_second=8)
    return rows[: np.searchsorted(np.cumsum(rows["packet_type"] == 4), seconds * 8)]


def test_the_verdict_is_in_the_run_while_the_file_grows(folders):
    path = folders / "in" / "packets.h5"
    rows = packets(6000)
    write_packets(path, rows)
    end = int(rows["timestamp"][rows["packet_type"] == 4].max())
    with hutch.open_catalog(folders / "store") as catalog, catalog.start_run(plan_name="daq") as run:
        judging = set_up_judging(
            folders / "out", checks=folders / "checks.toml", catalog=catalog, attach="open", serve=True
        )
        watcher = FolderWatcher(folders / "in")
        names = {"plots": ["PacketRate", "HotPixel"], "workers": 1}
        with (
            judging,
            Monitor(
                folders / "out", [watcher], publisher=judging.publisher, observers=judging.observers, **names
            ) as monitor,
        ):
            assert not monitor.cycle().failures
            assert [one.uid for one in catalog.search({"dqm.packet_rate": "good"}).runs()] == [run.uid]
            append_packets(path, slowly(end + 1, 8))
            assert not monitor.cycle().failures

            assert [one.uid for one in catalog.search({"dqm.packet_rate": "bad"}).runs()] == [run.uid]
            assert catalog[run.uid].status == "running"
            tiles = {row.plot: row for row in catalog.store.tiles()}
        verdict = catalog[run.uid].verdicts()["packet_rate"]

        assert verdict.origin["rows"] == [0, 6000 + len(slowly(end + 1, 8))]
        assert verdict.origin["source"] == str(path)
        (change,) = [one for one in catalog.store.changes(0) if one.topic is Topic.VERDICT]
        figure = catalog.store.frozen_figure(verdict.number)
        assert change.reference == f"bad {verdict.number} packet_rate"
        assert figure.picture.startswith(b"\x89PNG")
        assert decode(tiles["PacketRate"].meta)["verdicts"]["packet_rate"]["verdict"] == "bad"
        assert decode(tiles["HotPixel"].meta)["verdicts"] == {}
        assert tiles["PacketRate"].run == catalog[run.uid].row.id
        assert catalog.store.tile_picture(str(path), "PacketRate").startswith(b"\x89PNG")
        # What the plot has accumulated is kept when the monitor ends, to be compared with.
        (kept,) = catalog.store.plot_states_of_run(catalog[run.uid].row.id, "PacketRate")
        assert kept.rows == verdict.origin["rows"][1]
    lines = (folders / "out" / "packets_dqm" / "verdicts.jsonl").read_text().splitlines()
    assert [json.loads(line)["verdict"] for line in lines] == ["good", "bad"]


def wait_for_rows(catalog, uid, count):
    """Wait until so many rows of a run are committed."""
    for _ in range(100):
        cursor = catalog.store.last_change()
        if catalog[uid].count_rows().get("primary") == count:
            return
        catalog.store.wait(cursor, 1)
    pytest.fail("the rows did not come")


def test_a_run_of_the_catalog_is_judged_while_it_is_recorded(catalog, folders):
    (folders / "warm.toml").write_text(
        "[monitor.checks.warm]\ncheck = 'Range'\nfield = 'T'\nhigh = 300\nof = 'mean'\n"
    )
    watcher = RunWatcher(catalog)
    judging = set_up_judging(folders / "out", checks=folders / "warm.toml", catalog=catalog)
    with (
        judging,
        Monitor(
            folders / "out",
            [watcher],
            plots=["ColumnStatistics"],
            workers=1,
            publisher=judging.publisher,
            observers=judging.observers,
        ) as monitor,
    ):
        with catalog.start_run(plan_name="scan") as run:
            for count, value in enumerate([280.0, 400.0, 10.0], start=1):
                run.add("primary", {"T": value})
                wait_for_rows(catalog, run.uid, count)
                assert not monitor.cycle().failures
            history = catalog[run.uid].verdict_history()
            assert [(one.verdict, one.value) for one in history] == [
                ("good", 280.0),
                ("bad", 340.0),
                ("good", 230.0),
            ]
            run.add("primary", {"T": 290.0})
        monitor.cycle()
        judging.rest()

        verdict = catalog[run.uid].verdicts()["warm"]
        assert (verdict.verdict, verdict.value) == ("good", 245.0)
        (kept,) = catalog.store.plot_states_of_run(catalog[run.uid].row.id, "ColumnStatistics")
        assert (kept.source, kept.rows) == (f"{run.uid}/primary", 4)
    assert verify(catalog.store).errors == []
    catalog.plan_deletion([run.uid]).execute("a test")
    assert catalog.store.plot_states_of_run(kept.run, "ColumnStatistics") == []
    assert catalog.store.frozen_figure(history[1].number) is None
    assert verify(catalog.store).errors == []


ENDS = """
[monitor.checks.warm]
check = "Range"
field = "T"
high = 300
of = "last"

[monitor.checks.few]
check = "Range"
field = "T"
high = 300
least = 10
"""


@pytest.mark.parametrize("between", ["goes on", "is idle for long", "is started again"])
def test_a_run_that_ends_after_its_last_rows_were_drawn_is_judged_once_more(catalog, folders, between):
    (folders / "ends.toml").write_text(ENDS)
    watcher = RunWatcher(catalog)
    judging = set_up_judging(folders / "out", checks=folders / "ends.toml", catalog=catalog, serve=True)
    with contextlib.ExitStack() as stack:

        def start():
            stack.enter_context(judging)
            options = {"publisher": judging.publisher, "observers": judging.observers}
            return stack.enter_context(
                Monitor(folders / "out", [watcher], plots=["ColumnStatistics"], workers=1, **options)
            )

        monitor = start()
        with catalog.start_run(plan_name="scan") as run:
            for count, value in enumerate([280.0, 285.0, 290.0], start=1):
                run.add("primary", {"T": value})
                wait_for_rows(catalog, run.uid, count)
                assert monitor.cycle().pictures == 1
            if between == "is idle for long":
                judging.keeper.settle(all_of_them=True)
            elif between == "is started again":
                stack.close()
                watcher = RunWatcher(catalog)
                monitor = start()
                monitor.cycle()
        assert monitor.cycle().failures == {}

        verdicts = catalog[run.uid].verdicts()
        assert (verdicts["warm"].verdict, verdicts["warm"].value) == ("good", 290.0)
        assert (verdicts["few"].verdict, verdicts["few"].origin["rows"]) == (None, [0, 3])
        (kept,) = catalog.store.plot_states_of_run(catalog[run.uid].row.id, "ColumnStatistics")
        assert kept.rows == 3
        (tile,) = catalog.store.tiles()
        about = decode(tile.meta)
        assert about["is_complete"]
        assert about["verdicts"]["warm"]["value"] == 290.0
        assert tile.picture_bytes
        assert monitor.cycle().sources == 0


def test_without_checks_nobody_looks(folders):
    (folders / "checks.toml").write_text("")
    judging = set_up_judging(folders / "out", checks=folders / "checks.toml")

    assert (judging.observers, judging.publisher, judging.checks) == ((), None, ())
    judging.rest()


def test_what_needs_a_catalog_says_so(folders):
    for asked in ({"serve": True}, {"attach": "open"}):
        with pytest.raises(ConfigurationError, match="it takes a catalog"):
            set_up_judging(folders / "out", **asked)
    with pytest.raises(ConfigurationError, match="cannot be attached to 'all' runs"):
        set_up_judging(folders / "out", attach="all")
