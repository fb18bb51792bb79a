"""The monitor's cycle: every row once, pictures of the newest state, and what is on disk."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest

import hutch
from hutch.errors import ConfigurationError, StoreUnavailableError
from hutch.monitor.observing import Tile
from hutch.monitor.reading.run_watching import RunWatcher
from hutch.monitor.reading.watching import sight_file
from hutch.monitor.working.cycle import Limits, Monitor
from hutch.monitor.working.running import alone_in, make_once, run

from ... import larpix_files as larpix
from .cycling import BARE, TEMPLATE, Bench, open_breaking, open_with_a_hole


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class Told(list[Tile]):
    """A publisher that remembers."""

    def publish(self, tile: Tile) -> None:
        self.append(tile)


class RowsSeen:
    """An observer that says how many rows a plot has."""

    def observe(self, sighting: Any, name: str, plot: Any, seen: int) -> Sequence[Any]:
        return [(name, plot.rows, seen)]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_row_counts_once_however_it_comes(bench: Bench) -> None:
    bench.grow("a", range(10))
    told = Told()
    with bench.monitor(workers=2, publisher=told, observers=[RowsSeen()]) as monitor:
        first = monitor.cycle()
        assert (first.rows, first.pictures, first.failures) == (10, 2, {})
        # A cycle in which nothing has come asks nothing of the workers; the second look settles the file.
        assert [monitor.cycle().sources for _ in range(3)] == [0, 0, 0]
        picture = bench.picture("a", "Total").read_bytes()
        bench.grow("a", range(10, 1000))
        bench.grow("b", [5, 6])
        assert monitor.cycle().pictures == 4
    assert bench.state("a", "Total") == {"total": sum(range(1000)), "rows": 1000, "cursor": 1000}
    assert bench.state("b", "Other") == {"total": 11, "rows": 2, "cursor": 2}
    assert bench.picture("a", "Total").read_bytes() != picture
    status = bench.status("a")["Total"]
    assert (status["rows_seen"], status["rows_there"], status["fraction"]) == (1000, 1000, 1.0)
    assert status["error"] is None
    assert 0 < status["seconds"] < 30
    assert status["picture"] == "a_Total.png"
    drawn = [tile for tile in told if tile.plot == "Total" and tile.sighting.spec.base == "a"]
    assert [tile.judgements for tile in drawn] == [(("Total", 10, 10),), (("Total", 1000, 1000),)]
    assert [tile.fraction for tile in drawn] == [1.0, 1.0]
    assert drawn[-1].picture == bench.picture("a", "Total").read_bytes()


def test_a_monitor_that_starts_again_goes_on_where_the_last_one_was(bench: Bench) -> None:
    bench.grow("a", range(100))
    with bench.monitor() as monitor:
        monitor.cycle()
    before = bench.picture("a", "Total").stat().st_mtime_ns
    with bench.monitor() as monitor:
        again = monitor.cycle()
        assert (again.pictures, again.rows) == (0, 0)
    assert bench.picture("a", "Total").stat().st_mtime_ns == before
    bench.picture("a", "Other").unlink()
    bench.grow("b", [1])
    with bench.monitor() as monitor:
        # The lost picture, and those of the new file.
        later = monitor.cycle()
        assert (later.pictures, later.rows) == (3, 1)
        bench.grow("a", [1])
        assert monitor.cycle().rows == 1
    assert bench.state("a", "Total") == {"total": sum(range(100)) + 1, "rows": 101, "cursor": 101}


def test_a_file_that_was_replaced_begins_anew(bench: Bench) -> None:
    path = bench.grow("a", range(100))
    with bench.monitor() as monitor:
        monitor.cycle()
        path.unlink()
        bench.grow("a", [7, 8])
        monitor.cycle()
    assert bench.state("a", "Total") == {"total": 15, "rows": 2, "cursor": 2}


@pytest.mark.parametrize("rows", [[], [5], range(1000)])
def test_a_file_that_was_cut_short_while_no_monitor_ran_begins_anew(bench: Bench, rows) -> None:
    path = bench.grow("a", range(100))
    with bench.monitor() as monitor:
        monitor.cycle()
    with h5py.File(path, "a") as file:
        file["values"].resize(40, axis=0)
    bench.grow("a", rows)
    with bench.monitor() as monitor:
        monitor.cycle()
    expected = sum(range(40)) + sum(rows)
    assert bench.state("a", "Total") == {"total": expected, "rows": 40 + len(rows), "cursor": 40 + len(rows)}
    status = bench.status("a")["Total"]
    assert (status["rows_seen"], status["rows_there"], status["fraction"]) == (40 + len(rows),) * 2 + (1.0,)


def test_a_file_that_is_cut_short_and_grows_between_two_looks_begins_anew(bench: Bench) -> None:
    path = bench.grow("a", range(100))
    with bench.monitor() as monitor:
        monitor.cycle()
        with h5py.File(path, "a") as file:
            file["values"].resize(40, axis=0)
        bench.grow("a", range(70))
        monitor.cycle()
    assert bench.state("a", "Total")["total"] == sum(range(40)) + sum(range(70))


def test_what_is_not_done_is_not_let_go_of(bench: Bench) -> None:
    clock = Clock()
    bench.grow("a", range(10))
    bench.out.mkdir()
    (bench.out / "a_dqm").write_text("in the way")
    with bench.monitor(clock=clock, flush_interval_s=0.0) as monitor:
        monitor.cycle()
        clock.now += 61
        monitor.cycle()
        assert list(monitor.watched) == ["a"]
        (bench.out / "a_dqm").unlink()
        monitor.cycle()
        assert bench.picture("a", "Total").exists()
        clock.now += 61
        monitor.cycle()
        assert monitor.watched == {}


def test_rows_that_cannot_be_read_are_told_and_do_not_count_as_seen(bench: Bench) -> None:
    told = Told()
    with bench.monitor(opener=open_with_a_hole, publisher=told, plots=["Total"]) as monitor:
        bench.grow("a", range(100))
        monitor.cycle()
    with bench.monitor(opener=open_with_a_hole, plots=["Total"]) as monitor:
        bench.grow("a", range(50))
        monitor.cycle()
    status = bench.status("a")["Total"]
    assert (status["rows_unreadable"], status["bad_ranges"], status["fraction"]) == (10, 1, 140 / 150)
    assert told[-1].fraction == 0.9
    assert bench.state("a", "Total")["total"] == sum(range(100)) - sum(range(20, 30)) + sum(range(50))
    said = [one for one in bench.said if "cannot be read" in one]
    assert said[0] == "a: 10 rows cannot be read, and are passed over; the last are 20 to 29: torn"


def test_reading_that_breaks_off_goes_on_where_it_was(bench: Bench) -> None:
    path = bench.grow("a", range(5))
    with bench.monitor(opener=open_breaking, plots=["Total"]) as monitor:
        monitor.cycle()
        path.with_suffix(".broken").touch()
        bench.grow("a", range(5, 3000))
        assert {one.what for one in monitor.cycle().failures.values()} == {"read"}
        path.with_suffix(".broken").unlink()
        while monitor.cycle().failures:
            pass
    assert path.with_suffix(".begins").read_text().split() == ["0", "5", "1005", "2005"]
    assert bench.state("a", "Total") == {"total": sum(range(3000)), "rows": 3000, "cursor": 3000}


def test_rows_that_are_gone_before_they_are_read_are_not_waited_for(bench: Bench) -> None:
    path = bench.grow("a", range(10))
    with Monitor(bench.out, plugins=[str(bench.plugins)], shipped=dict, workers=1) as monitor:
        report = make_once(monitor, replace(sight_file(path), rows=20))
    assert (report.rows, report.is_behind) == (10, False)
    assert bench.status("a")["Total"]["fraction"] == 0.5


def test_a_state_that_cannot_be_read_is_made_anew(bench: Bench) -> None:
    bench.grow("a", range(100))
    with bench.monitor() as monitor:
        monitor.cycle()
    for plot in ("Total", "Other"):
        file = bench.out / ".hutch-monitor" / "states" / "a" / f"{plot}.npz"
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if plot == "Total" else b"")
    with bench.monitor() as monitor:
        monitor.cycle()
    assert bench.state("a", "Total")["total"] == bench.state("a", "Other")["total"] == sum(range(100))


def test_a_backlog_is_drawn_before_it_is_done_and_every_row_counts(bench: Bench) -> None:
    values = np.arange(3_000_000)
    bench.grow("a", values)
    told = Told()
    # No patience: a picture after each part that is read.
    limits = Limits(30.0, 300_000_000, 0.0)
    with bench.monitor(interval_s=0.0, publisher=told, limits=limits, plots=["Total"]) as monitor:
        reports = [monitor.cycle()]
        while reports[-1].is_behind and len(reports) < 20:
            reports.append(monitor.cycle())
    assert len(reports) > 1
    fractions = [tile.fraction for tile in told]
    assert 0 < fractions[0] < 1
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert bench.state("a", "Total") == {
        "total": int(values.sum()),
        "rows": len(values),
        "cursor": len(values),
    }


def test_plots_that_wait_to_be_drawn_hold_nothing_up_and_are_drawn_in_turn(bench: Bench) -> None:
    more = [f"class More{number}(Total): pass\n" for number in range(4)]
    bench.plug_in("more", "from .good import Total\n" + "".join(more))
    bench.grow("a", range(10))
    told = Told()
    # No patience: one picture in each cycle.
    with bench.monitor(interval_s=0.0, publisher=told, observers=[RowsSeen()]) as monitor:
        first = monitor.cycle()
        assert (first.rows, first.pictures, first.is_behind) == (10, 1, True)
        status = bench.status("a")
        assert len(status) == 6
        assert {one["rows_seen"] for one in status.values()} == {10}
        assert sum(one["drawn"] is not None for one in status.values()) == 1
        assert {tile.plot for tile in told if tile.judgements == ((tile.plot, 10, 10),)} == set(status)
        for cycle in range(1, 12):
            bench.grow("a", [cycle])
            report = monitor.cycle()
            assert (report.rows, report.pictures, report.is_behind) == (1, 1, True)
            assert {one["rows_seen"] for one in bench.status("a").values()} == {10 + cycle}
        drawn = [tile.plot for tile in told if tile.picture]
        assert sorted(drawn) == sorted([*status, *status])
        # A new file is looked at though the pictures of another wait.
        bench.grow("b", [1, 2])
        assert monitor.cycle().rows == 2
        assert {one["rows_seen"] for one in bench.status("b").values()} == {2}
        while monitor.cycle().is_behind:
            pass
        newest = {(tile.sighting.spec.base, tile.plot): tile.seen for tile in told if tile.picture}
        assert newest == {(base, plot): rows for base, rows in (("a", 21), ("b", 2)) for plot in status}


def test_plots_of_one_file_are_all_drawn_however_short_the_interval_is(bench: Bench) -> None:
    path = bench.grow("a", range(10))
    options = {"plugins": [str(bench.plugins)], "shipped": dict, "workers": 1, "interval_s": 0.0}
    with Monitor(bench.out, **options) as monitor:
        report = make_once(monitor, sight_file(path))
    assert (report.failures, report.is_behind) == ({}, False)
    assert bench.picture("a", "Total").exists()
    assert bench.picture("a", "Other").exists()


def test_a_sample_takes_the_newest_rows_and_says_what_it_left_out(bench: Bench) -> None:
    bench.grow("a", range(1000))
    with bench.monitor(sample=100) as monitor:
        monitor.cycle()
        bench.grow("a", [1, 2])
        monitor.cycle()
    assert bench.state("a", "Total") == {"total": sum(range(900, 1000)) + 3, "rows": 102, "cursor": 1002}
    assert bench.status("a")["Total"]["fraction"] == pytest.approx(102 / 1002)


def test_what_is_in_the_way_of_pictures_and_states_is_said_and_got_over(bench: Bench) -> None:
    bench.grow("a", range(10))
    bench.out.mkdir()
    (bench.out / "a_dqm").write_text("in the way")
    (bench.out / ".hutch-monitor").mkdir()
    (bench.out / ".hutch-monitor" / "states").write_text("in the way")
    with bench.monitor() as monitor:
        assert {one.what for one in monitor.cycle().failures.values()} == {"write"}
        bench.grow("a", range(10, 20))
        assert {one.what for one in monitor.cycle().failures.values()} == {"write"}
        assert any("cannot be written to" in sentence for sentence in bench.said)
        said = len(bench.said)
        monitor.cycle()
        assert len(bench.said) == said
        (bench.out / "a_dqm").unlink()
        (bench.out / ".hutch-monitor" / "states").unlink()
        report = monitor.cycle()
    assert (report.failures, report.pictures) == ({}, 2)
    assert bench.state("a", "Total")["total"] == sum(range(20))
    assert bench.said[-1] == "Total and 1 other of a: drawn again."


def test_a_file_that_rests_is_let_go_of_and_taken_up_where_it_was(bench: Bench) -> None:
    clock = Clock()
    bench.grow("a", range(10))
    with bench.monitor(clock=clock, flush_interval_s=60.0) as monitor:
        monitor.cycle()
        monitor.cycle()
        clock.now += 61
        monitor.cycle()
        assert monitor.watched == {}
        bench.grow("a", [1])
        assert monitor.cycle().rows == 1
    assert bench.state("a", "Total") == {"total": 46, "rows": 11, "cursor": 11}


def test_files_that_rest_cost_their_workers_nothing_and_memory_stays_flat(bench: Bench) -> None:
    for number in range(100):
        bench.grow(f"idle{number}", [number])
    with bench.monitor(plots=["Total"]) as monitor:
        assert monitor.cycle().pictures == 100
        monitor.cycle()
        (worker,) = _workers_of(monitor)

        def grow(cycles: int) -> None:
            for number in range(cycles):
                bench.grow("busy", [number])
                assert monitor.cycle().sources == 1

        grow(20)
        resident, processes = worker.memory_info().rss, psutil.Process().num_fds()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        grow(50)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        # A figure that leaks is about 100 kB, and there would be fifty.
        assert grown < 150_000
        assert worker.memory_info().rss - resident < 3_000_000
        assert psutil.Process().num_fds() == processes
    assert bench.state("busy", "Total")["rows"] == 70


def test_the_cycles_of_a_day_wait_by_the_clock_that_is_given(bench: Bench) -> None:
    bench.grow("a", [1])
    waited: list[float] = []
    with bench.monitor(plots=["Total"]) as monitor:
        run(monitor, 30.0, wait=waited.append, is_over=lambda: len(waited) == 288)
    assert len(waited) == 288
    assert 0 < min(waited) <= max(waited) <= 30.0


def test_a_plot_of_the_older_form_sees_new_rows_only_and_its_template_works(bench: Bench) -> None:
    bench.plug_in("template", TEMPLATE)
    bench.plug_in("counting", _COUNTING.replace("NOTES", repr(str(bench.plugins / "notes"))))
    bench.grow("a", range(10))
    # The template says nothing of formats: it is for packets, as those of the older monitor all are.
    with bench.monitor(plots=["Counting"]) as monitor:
        assert monitor._crew.plots["TemplatePlot"].formats == ("packets", "raw")
        monitor.cycle()
        bench.grow("a", range(10, 15))
        monitor.cycle()
        notes = (bench.plugins / "notes").read_text().split()
        (worker,) = _workers_of(monitor)
        worker.kill()
        worker.wait()
        bench.grow("a", [15])
        report = monitor.cycle()
    assert notes == ["a.h5:10:none", "a.h5:5:had"]
    assert report.failures == {}
    # The figure died with its process: all rows come again.
    assert (bench.plugins / "notes").read_text().split()[2:] == ["a.h5:16:none"]


def test_a_plot_that_accumulates_and_has_nothing_but_its_methods_is_for_larpix_files(bench: Bench) -> None:
    bench.plug_in("bare", BARE)
    larpix.write_packets(bench.data / "a.h5", larpix.packets(50))
    with bench.monitor(plots=["Bare"]) as monitor:
        assert monitor.cycle().failures == {}
        larpix.append_packets(bench.data / "a.h5", larpix.packets(10))
        assert monitor.cycle().pictures == 1
    assert bench.state("a", "Bare") == {"rows": 60, "cursor": 60}
    assert bench.picture("a", "Bare").exists()
    (said,) = [sentence for sentence in bench.said if "is for nothing" in sentence]
    assert said.startswith("Nowhere of ") and "it has formats = ()" in said


_COUNTING = """
import os
import matplotlib.pyplot as plt

