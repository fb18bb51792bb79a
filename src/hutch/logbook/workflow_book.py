"""Workflows of an experiment, as they are defined, and their jobs with what these report.

Nothing is run here: a job that is made is queued, and whoever runs it says how it stands.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from hutch.access import Action
from hutch.documents import decode, encode, plain
from hutch.errors import AccessDeniedError, DocumentError, JobNotFoundError, WorkflowNotFoundError
from hutch.logbook.rights import Desk
from hutch.logbook.run_book import RunBook
from hutch.store.rows.logbook import JobRow, WorkflowRow

__all__ = ["Job", "JobStatus", "MadeJob", "Trigger", "Workflow", "WorkflowBook"]

_TOKEN_S = 7 * 86_400.0
_LONGEST_NAME = 200
_MOST_COUNTERS = 1000


class Trigger(StrEnum):
    """When a workflow is run."""

    MANUAL = "manual"
    RUN_START = "run_start"
    RUN_END = "run_end"
    PARAM_IS = "param_is"
    """When a parameter of a run becomes a value."""


class JobStatus(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    KILLED = "killed"

    @property
    def is_over(self) -> bool:
        """True if nothing more comes of it."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Workflow:
    """What is to be done with runs.

    :ivar parameters: the arguments of the executable, as one text.
    :ivar location: where it is run, a name that the configuration knows.
    :ivar param_name: for ``param_is``: the parameter that is looked at.
    :ivar param_value: the value that it must have.
    :ivar version: counts up whenever it is defined anew.
    :ivar time: when that was, s since 1970.
    """

    id: int
    experiment: str
    name: str
    owner: str
    executable: str
    parameters: str
    trigger: Trigger
    location: str
    param_name: str | None
    param_value: Any
    version: int
    time: float

    @classmethod
    def of(cls, row: WorkflowRow) -> Workflow:
        """Return a workflow as the store has it."""
        found = decode(row.definition)
        return cls(
            row.id,
            row.experiment,
            row.name,
            row.owner,
            found["executable"],
            found["parameters"],
            Trigger(found["trigger"]),
            found["location"],
            found["param_name"],
            found["param_value"],
            row.version,
            row.time,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a workflow. Times are in s since 1970.

    :ivar counters: what it reports, in its own order: dictionaries of ``key`` and ``value``.
    """

    id: int
    experiment: str
    run_num: int | None
    workflow: int
    status: JobStatus
    created: float
    updated: float
    author: str
    counters: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, row: JobRow) -> Job:
        """Return a job as the store has it."""
        return cls(
            row.id,
            row.experiment,
            row.run_num,
            row.workflow,
            JobStatus(row.status),
            row.created,
            row.updated,
            row.author,
            tuple(decode(row.counters)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "counters": [dict(counter) for counter in self.counters]}


class MadeJob(NamedTuple):
    """A job that was just made, and the token with which it reports; nobody can be told it again."""

    job: Job
    token: str


class WorkflowBook(RunBook):
    """The part of a logbook that is workflows."""

    def define_workflow(
        self,
        experiment: str,
        name: str,
        executable: str,
        parameters: str = "",
        *,
        trigger: Trigger | str = Trigger.MANUAL,
        location: str = "",
        param_name: str | None = None,
        param_value: Any = None,
        author: str | None = None,
    ) -> Workflow:
        """Define a workflow; one of the same name by the same owner is defined anew.

        :param executable: the path of a program that is on the store's list.
        :param parameters: arguments of the executable, as one text.
        :param location: where it is to be run; empty leaves it to the configuration.
        :param param_name: for the trigger ``param_is``, with the value that it must have.
        :raises AccessDeniedError: if they may not, or the program is not on the list.
        :raises DocumentError: if something cannot be taken.
        """
        self.check(Action.DEFINE, experiment)
        owner = self._signed(author)
        kind = _trigger(trigger)
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            msg = f"{name[:40]!r} is no name of a workflow. Give 1 to {_LONGEST_NAME} characters."
            raise DocumentError(msg)
        if "\0" in parameters:
            raise DocumentError("The parameters hold a NUL character, which no program can be given.")
        self.access.executables.check(executable)
        if kind is Trigger.PARAM_IS and (not param_name or param_value is None):
            raise DocumentError("The trigger 'param_is' needs the name of a parameter and its value.")
        definition = {
            "executable": executable,
            "parameters": parameters,
            "trigger": kind.value,
            "location": location,
            "param_name": param_name,
            "param_value": plain(param_value),
        }
        row = WorkflowRow(0, experiment, name, owner, encode(definition), 1, self._clock(), None)
        with self.store.transaction() as writer:
            number = writer.put_workflow(row)
            self._note(writer, experiment, owner, "workflow.define", name, definition)
        self.store.sync()
        return self.workflow(experiment, number)

    def workflows(self, experiment: str) -> list[Workflow]:
        """Return the workflows of an experiment, by name."""
        self.check(Action.READ, experiment)
        return [Workflow.of(row) for row in self.store.workflows(experiment)]

    def workflow(self, experiment: str, workflow: int | str) -> Workflow:
        """Return a workflow by its number or name; of several of one name the one defined first.

        :raises WorkflowNotFoundError: if there is none.
        """
        for found in self.workflows(experiment):
            if workflow in (found.id, found.name):
                return found
        msg = f"Experiment {experiment!r} has no workflow {workflow!r}."
        raise WorkflowNotFoundError(msg)

    def remove_workflow(self, experiment: str, workflow: int | str, *, author: str | None = None) -> None:
        """Remove a workflow; its jobs stay.

        :raises WorkflowNotFoundError: if there is none.
        """
        self.check(Action.DEFINE, experiment)
        signed = self._signed(author)
        found = self.workflow(experiment, workflow)
        with self.store.transaction() as writer:
            writer.remove_workflow(found.id)
            self._note(writer, experiment, signed, "workflow.remove", found.name)

    # jobs

    def create_job(
        self, experiment: str, workflow: int | str, run_num: int | None, *, author: str | None = None
    ) -> MadeJob:
        """Queue a job of a workflow for a run.

        :raises WorkflowNotFoundError: if there is no such workflow.
        :raises RunNotFoundError: if the experiment has no such run.
        :raises AccessDeniedError: if they may not, or the program is not on the store's list any more.
        """
        self.check(Action.OPERATE, experiment)
        signed = self._signed(author)
        found = self.workflow(experiment, workflow)
        self.access.executables.check(found.executable)
        num = None if run_num is None else self._find(experiment, run_num).number
        now = self._clock()
        token = secrets.token_urlsafe(32)
        row = JobRow(
            0,
            experiment,
            num,
            found.id,
            JobStatus.QUEUED,
            now,
            now,
            signed,
            encode([]),
            _digest(token),
            now + _TOKEN_S,
        )
        with self.store.transaction() as writer:
            number = writer.add_job(row)
            self._note(writer, experiment, signed, "job.create", str(number), {"workflow": found.name})
        return MadeJob(self.job(experiment, number), token)

    def jobs(self, experiment: str, *, start: int = 0, limit: int = 100) -> list[Job]:
        """Return the jobs of an experiment, the newest first."""
        self.check(Action.READ, experiment)
        return [Job.of(row) for row in self.store.jobs(experiment, start=start, limit=limit)]

    def job(self, experiment: str, job: int) -> Job:
        """Return a job.

        :raises JobNotFoundError: if there is none.
        """
        self.check(Action.READ, experiment)
        return Job.of(self._job_row(experiment, job))

    def kill_job(self, experiment: str, job: int, *, author: str | None = None) -> Job:
        """Let a job be killed; one that is over stays what it is.

        :raises JobNotFoundError: if there is none.
        """
        self.check(Action.OPERATE, experiment)
        signed = self._signed(author)
        with self.store.transaction() as writer:
            writer.lock(f"job/{job}")
            row = self._job_row(experiment, job)
            if not JobStatus(row.status).is_over:
                writer.set_job(replace(row, status=JobStatus.KILLED, updated=self._clock()))
                self._note(writer, experiment, signed, "job.kill", str(job))
        return self.job(experiment, job)

    def set_job_status(self, experiment: str, job: int, status: JobStatus | str) -> Job:
        """Say how a job stands.

        :raises JobNotFoundError: if there is none.
        :raises DocumentError: if it is over, or there is no such status.
        """
        self.check(Action.OPERATE, experiment)
        try:
            wanted = JobStatus(status)
        except ValueError:
            msg = f"{status!r} is no status of a job. It is one of {', '.join(JobStatus)}."
            raise DocumentError(msg) from None
        with self.store.transaction() as writer:
            writer.lock(f"job/{job}")
            row = self._job_row(experiment, job)
            if JobStatus(row.status).is_over:
                raise DocumentError(f"Job {job} is {row.status} already.")
            writer.set_job(replace(row, status=wanted, updated=self._clock()))
        return self.job(experiment, job)

    def counters(self, experiment: str, job: int) -> list[dict[str, Any]]:
        """Return what a job has reported: dictionaries of ``key`` and ``value``.

        :raises JobNotFoundError: if there is none.
        """
        return [dict(counter) for counter in self.job(experiment, job).counters]

    def job_of_token(self, token: str) -> Job:
        """Return the job that reports with a token, which is all that it needs.

        :raises AccessDeniedError: if there is none, or the token has expired.
        """
        return Job.of(self._row_of_token(token))

    def set_counters(self, token: str, counters: Sequence[Mapping[str, Any]]) -> Job:
        """Let a job report: its counters are these from then on.

        :param token: as it was told when the job was made.
        :param counters: dictionaries of ``key`` and ``value``.
        :raises AccessDeniedError: if no job has the token, or it has expired.
        :raises ExperimentLockedError: if nobody may write into its experiment.
        :raises DocumentError: if they cannot be taken.
        """
        row = self._row_of_token(token)
        # The token says who it is; that the experiment is not locked it cannot say.
        Desk(self.store, self.access).check(Action.RECORD, row.experiment)
        if len(counters) > _MOST_COUNTERS:
            raise DocumentError(f"{len(counters):,} counters are given; a job has at most {_MOST_COUNTERS}.")
        kept = [_counter(counter) for counter in counters]
        with self.store.transaction() as writer:
            writer.lock(f"job/{row.id}")
            now = self._job_row(row.experiment, row.id)
            writer.set_job(replace(now, counters=encode(kept), updated=self._clock()))
        return Job.of(self._job_row(row.experiment, row.id))

    def _job_row(self, experiment: str, job: int) -> JobRow:
        row = self.store.job(job)
        if row is None or row.experiment != experiment:
            raise JobNotFoundError(f"Experiment {experiment!r} has no job {job}.")
        return row

    def _row_of_token(self, token: str) -> JobRow:
        row = self.store.job_by_token(_digest(token))
        if row is None or row.expires is None or row.expires <= self._clock():
            raise AccessDeniedError("No job reports with this token, or it has expired.")
        if row.status == JobStatus.KILLED:
            raise AccessDeniedError("The job was killed: it reports nothing any more.")
        if not self.access.is_trusted(row.author, row.experiment):
            raise AccessDeniedError(f"{row.author!r}, whose job it is, may not write there any more.")
        return row


def _trigger(name: Trigger | str) -> Trigger:
    try:
        return Trigger(name)
    except ValueError:
        raise DocumentError(f"{name!r} is no trigger. Triggers are: {', '.join(Trigger)}.") from None


def _counter(given: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not isinstance(given.get("key"), str) or "value" not in given:
        msg = f"{given!r} is no counter. Give a dictionary of 'key', which is text, and 'value'."
        raise DocumentError(msg)
    return {"key": given["key"], "value": plain(given["value"])}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
