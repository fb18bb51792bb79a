"""The service for clients of LCLS's logbook: ``hutch serve`` as a program, a client that knows no hutch."""

from __future__ import annotations

import base64

import pytest
import requests

import hutch
from hutch.access import Access
from hutch.logbook import Logbook
from hutch.server.lcls.jobs import counters_url

from .. import lcls_checks as checks
from .. import lcls_workflow_checks as workflow_checks
from ..kerberos import REALM
from ..lcls_client import KERBEROS, LclsClient
from ..serving import key_cookie
from .lcls_served import ACTIVE, LOCKED, PASSWORD, make_store, serve


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lcls")
    make_store(folder / "store")
    with serve(folder / "store", folder / "log") as found:
        yield found


@pytest.fixture(scope="module")
def operator(service):
    with LclsClient.operator(service.url, ACTIVE, PASSWORD) as client:
        # The other checks need the runs that this one begins and ends.
        checks.check_run_control(client, ACTIVE)
        yield client


@pytest.fixture
def environment(service, operator):
    """The variables of a job of run 1."""
    with hutch.open_catalog(service.store) as catalog:
        logbook = Logbook(catalog)
        logbook.define_workflow(ACTIVE, "fit", "/bin/true", author="xppopr")
        made = logbook.create_job(ACTIVE, "fit", 1, author="xppopr")
    return {
        "EXPERIMENT": ACTIVE,
        "RUN_NUM": "1",
        "ARP_JOB_ID": str(made.job.id),
        "ARP_ROOT_JOB_ID": str(made.job.id),
        "JID_UPDATE_COUNTERS": counters_url(service.url, ACTIVE, made.token),
        "Authorization": f"Bearer {made.token}",
    }


@pytest.mark.parametrize(
    "check",
    [
        checks.check_runs,
        checks.check_run_params,
        checks.check_new_entry,
        checks.check_errors,
        checks.check_attachments,
        checks.check_entries_belong_to_the_current_run,
        checks.check_tags,
        checks.check_search,
        checks.check_changed_entries,
        checks.check_run_tables,
        checks.check_changed_run_tables,
        checks.check_reads_through_get_change_nothing,
        checks.check_replies,
    ],
    ids=lambda check: check.__name__,
)
def test_an_operator_has_every_call(operator, check):
    check(operator, ACTIVE)


def test_everybody_is_told_which_experiment_is_active(service):
    with LclsClient(service.url) as anybody:
        checks.check_active_experiment(anybody, ACTIVE, "XPP")


def test_an_experiment_and_an_instrument_tell_their_names(operator):
    checks.check_experiment_info(operator, ACTIVE, "XPP")
    assert checks.done(operator.info("XPP Instrument"))["_id"] == "XPP_Instrument"


def test_nobody_writes_who_is_not_known(service, operator):
    checks.check_identities(service.url, ACTIVE, PASSWORD)


def test_of_an_experiment_that_somebody_may_not_read_nothing_is_told(service):
    with LclsClient.user(service.url, "mfxopr", PASSWORD) as client:
        hidden, absent = client.info(LOCKED), client.info("xppnone")
    assert (hidden.status, absent.status) == (404, 404)
    assert hidden.error == absent.error.replace("xppnone", LOCKED)


def test_a_locked_experiment_is_read_and_not_written(service):
    with LclsClient.operator(service.url, LOCKED, PASSWORD) as client:
        checks.check_locked(client, LOCKED, "/bin/true")


def test_a_workflow_is_kept_as_it_was_defined(operator):
    workflow_checks.check_workflows(operator, ACTIVE, "/bin/true")


def test_a_job_is_made_told_and_ended(operator):
    workflow_checks.check_jobs(operator, ACTIVE, "/bin/true")


def test_a_job_shows_counters(service, environment):
    with LclsClient(service.url) as client:
        workflow_checks.check_counters(client, environment)


def test_a_job_posts_values_of_its_run(service, environment):
    workflow_checks.check_job_posts_params(service.url, environment)


