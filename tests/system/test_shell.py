"""``hutch shell``: at a real terminal, and as what runs a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

import hutch

DEVICES = """
ophyd.sim.SynAxis:
- {name: theta, labels: [motors, baseline], value: 12.0}
- {name: cat, labels: [motors]}
- {name: "slit 1", labels: [motors]}
hutch.bluesky.creators.predefined_device:
- {creator: ophyd.sim.det, name: diode, labels: [detectors]}
these_devices.Broken:
- {name: broken}
"""
MODULE = """
from ophyd import Signal

class Broken(Signal):
    def __init__(self, *, name):
        raise RuntimeError("there is no power")
"""
START_S = 60
"""A prompt is there within so many seconds, on a busy machine too."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store of no runs, and devices."""
    folder = tmp_path / "beamline"
    folder.mkdir()
    hutch.open_catalog(folder / "hutch-store").close()
    (folder / "devices.yml").write_text(DEVICES)
    (folder / "these_devices.py").write_text(MODULE)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "HUTCH_STORE"}
    return {
        **kept,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "MPLBACKEND": "agg",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
    }


@pytest.fixture
def run(folder: Path, environment: dict[str, str]) -> Run:
    """Return a function that runs ``hutch shell`` without a terminal."""

    def run(*arguments: str, stdin: str = "", without: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _command(*arguments, without=without),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=START_S,
            cwd=folder,
            env=environment,
        )

    return run


