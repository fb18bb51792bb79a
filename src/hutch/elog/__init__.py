"""The functions with which analysis programs speak to an electronic logbook over HTTP.

They have the names, arguments and answers of those of LUTE, the analysis framework of LCLS, and speak to
LCLS's logbook and to ``hutch serve`` alike: ``$HUTCH_ELOG_URL`` says to which. Posting never raises because
a logbook is away: it returns what went wrong.
"""

from hutch.elog.auth import (
    get_elog_active_expmt,
    get_elog_auth,
    get_elog_kerberos_auth,
    get_elog_opr_auth,
)
from hutch.elog.entries import format_file_for_post, get_elog_runs_by_tag, post_elog_message
from hutch.elog.job_status import get_current_run_status as _get_current_run_status
from hutch.elog.job_status import post_elog_run_status
from hutch.elog.requesting import elog_http_request
from hutch.elog.run_table import get_elog_params_by_run, post_elog_run_table
from hutch.elog.workflows import get_elog_workflows, post_elog_workflow

__all__ = [
    "_get_current_run_status",
    "elog_http_request",
    "format_file_for_post",
    "get_elog_active_expmt",
    "get_elog_auth",
    "get_elog_kerberos_auth",
    "get_elog_opr_auth",
    "get_elog_params_by_run",
    "get_elog_runs_by_tag",
    "get_elog_workflows",
    "post_elog_message",
    "post_elog_run_status",
    "post_elog_run_table",
    "post_elog_workflow",
]
