"""A request ends in a status, what went wrong, and what was asked for; nothing of the network is raised."""

from __future__ import annotations

import pytest

from hutch import elog

from .conftest import ACTIVE

EXP = "xppl1001221"
PATH = f"/ws-auth/lgbk/lgbk/{EXP}/ws/runs"


def get() -> tuple:
    return elog.elog_http_request(EXP, f"{EXP}/ws/runs", "get")


def test_what_is_asked_for_is_returned(logbook) -> None:
    logbook.answer(PATH, [{"num": 1}])
    assert get() == (200, "SUCCESS", [{"num": 1}])


def test_what_is_posted_returns_no_value(logbook) -> None:
    logbook.answer(PATH, {"_id": "1"})
    assert elog.elog_http_request(EXP, f"{EXP}/ws/runs", "POST", json={"a": 1}) == (200, "SUCCESS", None)
    assert (logbook.last.method, logbook.last.json) == ("POST", {"a": 1})


def test_another_method_is_not_sent(logbook) -> None:
    assert elog.elog_http_request(EXP, f"{EXP}/ws/runs", "DELETE") == (-1, "Invalid request type!", None)
    assert logbook.sent == []


@pytest.mark.parametrize("name", ["error_msg", "errormsg"])
@pytest.mark.parametrize("status", [200, 400, 423, 500])
def test_a_refusal_is_told_with_its_reason(logbook, name, status) -> None:
    logbook.answers[PATH] = [(status, {"success": False, name: "the experiment is locked", "value": None})]
    found, outcome, value = get()
    assert (found, value) == (status, None)
    assert outcome == f"Error when asking eLog: Response {status}\nInclude message: the experiment is locked"


@pytest.mark.parametrize(
    "content",
    [b"<html>log in</html>", b"", b"[1, 2]", b"null", b"\xff\xfe", b'{"detail": "no"}', b"[" * 9000],
)
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_of_something_else_is_told(logbook, content, status) -> None:
    logbook.answers[PATH] = [(status, content)]
    found, outcome, value = get()
    assert (found, value) == (status, None)
    assert outcome.startswith(f"Error when asking eLog: Response {status} is not what a logbook answers: ")
    assert len(outcome) < 400


def test_a_form_is_not_sent_on_to_where_one_logs_in(logbook) -> None:
    path = f"/ws-auth/lgbk/lgbk/{EXP}/ws/new_elog_entry"
    logbook.answers[path] = [(302, b"")]
    logbook.answer("/login", {})
    outcome = elog.post_elog_message(EXP, "text", tag=None, title=None)
    assert f"Response 302, sent to {logbook.url}/login" in outcome
    assert logbook.paths == [path]


@pytest.mark.parametrize("first", [(503, {"success": False}), (502, b"bad gateway"), None])
def test_a_question_is_asked_again_if_nobody_answers(logbook, first) -> None:
    logbook.answers[PATH] = [first, first, (200, {"success": True, "value": 3})]
    assert get() == (200, "SUCCESS", 3)


def test_a_question_is_asked_three_times_and_no_more(logbook) -> None:
    logbook.answers[PATH] = [None]
    status, outcome, value = get()
    assert (status, value) == (-1, None)
    assert outcome.startswith("Error when asking eLog: No connection to localhost:")
    assert logbook.paths == [PATH] * 3


def test_who_asks_is_not_found_out_again_and_again(logbook) -> None:
    logbook.answers[ACTIVE] = [None]
    status, outcome, _ = get()
    assert status == -1
    assert "The active experiment of 'xpp' can't be asked for. No connection to localhost:" in outcome
    assert [one.path for one in logbook.sent] == [ACTIVE] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 423, 500])
def test_what_will_not_change_is_asked_once(logbook, status) -> None:
    logbook.answers[PATH] = [(status, {"success": False, "error_msg": "no"})]
    assert get()[0] == status
    assert logbook.paths == [PATH]


@pytest.mark.parametrize("first", [(503, {"success": False}), None])
def test_what_is_posted_is_posted_once(logbook, first) -> None:
    path = f"/ws-auth/lgbk/lgbk/{EXP}/ws/new_elog_entry"
    logbook.answers[path] = [first, (200, {"success": True})]
    assert elog.post_elog_message(EXP, "text", tag=None, title=None) is not None
    assert logbook.paths == [path]


def test_a_logbook_that_is_not_there_is_told(nobody) -> None:
    status, outcome, value = get()
    assert (status, value) == (-1, None)
    assert "Connection refused" in outcome
    assert elog.post_elog_run_table(EXP, 1, {"a": 1}) == outcome.replace("asking", "posting to")


def test_a_logbook_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HUTCH_ELOG_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("HUTCH_ELOG_TIMEOUT_S", "0.05")
        monkeypatch.setattr(elog.transport, "PAUSES_S", (0.0,))
        status, outcome, _ = get()
    assert status == -1
    assert "did not answer in time (0.05 s)" in outcome


def test_no_time_at_all_is_refused(logbook, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_ELOG_TIMEOUT_S", "0")
    status, outcome, _ = get()
    assert (status, logbook.sent) == (-1, [])
    assert "HUTCH_ELOG_TIMEOUT_S" in outcome


@pytest.mark.parametrize("params", [{"json": {"a": float("nan")}}, {"headers": {"X": "a\nb"}}])
def test_a_request_that_can_not_be_sent_is_told(logbook, params) -> None:
    status, outcome, _ = elog.elog_http_request(EXP, f"{EXP}/ws/runs", "POST", **params)
    assert status == -1
    assert "The request to localhost:" in outcome
    assert "failed: Invalid" in outcome


@pytest.mark.parametrize(
    "address", ["pswww.slac.stanford.edu", "ftp://a", "http://", "http://u:p@a", "http://a?b"]
)
def test_an_address_that_is_none_is_refused_before_anything_is_sent(monkeypatch, address) -> None:
    monkeypatch.setenv("HUTCH_ELOG_URL", address)
    status, outcome, _ = get()
    assert status == -1
    assert "HUTCH_ELOG_URL" in outcome


def test_by_default_the_logbook_is_that_of_lcls(monkeypatch) -> None:
    from hutch.elog.profile import base_url, service_principal

    monkeypatch.delenv("HUTCH_ELOG_URL", raising=False)
    assert base_url("ws-auth") == "https://pswww.slac.stanford.edu/ws-auth/lgbk/lgbk"
    assert service_principal() == "HTTP@pswww.slac.stanford.edu"
    monkeypatch.setenv("HUTCH_ELOG_URL", "http://log.facility.org:8000/")
    assert base_url("ws") == "http://log.facility.org:8000/ws/lgbk/lgbk"
    assert service_principal() == "HTTP@log.facility.org"
    monkeypatch.setenv("HUTCH_ELOG_PRINCIPAL", "HTTP/www@FACILITY.ORG")
    assert service_principal() == "HTTP/www@FACILITY.ORG"
