"""``hutch monitor checks``, ``replay`` and ``reference`` on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import hutch
from hutch.cli.monitor_checks import checks, reference, replay

CHECKS = """
[monitor.checks.warm]
check = "Range"
field = "T"
high = 300
of = "last"

[monitor.checks.drift]
check = "Drift"
plot = "ColumnStatistics"
series = "series"
field = "T"
bad_above = 5
references = ["steady"]
"""


@pytest.fixture
def call(place, tmp_path, monkeypatch):
    """Return a function that calls a command beside two files and a file of checks."""
    monkeypatch.setenv("HUTCH_STORE", str(place))
    monkeypatch.delenv("PIXEL_GEOMETRY_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checks.toml").write_text(CHECKS)
    for name, level in (("steady", 280.0), ("hot", 310.0)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["T"] = level + np.arange(40) % 3

    def call(command, *arguments):
        return CliRunner().invoke(command, arguments)

    return call


def test_the_kinds_of_checks_are_listed_with_their_parameters(call):
    found = call(checks)
    assert found.exit_code == 0
    assert re.search(r"Rate +Packets come neither too slowly nor too fast\.", found.stdout)
    assert re.search(r"low_hz +0 Hz +bad below this", found.stdout)
    assert re.search(r"field +must be given +the field", found.stdout)
    by_name = {kind["name"]: kind for kind in json.loads(call(checks, "--json").stdout)}
    high = next(one for one in by_name["Rate"]["parameters"] if one["name"] == "high_hz")
    assert high == {
        "name": "high_hz", "type": "float", "required": False, "default": None,
        "about": "bad above this", "unit": "Hz",
    }  # fmt: skip


def test_checks_of_ones_own_are_listed_and_broken_ones_named(call, tmp_path):
    (tmp_path / "torn.py").write_text("raise RuntimeError('not today')")
    found = call(checks, "--plugins", "torn.py")

    assert found.exit_code == 0
    assert "RuntimeError: not today" in found.stderr


@pytest.mark.parametrize(
    "words", [["checks"], ["replay", "hot.h5", "--checks", "checks.toml"], ["reference", "x", "hot.h5"]]
)
def test_a_plug_in_that_ends_its_process_is_left_out(call, tmp_path, words):
    (tmp_path / "leaving.py").write_text("import os\nos._exit(3)\n")
    command = [sys.executable, "-m", "hutch", "monitor", *words, "--plugins", "leaving.py", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert "leaving.py' are left out: the process ended while they were loaded." in done.stderr


def test_json_is_json_where_no_check_is_set_up(call):
    found = call(replay, "--json")

    assert (found.exit_code, json.loads(found.stdout)) == (0, {"verdicts": [], "summary": {}})
    assert "No checks are set up" in found.stderr


def test_past_files_are_judged(call, tmp_path):
    assert call(reference, "steady", "steady.h5").exit_code == 0
    found = call(replay, "steady.h5", "hot.h5", "--checks", "checks.toml")
    assert found.exit_code == 0, found.output
    assert re.search(r"hot\.h5 +warm +bad +310 +40 bad +the last value of T is 310", found.stdout)
    assert re.search(r"drift +1 +1 *$", found.stdout, re.MULTILINE)
    said = json.loads(call(replay, "hot.h5", "--checks", "checks.toml", "--check", "warm", "--json").stdout)
    (verdict,) = said["verdicts"]
    assert (verdict["verdict"], verdict["turns"][0]["row"]) == ("bad", 40)
    assert said["summary"] == {"warm": {"good": 0, "medium": 0, "bad": 1, "null": 0, "failed": 0}}


def test_what_cannot_be_read_or_fails_is_said_and_the_others_go_on(call, tmp_path):
    (tmp_path / "junk.h5").write_bytes(b"no HDF5")
    (tmp_path / "mine.py").write_text(
        "class Raising:\n    formats = ('hdf5',)\n"
        "    def update(self, batch): raise ValueError('boo')\n"
        "    def state(self): return {}\n    def restore(self, state): pass\n"
        "    def merge(self, other): pass\n    def figure(self, fig=None): pass\n"
        "class Unmade(Raising):\n    def __init__(self): raise OSError('no')\n"
    )
    (tmp_path / "more.toml").write_text(
        "[monitor.checks.warm]\ncheck = 'Range'\nfield = 'T'\nhigh = 300\n"
        "[monitor.checks.raising]\ncheck = 'Threshold'\nplot = 'Raising'\nreadout = 'x'\nhigh = 1\n"
        "[monitor.checks.unmade]\ncheck = 'Threshold'\nplot = 'Unmade'\nreadout = 'x'\nhigh = 1\n"
    )
    files = ("junk.h5", "nothing.h5", "hot.h5")
    found = call(replay, *files, "--checks", "more.toml", "--plugins", "mine.py", "--json")
    assert found.exit_code == 0, found.output
    assert "junk.h5" in found.stderr and "nothing.h5" in found.stderr
    by_name = {one["check"]: one for one in json.loads(found.stdout)["verdicts"]}
    assert (by_name["warm"]["verdict"], by_name["warm"]["failed"]) == ("bad", False)
    assert by_name["raising"]["sentence"] == "ValueError: boo" and by_name["raising"]["failed"]
    assert by_name["unmade"]["sentence"] == "OSError: no"
    kept = call(reference, "x", "hot.h5", "--plugins", "mine.py")
    assert kept.exit_code == 0 and "Nothing is kept of the plot Raising: ValueError: boo" in kept.stderr
    assert call(replay, "nothing.h5", "--checks", "checks.toml").exit_code == 1


MINE = """
from dataclasses import dataclass
from hutch.monitor.checks import Judgement, Verdict

