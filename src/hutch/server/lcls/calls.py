"""What a request asks for, as the functions that answer it see it; and what their routes say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hutch.access import Action
from hutch.errors import EntryNotFoundError, JobNotFoundError, QueryError, RunNotFoundError
from hutch.logbook import Job, Logbook, NewFile

__all__ = ["Body", "Call", "Route", "experiment_route"]

_YES = frozenset({"true", "1", "yes", "on"})


class Body(StrEnum):
    """What a request carries."""

    NONE = "none"
    FORM = "form"
    """Fields and files, or JSON in their place."""
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose sender may send it.

    :ivar logbook: which does all on the sender's behalf.
    :ivar path: the parts of the address that are names.
    :ivar fields: those of the address, and of the form, each with all its values.
    :ivar json: what is carried, if that is JSON.
    :ivar job: the job that asks, if one does.
    :ivar key: by which the same request is known if it is sent again.
    """

    logbook: Logbook
    experiment: str
    path: Mapping[str, str]
    fields: Mapping[str, Sequence[str]]
    json: Any = None
    files: Sequence[NewFile] = ()
    job: Job | None = None
    key: str | None = None

    @property
    def author(self) -> str | None:
        """Who signs; None leaves it to the logbook, which knows who asks."""
        return None if self.job is None else self.job.author

    def text(self, *names: str) -> str | None:
        """Return a field by one of its names; None if it is blank or missing."""
        return next((found for found in map(self.given, names) if found and not found.isspace()), None)

    def given(self, name: str) -> str | None:
        """Return a field, which may be empty; None if it is missing.

        :raises QueryError: if it is JSON that is neither text nor a number.
        """
        if name in self.fields:
            return self.fields[name][0]
        found = self._carried(name)
        if isinstance(found, (dict, list)):
            raise QueryError(f"The parameter {name!r} must be text or a number.")
        return None if found is None else str(found)

    def several(self, name: str) -> Sequence[str] | None:
        """Return a field that may be given several times, or be a list; None if it is missing.

        :raises QueryError: if it is JSON that is neither text nor a list of text.
        """
        if name in self.fields:
            return self.fields[name]
        found = self._carried(name)
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return found
        one = self.given(name)
        return None if one is None else [one]

    def _carried(self, name: str) -> Any:
        return self.json.get(name) if isinstance(self.json, dict) else None

    def needed(self, *names: str) -> str:
        """Return a field by one of its names.

        :raises QueryError: if it is blank or missing.
        """
        found = self.text(*names)
        if found is None:
            raise QueryError(f"The parameter {names[0]!r} is missing.")
        return found

    def number(self, *names: str) -> int | None:
        """Return a field that is a whole number; None if it is blank or missing.

        :raises QueryError: if it is something else.
        """
        found = self.text(*names)
        if found is None:
            return None
        return _whole(found, QueryError(f"{names[0]}={found[:40]!r}: a whole number was expected."))

    def switch(self, *names: str, default: bool = False) -> bool:
        """Return a field that is true or false."""
        found = self.text(*names)
        return default if found is None else found.lower() in _YES

    def entry(self, *names: str) -> int:
        """Return the number of an entry of the experiment.

        :raises EntryNotFoundError: if there is none.
        """
        wanted = self.needed(*names) if names else self.path["entry"]
        missing = EntryNotFoundError(f"There is no entry {wanted[:40]!r} in experiment {self.experiment!r}.")
        found = self.logbook.entry(_whole(wanted, missing))
        if found.experiment != self.experiment:
            raise missing
        return found.id

    def run(self) -> int:
        """Return the number of the run in the address.

        :raises RunNotFoundError: if it is none.
        """
        wanted = self.path["run"]
        return _whole(wanted, RunNotFoundError(f"Experiment {self.experiment!r} has no run {wanted[:40]!r}."))

    def job_number(self, wanted: str) -> int:
        """Return the number of a job, as it is told.

        :raises JobNotFoundError: if it is none.
        """
        return _whole(wanted, JobNotFoundError(f"Experiment {self.experiment!r} has no job {wanted[:40]!r}."))

    def document(self) -> dict[str, Any]:
        """Return what is carried, which is a dictionary.

        :raises QueryError: if it is something else.
        """
        if not isinstance(self.json, dict):
            raise QueryError("A dictionary was expected, as JSON.")
        return self.json


@dataclass(frozen=True, slots=True)
class Route:
    """A path below ``<prefix>/lgbk`` and what answers it.

    :ivar answer: returns the value, or a whole response.
    :ivar action: what the sender must be allowed in the experiment, before anything is read of what is
        carried; the logbook asks once more.
    :ivar is_control: True if it may be asked for with GET where that is switched on.
    :ivar deletes: True if it may be asked for with DELETE too, as LCLS's own pages do.
    :ivar by_job: True if the token of a job is enough, in the job's own experiment.
    """

    path: str
    answer: Callable[[Call], Any]
    method: str = "GET"
    body: Body = Body.NONE
    action: Action = Action.READ
    is_control: bool = False
    deletes: bool = False
    by_job: bool = field(default=False)


def experiment_route(path: str, answer: Callable[[Call], Any], **more: Any) -> Route:
    """Return a route below ``{experiment}/ws``.

    :param more: of :class:`Route`.
    """
    return Route(f"/lgbk/{{experiment}}/ws/{path}", answer, **more)


def _whole(text: str, error: Exception) -> int:
    cleaned = text.strip()
    if not (cleaned.isascii() and cleaned.removeprefix("-").isdigit() and len(cleaned) <= 18):
        raise error
    return int(cleaned)
