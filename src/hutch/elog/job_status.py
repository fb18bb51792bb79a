"""The counters of a job: what a workflow shows of itself while it runs."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from typing import Any

from hutch.elog.logging import logger
from hutch.elog.transport import send
from hutch.errors import ElogError

__all__ = ["get_current_run_status", "post_elog_run_status"]

_COUNTERS = "JID_UPDATE_COUNTERS"


def post_elog_run_status(data: Mapping[str, str | int | float], update_url: str | None = None) -> None:
    """Show values as the status of the job that this is; the others that it shows are kept.

    What goes wrong is logged: no analysis shall end because its status can't be shown.

    :param data: value by name.
    :param update_url: where they are posted; else ``$JID_UPDATE_COUNTERS``, which a job is started with.
    """
    url = update_url or os.environ.get(_COUNTERS)
    if not url:
        logger.error("eLog Update Failed! %s is not defined!", _COUNTERS)
        return
    try:
        shown = get_current_run_status(url) if _is_job() else {}
        shown |= data
        counters = [{"key": f"{key}", "value": f"{value}"} for key, value in shown.items()]
        # The address is the permission: nothing else says who posts.
        reply = send("POST", url, json=counters)
    except ElogError as error:
        logger.error("eLog Update Failed! %s", error)
        return
    # A job's own server may answer with less than a logbook.
    if reply.status >= 300:
        logger.error("eLog Update Failed! %s", reply.error)


def get_current_run_status(update_url: str) -> dict[str, Any]:
    """Return what is shown as the status of the job that this is, value by name.

    :param update_url: ``$JID_UPDATE_COUNTERS``, as ``<base>/<x>/<experiment>/<y>``.
    :raises ElogError: if this is no job of a run, or can't be asked for; it is a RuntimeError too.
    """
    if not _is_job():
        msg = "Cannot call _get_current_run_status with no ARP_ROOT_JOB_ID or RUN_NUM in the environment."
        raise ElogError(msg)
    parts = update_url.split("/")
    if len(parts) < 4:
        msg = "The address of the counters is not of the form <base>/<x>/<experiment>/<y>."
        raise ElogError(msg)
    experiment = parts[-2]
    job = {
        "_id": os.environ["ARP_ROOT_JOB_ID"],
        "experiment": experiment,
        "run_num": os.environ["RUN_NUM"],
        "user": _user(),
    }
    token = os.environ.get("Authorization")
    headers = {"Authorization": token} if token else {}
    reply = send("POST", f"{'/'.join(parts[:-3])}/{experiment}/get_counters", headers, json=job)
    if reply.error:
        msg = f"The status can't be asked for: {reply.error}"
        raise ElogError(msg)
    return {counter["key"]: counter["value"] for counter in reply.value or []}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in containers, whose users may have no names
        return str(os.getuid())


def _is_job() -> bool:
    return "ARP_ROOT_JOB_ID" in os.environ and "RUN_NUM" in os.environ
