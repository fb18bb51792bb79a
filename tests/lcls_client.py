"""A client of LCLS's logbook service, written from the description of its calls and from nothing of a server.

A method is a call, under one of the four prefixes; each answer is checked to be of the service's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

__all__ = ["JOB", "KERBEROS", "OPEN", "PASSWORD", "LclsClient", "Reply"]

OPEN, PASSWORD, KERBEROS, JOB = "ws", "ws-auth", "ws-kerb", "ws-jwt"
"""The prefixes, by how who asks is known."""

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Reply:
    """What is answered.

    :ivar error: empty if it succeeded.
    """

    status: int
    success: bool
    value: Any
    error: str


class LclsClient:
    """Speaks to a service below one prefix.

    :param url: scheme and host.
    :param auth: what ``requests`` takes: a pair of name and password, or an object.
    """

    def __init__(
        self, url: str, prefix: str = OPEN, *, auth: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        self._root = f"{url.rstrip('/')}/{prefix}/lgbk"
        self._session = requests.Session()
        # Nothing of the machine, as ~/.netrc, says who asks.
        self._session.trust_env = False
        self._session.auth = auth
        self._session.headers.update(headers or {})

    @classmethod
    def operator(cls, url: str, experiment: str, password: str) -> LclsClient:
        """Speak as the operator of an experiment's instrument."""
        return cls(url, PASSWORD, auth=(f"{experiment[:3]}opr", password))

    @classmethod
    def user(cls, url: str, name: str, password: str) -> LclsClient:
        """Speak as a user with a password."""
        return cls(url, PASSWORD, auth=(name, password))

    @classmethod
    def kerberos(cls, url: str) -> LclsClient:
        """Speak with the ticket that ``kinit`` has fetched, sent at once as LCLS's tools do."""
        from requests_gssapi import HTTPSPNEGOAuth

        return cls(url, KERBEROS, auth=HTTPSPNEGOAuth(opportunistic_auth=True))

    @classmethod
    def job(cls, url: str, authorization: str) -> LclsClient:
        """Speak as a job, with what its variable ``Authorization`` holds."""
        return cls(url, JOB, headers={"Authorization": authorization})

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    def __enter__(self) -> LclsClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Experiments and runs

    def active_experiment(self, instrument: str, station: int | str = 0) -> Reply:
        """GET the experiment that is active at an instrument's station."""
        query = {"instrument_name": instrument, "station": f"{station}"}
        return self.get("lgbk/ws/activeexperiment_for_instrument_station", **query)

    def info(self, experiment: str) -> Reply:
        """GET what is known of an experiment, or of ``XPP_Instrument``."""
        return self.get(f"lgbk/{experiment}/ws/info")

    def runs(self, experiment: str) -> Reply:
        """GET the runs."""
        return self.get(f"lgbk/{experiment}/ws/runs")

    def run(self, experiment: str, number: int | str) -> Reply:
        """GET a run with its parameters."""
        return self.get(f"lgbk/{experiment}/ws/runs/{number}")

    def current_run(self, experiment: str) -> Reply:
        """GET the run that is current."""
        return self.get(f"lgbk/{experiment}/ws/current_run")

    def run_params(self, experiment: str, names: list[str]) -> Reply:
        """GET parameters of all runs."""
        return self.get(f"lgbk/{experiment}/ws/get_run_params_for_all_runs", param_names=",".join(names))

    def add_run_params(self, experiment: str, run: int, values: Any, path: str = "") -> Reply:
        """POST values of a run.

        :param path: one of :meth:`params_paths`; else the first.
        """
        return self.post(path or self.params_paths(experiment)[0], json=values, params={"run_num": run})

    @staticmethod
    def params_paths(experiment: str) -> list[str]:
        """Return the paths at which values of runs are posted."""
        return [
            f"lgbk/run_control/{experiment}/ws/add_run_params",
            f"run_control/{experiment}/ws/add_run_params",
            f"lgbk/{experiment}/ws/add_run_params",
        ]

    def run_control(self, experiment: str, call: str, method: str = "POST") -> Reply:
        """POST ``start_run``, ``end_run`` or ``current_run``; GET behind a switch that is off."""
        return self.request(method, f"lgbk/run_control/{experiment}/ws/{call}")

    # Entries and tags

    def new_entry(self, experiment: str, text: str, files: Any = None, **fields: Any) -> Reply:
        """POST an entry.

        :param files: of each its name, its content and its type.
        :param fields: ``log_tags``, ``log_title``, ``run_num``, ``parent``.
        """
        sent = [("files", file) for file in files or []]
        data = {"log_text": text, **fields}
        return self.post(f"lgbk/{experiment}/ws/new_elog_entry", data=data, files=sent or None)

    def entries(self, experiment: str) -> Reply:
        """GET the entries."""
        return self.get(f"lgbk/{experiment}/ws/elog")

    def search(self, experiment: str, text: str = "", **ranges: Any) -> Reply:
        """GET the entries with words, a tag (``t:laser``), or in a range of runs or of dates."""
        return self.get(f"lgbk/{experiment}/ws/search_elog", search_text=text, **ranges)

    def tree(self, experiment: str, entry: str) -> Reply:
        """GET the thread that an entry belongs to."""
        return self.get(f"lgbk/{experiment}/ws/elog/{entry}/complete_elog_tree")

    def attachment(self, experiment: str, entry: str, attachment: str) -> requests.Response:
        """GET what is attached, which is no JSON."""
        query = {"entry_id": entry, "attachment_id": attachment}
        address = f"{self._root}/lgbk/{experiment}/ws/attachment"
        return self._session.get(address, params=query, timeout=_TIMEOUT_S)

    def modify_entry(self, experiment: str, entry: str, text: str, **fields: Any) -> Reply:
        """POST another text of an entry."""
        data = {"log_text": text, **fields}
        return self.post(f"lgbk/{experiment}/ws/modify_elog_entry", data=data, params={"_id": entry})

    def delete_entry(self, experiment: str, entry: str) -> Reply:
        """POST that an entry is deleted."""
        return self.post(f"lgbk/{experiment}/ws/delete_elog_entry", params={"_id": entry})

    def tags(self, experiment: str) -> Reply:
        """GET the tags."""
        return self.get(f"lgbk/{experiment}/ws/get_elog_tags")

    def tags_to_runs(self, experiment: str) -> Reply:
        """GET the runs by tag."""
        return self.get(f"lgbk/{experiment}/ws/get_tags_to_runs")

    def runs_to_tags(self, experiment: str) -> Reply:
        """GET the tags by run."""
        return self.get(f"lgbk/{experiment}/ws/get_runs_to_tags")

    def runs_with_tag(self, experiment: str, tag: str) -> Reply:
        """GET the numbers of the runs with a tag."""
        return self.get(f"lgbk/{experiment}/ws/get_runs_with_tag", tag=tag)

    # Run tables

    def run_tables(self, experiment: str) -> Reply:
        """GET the run tables."""
        return self.get(f"lgbk/{experiment}/ws/run_tables")

    def run_table_data(self, experiment: str, table: str) -> Reply:
        """GET the rows of a run table."""
        return self.get(f"lgbk/{experiment}/ws/run_table_data", tableName=table)

    def run_table_sources(self, experiment: str) -> Reply:
        """GET what columns can show."""
        return self.get(f"lgbk/{experiment}/ws/run_table_sources")

    def define_run_table(self, experiment: str, definition: dict[str, Any]) -> Reply:
        """POST a run table, a new one or one that changes."""
        return self.post(f"lgbk/{experiment}/ws/create_update_user_run_table_def", json=definition)

    def clone_run_table(self, experiment: str, table: str, name: str) -> Reply:
        """POST that a run table is there under another name too."""
        names = {"existing_run_table_name": table, "new_run_table_name": name}
        return self.post(f"lgbk/{experiment}/ws/clone_run_table_def", params=names)

    def delete_run_table(self, experiment: str, table: str) -> Reply:
        """POST that a run table is deleted."""
        return self.post(f"lgbk/{experiment}/ws/delete_run_table", data={"table_name": table})

    # Workflows and jobs

    def define_workflow(self, experiment: str, **definition: str) -> Reply:
        """POST a workflow."""
        return self.post(f"lgbk/{experiment}/ws/create_update_workflow_def", json=definition)

    def workflows(self, experiment: str) -> Reply:
        """GET the workflows."""
        return self.get(f"lgbk/{experiment}/ws/workflow_definitions")

    def triggers(self, experiment: str) -> Reply:
        """GET what workflows can wait for."""
        return self.get(f"lgbk/{experiment}/ws/workflow_triggers")

    def jobs(self, experiment: str) -> Reply:
        """GET the jobs."""
        return self.get(f"lgbk/{experiment}/ws/workflow_jobs")

    def create_job(self, experiment: str, workflow: str, run: int) -> Reply:
        """POST that a workflow is run for a run."""
        return self.post(
            f"lgbk/{experiment}/ws/create_workflow_job", json={"job_name": workflow, "run_num": run}
        )

    def kill_job(self, experiment: str, job: str) -> Reply:
        """POST that a job is ended."""
        return self.post(f"lgbk/{experiment}/ws/kill_workflow_job", json={"_id": job})

    def job_view(self, experiment: str, job: str, what: str) -> Reply:
        """GET ``job_statuses``, ``job_details`` or ``job_log_file`` of a job."""
        return self.get(f"lgbk/{experiment}/ws/workflow/{job}/{what}")

    def counters(self, update_url: str, authorization: str, job: dict[str, Any]) -> Any:
        """POST what a job shows of itself is asked for; return name and value by counter."""
        base, _, experiment, _ = update_url.rsplit("/", 3)
        address = f"{base}/{experiment}/get_counters"
        answer = self._session.post(
            address, json=job, headers={"Authorization": authorization}, timeout=_TIMEOUT_S
        )
        return answer.json()["value"]

    def set_counters(self, update_url: str, counters: list[dict[str, Any]]) -> int:
        """POST what a job shows of itself; return the status. The address is the permission."""
        return requests.post(update_url, json=counters, timeout=_TIMEOUT_S).status_code

    # Any call

    def get(self, path: str, **query: Any) -> Reply:
        """GET a path below the prefix."""
        return self.request("GET", path, params=query)

    def post(self, path: str, **params: Any) -> Reply:
        """POST to a path below the prefix."""
        return self.request("POST", path, **params)

    def request(self, method: str, path: str, **params: Any) -> Reply:
        """Send any request; whatever it is, it is answered in the service's form."""
        answer = self._session.request(
            method, f"{self._root}/{path}", timeout=_TIMEOUT_S, allow_redirects=False, **params
        )
        told = answer.headers.get("Content-Type", "")
        assert told.startswith("application/json"), f"{method} {path}: {answer.status_code} {told!r}"
        found = answer.json()
        assert isinstance(found, dict), found
        assert found.keys() >= {"success", "value", "error_msg", "errormsg"}, found
        assert isinstance(found["success"], bool), found
        assert found["error_msg"] == found["errormsg"], found
        assert found["success"] is (answer.status_code < 300), (answer.status_code, found)
        assert found["success"] or found["error_msg"], "an error has no reason"
        return Reply(answer.status_code, found["success"], found["value"], found["error_msg"] or "")
