"""Every function of ``hutch.elog`` against ``hutch serve``: with a password, and with a ticket."""

from __future__ import annotations

from urllib.parse import quote

import pytest

import hutch
from hutch import elog
from hutch.access import Access
from hutch.logbook import Logbook
from hutch.server.lcls.jobs import counters_url

from ..kerberos import REALM
from .lcls_served import ACTIVE, LOCKED, PASSWORD, make_store, serve

OTHER = "xppx3"
"""An experiment that is not active: LUTE's functions use a ticket for such ones."""

TEXT = "Ängström λ=1.5 Å — 激光 🎉 <b>&amp;</b>\n\tsecond line"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elog")
    make_store(folder / "store")
    with serve(folder / "store", folder / "log") as found:
        yield found


@pytest.fixture
def by_password(service, tmp_path, monkeypatch):
    """The settings of a job that is run as the operator."""
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("HUTCH_ELOG_URL", service.url)
    monkeypatch.setenv("HUTCH_ELOG_PASSWORD_FILE", str(secret))
    return service


def begin_run(service, experiment=ACTIVE):
    with hutch.open_catalog(service.store) as catalog:
        return Logbook(catalog).start_run(experiment).num


def test_the_active_experiment_is_told(by_password):
    assert elog.get_elog_active_expmt("xpp") == ACTIVE


def test_a_message_arrives_with_its_files(by_password, tmp_path):
    num = begin_run(by_password)
    picture, table = tmp_path / "plöt 1.txt", tmp_path / "b.csv"
    picture.write_bytes(b"\x00\xff not a picture")
    table.write_bytes(b"")
    files = [str(picture), (str(table), "die Tabelle é.csv")]
    error = elog.post_elog_message(ACTIVE, TEXT, tag="läuft gut", title="Tïtel", in_files=files)
    assert error is None
    with hutch.open_catalog(by_password.store) as catalog:
        logbook = Logbook(catalog)
        entry = logbook.entries(ACTIVE).entries[0]
        contents = [logbook.open_attachment(entry.id, file.id)[1].read() for file in entry.attachments]
    assert (entry.text, entry.title, entry.tags) == (TEXT, "Tïtel", ("läuft", "gut"))
    assert (entry.author, entry.run_num) == ("xppopr", num)
    assert [file.name for file in entry.attachments] == ["plöt 1.txt", "die Tabelle é.csv"]
    assert contents == [b"\x00\xff not a picture", b""]
    assert elog.get_elog_runs_by_tag(ACTIVE, "läuft") == [num]


def test_values_of_runs_are_posted_and_asked_for(by_password):
    first, second = begin_run(by_password), begin_run(by_password)
    values = {"Fit/χ²": 1.25, "XPP:GON:MMS:01.RBV": -3, "state": "ok", "none": None}
    assert elog.post_elog_run_table(ACTIVE, first, values) is None
    assert elog.post_elog_run_table(ACTIVE, second, {"state": "bad"}) is None
    names = ["Fit/χ²", "XPP:GON:MMS:01.RBV", "state"]
    assert elog.get_elog_params_by_run(ACTIVE, names, [first, second]) == {
        first: {name: values[name] for name in names},
        second: {"state": "bad"},
    }
    assert elog.get_elog_params_by_run(ACTIVE, ["state"])[second] == {"state": "bad"}
    assert "has no run 4711" in elog.post_elog_run_table(ACTIVE, 4711, {"a": 1})


def test_workflows_are_defined_changed_and_told_by_name(by_password):
    definition = {"name": "fit", "executable": "/bin/true", "wf_params": "-n 2 'two words'"}
    assert elog.post_elog_workflow(ACTIVE, **definition) is None
    assert elog.get_elog_workflows(ACTIVE)["fit"]["trigger"] == "END_OF_RUN"
    changed = {"trigger": "param_is", "trig_param": "state", "trig_param_val": "go"}
    assert elog.post_elog_workflow(ACTIVE, **definition, **changed) is None
    (found,) = elog.get_elog_workflows(ACTIVE).values()
    assert (found["executable"], found["parameters"]) == ("/bin/true", "-n 2 'two words'")
    assert (found["trigger"], found["run_param_name"], found["run_param_value"]) == (
        "RUN_PARAM_IS_VALUE",
        "state",
        "go",
    )
    assert found["location"] == "S3DF"