def test_a_job_writes_entries_about_its_run_and_does_no_more(service, environment):
    with LclsClient.job(service.url, environment["Authorization"]) as job:
        assert job.runs(ACTIVE).success
        entry = checks.done(job.new_entry(ACTIVE, "fitted"))
        assert (entry["author"], entry["run_num"]) == ("xppopr", 1)
        assert job.modify_entry(ACTIVE, entry["_id"], "other").status == 403
        assert job.run_control(ACTIVE, "start_run").status == 403
        assert job.runs(LOCKED).status == 404


def test_the_secret_of_a_job_is_not_written_down(service, operator, environment):
    assert operator.set_counters(environment["JID_UPDATE_COUNTERS"], []) == 200
    secret = environment["JID_UPDATE_COUNTERS"].rpartition("/")[2]
    log = service.log.read_text()
    assert f"/ws-jobs/replace_counters/{ACTIVE}/…" in log
    assert secret not in log


def test_a_key_is_a_bearer(service, operator):
    with hutch.open_catalog(service.store) as catalog:
        access = Access(catalog.store)
        key, _ = access.keys.create(["read", "write"], owner="ada")
    with LclsClient(service.url, "ws-jwt", headers={"Authorization": f"Bearer {key}"}) as client:
        assert checks.done(client.new_entry(ACTIVE, "with a key"))["author"] == "ada"
        assert client.add_run_params(ACTIVE, 1, {"a": 1}).status == 403  # it lacks the scope
    with LclsClient(service.url, "ws-auth", headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.runs(ACTIVE).status == 401
    ((name, value),) = key_cookie(service.url, key).items()
    with LclsClient(service.url, "ws-jwt", headers={"Cookie": f"{name}={value}"}) as client:
        assert client.runs(ACTIVE).status == 401


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Digest a"]
)
def test_what_is_no_password_is_told_in_the_form_of_the_service(service, header):
    with LclsClient(service.url, "ws-auth", headers={"Authorization": header} if header else {}) as client:
        assert client.runs(ACTIVE).status == 401


def test_a_challenge_says_what_proof_is_taken(service):
    for prefix, scheme in [("ws-auth", "Basic"), ("ws-kerb", "Negotiate"), ("ws-jwt", "Bearer")]:
        answer = requests.get(f"{service.url}/{prefix}/lgbk/lgbk/{ACTIVE}/ws/runs", timeout=20)
        assert answer.headers["WWW-Authenticate"].startswith(scheme)


# Kerberos


@pytest.fixture(scope="module")
def kerberized(tmp_path_factory, realm):
    """A server that takes tickets, at the name that its keys are for."""
    folder = tmp_path_factory.mktemp("tickets")
    make_store(folder / "store")
    config = folder / "hutch.toml"
    config.write_text(f"[server]\nkeytab = '{realm.keytab}'\nrealm = '{REALM}'\n")
    for user in ("ada", "nobody"):
        realm.add(f"{user}@{REALM}")
    replays = folder / "replays"
    replays.mkdir()
    with serve(
        folder / "store", folder / "log", HUTCH_CONFIG=str(config), KRB5RCACHEDIR=str(replays)
    ) as found:
        yield found.url.replace("127.0.0.1", "localhost")


def test_a_ticket_says_who_asks(kerberized, realm):
    realm.kinit(f"ada@{REALM}")
    with LclsClient.kerberos(kerberized) as client:
        checks.check_run_control(client, ACTIVE)
        assert checks.done(client.new_entry(ACTIVE, "with a ticket"))["author"] == "ada"
        checks.check_run_params(client, ACTIVE)


def test_a_ticket_of_somebody_unknown_is_not_enough(kerberized, realm):
    realm.kinit(f"nobody@{REALM}")
    with LclsClient.kerberos(kerberized) as client:
        assert client.runs(ACTIVE).status == 403


@pytest.mark.parametrize("token", ["", "!!", "bm8gdGlja2V0"])
def test_what_is_no_ticket_is_refused(kerberized, token):
    with LclsClient(kerberized, KERBEROS, headers={"Authorization": f"Negotiate {token}"}) as client:
        assert client.runs(ACTIVE).status == 401
