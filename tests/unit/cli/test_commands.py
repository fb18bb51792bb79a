"""What each command prints, where it prints it, and with which status it ends."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import Result

import hutch
from hutch.cli.group import hutch as program
from hutch.documents import encode

NAMES = sorted(program.list_commands(None))  # type: ignore[arg-type]


def test_runs_lists_the_newest_first(invoke) -> None:
    found = invoke("runs")

    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["scan_id", "uid", "plan", "time", "status", "points", "marked"]
    assert [line.split()[0] for line in lines[1:]] == ["77", "2", "1"]
    assert "fail" in lines[2]


def test_runs_limits_the_list_and_says_so(invoke) -> None:
    found = invoke("runs", "--limit", "1")

    assert len(found.stdout.splitlines()) == 2
    assert "The newest 1 of 3 runs" in found.stderr


def test_runs_fit_into_80_columns(invoke, place, monkeypatch) -> None:
    with hutch.open_catalog(place) as cat, cat.start_run(plan_name="a_plan_with_a_name_" * 5):
        pass
    monkeypatch.setenv("COLUMNS", "80")
    lines = invoke("runs").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert all(status in "\n".join(lines) for status in ("success", "fail", "scan_id", "points", "marked"))


@pytest.mark.parametrize("columns", ["30", "40", "60"])
def test_a_narrow_terminal_shows_how_each_run_is_named(invoke, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    first, *rows = invoke("runs").stdout.splitlines()

    assert first.split()[:2] == ["scan_id", "uid"]
    assert [row.split()[0] for row in rows] == ["77", "2", "1"]
    assert rows[0].split()[1] == "0dd00dd0"


def test_runs_as_json(invoke) -> None:
    newest, *_, oldest = json.loads(invoke("runs", "--json").stdout)

    assert (newest["scan_id"], newest["nonconforming"], newest["status"]) == (77, 1, "success")
    assert (oldest["plan_name"], oldest["points"]) == ("scan", 5)


def test_runs_of_an_empty_store_is_no_error(invoke, tmp_path) -> None:
    invoke("init", "empty")
    found = invoke("runs", "--store", "empty")

    assert (found.exit_code, found.stdout) == (0, "")
    assert "No runs yet" in found.stderr


@pytest.mark.parametrize("key", ["1", "-3"])
def test_show_finds_a_run_by_scan_id_and_counted_from_the_newest(invoke, key) -> None:
    found = invoke("show", key)

    assert found.exit_code == 0
    assert "sample" in found.stdout
    assert "primary  5 rows" in found.stdout


def test_show_finds_a_run_by_a_uid_of_digits(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        cat.recorder()("start", {"uid": "19965989-0a2a", "time": 1.0})

    assert "19965989-0a2a" in invoke("show", "1996").stdout


def test_show_tells_why_a_run_failed(invoke) -> None:
    assert "fail: RuntimeError: the shutter is stuck" in invoke("show", "2").stdout


def test_show_tells_what_is_nonconforming_and_never_steers_the_terminal(invoke) -> None:
    found = invoke("show", "-1").stdout

    assert "is float, described as integer" in found
    assert "\x1b" not in found
    assert r"\x1b[31mcounts" in found


def test_show_as_json_has_streams_with_rows_and_keys(invoke) -> None:
    found = json.loads(invoke("show", "1", "--json").stdout)

    assert found["status"] == "success"
    assert found["streams"]["primary"]["rows"] == 5
    assert found["streams"]["primary"]["data_keys"]["y"]["dtype"] == "number"


def test_json_has_null_for_what_json_cannot_say(invoke, place) -> None:
    with hutch.open_catalog(place) as cat, cat.start_run(gain=float("nan"), big=2**70):
        pass
    start = json.loads(invoke("show", "3", "--json").stdout, parse_constant=pytest.fail)["start"]

    assert start["gain"] is None
    assert start["big"] == 2**70


def test_plot_names_the_file_it_wrote(invoke, tmp_path) -> None:
    found = invoke("plot", "1")

    assert found.exit_code == 0
    assert (tmp_path / found.stdout.strip()).read_bytes().startswith(b"\x89PNG")


def test_plot_tells_which_file_it_wrote(invoke, tmp_path) -> None:
    found = invoke("plot", "1", "-o", "picture")

    assert found.stdout == "picture.png\n"
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_plot_refuses_a_key_that_is_not_there(invoke) -> None:
    found = invoke("plot", "1", "--y", "z")

    assert found.exit_code == 1
    assert "Key 'z' of stream 'primary' is not there. To draw: x, y" in found.stderr


def test_plot_into_a_folder_that_is_not_there_says_so_in_one_line(invoke) -> None:
    found = invoke("plot", "1", "-o", "nowhere/x.png")

    assert found.exit_code == 1
    assert found.stderr.splitlines() == ["hutch: 'nowhere/x.png': No such file or directory."]


def test_follow_prints_the_rows_of_a_run_that_has_ended(invoke) -> None:
    lines = invoke("follow", "1").stdout.splitlines()

    assert lines[1].split() == ["point", "time", "x", "y"]
    assert lines[6].split()[0::2] == ["5", "4"]
    assert lines[-1] == "Run 1: success · 5 rows of primary"


def test_follow_as_json_can_be_imported(invoke, tmp_path) -> None:
    (tmp_path / "run.jsonl").write_text(invoke("follow", "1", "--json").stdout)
    found = invoke("import", "run.jsonl", "--store", "other")

    assert "1 new run, 8 new documents" in found.stdout


def test_import_takes_the_good_files_and_names_the_bad_ones(invoke, tmp_path) -> None:
    for name, uid in (("first", "u"), ("last", "v")):
        (tmp_path / f"{name}.jsonl").write_text(f'["start", {{"uid": "{uid}", "time": 1.0}}]\n')
    (tmp_path / "bad.jsonl").write_text("what is this?")
    files = ("first.jsonl", "bad.jsonl", "missing.jsonl", "last.jsonl")
    found = invoke("import", *files, "--store", "other")

    assert found.exit_code == 1
    assert [line for line in found.stdout.splitlines() if line[0] != " "] == [
        "first.jsonl: 1 new run, 1 new document",
        "last.jsonl: 1 new run, 1 new document",
    ]
    assert [line.partition("'")[2].partition("'")[0] for line in found.stderr.splitlines()] == [
        "bad.jsonl",
        "missing.jsonl",
    ]


def test_follow_gives_up_when_no_run_begins(invoke) -> None:
    found = invoke("follow", "--timeout", "0")

    assert found.exit_code == 1
    assert "Waiting for the next run" in found.stderr


def test_init_makes_a_store_and_leaves_one_alone(invoke, tmp_path) -> None:
    first, second = invoke("init", "new"), invoke("init", "new")

    assert "Made a store" in first.stderr
    assert "already" in second.stderr
    assert first.stdout == second.stdout == f"{tmp_path / 'new'}\n"


def test_verify_of_a_sound_store_ends_with_0_and_notes_what_is_odd(invoke) -> None:
    found = invoke("verify")

    assert found.exit_code == 0
    assert "Sound" in found.stdout
    assert "nonconforming" in found.stdout
    assert "in quarantine" in found.stdout


def test_verify_takes_the_store_as_an_argument(invoke, place, monkeypatch) -> None:
    monkeypatch.delenv("HUTCH_STORE")

    assert json.loads(invoke("verify", str(place), "--json").stdout)["is_sound"] is True


def test_an_error_is_one_line_and_ends_with_1(invoke) -> None:
    found = invoke("show", "nobody")

    assert found.exit_code == 1
    assert found.stdout == ""
    assert found.stderr.startswith("hutch: No run 'nobody' in catalog 'raw'.")
    assert len(found.stderr.splitlines()) == 1


def test_a_store_that_is_not_there_is_not_made_by_reading(invoke, tmp_path) -> None:
    found = invoke("runs", "--store", "nowhere")

    assert found.exit_code == 1
    assert "hutch init" in found.stderr
    assert not (tmp_path / "nowhere").exists()


def test_who_names_no_store_is_told_of_those_that_are_near(invoke, place, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("HUTCH_STORE")
    beside = invoke("runs")
    monkeypatch.chdir(place)
    within = invoke("runs")

    hint = "(or name one that is here with --store or $HUTCH_STORE: {})\n"
    assert (beside.exit_code, within.exit_code) == (1, 1)
    assert beside.stderr.endswith(f"Make one with: hutch init {tmp_path}/hutch-store {hint.format('store')}")
    assert within.stderr.endswith(hint.format("."))


@pytest.mark.parametrize(
    ("arguments", "near"), [(["run"], "runs"), (["log", "psot", "x"], "post"), (["monitor", "plt"], "plots")]
)
def test_a_command_that_was_mistyped_is_guessed(invoke, arguments, near) -> None:
    found = invoke(*arguments)

    assert found.exit_code == 2
    assert f"No such command {arguments[-1 if len(arguments) < 3 else -2]!r}. Did you mean" in found.stderr
    assert near in found.stderr


@pytest.mark.parametrize("arguments", [["show"], ["show", "--jsn"], ["runs", "--limit", "0"], ["nosuch"]])
def test_wrong_usage_ends_with_2(invoke, arguments) -> None:
    assert invoke(*arguments).exit_code == 2


def test_ctrl_c_ends_with_130_and_no_traceback(invoke, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hutch.cli.runs.open_existing", interrupted)
    found = invoke("runs")

    assert found.exit_code == 130
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("name", NAMES)
def test_help_begins_with_a_verb_and_ends_in_an_example(invoke, name) -> None:
    usage, _, text, *_, heading, line = (part for part in invoke(name, "--help").stdout.splitlines())

    assert usage.startswith(f"Usage: hutch {name}")
    assert text.strip()[0].isupper()
    assert heading == "Example:"
    assert shlex.split(line)[:2] == ["hutch", name]


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("demo", "listen", "monitor", "serve")]
)
def test_the_example_in_the_help_runs(invoke, name, tmp_path) -> None:
    (tmp_path / "runs.jsonl.gz").write_bytes(encode(["start", {"uid": "u", "time": 1.0}]))
    before = {"restore": ("backup", "backups/beamtime"), "move": ("init", "beamtime")}
    if name in before:
        invoke(*before[name])
    if name in ("log", "table"):
        invoke("experiment", "create", "xpp1", "--instrument", "XPP")
        invoke("experiment", "activate", "xpp1")
    example = invoke(name, "--help").stdout.splitlines()[-1]
    found: Result = invoke(*shlex.split(example)[1:])

    assert found.exit_code == 0, found.output


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom hutch.cli.group import hutch\n"
        "try:\n    hutch.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pyarrow', 'xarray', 'matplotlib', 'rich', 'sqlalchemy', 'bluesky', 'ophyd'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert found.stderr.strip() == "[]"


def test_a_closed_pipe_is_no_error(place: Path) -> None:
    command = f"{sys.executable} -m hutch.cli runs --json --store {place} | true"
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)

    assert found.stderr == ""


def test_output_for_which_there_is_no_room_is_said_in_one_line(place: Path) -> None:
    for arguments in (["runs", "--store", str(place)], ["--help"]):
        with open("/dev/full", "w") as full:
            command = [sys.executable, "-m", "hutch", *arguments]
            found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert (found.returncode, found.stderr) == (1, "hutch: No space left on device.\n")


def test_python_runs_the_package_as_the_command() -> None:
    command = [sys.executable, "-m", "hutch", "--version"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert (found.returncode, found.stdout) == (0, f"hutch {hutch.__version__}\n")


@pytest.mark.parametrize(
    "words", [["runs", "--store"], ["verify"], ["backup"], ["reindex"], ["serve"], ["init"]]
)
def test_a_shell_completes_a_store_by_folders_or_configured_catalogs(tmp_path, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)

    def completed(beginning: str) -> list[tuple[str, str]]:
        found = ShellComplete(program, {}, "hutch", "_HUTCH_COMPLETE").get_completions(words, beginning)
        return [(one.type, one.value) for one in found]

    assert completed("be") == [("dir", "be")]
    (tmp_path / "own.toml").write_text('[catalogs.csx.raw]\nstore = "beamtime"\n')
    monkeypatch.setenv("HUTCH_CONFIG", "own.toml")
    assert completed("cs") == [("plain", "csx/raw")]
    assert completed("be") == [("dir", "be")]


def test_init_makes_a_store_in_a_database(invoke, postgres_server) -> None:
    address = postgres_server.address(postgres_server.make_database())
    lacking = invoke("runs", "--store", address)
    first, second = (invoke("init", address, "--files", "shared") for _ in range(2))
    third = invoke("init", address)

    assert (lacking.exit_code, lacking.stdout) == (1, "")
    assert f"Make one with: hutch init {address} --files DIR" in lacking.stderr
    assert (first.exit_code, second.exit_code, third.exit_code) == (0, 0, 0)
    assert first.stdout == second.stdout == third.stdout == f"{address}\n"
    assert "Made a store:" in first.stderr
    assert "shared/files" in first.stderr
    assert "There is a store already:" in second.stderr


def test_commands_work_on_a_database(invoke, postgres_address, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_STORE", postgres_address)
    with hutch.open_catalog(postgres_address) as cat, cat.start_run(plan_name="scan") as run:
        run.add("primary", {"x": 1.0})

    for arguments in (["runs"], ["show", "-1"], ["verify"], ["follow", "-1"]):
        found = invoke(*arguments)
        assert found.exit_code == 0, found.stderr
    assert json.loads(invoke("runs", "--json").stdout)[0]["plan_name"] == "scan"