def test_a_job_shows_its_status_and_keeps_what_it_showed(by_password, monkeypatch):
    num = begin_run(by_password)
    with hutch.open_catalog(by_password.store) as catalog:
        logbook = Logbook(catalog)
        logbook.define_workflow(ACTIVE, "status", "/bin/true", author="xppopr")
        made = logbook.create_job(ACTIVE, "status", num, author="xppopr")
    url = counters_url(by_password.url, ACTIVE, made.token)
    monkeypatch.setenv("JID_UPDATE_COUNTERS", url)
    monkeypatch.setenv("ARP_ROOT_JOB_ID", str(made.job.id))
    monkeypatch.setenv("RUN_NUM", str(num))
    monkeypatch.setenv("Authorization", f"Bearer {made.token}")
    elog.post_elog_run_status({"hits": 12})
    elog.post_elog_run_status({"läuft": "ja"})
    assert elog._get_current_run_status(url) == {"hits": "12", "läuft": "ja"}


def test_any_call_can_be_made(by_password):
    status, outcome, value = elog.elog_http_request(ACTIVE, f"{ACTIVE}/ws/info", "GET")
    assert (status, outcome, value["name"]) == (200, "SUCCESS", ACTIVE)
    status, outcome, value = elog.elog_http_request(ACTIVE, f"{ACTIVE}/ws/{quote('no such', safe='')}", "GET")
    assert (status, value) == (404, None)


def test_a_wrong_password_is_told(by_password, tmp_path, monkeypatch):
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    monkeypatch.setenv("HUTCH_ELOG_PASSWORD_FILE", str(wrong))
    error = elog.post_elog_message(ACTIVE, "text", tag=None, title=None)
    assert "The name or the password is wrong." in error
    assert elog.get_elog_runs_by_tag(ACTIVE, "a") == []


# Kerberos


@pytest.fixture(scope="module")
def kerberized(tmp_path_factory, realm):
    folder = tmp_path_factory.mktemp("elog-tickets")
    make_store(folder / "store")
    with hutch.open_catalog(folder / "store") as catalog:
        access = Access(catalog.store)
        access.experiments.create(OTHER, instrument="XPP")
        access.experiments.set_role(OTHER, "ada", "operator")
    config = folder / "hutch.toml"
    config.write_text(f"[server]\nkeytab = '{realm.keytab}'\nrealm = '{REALM}'\n")
    realm.add(f"ada@{REALM}")
    replays = folder / "replays"
    replays.mkdir()
    environment = {"HUTCH_CONFIG": str(config), "KRB5RCACHEDIR": str(replays)}
    with serve(folder / "store", folder / "log", **environment) as found:
        yield found


@pytest.fixture
def by_ticket(kerberized, realm, monkeypatch):
    realm.kinit(f"ada@{REALM}")
    monkeypatch.setenv("HUTCH_ELOG_URL", kerberized.url.replace("127.0.0.1", "localhost"))
    yield kerberized
    realm.kdestroy()


def test_with_a_ticket_all_is_done_that_a_password_does(by_ticket):
    num = begin_run(by_ticket, OTHER)
    assert elog.get_elog_kerberos_auth()["Authorization"].startswith("Negotiate ")
    assert elog.post_elog_message(OTHER, TEXT, tag="T", title=None) is None
    assert elog.get_elog_runs_by_tag(OTHER, "T") == [num]
    assert elog.post_elog_run_table(OTHER, num, {"a": 1}) is None
    assert elog.get_elog_params_by_run(OTHER, ["a"]) == {num: {"a": 1}}
    assert elog.post_elog_workflow(OTHER, "w", "/bin/true", "") is None
    assert list(elog.get_elog_workflows(OTHER)) == ["w"]
    with hutch.open_catalog(by_ticket.store) as catalog:
        assert Logbook(catalog).entries(OTHER).entries[0].author == "ada"


def test_a_locked_experiment_is_told_as_such(by_ticket):
    with hutch.open_catalog(by_ticket.store) as catalog:
        Access(catalog.store).experiments.set_role(LOCKED, "ada", "writer")
    assert "is locked" in elog.post_elog_message(LOCKED, "text", tag=None, title=None)