@dataclass(frozen=True)
class Mine:
    plot: str = "ColumnStatistics"

    def __call__(self, seen, references):
        return Judgement(Verdict.GOOD, float(len(seen.array("series", "T"))), "so many")
"""


def test_the_workers_of_a_scheduler_say_what_one_machine_says(call, place, tmp_path):
    from distributed import LocalCluster

    (tmp_path / "mine.py").write_text(MINE)
    with (tmp_path / "checks.toml").open("a") as file:
        file.write("[monitor.checks.mine]\ncheck = 'Mine'\n")
    assert call(reference, "steady", "steady.h5").exit_code == 0
    with hutch.open_catalog(place) as cat:
        for level in (280.0, 310.0):
            with cat.start_run(plan_name="count") as run:
                run.extend("primary", {"T": list(level + np.arange(40) % 3)})
    words = ["hot.h5", "steady.h5", "plan_name=count", "--checks", "checks.toml", "--plugins", "mine.py"]
    here = json.loads(call(replay, *words, "--json").stdout)
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp"
    ) as cluster:
        asked = [*words, "--post", "--scheduler", cluster.scheduler_address]
        there = call(replay, *asked, "--json")
    assert there.exit_code == 0, there.output
    assert json.loads(there.stdout) == here
    assert {one["check"] for one in here["verdicts"]} == {"warm", "drift", "mine"}
    with hutch.open_catalog(place) as cat:
        assert list(cat.search({"dqm.warm": "bad"})) == [run.uid]


def test_a_scheduler_that_does_not_answer_is_named(call):
    found = call(replay, "hot.h5", "--checks", "checks.toml", "--scheduler", "tcp://127.0.0.1:1")
    assert found.exit_code == 1
    assert "No scheduler of dask answers at 'tcp://127.0.0.1:1'" in str(found.exception)


def test_a_reference_that_is_not_there_fails_that_check_alone(call):
    found = json.loads(call(replay, "hot.h5", "--checks", "checks.toml", "--json").stdout)
    by_name = {one["check"]: one for one in found["verdicts"]}

    assert by_name["warm"]["verdict"] == "bad"
    assert by_name["drift"]["failed"]
    assert "'steady'" in by_name["drift"]["sentence"]


def test_a_name_of_a_check_that_is_not_there_is_wrong_usage(call):
    found = call(replay, "hot.h5", "--checks", "checks.toml", "--check", "wram")
    assert found.exit_code == 2
    assert "There is no check 'wram'; there are: drift, warm." in found.stderr


def test_without_checks_nothing_is_judged(call):
    found = call(replay, "hot.h5")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "hutch monitor checks" in found.stderr


def test_names_of_references_are_listed_and_removed(call, place):
    assert "No references are saved." in call(reference).stderr
    assert call(reference, "steady", "steady.h5", "--author", "alice").exit_code == 0
    (row,) = json.loads(call(reference, "--json").stdout)
    assert (row["name"], row["author"]) == ("steady", "alice")
    assert row["sources"][0].endswith("/steady.h5")
    assert re.search(r"steady .*/steady\.h5 .*alice", call(reference).stdout)
    assert call(reference, "other").exit_code == 2
    assert call(reference, "steady", "--remove").exit_code == 0
    gone = call(reference, "steady", "--remove")
    assert (gone.exit_code, "There is no reference 'steady'" in str(gone.exception)) == (1, True)
    with hutch.open_catalog(place) as cat:
        assert cat.store.saved_references() == []


def test_a_check_that_fails_at_each_look_is_told_of_once_and_without_a_traceback(call, caplog):
    call(replay, "hot.h5", "steady.h5", "--checks", "checks.toml")
    told = [one for one in caplog.records if "'drift' has failed" in one.getMessage()]
    assert len(told) == 2
    assert all(one.exc_info is None for one in told)


def test_what_many_plots_lack_is_said_once(call, tmp_path):
    from ...larpix_files import packets, write_packets

    write_packets(tmp_path / "packets.h5", packets(2000, 4))
    found = call(reference, "night", "packets.h5")
    assert found.exit_code == 0
    (line,) = found.stderr.splitlines()
    assert line.startswith("Nothing is kept of the plot PixelMap_1_1 and 18 others: No pixel geometry")


def test_a_run_without_the_stream_is_no_reference(call, place):
    with hutch.open_catalog(place) as cat, cat.start_run() as run:
        run.add("primary", {"T": 1.0})
    found = call(reference, "x", run.uid, "--stream", "baseline")
    assert "has no stream 'baseline' to compare with; it has primary" in str(found.exception)
    assert "No references are saved." in call(reference).stderr