class Counting:
    formats = ("hdf5",)

    def __call__(self, filename, fh, fig=None):
        with open(NOTES, "a") as notes:
            name = os.path.basename(filename)
            print(f"{name}:{len(fh['values'])}:{'none' if fig is None else 'had'}", file=notes)
        if fig is None:
            fig = plt.figure(figsize=(1, 1), dpi=20)
        assert plt.fignum_exists(fig.number)
        plt.figure()
        assert len(plt.get_fignums()) == 2
        return fig
"""


def test_plots_of_one_file_are_made_once(bench: Bench) -> None:
    path = bench.grow("a", range(50))
    states = bench.out.parent / "states"
    with bench.monitor(states=states, extension="svg", plots=["Total"]) as monitor:
        report = make_once(monitor, sight_file(path))
    assert (report.failures, report.is_behind) == ({}, False)
    assert b"<svg" in (bench.out / "a_dqm" / "a_Total.svg").read_bytes()
    assert not (bench.out / ".hutch-monitor").exists()


def test_an_unknown_plot_is_refused_naming_the_nearest(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="no plot 'Totl'. Did you mean 'Total'"):
        bench.monitor(plots=["Totl"])


def test_what_was_left_half_written_is_removed_and_what_is_being_written_is_not(bench: Bench) -> None:
    files = [
        folder / f".hutch-new-{age}.png"
        for folder in (bench.out / "a_dqm", bench.out / ".hutch-monitor" / "states" / "a")
        for age in ("new", "old")
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
        if file.stem.endswith("old"):
            os.utime(file, (1e9, 1e9))
    with bench.monitor():
        assert [file.exists() for file in files] == [True, False, True, False]


def test_two_monitors_do_not_write_into_one_folder(bench: Bench) -> None:
    bench.out.write_text("no folder")
    with pytest.raises(ConfigurationError, match="Name another folder with -o"), alone_in(bench.out):
        pass
    bench.out.unlink()
    with alone_in(bench.out), pytest.raises(ConfigurationError, match="Another monitor"), alone_in(bench.out):
        pass
    with alone_in(bench.out):
        pass


def _workers_of(monitor: Monitor) -> list[psutil.Process]:
    return [psutil.Process(hand.process.pid) for hand in monitor._crew._hands]


_APPENDING = """
import matplotlib.pyplot as plt
import numpy as np

