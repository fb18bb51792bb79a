"""``hutch monitor`` and ``run_monitor.py``: how they are called, what they write, how they end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

import hutch
from hutch.cli.monitoring import _Screen
from hutch.logbook import Logbook
from hutch.monitor.observing import Failure
from hutch.monitor.working.cycle import Report

from ... import larpix_files as larpix
from ..monitor.cycling import TEMPLATE
from ..monitor.test_formats_packets import damage

_RUN_MONITOR = "from hutch.cli.monitor import run_monitor; run_monitor()"
_PATIENCE_S = 60.0
_RAISING = (
    "class Raising:\n    def __call__(self, filename, fh, fig=None):\n        raise ValueError('never')\n"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a file of packets."""
    folder = tmp_path / "data"
    folder.mkdir()
    larpix.write_packets(folder / "run1.h5", larpix.packets(500, seed=1))
    return folder


def test_plots_of_one_file_are_made_as_the_older_monitor_is_called(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUN_MONITOR, "--once", str(data / "run1.h5"), "-o", "plots"]
    command += ["--ext", ".svg", "--plots", "PacketRate", "TileRate", "--workers", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=_PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "2 plots of" in done.stderr
    names = {file.name for file in (tmp_path / "plots" / "run1_dqm").iterdir()}
    assert names == {"run1_PacketRate.svg", "run1_TileRate.svg", "status.json"}


def test_plots_of_a_file_whose_first_chunk_is_lost_are_made_of_the_rest(invoke, data: Path) -> None:
    larpix.write_packets(data / "run2.h5", larpix.packets(1000), chunks=100, compression="gzip")
    damage(data / "run2.h5", "packets", 0)
    options = ["-o", "plots", "--workers", "1", "--plots", "PacketRate"]
    found = invoke("monitor", "--once", str(data / "run2.h5"), *options)
    assert found.exit_code == 0, found.output
    assert "run2: 100 rows cannot be read, and are passed over; the last are 0 to 99" in found.stderr
    assert "1 plot of 1,000 rows" in found.stderr


def test_a_plot_of_ones_own_that_fails_makes_the_status_1(invoke, data: Path, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "template.py").write_text(TEMPLATE)
    (plugins / "raising.py").write_text(_RAISING)
    options = ["--workers", "1", "--plugins", str(plugins), "-o", "plots"]
    once = ["monitor", "--once", str(data / "run1.h5"), *options, "--plots", "TemplatePlot"]
    assert invoke(*once).exit_code == 0
    assert (tmp_path / "plots" / "run1_dqm" / "run1_TemplatePlot.png").read_bytes().startswith(b"\x89PNG")
    found = invoke(*once, "Raising")
    assert found.exit_code == 1
    assert "Raising of run1: ValueError: never" in found.stderr


def test_a_plot_that_was_asked_for_and_is_for_none_of_the_files_makes_the_status_1(
    invoke, data: Path, tmp_path: Path
) -> None:
    with h5py.File(data / "gen.h5", "w") as file:
        file.create_dataset("values", data=range(10), maxshape=(None,))
    (tmp_path / "mine.py").write_text(TEMPLATE)
    options = ["-o", "plots", "--workers", "1", "--plugins", "mine.py", "--plots", "TemplatePlot"]
    found = invoke("monitor", "--once", str(data / "gen.h5"), *options, "PacketRate")
    assert found.exit_code == 1
    told = "was not drawn: it is for rows of the formats packets, raw, and what was given has rows of hdf5."
    class_says = "If it can draw those, say so in its class: formats = ('hdf5',)"
    assert f"hutch: TemplatePlot {told} {class_says}\n" in found.stderr
    assert f"hutch: PacketRate {told} List what each plot is for with: hutch monitor plots\n" in found.stderr
    both = invoke("monitor", "--once", str(data / "gen.h5"), str(data / "run1.h5"), *options)
    assert (both.exit_code, "was not drawn" in both.stderr) == (0, False)
    (tmp_path / "mine.py").write_text(TEMPLATE.replace("    def", "    formats = ('hdf5',)\n    def", 1))
    assert invoke("monitor", "--once", str(data / "gen.h5"), *options).exit_code == 0


def test_datasets_that_belong_together_are_named_and_else_it_is_said_what_is_left_out(
    invoke, data: Path
) -> None:
    with h5py.File(data / "gen.h5", "w") as file:
        for name, rows in (("fast", 100), ("slow", 20)):
            file.create_dataset(name, data=range(rows), maxshape=(None,))
    options = ["--once", str(data / "gen.h5"), "-o", "plots", "--workers", "1", "--plots", "Columns"]
    found = invoke("monitor", *options)
    assert "only 'fast' is read" in found.stderr
    assert "as in --datasets fast slow\n" in found.stderr
    assert "1 plot of 100 rows" in found.stderr
    found = invoke("monitor", *options, "--datasets", "fast", "slow")
    assert (found.exit_code, "1 plot of 20 rows" in found.stderr) == (0, True)
    assert "--datasets" not in found.stderr


def test_plots_that_lack_a_geometry_are_named_in_one_line_and_are_no_failure(
    invoke, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", "nowhere.yaml")
    found = invoke("monitor", "--once", str(data / "run1.h5"), "-o", "plots", "--workers", "1")
    assert found.exit_code == 0
    assert "7 plots of 500 rows" in found.stderr.replace(",", "")
    assert found.stderr.count("nowhere.yaml") == 1
    assert "and 18 others of run1" in found.stderr


def test_a_monitor_watches_until_ctrl_c_and_ends_at_once(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hutch.cli", "monitor", "-i", "data", "-o", "plots", "--interval", "0.2"]
    command += ["--plots", "PacketRate", "--workers", "1"]
    status = tmp_path / "plots" / "run1_dqm" / "status.json"
    for ending in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "1 plot. Stop with Ctrl-C.\n"
            rows = 500 if ending is signal.SIGINT else 900
            _wait_until(lambda rows=rows: status.is_file() and _seen(status) == rows, process)
            if ending is signal.SIGINT:
                larpix.append_packets(data / "run1.h5", larpix.packets(400, seed=2))
                _wait_until(lambda: _seen(status) == 900, process)
            process.send_signal(ending)
            _, said = process.communicate(timeout=_PATIENCE_S)
        assert process.returncode == 0
        assert said.splitlines()[-1] == "Stopped."
    assert json.loads(status.read_text())["plots"]["PacketRate"]["error"] is None


def test_wrong_options_are_explained(invoke, data: Path) -> None:
    found = invoke("monitor", "-i", str(data), "--ext", "gif")
    assert (found.exit_code, "none of .png, .pdf, .svg" in found.stderr) == (2, True)
    found = invoke("monitor", "-i", "nowhere", "-o", "plots")
    assert found.exit_code == 1
    assert "nowhere' is no folder" in found.stderr
    found = invoke("monitor", "--once", str(data / "run1.h5"), "-o", str(data / "run1.h5" / "plots"))
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("hutch: Pictures cannot be written into")
    assert found.stderr.endswith("Not a directory. Name another folder with -o.\n")
    found = invoke("monitor", "--once", "nothing.h5", "-o", "plots")
    assert (found.exit_code, "nothing.h5' cannot be read" in found.stderr) == (1, True)
    found = invoke("monitor", "--once", "-o", "plots", "nothing.h5")
    assert (found.exit_code, "Option '--once' requires an argument" in found.stderr) == (2, True)
    found = invoke("monitor", "--once", str(data / "run1.h5"), "--plots", "PacketRates", "TileRate")
    assert found.exit_code == 1
    assert "There is no plot 'PacketRates'. Did you mean 'PacketRate'?" in found.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_older_name_explains_itself(option: str) -> None:
    done = subprocess.run([sys.executable, "-c", _RUN_MONITOR, option], capture_output=True, text=True)
    assert (done.returncode, done.stdout.startswith("Usage: run_monitor.py")) == (0, True)


def test_the_plots_are_listed_with_what_they_show_and_where_they_come_from(invoke, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TEMPLATE.replace("TemplatePlot(object):", "PacketRate:\n    'Mine.'"))
    found = invoke("monitor", "plots", "--json", "--plugins", "mine.py")
    listed = {one["name"]: one for one in json.loads(found.stdout)}
    assert listed["PacketRate"]["origin"] == str(tmp_path / "mine.py")
    assert listed["PacketRate"]["replaces"] == "hutch"
    assert (listed["PacketRate"]["form"], listed["PacketRate"]["summary"]) == ("called", "Mine.")
    assert listed["PixelMap_2_8"]["formats"] == ["packets", "raw"]
    assert "PixelMap_2_8" in invoke("monitor", "plots").stdout


def test_plots_and_checks_of_several_places_are_listed(invoke, tmp_path: Path) -> None:
    check = (
        "class {}:\n    plot = 'PacketRate'\n    def __call__(self, seen, references):\n        return None\n"
    )
    for name in ("First", "Second"):
        text = TEMPLATE.replace("TemplatePlot", name) + check.format(f"{name}Check")
        (tmp_path / f"{name}.py").write_text(text)
    for command, ending in (("plots", ""), ("checks", "Check")):
        found = invoke("monitor", command, "--plugins", "First.py", "Second.py", "--json")
        assert found.exit_code == 0, found.stderr
        names = {one["name"] for one in json.loads(found.stdout)}
        assert {f"First{ending}", f"Second{ending}"} <= names
        assert invoke("monitor", command, "--plugins", "--json").exit_code == 2


def test_a_verdict_that_turns_bad_is_entered_in_the_logbook_with_its_picture(
    invoke, place: Path, tmp_path: Path
) -> None:
    with hutch.open_catalog(place) as cat:
        book = Logbook(cat)
        book.access.experiments.create("xpp1", instrument="XPP")
        with cat.start_run(experiment="xpp1") as run:
            for number in range(20):
                run.add("primary", {"T": 280.0 + number})
    (tmp_path / "checks.toml").write_text('[monitor.checks.cold]\ncheck = "Range"\nfield = "T"\nhigh = 290\n')
    options = ["-o", "plots", "--workers", "1", "--plots", "ColumnStatistics", "--checks", "checks.toml"]
    said = [invoke("monitor", "--once", run.uid, "--catalog", str(place), *options) for _ in range(2)]

    assert [one.exit_code for one in said] == [0, 0], said[0].output
    assert ["logbook of xpp1: cold is bad." in one.stderr for one in said] == [True, False]
    with hutch.open_catalog(place) as cat:
        (entry,) = Logbook(cat).entries("xpp1").entries
        assert (entry.author, entry.run_num, entry.tags) == ("monitor", run.scan_id, ("dqm", "cold"))
        assert entry.attachments[0].type == "image/png"


def test_a_run_without_events_is_named_and_the_others_are_made(invoke, place: Path) -> None:
    with hutch.open_catalog(place) as cat:
        with cat.start_run() as run:
            run.add("primary", {"x": 1})
            run.add("slow", {"T": 280.0})
        with cat.start_run() as idle:
            pass
    options = ["--catalog", str(place), "-o", "plots", "--workers", "1", "--plots", "ColumnStatistics"]
    found = invoke("monitor", "--once", run.uid, idle.uid, *options)
    assert found.exit_code == 1
    assert f"the run {idle.uid!r} has no events, so there is nothing to plot" in found.stderr
    assert found.stderr.count("1 plot of 1 row in") == 2
    assert invoke("monitor", "--once", "-1", *options).exit_code == 0


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(3)",
        "import time; time.sleep(1000)",
        "raise KeyboardInterrupt",
        "raise ValueError",
    ],
)
def test_a_plug_in_that_cannot_be_loaded_ends_nothing_but_itself(
    data: Path, tmp_path: Path, code: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "bad.py").write_text(code)
    (tmp_path / "mine" / "good.py").write_text(TEMPLATE)
    (tmp_path / "checks.toml").write_text(
        '[monitor.checks.rate]\ncheck = "Rate"\nlow_hz = 1\n'
        '[monitor.checks.lost]\ncheck = "Threshold"\nplot = "Totl"\nreadout = "x"\nhigh = 1\n'
    )
    command = [
        sys.executable,
        "-c",
        _RUN_MONITOR,
        "--once",
        str(data / "run1.h5"),
        "-o",
        "plots",
        "--workers",
        "1",
    ]
    command += ["--plugins", "mine", "--limit-seconds", "2", "--checks", "checks.toml"]
    command += ["--plots", "PacketRate", "TemplatePlot"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=_PATIENCE_S)

    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "mine/bad.py" in line and "File" not in line]
    assert len(told) == 1
    assert "The check 'lost' looks at the plot 'Totl', which is not made." in done.stderr
    assert "2 plots of 500 rows" in done.stderr
    status = json.loads((tmp_path / "plots" / "run1_dqm" / "status.json").read_text())
    assert [one["error"] for one in status["plots"].values()] == [None, None]


