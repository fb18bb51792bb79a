"""What LCLS's logbook service promises of workflows and their jobs, each as a check; see ``lcls_checks``."""

from __future__ import annotations

import uuid
from typing import Any

from .lcls_checks import done
from .lcls_client import LclsClient

__all__ = ["check_counters", "check_job_posts_params", "check_jobs", "check_workflows"]

JOB = {"_id", "status", "run_num", "def_id", "counters"}


def check_workflows(client: LclsClient, experiment: str, executable: str) -> None:
    """A workflow is kept as it was defined, and changed by one of its name.

    :param executable: one that is allowed.
    """
    name = f"W{uuid.uuid4().hex}"
    definition = {
        "name": name,
        "executable": executable,
        "parameters": "-n 4 'two words'",
        "trigger": "END_OF_RUN",
        "location": "S3DF",
    }

    def defined() -> list[dict[str, Any]]:
        return [one for one in done(client.workflows(experiment)) if one["name"] == name]

    done(client.define_workflow(experiment, **definition))
    (first,) = defined()
    assert {key: first[key] for key in definition} == definition
    for spelling in ("run_param_val", "run_param_value"):
        changed = definition | {"trigger": "RUN_PARAM_IS_VALUE", "run_param_name": "state", spelling: "go"}
        done(client.define_workflow(experiment, **changed))
        (second,) = defined()
        assert second["_id"] == first["_id"]
        assert (second["trigger"], second["run_param_name"]) == ("RUN_PARAM_IS_VALUE", "state")
        assert second["run_param_value"] == "go"
    triggers = str(done(client.triggers(experiment)))
    assert all(word in triggers for word in ("MANUAL", "START_OF_RUN", "END_OF_RUN", "RUN_PARAM_IS_VALUE"))
    assert not client.define_workflow(experiment, **definition | {"trigger": "DAILY"}).success
    assert not client.define_workflow(experiment, **definition | {"executable": "/no/such/program"}).success
    assert not client.define_workflow(experiment, name=name).success


def check_jobs(client: LclsClient, experiment: str, executable: str) -> None:
    """A job is made for a run, told, looked at, and ended."""
    name = f"W{uuid.uuid4().hex}"
    done(
        client.define_workflow(
            experiment, name=name, executable=executable, parameters="", trigger="MANUAL", location="S3DF"
        )
    )
    (workflow,) = (one for one in done(client.workflows(experiment)) if one["name"] == name)
    done(client.create_job(experiment, name, 1))
    (job,) = (one for one in done(client.jobs(experiment)) if one["def_id"] == workflow["_id"])
    assert job.keys() >= JOB
    assert job["run_num"] == 1
    assert isinstance(job["counters"], list)
    for what in ("job_statuses", "job_details", "job_log_file"):
        done(client.job_view(experiment, job["_id"], what))
    done(client.kill_job(experiment, job["_id"]))
    assert not client.create_job(experiment, "no such workflow", 1).success
    assert not client.create_job(experiment, name, 4711).success
    assert client.job_view(experiment, "no-such-job", "job_details").status == 404


def check_counters(client: LclsClient, environment: dict[str, str]) -> None:
    """A job shows counters at an address of its own, which is all the permission it needs.

    :param environment: of the job.
    """
    address, token = environment["JID_UPDATE_COUNTERS"], environment["Authorization"]
    assert token.startswith("Bearer ")
    job = {
        "_id": environment["ARP_ROOT_JOB_ID"],
        "experiment": environment["EXPERIMENT"],
        "run_num": environment["RUN_NUM"],
        "user": "ada",
    }
    shown = [{"key": "<b>events</b>", "value": "12"}, {"key": "state", "value": "fitting"}]
    assert client.set_counters(address, shown) < 300
    assert client.counters(address, token, job) == shown
    assert client.set_counters(address, []) < 300
    assert client.counters(address, token, job) == []
    base, secret, experiment, rest = address.rsplit("/", 3)
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    if len(secret) >= len(rest):
        guessed = f"{base}/{wrong}/{experiment}/{rest}"
    else:
        guessed = f"{address[:-1]}{'a' if address[-1] != 'a' else 'b'}"
    assert client.set_counters(guessed, shown) >= 400
    assert client.counters(address, token, job) == []


def check_job_posts_params(url: str, environment: dict[str, str]) -> None:
    """A job posts values of its run with the token that it was given, and to no other experiment.

    :param environment: of the job.
    """
    experiment, run = environment["EXPERIMENT"], int(environment["RUN_NUM"])
    with LclsClient.job(url, environment["Authorization"]) as client:
        for number, path in enumerate(client.params_paths(experiment)):
            done(client.add_run_params(experiment, run, {"check/from a job": number}, path))
        assert not client.add_run_params("xppnone", run, {"check/from a job": 1}).success