class PacketsOfEachType(object):
    def __call__(self, filename, fh, fig=None):
        timestamp_mask = fh['packets']['packet_type'] == 4
        unixtime = fh['packets'][timestamp_mask]['timestamp']
        counts = [np.count_nonzero(fh['packets']['packet_type'] == kind) for kind in range(8)]
        if fig is not None:
            line = fig.get_axes()[0].get_lines()[0]
            line.set_xdata(np.append(line.get_xdata(), [max(unixtime)], axis=0))
            line.set_ydata(np.append(line.get_ydata(), [sum(counts)], axis=0))
        else:
            fig, axes = plt.subplots(dpi=20)
            axes.plot([max(unixtime)], [len(fh['packets'])])
        with open(NOTES, 'w') as notes:
            print(*fig.get_axes()[0].get_lines()[0].get_ydata(), file=notes)
        return fig
"""


def test_a_plot_in_the_manner_of_the_older_monitor_appends_to_its_lines(bench: Bench) -> None:
    notes = bench.plugins / "notes"
    bench.plug_in("appending", _APPENDING.replace("NOTES", repr(str(notes))))
    larpix.write_packets(bench.data / "p.h5", larpix.packets(300, seed=1))
    raw = larpix.packets(200, seed=3)
    with bench.monitor() as monitor:
        assert monitor.cycle().failures == {}
        assert notes.read_text().split() == ["300"]
        larpix.append_packets(bench.data / "p.h5", larpix.packets(250, seed=2))
        monitor.cycle()
        assert notes.read_text().split() == ["300", "250"]
        larpix.write_raw(bench.data / "r.h5", raw)
        assert monitor.cycle().failures == {}
        assert len(notes.read_text().split()) == 1
    assert bench.picture("r", "PacketsOfEachType").exists()


def test_a_run_is_drawn_while_it_is_recorded(bench: Bench, tmp_path: Path) -> None:
    with hutch.open_catalog(tmp_path / "store") as catalog:
        watchers = [RunWatcher(catalog)]
        with Monitor(bench.out, watchers, plots=["Lines"], workers=1, say=bench.said.append) as monitor:
            with catalog.start_run(plan_name="scan") as run:
                for x in range(5):
                    run.add("primary", {"x": float(x), "y": x * 2.5})
                while not monitor.watched:
                    assert watchers[0].wait(30.0)
                    monitor.cycle()
            while not all(watched.sighting.is_complete for watched in monitor.watched.values()):
                assert watchers[0].wait(30.0)
                report = monitor.cycle()
        (watched,) = monitor.watched.values()
        assert watched.sighting.run == run.uid
        assert watched.plots["Lines"].seen == 5
        assert report.failures == {}
        assert bench.picture(watched.base, "Lines").exists()


def test_what_nobody_could_be_told_because_the_store_was_away_is_told_when_it_is_back(bench: Bench) -> None:
    class Away(Told):
        is_away = True

        def publish(self, tile: Tile) -> None:
            if self.is_away:
                raise StoreUnavailableError("The server of the store does not answer")
            super().publish(tile)

    bench.grow("a", range(10))
    told = Away()
    options = {"publisher": told, "observers": [RowsSeen()], "plots": ["Total"], "flush_interval_s": 0.0}
    with bench.monitor(**options) as monitor:
        assert monitor.cycle().pictures == 1
        assert monitor.cycle().pictures == 1  # once a cycle, and no oftener
        told.is_away = False
        monitor.cycle()
        assert [monitor.cycle().pictures for _ in range(2)] == [0, 0]
    assert [(tile.seen, tile.judgements, tile.picture is None) for tile in told] == [
        (10, (("Total", 10, 10),), False)
    ]
    assert sum("cannot be published" in sentence for sentence in bench.said) == 1