def test_a_monitor_that_is_ended_while_checks_are_loaded_ends_without_a_traceback(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "slow.py").write_text(
        "import pathlib, time\n"
        "pathlib.Path('loading').touch()\n"
        "while not pathlib.Path('is ended').exists():\n"
        "    time.sleep(0.01)\n"
    )
    (tmp_path / "checks.toml").write_text('[monitor.checks.rate]\ncheck = "Rate"\nlow_hz = 1\n')
    command = [sys.executable, "-m", "hutch.cli", "monitor", "-i", "data", "-o", "plots"]
    command += ["--plugins", "mine", "--checks", "checks.toml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        _wait_until((tmp_path / "loading").exists, process)
        process.kill()
        process.wait()
        # What the process that loads has to say, nobody hears any more.
        (tmp_path / "is ended").touch()
        _, said = process.communicate(timeout=_PATIENCE_S)
    assert said == ""


def test_that_nothing_gets_on_is_said_once_while_it_stays_so(capsys: pytest.CaptureFixture[str]) -> None:
    full = Failure("write", "OSError: [Errno 28] No space left on device")
    failures = {("run1", plot): full for plot in ("PacketRate", "TileRate")}
    idle = Report()
    stuck = Report(sources=1, failures=failures)
    mended = Report(sources=1, pictures=2)
    with _Screen.shown() as screen:
        for report in (stuck, stuck, idle, stuck, mended, mended, stuck, stuck):
            screen.tell(report)
    said = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    failed = "1 source, 0 rows, 0 pictures in 0.00 s; 2 plots failed"
    drawn = "1 source, 0 rows, 2 pictures in 0.00 s"
    assert said == [failed, drawn, drawn, failed]


def _seen(status: Path) -> int:
    seen: int = json.loads(status.read_text())["plots"]["PacketRate"]["rows_seen"]
    return seen


def _wait_until(is_so, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert process.poll() is None
        assert time.monotonic() < until


def test_several_files_are_read_by_the_workers_of_a_scheduler(
    invoke, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    (data / "more").mkdir()
    larpix.write_packets(data / "more" / "run1.h5", larpix.packets(300, seed=3))
    options = ("-o", "plots", "--plots", "PacketRate", "HotPixel", "--workers", "1")
    files = (str(data / "run1.h5"), str(data / "more" / "run1.h5"))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as cluster:
        monkeypatch.setenv("HUTCH_SCHEDULER", cluster.scheduler_address)
        found = invoke("monitor", "--once", *files, *options)
        missing = invoke("monitor", "--once", "nowhere.h5", files[0], *options)
    assert found.exit_code == 0
    for base, rows in (("run1", 500), ("run1-2", 300)):
        assert _seen(Path("plots", f"{base}_dqm", "status.json")) == rows
        assert Path("plots", f"{base}_dqm", f"{base}_HotPixel.png").read_bytes().startswith(b"\x89PNG")
    assert (
        missing.exit_code == 1 and "nowhere.h5" in missing.stderr and "2 plots of 500 rows" in missing.stderr
    )
