"""Entries, their files, run tables, workflows and the status of jobs arrive as the logbook expects them."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import psutil
import pytest

from hutch import elog
from hutch.errors import ElogError, ElogFileFormatError

EXP = "xppl1001221"
BASE = f"/ws-auth/lgbk/lgbk/{EXP}/ws"
PNG = b"\x89PNG\r\n\x1a\n\0\r\n--\r\n"


def open_files(folder: Path) -> list[str]:
    return [one.path for one in psutil.Process().open_files() if Path(one.path).is_relative_to(folder)]


@pytest.fixture
def plot(tmp_path) -> Path:
    path = tmp_path / "plot.png"
    path.write_bytes(PNG)
    return path


def test_an_entry_arrives_with_title_and_tags(logbook) -> None:
    logbook.answer(f"{BASE}/new_elog_entry")
    assert elog.post_elog_message(EXP, "Laser läuft\n", tag="laser shift", title="Status") is None
    assert logbook.last.form == {
        "log_text": "Laser läuft\n",
        "log_tags": "laser shift",
        "log_title": "Status",
    }


def test_an_entry_without_title_and_tag_has_none(logbook) -> None:
    logbook.answer(f"{BASE}/new_elog_entry")
    assert elog.post_elog_message(EXP, "text", tag=None, title=None) is None
    assert logbook.last.form == {"log_text": "text"}


def test_files_arrive_byte_for_byte_in_every_form(logbook, plot, tmp_path) -> None:
    logbook.answer(f"{BASE}/new_elog_entry")
    data = tmp_path / "values.unknown"
    data.write_bytes(bytes(range(256)) * 300)
    (tmp_path / "empty.txt").touch()
    files = [str(plot), (str(plot), "Powder sum, µm"), [str(data), "values"], str(tmp_path / "empty.txt")]
    assert elog.post_elog_message(EXP, "see plöt", tag="t", title=None, in_files=files) is None
    assert logbook.last.form == {"log_text": "see plöt", "log_tags": "t"}
    assert logbook.last.files == [
        ("files", "plot.png", "image/png", PNG),
        ("files", "Powder sum, µm", "image/png", PNG),
        ("files", "values", "application/octet-stream", data.read_bytes()),
        ("files", "empty.txt", "text/plain", b""),
    ]
    assert open_files(tmp_path) == []


@pytest.mark.parametrize("bad", [3, None, ("a",), ("a", "b", "c"), (1, "b"), [], {"a": "b"}, b"a"])
def test_what_is_no_file_is_refused_and_nothing_is_posted(logbook, plot, bad) -> None:
    with pytest.raises(ElogFileFormatError, match="Unrecognized format"):
        elog.format_file_for_post(bad)
    outcome = elog.post_elog_message(EXP, "text", tag=None, title=None, in_files=[str(plot), bad])
    assert "Unrecognized format" in outcome
    assert open_files(plot.parent) == []
    assert logbook.sent == []


def test_a_file_that_is_not_there_is_named_and_nothing_is_posted(logbook, plot) -> None:
    outcome = elog.post_elog_message(
        EXP, "text", tag=None, title=None, in_files=[str(plot), "/none/such.png"]
    )
    assert "'/none/such.png'" in outcome
    assert open_files(plot.parent) == []
    assert logbook.sent == []


def test_a_file_is_prepared_as_requests_takes_it(plot) -> None:
    field, (name, file, kind) = elog.format_file_for_post((plot, "a plot"))
    with file:
        assert (field, name, kind, file.read()) == ("files", "a plot", "image/png", PNG)


def test_values_arrive_in_the_run_table_with_the_run(logbook) -> None:
    path = f"/ws-auth/lgbk/lgbk/run_control/{EXP}/ws/add_run_params"
    logbook.answer(path)
    data = {
        "N hits": np.int64(5),
        "rate": np.float32(0.25),
        "bad": math.nan,
        "tags": ("a", 1),
        "at": {"x": math.inf},
    }
    assert elog.post_elog_run_table(EXP, np.int64(7), data) is None
    assert logbook.last.query == {"run_num": ["7"]}
    assert logbook.last.json == {"N hits": 5, "rate": 0.25, "bad": None, "tags": ["a", 1], "at": {"x": None}}


def test_values_that_are_none_of_json_are_named(logbook) -> None:
    outcome = elog.post_elog_run_table(EXP, 7, {"when": object()})
    assert "when" in outcome
    assert logbook.sent == []


def test_runs_are_found_by_any_tag(logbook) -> None:
    logbook.answer(f"{BASE}/get_runs_with_tag", [3, 1])
    assert elog.get_elog_runs_by_tag(EXP, "DARK & bright #1+2") == [3, 1]
    assert logbook.last.query == {"tag": ["DARK & bright #1+2"]}


def test_runs_that_can_not_be_asked_for_are_none_and_logged(logbook, caplog) -> None:
    assert elog.get_elog_runs_by_tag(EXP, "dark") == []
    assert "No runs with the tag 'dark': " in caplog.text
    logbook.answer(f"{BASE}/get_runs_with_tag", None)
    assert elog.get_elog_runs_by_tag(EXP, "dark") == []


def test_parameters_are_returned_by_run(logbook) -> None:
    rows = [
        {"_id": "a", "num": 1, "params": {"x": 1.5, "y": "b"}},
        {"num": 2, "params": {"y": None}},
        {"num": 3},
    ]
    logbook.answer(f"{BASE}/get_run_params_for_all_runs", rows)
    assert elog.get_elog_params_by_run(EXP, ["x", "y"]) == {1: {"x": 1.5, "y": "b"}, 2: {"y": None}, 3: {}}
    assert logbook.last.query == {"param_names": ["x,y"]}
    assert elog.get_elog_params_by_run(EXP, ["x"], runs=[2, 1, 9]) == {1: {"x": 1.5}, 2: {}}
    assert elog.get_elog_params_by_run(EXP, "x", runs=[1]) == {1: {"x": 1.5}}
    assert elog.get_elog_params_by_run(EXP, []) == {}


def test_parameters_that_can_not_be_asked_for_are_an_error(logbook) -> None:
    with pytest.raises(ElogError, match="Response 404"):
        elog.get_elog_params_by_run(EXP, ["x"])
    with pytest.raises(ElogError, match="comma in their names: .'a,b'."):
        elog.get_elog_params_by_run(EXP, ["a,b"])


def test_workflows_are_returned_by_name(logbook) -> None:
    found = [{"_id": "1", "name": "smd", "trigger": "MANUAL"}, {"_id": "2", "name": "lute"}]
    logbook.answer(f"{BASE}/workflow_definitions", found)
    assert elog.get_elog_workflows(EXP) == {"smd": found[0], "lute": found[1]}
    del logbook.answers[f"{BASE}/workflow_definitions"]
    with pytest.raises(ElogError, match="Response 404"):
        elog.get_elog_workflows(EXP)


@pytest.mark.parametrize(
    ("trigger", "sent"), [("manual", "MANUAL"), ("run_start", "START_OF_RUN"), ("run_end", "END_OF_RUN")]
)
def test_a_workflow_arrives_with_its_trigger(logbook, trigger, sent) -> None:
    logbook.answer(f"{BASE}/create_update_workflow_def")
    assert elog.post_elog_workflow(EXP, "smd", "/bin/smd", "-n 4 --all", trigger=trigger) is None
    assert logbook.last.json == {
        "name": "smd",
        "executable": "/bin/smd",
        "parameters": "-n 4 --all",
        "trigger": sent,
        "location": "S3DF",
    }


def test_a_workflow_that_waits_for_a_parameter_says_for_which(logbook) -> None:
    logbook.answer(f"{BASE}/create_update_workflow_def")
    values = {"trig_param": "SmallData", "trig_param_val": "done"}
    elog.post_elog_workflow(EXP, "smd", "/bin/smd", "", trigger="param_is", location="NERSC", **values)
    sent = logbook.last.json
    assert (sent["trigger"], sent["location"]) == ("RUN_PARAM_IS_VALUE", "NERSC")
    assert (sent["run_param_name"], sent["run_param_val"], sent["run_param_value"]) == (
        "SmallData",
        "done",
        "done",
    )


def test_a_workflow_that_can_not_be_defined_is_told(logbook, caplog) -> None:
    with pytest.raises(NotImplementedError, match="'daily'. There are: manual, run_start, run_end, param_is"):
        elog.post_elog_workflow(EXP, "smd", "/bin/smd", "", trigger="daily")
    with pytest.raises(RuntimeError, match="'trig_param' and 'trig_param_val'"):
        elog.post_elog_workflow(EXP, "smd", "/bin/smd", "", trigger="param_is", trig_param="x")
    assert logbook.sent == []
    assert "Response 404" in elog.post_elog_workflow(EXP, "smd", "/bin/smd", "")
    assert "The workflow 'smd' is not defined" in caplog.text


@pytest.fixture
def job(logbook, monkeypatch) -> str:
    """A job of run 12; return the address of its counters."""
    address = f"{logbook.url}/jid/secret-word/{EXP}/replace"
    environment = {"ARP_ROOT_JOB_ID": "65f0", "RUN_NUM": "12", "Authorization": "Bearer of-the-job"}
    for name, value in (environment | {"JID_UPDATE_COUNTERS": address}).items():
        monkeypatch.setenv(name, value)
    # Without "success", as a job's own server may answer.
    logbook.answers[f"/jid/{EXP}/get_counters"] = [(200, {"value": [{"key": "a", "value": "1"}]})]
    logbook.answers[f"/jid/secret-word/{EXP}/replace"] = [(200, b"")]
    return address


def test_what_a_job_shows_is_asked_for_with_its_token(logbook, job) -> None:
    import getpass

    assert elog._get_current_run_status(job) == {"a": "1"}
    assert logbook.last.headers["Authorization"] == "Bearer of-the-job"
    assert logbook.last.json == {
        "_id": "65f0",
        "experiment": EXP,
        "run_num": "12",
        "user": getpass.getuser(),
    }


@pytest.mark.parametrize("given", [True, False])
def test_a_status_is_added_to_what_the_job_shows(logbook, job, monkeypatch, given) -> None:
    if given:
        monkeypatch.delenv("JID_UPDATE_COUNTERS")
    assert elog.post_elog_run_status({"a": 2, "b": 0.5}, job if given else None) is None
    assert logbook.paths == [f"/jid/{EXP}/get_counters", f"/jid/secret-word/{EXP}/replace"]
    assert logbook.last.json == [{"key": "a", "value": "2"}, {"key": "b", "value": "0.5"}]
    assert "Authorization" not in logbook.last.headers


def test_outside_a_job_only_what_is_given_is_shown(logbook, job, monkeypatch) -> None:
    monkeypatch.delenv("ARP_ROOT_JOB_ID")
    elog.post_elog_run_status({"b": "x"}, job)
    assert logbook.last.json == [{"key": "b", "value": "x"}]
    with pytest.raises(RuntimeError, match="ARP_ROOT_JOB_ID or RUN_NUM"):
        elog._get_current_run_status(job)


def test_a_status_that_has_nowhere_to_go_is_logged(logbook, caplog) -> None:
    elog.post_elog_run_status({"a": 1})
    assert "JID_UPDATE_COUNTERS is not defined" in caplog.text
    assert logbook.sent == []


@pytest.mark.parametrize("answer", [None, (500, {"success": False}), (200, b"<html>"), (401, b"")])
def test_a_status_that_can_not_be_read_is_not_replaced(logbook, job, caplog, answer) -> None:
    logbook.answers[f"/jid/{EXP}/get_counters"] = [answer]
    elog.post_elog_run_status({"a": 1})
    assert logbook.paths == [f"/jid/{EXP}/get_counters"]
    assert "eLog Update Failed!" in caplog.text


@pytest.mark.parametrize("answer", [None, (403, {"success": False, "error_msg": "expired"})])
def test_a_status_that_is_refused_is_logged_without_the_secret_address(logbook, job, caplog, answer) -> None:
    logbook.answers[f"/jid/secret-word/{EXP}/replace"] = [answer]
    with caplog.at_level(logging.ERROR, "hutch.elog"):
        elog.post_elog_run_status({"a": 1})
    assert "eLog Update Failed!" in caplog.text
    assert "secret-word" not in "".join(record.getMessage() for record in caplog.records)