@pytest.fixture
def terminal(folder: Path, environment: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Return a function that opens ``hutch shell`` on a terminal."""
    opened: list[Any] = []

    def terminal(*arguments: str, without: str = "") -> Any:
        command, *rest = _command(*arguments, without=without)
        opened.append(
            pexpect.spawn(
                command,
                rest,
                cwd=str(folder),
                env=environment,
                encoding="utf8",
                timeout=START_S,
                dimensions=(50, 200),
            )
        )
        return opened[-1]

    yield terminal
    for child in opened:
        child.close(force=True)


def _command(*arguments: str, without: str = "") -> list[str]:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({without.split()!r}))\n"
        "from hutch.cli import main; main()"
    )
    return [sys.executable, "-c", program, "shell", *arguments]


def _type(child: Any, line: str, *expected: str) -> None:
    """Type a line, and wait for each of the texts it prints."""
    child.send(f"{line}\r")
    for text in expected:
        child.expect(text)


def _starts(folder: Path) -> list[tuple[Any, ...]]:
    with hutch.open_catalog(folder / "hutch-store") as cat:
        return [(run.start["scan_id"], run.start.get("sample"), run.status) for run in cat.values()]


# At a terminal


def test_the_banner_names_what_is_bound_and_what_is_not(terminal: Any, folder: Path) -> None:
    child = terminal()
    child.expect("hutch .*: 0 runs in ")
    for text in (
        str(folder / "hutch-store"),
        "  cat  ",
        "  RE  ",
        "  bp, bps, bpp  ",
        "  devices  +4 devices: theta, diode",
        "Ctrl-C pauses",
        r"Not bound, its name being taken or none: devices\['cat'\]",
        r"devices\['slit 1'\]",
        "Not there: line 9, these_devices.Broken 'broken': it can't be made, RuntimeError: there is no power",
        r"In \[",
    ):
        child.expect(text)


def test_a_scan_is_recorded_with_the_baseline_and_shown(terminal: Any, folder: Path) -> None:
    child = terminal()
    child.expect(r"In \[")
    _type(child, "RE(bp.scan([diode], theta, 0, 1, 5), sample='A')", r"Out\[", "',\\)")
    _type(child, "len(cat[-1].primary.read()['theta']) * 11", r"Out\[.*55")
    _type(child, "sorted(cat[-1])", r"Out\[.*\['baseline', 'primary'\]")
    _type(child, "len(bpp.__name__ + bps.__name__)", r"Out\[.*\d+")
    _type(child, "exit", pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert _starts(folder) == [(1, "A", "success")]


def test_ctrl_c_pauses_a_plan_which_can_be_resumed(terminal: Any, folder: Path) -> None:
    child = terminal()
    child.expect(r"In \[")
    _type(child, "number = RE.subscribe(lambda name, doc: print('now', 'at', doc['seq_num']), 'event')")
    _type(child, "RE(bp.count([diode], num=4, delay=1), sample='A')", "now at 2")
    child.sendintr()
    for text in ("deferred pause", "entering a paused state", r"In \["):
        child.expect(text)
    _type(child, "RE.state", "Out.*'paused'")
    _type(child, "RE.resume()", "now at 4", r"Out\[")
    _type(child, "exit", pexpect.EOF)
    assert _starts(folder) == [(1, "A", "success")]


def test_leaving_a_paused_plan_says_what_becomes_of_its_run(terminal: Any, folder: Path) -> None:
    child = terminal()
    child.expect(r"In \[")
    _type(child, "RE(bpp.run_wrapper(bps.pause()), sample='A')", "entering a paused state", r"In \[")
    _type(child, "exit", "The RunEngine was paused; its run is left without an end", pexpect.EOF)
    assert _starts(folder) == [(1, "A", "interrupted")]


def test_tab_completes_methods_and_devices(terminal: Any) -> None:
    child = terminal()
    child.expect(r"In \[")
    child.send("RE.request_pa\t")
    # Most often the whole line is written anew, and on a busy machine what was missing.
    child.expect(r"quest_pa\S*use")
    child.send("\x15devices['the\t")
    child.expect("devices.*'theta")
    child.send("\x15")


def test_magics_use_labels_and_await_finds_devices(terminal: Any, folder: Path) -> None:
    (folder / "devices.yml").write_text(
        "ophyd.sim.SynAxis:\n- {name: theta, labels: [motors]}\n"
        "ophyd_async.sim.SimMotor:\n- {name: stage, labels: [motors], instant: true}\n"
    )
    child = terminal()
    child.expect(r"In \[")
    _type(child, "%wa motors", "Local variable name", "stage", "theta")
    _type(child, "%mov stage 3 theta 4", r"In \[")
    _type(child, "await stage.user_readback.get_value() + theta.position", r"Out\[.*7\.0")
    _type(child, "exit", pexpect.EOF)
    assert _starts(folder) == []


def test_moves_show_how_far_they_are(terminal: Any, folder: Path) -> None:
    (folder / "devices.yml").write_text("ophyd_async.sim.SimMotor:\n- {name: stage, instant: false}\n")
    child = terminal()
    child.expect(r"In \[")
    _type(child, "RE(bps.mv(stage, 0.5))", r"stage: *\d+%", r"Out\[")


def test_nothing_is_written_into_the_store_but_runs(terminal: Any, folder: Path, tmp_path: Path) -> None:
    before = {path.name for path in (folder / "hutch-store").iterdir()}
    child = terminal("--no-bluesky")
    child.expect(r"In \[")
    _type(child, "print('typed', 'in')", "typed in")
    _type(child, "exit", pexpect.EOF)
    assert {path.name for path in (folder / "hutch-store").iterdir()} == before
    assert (tmp_path / "ipython" / "profile_default" / "history.sqlite").exists()


def test_without_ipython_there_is_no_prompt(terminal: Any) -> None:
    child = terminal(without="IPython")
    child.expect(r"hutch: A prompt needs IPython. Install it with: pip install 'hutch\[shell\]'")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1


def test_without_bluesky_the_catalog_is_there(terminal: Any) -> None:
    child = terminal(without="bluesky")
    child.expect(r"There is no RunEngine: .* needs bluesky. Install it with: pip install 'hutch\[bluesky\]'")
    child.expect(r"In \[")
    _type(child, "len(cat) * 7, 'RE' in dir()", r"Out\[.*\(0, False\)")


# Programs


def test_code_is_run_and_failed_devices_are_named_on_stderr(run: Run, folder: Path) -> None:
    done = run("-c", "RE(bp.count([diode], num=2), sample='A'); print(cat[-1].status, list(devices))")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "success ['theta', 'cat', 'slit 1', 'diode']\n"
    assert "line 9, these_devices.Broken 'broken'" in done.stderr
    assert _starts(folder) == [(1, "A", "success")]


def test_a_file_is_run_with_its_arguments_and_modules_beside_it(run: Run, folder: Path) -> None:
    (folder / "night").mkdir()
    (folder / "night" / "plans.py").write_text("def word(): return 'moon'\n")
    (folder / "night" / "scan.py").write_text(
        "import sys\nfrom plans import word\n\n"
        "def show():\n    print(word(), sys.argv[1:], __name__, len(cat))\n\nshow()\n"
    )
    done = run("--no-bluesky", "night/scan.py", "--fast", "3")
    assert (done.stdout, done.returncode) == ("moon ['--fast', '3'] __main__ 0\n", 0), done.stderr


def test_a_program_on_stdin_is_run(run: Run) -> None:
    assert run("--no-bluesky", stdin="n = len(cat)\nprint(n + 5)\n").stdout == "5\n"


def test_an_error_in_a_program_shows_its_lines_and_ends_with_1(run: Run, folder: Path) -> None:
    (folder / "bad.py").write_text("def f():\n    return cat[42]\n\nf()\n")
    done = run("--no-bluesky", "bad.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:3] == ['  File "bad.py", line 4, in <module>', "    f()"]
    assert "RunNotFoundError: No run with scan_id 42" in done.stderr
    assert "cli/shell.py" not in done.stderr


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [("import sys; sys.exit(4)", 4, ""), ("print(", 1, "SyntaxError"), ("raise KeyboardInterrupt", 130, "")],
)
def test_a_program_ends_as_python_would(run: Run, code: str, status: int, said: str) -> None:
    done = run("--no-bluesky", "-c", code)
    assert done.returncode == status
    assert said in done.stderr


def test_a_file_that_is_not_there_is_one_line(run: Run) -> None:
    done = run("--no-bluesky", "nowhere.py")
    assert (done.returncode, done.stderr) == (1, "hutch: 'nowhere.py': No such file or directory.\n")


# Options


def test_another_file_of_devices_can_be_named(run: Run, folder: Path) -> None:
    (folder / "sim.yml").write_text('ophyd.EpicsMotor:\n- {name: m1, prefix: "ioc:m1"}\n')
    done = run("--devices", "sim.yml", "--mock", "-c", "print(list(devices), m1.prefix)")
    assert (done.stdout, done.stderr) == ("['m1'] ioc:m1\n", "")


def test_a_bad_file_of_devices_is_refused_with_all_its_problems(run: Run, folder: Path) -> None:
    (folder / "devices.yml").write_text("nowhere.Thing:\n- name: a\nophyd.Signal:\n- {nam: b}\n")
    done = run("-c", "print('not reached')")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hutch: 'devices.yml' can't be used:\n  - line 1, nowhere.Thing: ")
    assert "  - line 4, ophyd.Signal: it needs 'name'; is 'nam' meant?" in done.stderr


def test_rules_hold_for_runs_of_the_shell(run: Run, folder: Path) -> None:
    (folder / "rules.yml").write_text("required: [sample]\n")
    done = run("--rules", "rules.yml", "-c", "RE(bp.count([diode]))")
    assert done.returncode == 1
    assert "'sample' is missing: it is required for every run" in done.stderr
    assert "RE(plan(), sample=...)" in done.stderr
    assert _starts(folder) == []


def test_tables_are_printed_on_request(run: Run) -> None:
    done = run("--best-effort", "-c", "RE(bp.count([diode], num=2))")
    assert "|   seq_num |" in done.stdout
    assert "Transient Scan ID: 1" in done.stdout


def test_without_bluesky_named_devices_are_an_error_and_others_are_left(run: Run) -> None:
    done = run("-c", "print(len(cat), 'RE' in dir())", without="bluesky")
    assert (done.stdout, done.returncode) == ("0 False\n", 0)
    done = run("--devices", "devices.yml", "-c", "0", without="bluesky")
    assert done.returncode == 1
    assert done.stderr == (
        "hutch: Making devices needs bluesky. Install it with: pip install 'hutch[bluesky]'\n"
    )


def test_a_store_that_can_only_be_read_is_read(run: Run, folder: Path, read_only: Any) -> None:
    read_only(folder / "hutch-store")
    done = run("-c", "print(len(cat), 'RE' in dir())")
    assert (done.stdout, done.returncode) == ("0 False\n", 0), done.stderr


def test_a_store_that_is_not_there_is_not_made(run: Run, folder: Path) -> None:
    done = run("--store", "nowhere", "-c", "0")
    assert done.returncode == 1
    assert "hutch init" in done.stderr
    assert not (folder / "nowhere").exists()
