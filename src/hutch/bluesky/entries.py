"""What RunEngines have to do with the logbook: the experiment of runs, and entries from plans and of runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bluesky.utils import Msg

from hutch.access import Access
from hutch.catalogs import Catalog, Run
from hutch.errors import ExperimentNotFoundError

if TYPE_CHECKING:
    from hutch.logbook import Entry

__all__ = ["POST_ENTRY", "PlanEntries", "RunEntries", "entry_message"]

POST_ENTRY = "post_entry"
"""The command of the message that writes an entry."""

_logger = logging.getLogger("hutch.bluesky")


def entry_message(
    text: str, *, title: str, tags: Iterable[str] | str, files: Sequence[Any], experiment: str | None
) -> Msg:
    """Return the message that writes an entry."""
    said = {"title": title, "tags": tags, "files": tuple(files), "experiment": experiment}
    return Msg(POST_ENTRY, None, text, **said)  # type: ignore[no-untyped-call]


class PlanEntries:
    """Writes the entries of the plans of one RunEngine, and knows which experiment they belong to.

    :param cat: the catalog that the runs are recorded in.
    :param instrument: where the RunEngine is; None if nobody says.
    """

    def __init__(self, cat: Catalog, instrument: str | None, station: int) -> None:
        self._cat = cat
        self._instrument = None if instrument is None else instrument.upper()
        self._station = station
        self._experiments = Access(cat.store).experiments
        self._run: Mapping[str, Any] | None = None

    def link(self, md: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the experiment that a run belongs to which begins now, as metadata."""
        if self._instrument is None:
            return {}
        found: dict[str, Any] = {"instrument": self._instrument}
        active = self._experiments.active(self._instrument, self._station)
        # Who names another instrument is not where this RunEngine is.
        if active is not None and str(md.get("instrument", self._instrument)).upper() == self._instrument:
            found["experiment"] = active.name
        return found

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take note of the run that is open."""
        if name == "start":
            self._run = doc
        elif name == "stop":
            self._run = None

    async def post(self, msg: Msg) -> Entry:
        """Write the entry that a message asks for; the RunEngine goes on when it is there.

        :raises ExperimentNotFoundError: if nobody says which experiment it belongs to.
        """
        return await asyncio.get_running_loop().run_in_executor(
            None, self._post, msg.args[0], dict(msg.kwargs)
        )

    def _post(self, text: str, said: dict[str, Any]) -> Entry:
        from hutch.logbook import Logbook

        logbook = Logbook(self._cat.store)
        experiment = said.pop("experiment") or self._experiment()
        run = None if self._run is None else _number(logbook, experiment, self._run["uid"])
        return logbook.post(experiment, text, run=run, **said)

    def _experiment(self) -> str:
        if self._run is not None:
            names = self._experiments.of_run(self._run)
            if names:
                return names[0]
        if self._instrument is not None:
            active = self._experiments.active(self._instrument, self._station)
            if active is not None:
                return active.name
        msg = (
            "Nobody says which experiment the entry belongs to. Give experiment=…, or "
            "run_engine(cat, instrument='XPP') and activate one: hutch experiment activate NAME"
        )
        raise ExperimentNotFoundError(msg)


class RunEntries:
    """Writes an entry about each run that has ended."""

    def __init__(
        self, cat: Catalog, tags: Iterable[str] | str, describe: Callable[[Run], str] | None
    ) -> None:
        self._cat = cat
        self._tags = tags if isinstance(tags, str) else tuple(tags)
        self._describe = describe or _described

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take note of a document."""
        if name != "stop":
            return
        try:
            self._write(doc["run_start"])
        except Exception:
            # A plan is not stopped because something could not be written about it.
            _logger.exception("No entry could be written about run %r.", doc.get("run_start"))

    def _write(self, uid: str) -> None:
        from hutch.logbook import Logbook

        run = self._cat[uid]
        logbook = Logbook(self._cat.store)
        for experiment in logbook.access.experiments.of_run(run.start):
            summary = run.summary()
            logbook.post(
                experiment,
                self._describe(run),
                title=f"{summary.plan} {summary.scan_id or ''}: {summary.status}".replace(" :", ":"),
                tags=self._tags,
                run=_number(logbook, experiment, uid),
                key=f"run {uid}",
            )


def _number(logbook: Any, experiment: str, uid: str) -> int:
    """Return the number of a run in its experiment; 0, which is no run, if it is not of that experiment."""
    from hutch.errors import RunNotFoundError

    try:
        number: int = logbook.run_of(experiment, uid).num
    except RunNotFoundError:
        return 0
    return number


def _described(run: Run) -> str:
    """Return what there is to say of a run without knowing more."""
    stop: Mapping[str, Any] = run.stop or {}
    lines = [f"- {name}: {value}" for name, value in (("reason", stop.get("reason")),) if value]
    if "time" in stop:
        lines.insert(0, f"- took {stop['time'] - run.row.time:.1f} s")
    lines += [f"- stream `{name}`: {count} events" for name, count in (stop.get("num_events") or {}).items()]
    return "\n".join(lines) or "The run has ended."
