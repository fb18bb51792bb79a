"""Experiments, their runs and the values of these, as clients of LCLS's logbook read and write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hutch.access import Action, Experiment
from hutch.errors import QueryError
from hutch.logbook import NumberedRun
from hutch.server.lcls.calls import Body, Call, Route, experiment_route
from hutch.server.lcls.replies import iso

__all__ = ["ROUTES", "told_experiment", "told_run"]

_SERVICE = "lcls"
"""Where values come from that no job has posted."""


def _info(call: Call) -> dict[str, Any]:
    return told_experiment(call.logbook.access.experiments.find(call.experiment))


def _runs(call: Call) -> list[dict[str, Any]]:
    runs = call.logbook.runs(call.experiment)
    has_params = call.switch("includeParams", default=True)
    params = call.logbook.params_of_runs(call.experiment) if has_params else {}
    return [told_run(run, params.get(run.num, {}) if has_params else None) for run in reversed(runs)]


def _run(call: Call) -> dict[str, Any]:
    return _with_params(call, call.logbook.run(call.experiment, call.run()))


def _current(call: Call) -> dict[str, Any] | None:
    found = call.logbook.current_run(call.experiment)
    return None if found is None else _with_params(call, found)


def _params_of_all(call: Call) -> list[dict[str, Any]]:
    names = [name.strip() for name in call.needed("param_names").split(",")]
    found = call.logbook.params_of_runs(call.experiment, [name for name in names if name])
    return [{"_id": str(num), "num": num, "params": params} for num, params in found.items()]


def _add_params(call: Call) -> dict[str, Any]:
    num = call.number("run_num")
    if num is None:
        raise QueryError("The parameter 'run_num' is missing: the number of the run that the values are of.")
    origin = {"service": _SERVICE} if call.job is None else {"service": _SERVICE, "job": call.job.id}
    values = call.document()
    call.logbook.add_run_params(call.experiment, num, values, author=call.author, origin=origin)
    return {"num": num, "added": len(values)}


# run control


def _start(call: Call) -> dict[str, Any]:
    given = {name: call.text(name) for name in ("run_type", "sample")}
    metadata = {name: value for name, value in given.items() if value is not None}
    return told_run(call.logbook.start_run(call.experiment, **metadata), {})


def _end(call: Call) -> dict[str, Any]:
    return _with_params(call, call.logbook.end_run(call.experiment, call.number("run_num")))


# how they are told


def told_experiment(found: Experiment) -> dict[str, Any]:
    """Return an experiment as these clients know experiments."""
    return {
        "_id": found.name,
        "name": found.name,
        "instrument": found.instrument,
        "station": found.station,
        "leader_account": found.leader,
        "description": found.description,
        "start_time": iso(found.begins),
        "end_time": iso(found.ends),
        "is_locked": found.is_locked,
    }


def told_run(run: NumberedRun, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a run as these clients know runs.

    :param params: None leaves them out.
    """
    start = run.run.start
    told = {
        "_id": run.run.uid,
        "num": run.num,
        "type": str(start.get("run_type") or "DATA"),
        "begin_time": iso(run.begin),
        "end_time": iso(run.end),
        "is_closed": not run.is_open,
        "status": run.run.status,
        "scan_id": run.run.scan_id,
        "sample": start.get("sample"),
    }
    return told if params is None else {**told, "params": dict(params)}


def _with_params(call: Call, run: NumberedRun) -> dict[str, Any]:
    found = call.logbook.params_of_runs(call.experiment, runs=[run.num])
    return told_run(run, found.get(run.num, {}))


def _control(call: str, answer: Any, action: Action = Action.OPERATE) -> tuple[Route, ...]:
    """Return the routes of a call that controls runs: below both prefixes that clients know."""
    return tuple(
        Route(path, answer, "POST", Body.FORM, action, is_control=True)
        for path in (f"/lgbk/run_control/{{experiment}}/ws/{call}", f"/run_control/{{experiment}}/ws/{call}")
    )


ROUTES = (
    experiment_route("info", _info, by_job=True),
    experiment_route("runs", _runs, by_job=True),
    experiment_route("runs/{run}", _run, by_job=True),
    experiment_route("current_run", _current, by_job=True),
    experiment_route("get_run_params_for_all_runs", _params_of_all, by_job=True),
    *(
        Route(
            f"{path}/{{experiment}}/ws/add_run_params",
            _add_params,
            "POST",
            Body.JSON,
            Action.RECORD,
            by_job=True,
        )
        for path in ("/lgbk/run_control", "/run_control", "/lgbk")
    ),
    *_control("start_run", _start),
    *_control("end_run", _end),
    *_control("current_run", _current, Action.READ),
)
