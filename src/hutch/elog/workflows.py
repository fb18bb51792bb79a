"""Workflows of an experiment: what is run when something happens to a run."""

from __future__ import annotations

from typing import Any

from hutch.elog.logging import logger
from hutch.elog.requesting import SUCCESS, elog_http_request
from hutch.errors import ElogError, ElogTriggerError

__all__ = ["get_elog_workflows", "post_elog_workflow"]

_TRIGGERS = {
    "manual": "MANUAL",
    "run_start": "START_OF_RUN",
    "run_end": "END_OF_RUN",
    "param_is": "RUN_PARAM_IS_VALUE",
}


def get_elog_workflows(exp: str) -> dict[str, dict[str, Any]]:
    """Return the definitions of an experiment's workflows, by name.

    :raises ElogError: if the logbook can't be asked.
    """
    _, outcome, found = elog_http_request(
        exp=exp, endpoint=f"{exp}/ws/workflow_definitions", request_type="GET"
    )
    if outcome != SUCCESS:
        raise ElogError(outcome)
    return {definition["name"]: definition for definition in found or []}


def post_elog_workflow(
    exp: str,
    name: str,
    executable: str,
    wf_params: str,
    *,
    trigger: str = "run_end",
    location: str = "S3DF",
    **trig_args: str,
) -> str | None:
    """Define a workflow, or change the one of the same name.

    :param executable: its full path.
    :param wf_params: its arguments, as on a command line.
    :param trigger: when it is run: ``manual``, ``run_start``, ``run_end``, or ``param_is``, which needs
        ``trig_param``, the name of a run's parameter, and ``trig_param_val``, the value it shall have.
    :param location: where it is run.
    :returns: None, or what went wrong, which is logged too.
    :raises ElogTriggerError: if there is no such trigger; it is a NotImplementedError too.
    :raises ElogError: if the trigger lacks an argument; it is a RuntimeError too.
    """
    if trigger not in _TRIGGERS:
        msg = f"Cannot create workflow with trigger type {trigger!r}. There are: {', '.join(_TRIGGERS)}."
        raise ElogTriggerError(msg)
    definition = {
        "name": name,
        "executable": executable,
        "parameters": wf_params,
        "trigger": _TRIGGERS[trigger],
        "location": location,
    }
    if trigger == "param_is":
        if not {"trig_param", "trig_param_val"} <= trig_args.keys():
            msg = "The trigger 'param_is' needs the arguments 'trig_param' and 'trig_param_val'."
            raise ElogError(msg)
        value = trig_args["trig_param_val"]
        # Clients say val, the logbook of LCLS reads value.
        definition |= {
            "run_param_name": trig_args["trig_param"],
            "run_param_val": value,
            "run_param_value": value,
        }
    _, outcome, _ = elog_http_request(
        exp=exp, endpoint=f"{exp}/ws/create_update_workflow_def", request_type="POST", json=definition
    )
    if outcome == SUCCESS:
        return None
    logger.error("The workflow %r is not defined: %s", name, outcome)
    return outcome
