"""Plots that misbehave fail alone, say why, and come back; a monitor that is killed loses nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from hutch.monitor.working.cycle import Limits, Monitor

from .cycling import FAULTS, Bench, faulty, open_in_small_parts
from .test_formats_packets import damage

_PATIENCE_S = 60.0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_plots_that_misbehave_fail_alone_say_why_and_come_back(bench: Bench, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    for name in FAULTS:
        bench.plug_in(name.lower(), faulty(name, flag))
    bench.grow("a", range(1000))
    with bench.monitor(workers=2, limit_s=2.0) as monitor:
        failures = {name: failure for (_, name), failure in monitor.cycle().failures.items()}
        assert set(failures) == set(FAULTS)
        expected = {
            "Raises": ("update", "ValueError: no such channel"),
            "Hangs": ("update", "longer than 2 s"),
            "EatsMemory": ("update", "more memory than"),
            "Exits": ("update", "status 7"),
            "Crashes": ("update", "SIGSEGV"),
            "ReturnsNothing": ("draw", "returned nothing; it must return the matplotlib Figure"),
            "HangsInDrawing": ("draw", "longer than 2 s"),
            "LeavesByExit": ("draw", "SystemExit: 3"),
            "Interrupts": ("update", "KeyboardInterrupt"),
            "KeepsObjects": ("update", "'hoard' holds Python objects"),
        }
        for name, (what, sentence) in expected.items():
            assert failures[name].what == what, name
            assert sentence in failures[name].sentence, name
        assert 'raise ValueError("no such' in failures["Raises"].traceback.replace("'", '"')
        assert "raise KeyboardInterrupt" in failures["Interrupts"].traceback
        assert bench.status("a")["Raises"]["error"]["traceback"] == failures["Raises"].traceback
        # The others in the same workers lost nothing, and counted nothing twice.
        for good in ("Total", "Other"):
            assert bench.state("a", good) == {"total": sum(range(1000)), "rows": 1000, "cursor": 1000}
            assert bench.picture("a", good).exists()
        assert bench.status("a")["Hangs"]["rows_seen"] == 0
        flag.unlink()
        bench.grow("a", [1])
        assert monitor.cycle().failures == {}
    for name in [*FAULTS, "Total", "Other"]:
        assert bench.state("a", name) == {"total": sum(range(1000)) + 1, "rows": 1001, "cursor": 1001}, name
        assert bench.picture("a", name).exists(), name


def test_a_plot_that_fails_again_and_again_is_tried_more_and_more_seldom(
    bench: Bench, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    bench.plug_in("raises", faulty("Raises", flag))
    bench.grow("a", range(5))
    times = []
    with bench.monitor(plots=["Raises", "Total"]) as monitor:
        for _ in range(16):
            times.append(monitor.cycle().failures["a", "Raises"].times)
    # Tried in cycles 1, 2, 4, 8 and 16.
    assert times == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5]
    assert len(bench.said) == 1


def test_the_last_good_picture_stays_while_a_plot_fails(bench: Bench, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    bench.plug_in("raises", faulty("Raises", flag))
    bench.grow("a", range(5))
    with bench.monitor(plots=["Raises"]) as monitor:
        monitor.cycle()
        picture = bench.picture("a", "Raises").read_bytes()
        flag.touch()
        bench.grow("a", range(5, 10))
        monitor.cycle()
    status = bench.status("a")["Raises"]
    assert bench.picture("a", "Raises").read_bytes() == picture
    assert (status["rows_seen"], status["rows_there"], status["picture"]) == (5, 10, "a_Raises.png")


def test_plug_ins_that_cannot_be_loaded_are_named_and_the_others_go_on(bench: Bench) -> None:
    bench.plug_in("misspelt", "import maplotlib.pyplot as plt\n")
    bench.plug_in("missing", "import no_such_package_of_anybody\n")
    bench.plug_in("wrong", "def (:\n")
    bench.plug_in("leaving", "import os\nos._exit(3)\n")
    bench.plug_in("raising", "raise RuntimeError('no geometry')\n")
    bench.grow("a", [1])
    with bench.monitor() as monitor:
        assert list(monitor.plots) == ["Total", "Other"]
        assert monitor.cycle().pictures == 2
    said = " ".join(bench.said)
    assert "misspelt.py' are left out: No module named 'maplotlib'. Did you mean 'matplotlib'?" in said
    assert "No module named 'no_such_package_of_anybody'. Install it" in said
    assert "wrong.py' are left out: SyntaxError" in said
    assert "leaving.py' are left out: Its process ended in the midst of it, with status 3." in said
    assert "raising.py' are left out: RuntimeError: no geometry" in said


def test_a_plug_in_that_is_dropped_in_or_changed_counts_at_once(bench: Bench) -> None:
    bench.grow("a", range(10))
    with bench.monitor() as monitor:
        monitor.cycle()
        text = "from .good import Total\n\nclass Twice(Total):\n    FACTOR = 2\n"
        text += (
            "    def update(self, batch):\n        super().update(batch)\n        self.total *= self.FACTOR\n"
        )
        bench.plug_in("twice", text)
        monitor.cycle()
        assert bench.state("a", "Twice")["total"] == 2 * sum(range(10))
        bench.plug_in("twice", text.replace("FACTOR = 2", "FACTOR = 30"))
        monitor.cycle()
        assert bench.state("a", "Twice")["total"] == 30 * sum(range(10))
    assert bench.state("a", "Total")["rows"] == 10


def test_plug_ins_that_are_taken_away_or_broken_leave_the_others_at_work(bench: Bench) -> None:
    bench.plug_in("third", "from .good import Total\n\nclass Third(Total):\n    pass\n")
    bench.grow("a", range(10))
    with bench.monitor(plots=["Total", "Third"]) as monitor:
        monitor.cycle()
        bench.plug_in("third", "class Third(:\n")
        bench.grow("a", [1])
        monitor.cycle()
        assert bench.state("a", "Total")["rows"] == 11
        assert any("no plot 'Third'" in sentence for sentence in bench.said)
        assert any("third.py' are left out: SyntaxError" in sentence for sentence in bench.said)
        bench.plug_in("third", "from .good import Total\n\nclass Third(Total):\n    'Mended.'\n")
        assert monitor.cycle().failures == {}
    assert bench.state("a", "Third") == {"total": 46, "rows": 11, "cursor": 11}


def test_a_worker_that_somebody_kills_is_nobodys_fault(bench: Bench) -> None:
    bench.grow("a", range(10))
    with bench.monitor() as monitor:
        monitor.cycle()
        _kill_workers(monitor)
        bench.grow("a", [1])
        report = monitor.cycle()
    assert (report.failures, report.pictures) == ({}, 2)
    assert bench.state("a", "Total") == {"total": 46, "rows": 11, "cursor": 11}


_PROGRAM = """
import sys
from hutch.monitor.working.cycle import Limits, Monitor
from hutch.monitor.reading.watching import FolderWatcher

