"""A store with a few runs, and a way to call the command line on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hutch
from hutch.cli.group import hutch as program

Invoke = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of a store with three runs: a scan, one that failed, and one with an odd value."""
    place = tmp_path / "store"
    with hutch.open_catalog(place) as cat:
        with cat.start_run(plan_name="scan", sample="A", hints={"dimensions": [[["x"], "primary"]]}) as run:
            for x in range(5):
                run.add("primary", {"x": float(x), "y": x * 2.5})
        with pytest.raises(RuntimeError, match="the shutter is stuck"), cat.start_run(plan_name="count"):
            raise RuntimeError("the shutter is stuck")
        recorder = cat.recorder()
        recorder("start", {"uid": "0dd0" * 8, "time": 2e9, "scan_id": 77, "plan_name": "odd"})
        keys = {"n": {"dtype": "integer", "shape": [], "source": "sim", "units": "\x1b[31mcounts"}}
        descriptor = {"uid": "d", "run_start": "0dd0" * 8, "time": 2e9, "name": "primary", "data_keys": keys}
        recorder("descriptor", {**descriptor, "configuration": {}, "hints": {}, "object_keys": {"n": ["n"]}})
        event = {"uid": "e", "descriptor": "d", "time": 2e9, "seq_num": 1}
        recorder("event", {**event, "data": {"n": 2.5}, "timestamps": {"n": 2e9}})
        recorder("event", {**event, "uid": "f", "descriptor": "nobody's", "data": {}, "timestamps": {}})
        stop = {"uid": "s", "run_start": "0dd0" * 8, "time": 2e9 + 1, "exit_status": "success"}
        recorder("stop", {**stop, "num_events": {"primary": 1}})
        recorder.close()
    return place


@pytest.fixture
def invoke(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return a function that calls ``hutch`` on that store, in a working folder of its own."""
    monkeypatch.setenv("HUTCH_STORE", str(place))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(program, arguments, **more)

    return call
