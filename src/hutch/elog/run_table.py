"""Parameters of runs: the columns of a logbook's run tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from hutch.documents import plain
from hutch.elog.requesting import SUCCESS, elog_http_request
from hutch.errors import DocumentError, ElogError

__all__ = ["get_elog_params_by_run", "post_elog_run_table"]


def post_elog_run_table(exp: str, run: int, data: dict[str, Any]) -> str | None:
    """Post values into the run tables of an experiment.

    :param run: number of the run.
    :param data: value by column; NaN and infinities, which JSON does not have, become null.
    :returns: None, or what went wrong.
    """
    try:
        values = _finite(plain(data))
    except DocumentError as error:
        return f"Nothing was posted to eLog: {error}"
    _, outcome, _ = elog_http_request(
        exp=exp,
        endpoint=f"run_control/{exp}/ws/add_run_params",
        request_type="POST",
        params={"run_num": int(run)},
        json=values,
    )
    return None if outcome == SUCCESS else outcome


def get_elog_params_by_run(
    exp: str, params: list[str] | str, runs: list[int] | None = None
) -> dict[int, dict[str, Any]]:
    """Return parameters of runs.

    :param params: their names; one may stand alone.
    :param runs: numbers of the runs; None for all.
    :returns: by number of the run, the values by name; what a run does not have is left out, and so is a run
        that the logbook does not know.
    :raises ElogError: if the logbook can't be asked.
    """
    names = [params] if isinstance(params, str) else list(params)
    if any("," in name for name in names):
        msg = f"The logbook can't be asked for parameters with a comma in their names: {names!r}."
        raise ElogError(msg)
    if not names:
        return {}
    _, outcome, found = elog_http_request(
        exp=exp,
        endpoint=f"{exp}/ws/get_run_params_for_all_runs",
        request_type="GET",
        params={"param_names": ",".join(names)},
    )
    if outcome != SUCCESS:
        raise ElogError(outcome)
    wanted = None if runs is None else {int(run) for run in runs}
    return dict(_values(found or [], names, wanted))


def _values(
    found: Iterable[dict[str, Any]], names: list[str], wanted: set[int] | None
) -> Iterable[tuple[int, dict[str, Any]]]:
    for row in found:
        run, known = int(row["num"]), row.get("params") or {}
        if wanted is None or run in wanted:
            yield run, {name: known[name] for name in names if name in known}


def _finite(value: Any) -> Any:
    """Return a value in plain Python types as JSON can hold it."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
