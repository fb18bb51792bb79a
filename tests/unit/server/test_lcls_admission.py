"""Who may ask the service for LCLS's clients, for what, and in which of several stores."""

from __future__ import annotations

import base64

import httpx
import pytest

import hutch
from hutch.access import Access
from hutch.errors import StoreUnavailableError
from hutch.logbook import Logbook
from hutch.server import Admission, build_app
from hutch.server.lcls import is_lcls
from hutch.server.lcls.jobs import counters_url, hide_secret
from hutch.server.lcls.replies import refusal

from ...serving import KEY, serving

PASSWORD = "a long password"  # noqa: S105


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory):
    """Two stores: of XPP with an open experiment and another, and of MFX; each has its users."""
    folder = tmp_path_factory.mktemp("stores")
    with hutch.open_catalog(folder / "xpp") as xpp, hutch.open_catalog(folder / "mfx") as mfx:
        first, second = Access(xpp.store), Access(mfx.store)
        first.users.add("xppopr", PASSWORD, scopes=["read", "record", "write"])
        first.users.add("gone", PASSWORD, scopes=["read"])
        first.users.disable("gone")
        first.experiments.create("xppopen", instrument="XPP", is_open=True)
        first.experiments.create("xpphidden", instrument="XPP")
        second.users.add("mfxopr", PASSWORD, scopes=["read", "record", "write"])
        second.experiments.create("mfxx1", instrument="MFX")
        second.experiments.activate("mfxx1")
        yield {"xpp": xpp, "mfx": mfx}


@pytest.fixture(scope="module")
def address(catalogs):
    admission = Admission([KEY], public=True, user_header="X-User", proxies=["127.0.0.0/8"])
    with serving(build_app(catalogs, admission)) as found:
        yield found


def ask(address, experiment, call="runs", *, prefix="ws-auth", user=None, key=None, **params):
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    if user is not None:
        name_and_password = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        headers["Authorization"] = f"Basic {name_and_password}"
    method = "POST" if params else "GET"
    url = f"{address}/{prefix}/lgbk/lgbk/{experiment}/ws/{call}"
    return httpx.request(method, url, headers=headers, timeout=20, **params)


def test_where_all_may_read_they_read_what_is_open_and_write_nothing(address):
    assert ask(address, "xppopen", prefix="ws").json()["value"] == []
    assert ask(address, "xpphidden", prefix="ws").status_code == 404
    written = ask(address, "xppopen", "new_elog_entry", prefix="ws", data={"log_text": "x"})
    assert written.status_code == 403
    assert "takes the scope 'write'" in written.json()["error_msg"]


def test_all_may_read_is_no_proof_below_the_other_prefixes(address):
    for prefix in ("ws-auth", "ws-kerb", "ws-jwt"):
        assert ask(address, "xppopen", prefix=prefix).status_code == 401
    said = ask(address, "xppopen", prefix="ws-kerb").json()["error_msg"]
    assert "it has no keytab. Ask below /ws-auth with a name and a password, or below /ws-jwt" in said


def test_each_store_answers_for_its_own_experiments_and_users(address):
    assert ask(address, "mfxx1", user="mfxopr").status_code == 200
    assert ask(address, "xpphidden", user="xppopr").status_code == 200
    # A user of one store is nobody in the other.
    assert ask(address, "xppopen", user="mfxopr").status_code == 404
    assert ask(address, "mfxx1", user="xppopr").status_code == 404


def test_the_active_experiment_is_found_in_whichever_store(address):
    path = f"{address}/ws/lgbk/lgbk/ws/activeexperiment_for_instrument_station"
    for query, name in [("mfx&station=0", "mfxx1"), ("MFX", "mfxx1"), ("mfx&station=1", ""), ("xpp", "")]:
        assert httpx.get(f"{path}?instrument_name={query}").json()["value"]["name"] == name
    for query in ("", "instrument_name=mfx&station=x", "instrument_name=mfx&station=-1"):
        assert httpx.get(f"{path}?{query}").status_code == 400


def test_an_instrument_without_experiments_has_no_logbook(address):
    assert ask(address, "XPP_Instrument", "info", user="xppopr").json()["value"]["_id"] == "XPP_Instrument"
    assert ask(address, "MFX_Instrument", "info", user="xppopr").status_code == 404
    assert ask(address, "CXI_Instrument", "info", user="xppopr").status_code == 404


def test_who_is_disabled_is_nobody(address):
    assert ask(address, "xppopen", user="gone").status_code == 401


def test_what_a_proxy_says_is_no_proof_here(address):
    url = f"{address}/ws-auth/lgbk/lgbk/xpphidden/ws/runs"
    assert httpx.get(url, headers={"X-User": "xppopr"}).status_code == 401


