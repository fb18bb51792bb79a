"""The functions have the names, arguments and defaults that programs for LCLS's logbook call them with."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from hutch import elog

SIGNATURES = {
    "get_elog_opr_auth": "(exp)",
    "get_elog_kerberos_auth": "()",
    "get_elog_auth": "(exp)",
    "elog_http_request": "(exp, endpoint, request_type, **params)",
    "format_file_for_post": "(in_file)",
    "get_elog_active_expmt": "(hutch, *, endstation=0)",
    "post_elog_message": "(exp, msg, *, tag, title, in_files=[])",
    "post_elog_run_status": "(data, update_url=None)",
    "post_elog_run_table": "(exp, run, data)",
    "get_elog_runs_by_tag": "(exp, tag, auth=None)",
    "get_elog_params_by_run": "(exp, params, runs=None)",
    "get_elog_workflows": "(exp)",
    "post_elog_workflow": (
        "(exp, name, executable, wf_params, *, trigger='run_end', location='S3DF', **trig_args)"
    ),
    "_get_current_run_status": "(update_url)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_function_is_called_as_programs_call_it(name) -> None:
    found = inspect.signature(getattr(elog, name))
    empty = inspect.Parameter.empty
    bare = [one.replace(annotation=empty) for one in found.parameters.values()]
    assert str(found.replace(parameters=bare, return_annotation=empty)) == SIGNATURES[name]


def test_all_of_them_are_public_names() -> None:
    assert elog.__all__ == sorted(SIGNATURES)


def test_loading_it_loads_nothing_heavy() -> None:
    script = (
        "import sys, hutch\n"
        "assert 'hutch.elog' not in sys.modules\n"
        "from hutch import elog\n"
        "assert 'elog' in dir(hutch) and hutch.elog is elog\n"
        "print(*sorted({'requests', 'gssapi', 'numpy', 'pyarrow', 'urllib3'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
