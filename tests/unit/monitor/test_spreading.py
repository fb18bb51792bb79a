"""Many machines accumulate what one does."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from distributed import Client

from hutch.errors import ConfigurationError
from hutch.monitor.checks.finding import find_checks
from hutch.monitor.checks.settings import make_checks
from hutch.monitor.keeping import Keeper
from hutch.monitor.plots import SHIPPED
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.watching import sight_file
from hutch.monitor.verdicts.replaying_elsewhere import replay_elsewhere
from hutch.monitor.working.spreading import accumulate, connected, keep_accumulated

from ... import larpix_files as larpix

PLUGIN = """
class Counting:
    formats = ("packets",)
    def __init__(self):
        self.rows = 0
    def update(self, batch):
        self.rows += len(batch)
    def merge(self, other):
        self.rows += other.rows
    def state(self):
        import numpy
        return {"rows": numpy.array(self.rows)}
    def restore(self, state):
        self.rows = int(state["rows"])
    def figure(self, fig=None):
        raise NotImplementedError


class Failing(Counting):
    def update(self, batch):
        raise ValueError("never")
"""

BREAKING = (
    PLUGIN
    + """

class Breaking(Counting):
    def update(self, batch):
        self.source = batch.source
    def state(self):
        if self.source.endswith("one.h5"):
            raise OSError(5, "Input/output error")
        return super().state()
"""
)


@pytest.fixture(scope="module")
def client():
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0") as found:
        yield found


@pytest.fixture
def geometry(tmp_path, monkeypatch):
    path = tmp_path / "layout.yaml"
    larpix.write_geometry(path, kind="single")
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(path))


def alone(sighting, name):
    """Return the state of a plot that has seen all rows in one process and one batch."""
    plot = SHIPPED[name]()
    with open_source(sighting.spec) as source:
        at = 0
        while at < sighting.rows:
            batch = source.read(at, sighting.rows)
            plot.update(batch)
            at = batch.stop
    return plot.state()


def same(one, other):
    assert set(one) == set(other)
    for name in one:
        assert np.array_equal(one[name], other[name]), name


@pytest.mark.usefixtures("geometry")
def test_parts_come_to_what_one_process_accumulates(client, tmp_path):
    sightings = []
    for number, kind in enumerate(("packets", "raw")):
        path = tmp_path / f"{kind}.h5"
        write = larpix.write_packets if kind == "packets" else larpix.write_raw
        write(path, larpix.packets(3000, seed=number))
        sightings.append(sight_file(path))
    told = []
    parts = max(one.rows for one in sightings) // 7
    found = list(
        accumulate(sightings, client, part_rows=parts, progress=lambda done, rows: told.append((done, rows)))
    )
    rows = sum(one.rows for one in sightings)
    assert told[-1] == (rows, rows) and len(told) > 7
    for sighting, one in zip(sightings, found, strict=True):
        names = [name for name, plot in SHIPPED.items() if sighting.spec.format in plot.formats]
        assert sorted(one.plots) == sorted(names) and one.stop == sighting.rows and not one.problems
        for name in names:
            same(one.plots[name].state(), alone(sighting, name))


def test_what_fails_is_named_and_the_others_go_on(client, tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    for name in ("good.h5", "gone.h5"):
        larpix.write_packets(tmp_path / name, larpix.packets(500, seed=1))
    sightings = [sight_file(tmp_path / name) for name in ("gone.h5", "good.h5")]
    (tmp_path / "gone.h5").unlink()
    plugins = [str(tmp_path / "mine.py")]
    gone, good = accumulate(sightings, client, names=["Counting", "Failing"], plugins=plugins, part_rows=100)
    assert "gone.h5" in gone.problem and not gone.plots
    assert good.problems == {"Failing": "ValueError: never"}
    assert good.plots["Counting"].rows == 500
    keep_accumulated(Keeper(tmp_path / "states"), good, plugins)
    kept, state = Keeper(tmp_path / "states").read("good", "Counting")
    assert (kept.cursor, kept.identity, int(state["rows"])) == (500, sightings[1].spec.identity, 500)


def test_an_error_that_is_none_of_hutch_s_is_named_too_and_the_others_go_on(client, tmp_path):
    (tmp_path / "mine.py").write_text(BREAKING)
    for name in ("one.h5", "two.h5"):
        larpix.write_packets(tmp_path / name, larpix.packets(300, seed=1))
    sightings = [sight_file(tmp_path / name) for name in ("one.h5", "two.h5")]
    told = []
    one, two = accumulate(
        sightings,
        client,
        names=["Breaking"],
        plugins=[str(tmp_path / "mine.py")],
        part_rows=100,
        progress=lambda done, rows: told.append((done, rows)),
    )
    assert "Input/output error" in one.problem and (one.stop, one.plots) == (0, {})
    assert (two.problem, two.stop, list(two.plots)) == ("", 300, ["Breaking"])
    assert told[-1] == (600, 600) and told == sorted(told)


def test_rows_that_are_not_there_any_more_do_not_count_as_seen(client, tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    path = tmp_path / "cut.h5"
    larpix.write_packets(path, larpix.packets(3000, seed=1))
    sighting = sight_file(path)
    with h5py.File(path, "a", locking=False) as file:
        file["packets"].resize(1500, axis=0)
    plugins = [str(tmp_path / "mine.py")]
    (found,) = accumulate([sighting], client, names=["Counting"], plugins=plugins, part_rows=1000)
    assert "1,500 instead of 3,000" in found.problem
    assert (found.stop, found.plots["Counting"].rows) == (1500, 1500)
    keep_accumulated(Keeper(tmp_path / "states"), found, plugins)
    assert Keeper(tmp_path / "states").read_kept("cut", "Counting").cursor == 1500


def test_a_source_that_no_worker_can_replay_says_so_and_the_others_go_on(client, tmp_path):
    for name in ("one", "two"):
        larpix.write_packets(tmp_path / f"{name}.h5", larpix.packets(300))
    tables = {"rate": {"check": "Rate"}}
    checks = make_checks(tables, find_checks([]), "the checks")
    lost, good = (sight_file(tmp_path / f"{name}.h5") for name in ("one", "two"))
    (tmp_path / "one.h5").unlink()

    found = list(replay_elsewhere([lost, good], checks, tables, client))

    assert "one.h5" in found[0][0].problem and found[0][0].to_json()["failed"]
    assert [(one.name, one.problem, one.last.rows) for one in found[1]] == [("rate", "", 300)]

    ((unmade,),) = replay_elsewhere([good], checks, {"rate": {"check": "Ratte"}}, client)
    assert (unmade.name, unmade.source) == ("rate", str(tmp_path / "two.h5"))
    assert "there is no check 'Ratte' (did you mean 'Rate'?)" in unmade.problem


def test_a_scheduler_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match="No scheduler of dask answers at 'tcp://127.0.0.1:1'"):
        with connected("tcp://127.0.0.1:1"):
            pass
