"""Plots of one worker share rows and a process, and nothing that one does there changes what others show."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hutch.monitor.batch import Batch, Deferred

from .cycling import Bench, TellsSettings, shipped_telling


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_plot_that_writes_into_shared_rows_fails_and_falsifies_nothing(bench: Bench) -> None:
    bench.plug_in("altering", _ALTERING)
    bench.grow("a", range(1000))
    with bench.monitor() as monitor:
        failures = monitor.cycle().failures
    assert set(failures) == {("a", "Adds"), ("a", "Overwrites"), ("a", "AltersWhatWasMade")}
    for failure in failures.values():
        assert failure.what == "update"
        assert "read-only" in failure.sentence
    for good in ("Total", "Other"):
        assert bench.state("a", good) == {"total": sum(range(1000)), "rows": 1000, "cursor": 1000}


_ALTERING = """
from .good import Total

def doubled(batch):
    return batch["values"] * 2

class Adds(Total):
    def update(self, batch):
        values = batch["values"]
        values += 1

class Overwrites(Total):
    def update(self, batch):
        batch.columns["values"][:] = 0

class AltersWhatWasMade(Total):
    def update(self, batch):
        batch.once(doubled)[0] = 1
"""


@dataclass(frozen=True)
class _Kinds:
    kinds: np.ndarray


def _kinds(batch: Batch) -> tuple[_Kinds, int]:
    return _Kinds(np.zeros(len(batch))), 0


def test_nothing_of_a_batch_can_be_written_to_and_nothing_is_copied() -> None:
    rows = np.zeros(3, [("kind", "u1"), ("adc", "u1")])
    frames = np.zeros((3, 2, 2))
    facts = {"messages": np.zeros(2), "version": "2.4"}
    table = Batch("a.h5", "packets", 0, rows, facts)
    stream = Batch("a/primary", "run", 0, {"adc": rows["adc"], "frames": Deferred(3, lambda: frames)})
    shared = [table.columns, table["adc"], table.facts["messages"], table.once(_kinds)[0].kinds]
    for array in [*shared, stream["adc"], stream["frames"]]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    for columns in (table.facts, stream.columns):
        with pytest.raises(TypeError, match="item assignment"):
            columns["adc"] = rows["adc"]  # type: ignore[index]
    assert np.shares_memory(table["adc"], rows)
    assert np.shares_memory(stream["frames"], frames)
    # Whose the rows are may go on with them.
    rows["adc"] = 1
    assert table.facts["version"] == "2.4"


def test_what_a_plot_of_the_older_form_does_to_its_file_no_other_sees(bench: Bench) -> None:
    notes = bench.plugins / "notes"
    bench.plug_in("deeds", _DEEDS)
    bench.plug_in("summing", _SUMMING.replace("NOTES", repr(str(notes))))
    bench.grow("a", range(10))
    with bench.monitor() as monitor:
        assert monitor.cycle().failures == {}
        bench.grow("a", [10, 11])
        assert monitor.cycle().failures == {}
    assert notes.read_text().split() == [str(sum(range(10))), "21"]


_DEEDS = """
from matplotlib.figure import Figure

class Closes:
    formats = ("hdf5",)

    def __call__(self, filename, fh, fig=None):
        self.kept = fh["values"]
        fh.close()
        return Figure((1, 1), dpi=20)

class Deletes(Closes):
    def __call__(self, filename, fh, fig=None):
        self.kept = fh
        del fh["values"]
        return Figure((1, 1), dpi=20)

class Overwrites(Closes):
    def __call__(self, filename, fh, fig=None):
        fh["values"][:] = 0
        fh["mine"] = fh["values"][:] + 1
        assert fh["mine"][:].tolist() == [1] * len(fh["values"])
        return Figure((1, 1), dpi=20)
"""

_SUMMING = """
from matplotlib.figure import Figure

class Sums:
    formats = ("hdf5",)

    def __call__(self, filename, fh, fig=None):
        with open(NOTES, "a") as notes:
            print(sum(fh["values"]), file=notes)
        return Figure((1, 1), dpi=20)
"""


def test_a_plot_that_changes_the_working_folder_moves_nothing(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    bench.out = Path("out")
    bench.plug_in("leaving", _LEAVING.replace("ELSEWHERE", repr(str(elsewhere))))
    bench.plug_in("noting", _NOTING.replace("NOTES", repr(str(tmp_path / "notes"))))
    bench.grow("a", range(10))
    with bench.monitor() as monitor:
        assert monitor.cycle().failures == {}
    assert set((tmp_path / "notes").read_text().split()) == {str(tmp_path)}
    for name in ("Leaves", "Notes", "Total"):
        assert bench.picture("a", name).exists()
        assert bench.state("a", name)["rows"] == 10
    assert list(elsewhere.iterdir()) == []


_LEAVING = """
import os
from .good import Total

os.chdir(ELSEWHERE)

class Leaves(Total):
    def update(self, batch):
        os.chdir(ELSEWHERE)
        super().update(batch)

    def state(self):
        os.chdir(ELSEWHERE)
        return super().state()

    def figure(self, fig=None):
        os.chdir(ELSEWHERE)
        return super().figure(fig)
"""

_NOTING = """
import os
from .good import Total

here = os.getcwd()

class Notes(Total):
    def note(self):
        with open(NOTES, "a") as notes:
            print(here, os.getcwd(), file=notes)

    def update(self, batch):
        self.note()
        super().update(batch)

    def figure(self, fig=None):
        self.note()
        return super().figure(fig)
"""


def test_a_plot_draws_with_its_own_settings_of_matplotlib(bench: Bench) -> None:
    bench.plug_in("large", f"{inspect.getsource(TellsSettings)}\n{_LARGE}")
    path = bench.grow("a", range(10))
    with bench.monitor(shipped=shipped_telling) as monitor:
        for _ in range(2):
            assert monitor.cycle().failures == {}
            bench.grow("a", [1])
    told = {name: path.with_suffix(f".{name}").read_text() for name in ("Large", "Plain", "Shipped")}
    # What a plug-in sets while it is loaded, all plug-ins have.
    assert told == {
        "Large": "55.0, 9.0, Mine",
        "Plain": "10.0, 9.0, DejaVu Sans",
        "Shipped": "10.0, 1.5, DejaVu Sans",
    }


_LARGE = """
import matplotlib.pyplot as plt

plt.rcParams["lines.linewidth"] = 9

class Large(TellsSettings):
    def update(self, batch):
        super().update(batch)
        if batch.start == 0:
            plt.rcParams["font.size"] = 55
            plt.rcParams["font.sans-serif"].insert(0, "Mine")

class Plain(TellsSettings):
    pass
"""