if __name__ == "__main__":
    data, plugins, out = sys.argv[1:]
    # A state is kept, and a picture drawn, after each part of the file that is read.
    limits = Limits(60.0, 2_000_000_000, 0.0)
    watchers = [FolderWatcher(data)]
    options = {"plugins": [plugins], "shipped": dict, "workers": 2, "interval_s": 0.0, "limits": limits}
    with Monitor(out, watchers, **options) as monitor:
        while monitor.cycle().is_behind:
            pass
"""


def test_workers_that_are_killed_at_any_moment_lose_nothing(bench: Bench) -> None:
    values = np.arange(40_000)
    bench.grow("a", values)
    chance = random.Random(3)
    is_over = threading.Event()
    # Small parts: a state is kept after each, and one of the two workers is killed somewhere in between.
    limits = Limits(30.0, 300_000_000, 0.0)
    options = {"workers": 2, "interval_s": 0.0, "limits": limits, "opener": open_in_small_parts}
    with bench.monitor(**options) as monitor:

        def kill() -> None:
            for _ in range(20):
                if is_over.wait(chance.uniform(0.0, 0.1)):
                    return
                _kill_workers(monitor)

        killer = threading.Thread(target=kill)
        killer.start()
        for _ in range(400):
            report = monitor.cycle()
            if not killer.is_alive() and not report.is_behind and not report.failures:
                break
        is_over.set()
        killer.join()
    assert report.failures == {}
    for name in ("Total", "Other"):
        expected = {"total": int(values.sum()), "rows": len(values), "cursor": len(values)}
        assert bench.state("a", name) == expected
        assert bench.status("a")[name]["fraction"] == 1


def test_a_monitor_that_is_killed_again_and_again_comes_to_the_same_state(
    bench: Bench, tmp_path: Path
) -> None:
    values = np.arange(6_000_000)
    bench.grow("a", values)
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    command = [sys.executable, str(program), str(bench.data), str(bench.plugins), str(bench.out)]
    chance = random.Random(20)
    cursors = []
    for _ in range(2):
        before = _cursor(bench)
        with subprocess.Popen(command) as process:
            until = time.monotonic() + _PATIENCE_S
            while _cursor(bench) <= before and process.poll() is None and time.monotonic() < until:
                pass
            # Somewhere within the next part.
            end = time.monotonic() + chance.uniform(0, 0.1)
            while time.monotonic() < end:
                pass
            process.kill()
        cursors.append(_cursor(bench))
    assert cursors[0] > 0
    assert cursors == sorted(cursors)
    subprocess.run(command, check=True, timeout=_PATIENCE_S)
    expected = {"total": int(values.sum()), "rows": len(values), "cursor": len(values)}
    assert bench.state("a", "Total") == bench.state("a", "Other") == expected
    for name in ("Total", "Other"):
        assert bench.status("a")[name]["fraction"] == 1
        assert bench.picture("a", name).exists()


def _cursor(bench: Bench) -> int:
    try:
        return bench.state("a", "Total")["cursor"]
    except AssertionError:
        return 0


def _kill_workers(monitor: Monitor) -> None:
    for hand in list(monitor._crew._hands):
        with suppress(ProcessLookupError):
            os.kill(hand.process.pid, signal.SIGKILL)


def test_a_lost_first_chunk_is_reported_and_the_next_monitor_goes_on_behind_it(bench: Bench) -> None:
    path = bench.data / "a.h5"
    with h5py.File(path, "w") as file:
        options = {"maxshape": (None,), "chunks": (100,), "fletcher32": True}
        file.create_dataset("values", data=np.arange(1000), **options)
    damage(path, "values", 0)
    with bench.monitor(plots=["Total"]) as monitor:
        assert monitor.cycle().rows == 1000
    assert "a: 100 rows cannot be read, and are passed over; the last are 0 to 99: OSError" in bench.said[0]
    bench.grow("a", range(1000, 1200))
    os.utime(path, (1e9, 1e9))
    with bench.monitor(plots=["Total"]) as monitor:
        assert monitor.cycle().rows == 200
    assert bench.state("a", "Total") == {"total": sum(range(100, 1200)), "rows": 1100, "cursor": 1200}
    assert bench.status("a")["Total"]["rows_unreadable"] == 100
    assert bench.picture("a", "Total").exists()