def test_keys_are_bearers_as_far_as_they_go(address, catalogs):
    keys = Access(catalogs["xpp"].store).keys
    whole, _ = keys.create(["read", "record"], owner="xppopr")
    limited, _ = keys.create(["read"], owner="xppopr", catalogs=["mfx"])
    revoked, about = keys.create(["read"], owner="xppopr")
    keys.revoke(about.prefix)
    assert ask(address, "xpphidden", prefix="ws-jwt", key=whole).status_code == 200
    assert ask(address, "xpphidden", prefix="ws-jwt", key=KEY).status_code == 200
    assert ask(address, "xpphidden", prefix="ws-jwt", key=limited).status_code == 404
    assert ask(address, "xpphidden", prefix="ws-jwt", key=revoked).status_code == 401
    written = ask(address, "xppopen", "new_elog_entry", prefix="ws-jwt", key=whole, data={"log_text": "x"})
    assert written.status_code == 403


def test_who_may_only_read_is_told_so_before_anything_is_taken(address, catalogs):
    access = Access(catalogs["xpp"].store)
    access.users.add("reader", PASSWORD, scopes=["read", "record", "write"])
    access.experiments.set_role("xpphidden", "reader", "reader")
    assert ask(address, "xpphidden", user="reader").status_code == 200
    for call, sent in [
        ("new_elog_entry", {"data": {"log_text": "x"}}),
        ("add_run_params?run_num=1", {"json": {"a": 1}}),
        ("create_update_user_run_table_def", {"json": {}}),
        ("create_update_workflow_def", {"json": {}}),
        ("kill_workflow_job", {"json": {}}),
    ]:
        answer = ask(address, "xpphidden", call, user="reader", **sent)
        assert answer.status_code == 403, call
        assert "it takes the role" in answer.json()["error_msg"]


def test_an_entry_of_somebody_else_takes_an_editor(address, catalogs):
    access = Access(catalogs["xpp"].store)
    for user in ("writer1", "writer2"):
        access.users.add(user, PASSWORD, scopes=["read", "write"])
        access.experiments.set_role("xppopen", user, "writer")
    posted = ask(address, "xppopen", "new_elog_entry", user="writer1", data={"log_text": "mine"})
    entry = posted.json()["value"]["_id"]
    change = {"data": {"log_text": "changed"}}
    assert (
        ask(address, "xppopen", f"modify_elog_entry?_id={entry}", user="writer2", **change).status_code == 403
    )
    assert (
        ask(address, "xppopen", f"delete_elog_entry?_id={entry}", user="writer2", **change).status_code == 403
    )
    assert (
        ask(address, "xppopen", f"modify_elog_entry?_id={entry}", user="writer1", **change).status_code == 200
    )
    # Nor is it reached by way of another experiment.
    other = ask(address, "xpphidden", f"modify_elog_entry?_id={entry}", user="xppopr", **change)
    assert other.status_code == 404
    audit = [(row["author"], row["action"]) for row in Logbook(catalogs["xpp"]).audit("xppopen")]
    assert audit[:2] == [("writer1", "entry.edit"), ("writer1", "entry.post")]


def test_a_file_may_be_larger_than_other_requests(address):
    content = b"x" * 11_000_000
    posted = ask(
        address,
        "xppopen",
        "new_elog_entry",
        user="xppopr",
        data={"log_text": "large"},
        files={"files": ("large", content)},
    )
    assert posted.json()["value"]["attachments"][0]["size"] == len(content)


def test_the_paths_are_not_among_those_that_openapi_describes(address):
    paths = httpx.get(f"{address}/hutch/v1/openapi.json", headers={"Authorization": f"Apikey {KEY}"}).json()[
        "paths"
    ]
    assert not any(is_lcls(path) for path in paths)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/ws-jobs/replace_counters/xpp1/secret", "/ws-jobs/replace_counters/xpp1/…"),
        ("/ws-jobs//replace_counters/xpp1//secret", "/ws-jobs//replace_counters/xpp1//…"),
        ("/behind/ws-jobs/replace_counters/xpp1/secret/x", "/behind/ws-jobs/replace_counters/xpp1/…"),
        ("/ws-jobs/xpp1/get_counters", "/ws-jobs/xpp1/get_counters"),
    ],
)
def test_a_secret_in_a_path_is_not_shown(path, shown):
    assert hide_secret(path) == shown


def test_clients_take_the_address_of_counters_apart():
    url = counters_url("https://logbook.facility.org/", "xpp1", "secret")
    base, _, experiment, _ = url.rsplit("/", 3)
    assert f"{base}/{experiment}" == "https://logbook.facility.org/ws-jobs/xpp1"


def test_of_a_mistake_nothing_is_told():
    told = refusal(RuntimeError("the password of the database is x"))
    assert told.status_code == 500
    assert b"password" not in told.body
    away = refusal(StoreUnavailableError("The store is away."))
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
