"""Somebody speaks as the operator while an experiment is active, else as himself, and as a job at last."""

from __future__ import annotations

import base64

import pytest

from hutch import elog
from hutch.errors import ConfigurationError, ElogError

from .conftest import ACTIVE

EXP = "xppl1001221"


def test_the_active_experiment_is_asked_for_without_saying_who_asks(logbook) -> None:
    assert elog.get_elog_active_expmt("XPP", endstation=1) == EXP
    assert logbook.last.path == ACTIVE
    assert logbook.last.query == {"instrument_name": ["XPP"], "station": ["1"]}
    assert "Authorization" not in logbook.last.headers


@pytest.mark.parametrize("value", [{"name": ""}, {}, None])
def test_where_none_is_active_its_name_is_empty(logbook, value) -> None:
    logbook.answer(ACTIVE, value)
    assert elog.get_elog_active_expmt("XPP") == ""


def test_an_instrument_that_is_none_is_an_error_with_what_the_logbook_says(logbook) -> None:
    logbook.answers[ACTIVE] = [(404, {"success": False, "error_msg": "no instrument ZZZ"})]
    with pytest.raises(RuntimeError, match=r"'ZZZ' can't be asked for; (?s:.*)no instrument ZZZ"):
        elog.get_elog_active_expmt("ZZZ")


def test_a_logbook_that_is_not_there_is_an_error_of_hutch(nobody) -> None:
    with pytest.raises(ElogError, match=r"No connection to 127\.0\.0\.1:\d+: Connection refused"):
        elog.get_elog_active_expmt("XPP")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nsomething else\n"])
def test_the_password_is_the_first_line_whole(logbook, tmp_path, end) -> None:
    (tmp_path / "password").write_bytes(f" a word{end}".encode())
    found = elog.get_elog_opr_auth(EXP)
    assert (found.username, found.password) == ("xppopr", " a word")


def test_a_password_arrives_in_utf_8(logbook) -> None:
    logbook.answer(f"/ws-auth/lgbk/lgbk/{EXP}/ws/runs", [])
    assert elog.elog_http_request(EXP, f"{EXP}/ws/runs", "GET") == (200, "SUCCESS", [])
    scheme, sent = logbook.last.headers["Authorization"].split()
    assert (scheme, base64.b64decode(sent).decode()) == ("Basic", "xppopr:pässword")


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_password_that_is_not_there_is_named_with_its_remedy(logbook, tmp_path, content) -> None:
    path = tmp_path / "password"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(ConfigurationError, match="password'(?s:.*)HUTCH_ELOG_PASSWORD_FILE"):
        elog.get_elog_opr_auth(EXP)
    status, outcome, _ = elog.elog_http_request(EXP, f"{EXP}/ws/runs", "GET")
    assert status == -1
    assert "HUTCH_ELOG_PASSWORD_FILE" in outcome


def test_the_names_of_experiments_are_compared_without_regard_to_case(logbook) -> None:
    logbook.active = EXP.upper()
    assert elog.get_elog_auth(EXP).username == "xppopr"


def test_a_job_without_a_password_speaks_with_its_token(logbook, tmp_path, monkeypatch) -> None:
    (tmp_path / "password").unlink()
    monkeypatch.setenv("Authorization", "Bearer of-the-job")
    monkeypatch.setenv("EXPERIMENT", EXP)
    logbook.answer(f"/ws-jwt/lgbk/lgbk/run_control/{EXP}/ws/add_run_params")
    assert elog.post_elog_run_table(EXP, 3, {"hits": 4}) is None
    assert logbook.last.headers["Authorization"] == "Bearer of-the-job"
    with pytest.raises(ConfigurationError, match="password"):
        logbook.active = "xppx49320"
        elog.get_elog_auth("xppx49320")


def test_what_netrc_knows_of_the_host_does_not_take_the_place_of_headers(
    logbook, tmp_path, monkeypatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login other password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    logbook.answer(f"/ws-jwt/lgbk/lgbk/{EXP}/ws/get_runs_with_tag", [1])
    assert elog.get_elog_runs_by_tag(EXP, "dark", auth={"Authorization": "Bearer mine"}) == [1]
    assert logbook.last.headers["Authorization"] == "Bearer mine"
    elog.get_elog_active_expmt("XPP")
    assert "Authorization" not in logbook.last.headers


def test_without_the_library_of_kerberos_it_is_said_what_to_install(logbook, monkeypatch) -> None:
    import sys

    logbook.active = "xppx49320"
    monkeypatch.setitem(sys.modules, "gssapi", None)
    status, outcome, value = elog.elog_http_request(EXP, f"{EXP}/ws/runs", "GET")
    assert (status, value) == (-1, None)
    assert "pip install 'hutch[kerberos]'" in outcome
    assert "kinit" in outcome


def test_who_has_a_ticket_speaks_with_it_where_the_experiment_is_not_active(logbook, realm, tmp_path) -> None:
    from hutch.server.negotiate import Acceptor, presented_token

    from ...kerberos import REALM

    realm.add(f"eve@{REALM}")
    realm.kinit(f"eve@{REALM}")
    acceptor = Acceptor(realm.keytab, REALM, replay_cache=tmp_path / "seen")
    logbook.active = "xppx49320"
    path = f"/ws-kerb/lgbk/lgbk/{EXP}/ws/runs"
    logbook.answers[path] = [
        (503, {"success": False, "error_msg": "starting"}),
        (200, {"success": True, "value": [7]}),
    ]
    assert elog.elog_http_request(EXP, f"{EXP}/ws/runs", "GET") == (200, "SUCCESS", [7])
    realm.kdestroy()
    headers = [one.headers["Authorization"] for one in logbook.sent if one.path == path]
    # Asked again, it needs another token: the service takes each once.
    assert [acceptor.step(presented_token(one))[0] for one in headers] == [f"eve@{REALM}"] * 2
    status, outcome, _ = elog.elog_http_request(EXP, f"{EXP}/ws/runs", "GET")
    assert (status, outcome.endswith("Get one with: kinit")) == (-1, True)
