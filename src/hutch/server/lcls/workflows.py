"""Workflows and their jobs, as clients of LCLS's logbook define and follow them."""

from __future__ import annotations

from typing import Any

from hutch.access import Action
from hutch.errors import QueryError
from hutch.logbook import Job, JobStatus, Trigger, Workflow
from hutch.server.lcls.calls import Body, Call, Route, experiment_route
from hutch.server.lcls.replies import iso

__all__ = ["ROUTES"]

_TRIGGERS = {
    "MANUAL": (Trigger.MANUAL, "Manually triggered"),
    "START_OF_RUN": (Trigger.RUN_START, "Start of a run"),
    "END_OF_RUN": (Trigger.RUN_END, "End of a run"),
    "RUN_PARAM_IS_VALUE": (Trigger.PARAM_IS, "Run parameter has a value"),
}
_WORDS = {trigger: word for word, (trigger, _) in _TRIGGERS.items()}
_STATUSES = {
    JobStatus.QUEUED: "SUBMITTED",
    JobStatus.RUNNING: "RUNNING",
    JobStatus.DONE: "DONE",
    JobStatus.FAILED: "EXITED",
    JobStatus.KILLED: "KILLED",
}
_MOST_JOBS = 10_000


def _define(call: Call) -> dict[str, Any]:
    given = call.document()
    missing = [name for name in ("name", "executable", "trigger", "location") if not given.get(name)]
    if missing:
        raise QueryError(f"The workflow lacks {', '.join(missing)}.")
    names = ("name", "executable", "parameters", "location")
    texts = {name: given.get(name) or "" for name in names}
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    if wrong:
        raise QueryError(f"Of a workflow, {', '.join(wrong)} must be text.")
    trigger = str(given["trigger"])
    if trigger not in _TRIGGERS:
        raise QueryError(f"{trigger[:40]!r} is no trigger. Triggers are: {', '.join(_TRIGGERS)}.")
    value = next((given[name] for name in ("run_param_value", "run_param_val") if name in given), None)
    param = given.get("run_param_name")
    if not isinstance(param, str | None):
        raise QueryError("The 'run_param_name' of a workflow must be text.")
    found = call.logbook.define_workflow(
        call.experiment,
        texts["name"],
        texts["executable"],
        texts["parameters"],
        trigger=_TRIGGERS[trigger][0],
        location=texts["location"],
        param_name=param,
        param_value=value,
    )
    return _told(found)


def _definitions(call: Call) -> list[dict[str, Any]]:
    return [_told(found) for found in call.logbook.workflows(call.experiment)]


def _triggers(call: Call) -> list[dict[str, str]]:
    return [{"value": word, "label": label} for word, (_, label) in _TRIGGERS.items()]


# jobs


def _jobs(call: Call) -> list[dict[str, Any]]:
    limit = call.number("limit")
    most = _MOST_JOBS if limit is None else max(0, min(limit, _MOST_JOBS))
    known = {found.id: _told(found) for found in call.logbook.workflows(call.experiment)}
    return [_told_job(job, known.get(job.workflow)) for job in call.logbook.jobs(call.experiment, limit=most)]


def _create(call: Call) -> dict[str, Any]:
    given = call.document()
    name, num = given.get("job_name"), call.number("run_num")
    if not isinstance(name, str) or num is None:
        raise QueryError("A job needs the name of a workflow as 'job_name', and a 'run_num'.")
    # The token is for the job alone.
    made = call.logbook.create_job(call.experiment, name, num)
    return _told_job(made.job, _told(call.logbook.workflow(call.experiment, made.job.workflow)))


def _kill(call: Call) -> dict[str, Any]:
    number = call.job_number(call.needed("_id", "job_id"))
    return _told_job(call.logbook.kill_job(call.experiment, number), None)


def _find(call: Call) -> Job:
    return call.logbook.job(call.experiment, call.job_number(call.path["job"]))


def _statuses(call: Call) -> list[dict[str, Any]]:
    job = _find(call)
    return [{"_id": str(job.id), "status": _STATUSES[job.status], "time": iso(job.updated)}]


def _details(call: Call) -> dict[str, Any]:
    job = _find(call)
    known = {found.id: _told(found) for found in call.logbook.workflows(call.experiment)}
    return _told_job(job, known.get(job.workflow))


def _log(call: Call) -> str:
    """Return what a job has written: nothing before one runs."""
    _find(call)
    return ""


def _told(found: Workflow) -> dict[str, Any]:
    return {
        "_id": str(found.id),
        "name": found.name,
        "executable": found.executable,
        "parameters": found.parameters,
        "trigger": _WORDS.get(found.trigger, found.trigger.value.upper()),
        "location": found.location,
        "run_param_name": found.param_name,
        "run_param_value": found.param_value,
        "run_as_user": found.owner,
    }


def _told_job(job: Job, definition: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "_id": str(job.id),
        "experiment": job.experiment,
        "run_num": job.run_num,
        "def_id": str(job.workflow),
        "def": definition,
        "status": _STATUSES[job.status],
        "user": job.author,
        "submit_time": iso(job.created),
        "update_time": iso(job.updated),
        "counters": [dict(counter) for counter in job.counters],
    }


def _change(path: str, answer: Any, action: Action = Action.OPERATE) -> Route:
    return experiment_route(path, answer, method="POST", body=Body.JSON, action=action)


ROUTES = (
    _change("create_update_workflow_def", _define, Action.DEFINE),
    _change("create_workflow_job", _create),
    _change("kill_workflow_job", _kill),
    experiment_route("workflow_definitions", _definitions, by_job=True),
    experiment_route("workflow_triggers", _triggers, by_job=True),
    experiment_route("workflow_jobs", _jobs, by_job=True),
    experiment_route("workflow/{job}/job_statuses", _statuses, by_job=True),
    experiment_route("workflow/{job}/job_details", _details, by_job=True),
    experiment_route("workflow/{job}/job_log_file", _log, by_job=True),
)
