"""The demo, as a program of its own."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pexpect
import pytest

from hutch import open_catalog
from hutch.server import Admission, build_app

from ..serving import serving

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "HUTCH_STORE"},
    "HUTCH_CONFIG": os.devnull,
}


def hutch(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hutch.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    (folder / "more.jsonl").write_text('["start", {"uid": "imported", "time": 1.0, "plan_name": "old"}]\n')
    return folder


@pytest.fixture(scope="module")
def output(folder: Path) -> str:
    found = hutch("demo", "--no-serve", "--port", "8123", "--import", "more.jsonl", folder=folder)
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout


def test_the_demo_records_six_runs_of_which_one_fails(output, folder) -> None:
    runs = json.loads(hutch("runs", "--json", "--store", "demo-store", folder=folder).stdout)

    assert [run["plan_name"] for run in runs] == [
        "grid_scan",
        "scan",
        "watch",
        "scan",
        "scan",
        "count",
        "old",
    ]
    assert [run["status"] for run in runs] == [
        "success",
        "success",
        "success",
        "fail",
        "success",
        "success",
        "interrupted",
    ]
    assert sum(run["nonconforming"] + run["quarantined"] for run in runs) == 0
    assert "sample_x: 4.5 mm is beyond the limit switch at 4 mm" in output


def test_a_second_process_prints_the_rows_of_the_scan(output) -> None:
    rows = re.findall(r"^ +(\d+)  \d\d:\d\d:\d\d\.\d{3} +([\d.]+) +\d+$", output, re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(1, 26))
    assert "Run 2: success · 2 rows of baseline, 25 rows of primary" in output


def test_the_output_is_plain_where_it_is_piped(output) -> None:
    assert "\x1b" not in output
    assert not re.search(r"Traceback|WARNING|Transient Scan ID", output)


def test_the_demo_reads_the_newest_run_back_and_names_the_picture(output, folder) -> None:
    assert "Found again" in output
    assert output.index("Found again") < output.index("grid_scan", output.index("Found again"))
    assert "<xarray.Dataset>" in output
    assert "(192, 256) of uint16" in output
    for picture in ("run-6-grid_scan.png", "run-5-scan.png"):
        assert f"demo-store/{picture}\n" in output
        assert (folder / "demo-store" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_monitor_notices_the_fault_while_the_run_goes_on(output, folder) -> None:
    (noticed,) = re.findall(r"^while point (\d+) is taken: beam is bad: the last value of", output, re.M)
    (points,) = re.findall(r"^run 4 .* (\d+) points", output, re.M)
    assert 12 < int(noticed) <= int(points)
    (picture,) = re.findall(r"^(demo-store/monitor/.*-primary_Lines\.png)$", output, re.M)
    assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    found = hutch("runs", "dqm.beam=bad", "--json", "--store", "demo-store", folder=folder)
    assert [run["scan_id"] for run in json.loads(found.stdout)] == [4]


def test_a_person_a_plan_and_the_monitor_write_into_the_logbook(output, folder) -> None:
    found = hutch("log", "list", "--json", "--store", "demo-store", folder=folder)
    entries = json.loads(found.stdout)
    wrote = {
        entry["title"]: (entry["author"], entry["run_num"], len(entry["attachments"])) for entry in entries
    }
    plan = wrote.pop("Found the grain")
    assert wrote == {"Aligned": ("ada", 2, 0), "beam is bad": ("monitor", 4, 1)}
    assert plan[1:] == (6, 1)
    for title in ("Aligned", "beam is bad", "Found the grain"):
        assert title in output.split("The logbook")[1]
    assert re.search(r"^ +4 +watch +LaB6 +success +[\d.]+ s +bad", output, re.M)


def test_the_pages_show_the_fault_and_what_was_written_of_it(output, folder) -> None:
    options = {"headers": {"Accept": "text/html", "Authorization": "Apikey k"}, "timeout": 30}
    with (
        open_catalog(folder / "demo-store") as catalog,
        serving(build_app({"raw": catalog}, Admission(["k"]))) as address,
        httpx.Client(base_url=address, follow_redirects=True, **options) as http,
    ):
        monitor, logbook = http.get("/monitor").text, http.get("/logbook").text
        pictures = re.findall(r'src="(/monitor/[^"]+)"', monitor)
        assert re.search(r"beam.*the last value of ion_chamber is 1,\d{3}", monitor, re.DOTALL)
        assert http.get(html.unescape(pictures[0])).content.startswith(b"\x89PNG")
        assert "beam is bad" in logbook and "Found the grain" in logbook


def test_what_the_demo_says_to_try_works(output, folder) -> None:
    tries = output.split("What to try next")[1].splitlines()
    commands = [line.split()[1:] for line in tries if line.startswith("  hutch ")]
    code = "\n".join(line.strip() for line in tries[tries.index("and in Python:") + 1 :])

    assert [command[0] for command in commands] == ["runs", "show", "plot", "log", "verify"]
    for command in commands:
        assert hutch(*command, folder=folder).returncode == 0
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)


def test_the_demo_can_be_run_again_in_the_same_store(output, folder) -> None:
    found = hutch("demo", "--store", "demo-store", folder=folder)

    assert found.returncode == 0
    assert "demo-store/run-12-grid_scan.png" in found.stdout
    assert hutch("verify", "demo-store", folder=folder).returncode == 0


def test_at_a_terminal_the_demo_ends_with_pages_in_a_browser(tmp_path) -> None:
    command = [sys.executable, "-m", "hutch.cli", "demo", "--port", "0"]
    child = pexpect.spawn(
        command[0], command[1:], cwd=str(tmp_path), env=ENVIRONMENT, encoding="utf-8", timeout=100
    )
    child.expect(r"(http://127\.0\.0\.1:\d+)/\?api_key=(\w+)")
    address, key = child.match.groups()
    child.expect("Stop with Ctrl-C")
    page = httpx.get(address, headers={"Authorization": f"Apikey {key}"}).text
    assert "6 runs" in page and "grid_scan" in page
    found = httpx.get(
        f"{address}/hutch/v1/catalogs/raw/runs/5", headers={"Authorization": f"Apikey {key}"}
    ).json()
    frame = f"{address}/runs/{found['uid']}/frames/primary/0.png?key=camera"
    assert httpx.get(frame, headers={"Authorization": f"Apikey {key}"}).status_code == 200
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus in (0, 1, 130)


def test_without_bluesky_the_demo_says_what_to_install(tmp_path) -> None:
    script = (
        "import sys; sys.modules['bluesky'] = sys.modules['ophyd'] = None\n"
        "sys.argv = ['hutch', 'demo']; from hutch.cli import main; main()"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert found.returncode == 1
    assert "pip install 'hutch[bluesky]'" in found.stderr.splitlines()[-1]
    assert "Traceback" not in found.stderr
