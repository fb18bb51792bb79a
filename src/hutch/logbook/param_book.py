"""Parameters of runs: posted during a run or after it, with who said them; the last one holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hutch.access import Action
from hutch.catalogs.changing.posting import post_all
from hutch.documents import decode
from hutch.logbook.run_book import RunBook

__all__ = ["ParamBook"]


class ParamBook(RunBook):
    """The part of a logbook that is parameters of runs."""

    def add_run_params(
        self,
        experiment: str,
        num: int,
        values: Mapping[str, Any],
        *,
        author: str | None = None,
        origin: Any = None,
    ) -> None:
        """Post parameters to a run, also after it has ended; what was there before is kept as history.

        :param num: the run's number in the experiment.
        :param values: by name: text, numbers, bools, None, lists and dictionaries of these.
        :param origin: where they come from, as a document: a job, say.
        :raises RunNotFoundError: if there is no such run.
        :raises DocumentError: if a name or a value cannot be taken; none of them is posted.
        """
        self.check(Action.RECORD, experiment)
        signed = self._signed(author)
        run = self._find(experiment, num).run
        post_all(self.store, run, "param", values, author=signed, origin=origin)

    def params_of_runs(
        self, experiment: str, names: Iterable[str] | None = None, runs: Sequence[int] | None = None
    ) -> dict[int, dict[str, Any]]:
        """Return what holds of the parameters of runs, by number and name.

        :param names: only these.
        :param runs: only those with these numbers; those that there are.
        """
        self.check(Action.READ, experiment)
        self._number(experiment)
        wanted = None if names is None else set(names)
        numbers = self.store.run_numbers(experiment)
        if runs is not None:
            numbers = [row for row in numbers if row.number in set(runs)]
        numbered = {run.run.row.id: run.num for run in self._numbered(experiment, numbers)}
        posted = self.store.posted_now(list(numbered))
        return {
            num: {
                name: decode(value)
                for name, value in posted.get(run, {}).get("param", {}).items()
                if wanted is None or name in wanted
            }
            for run, num in sorted(numbered.items(), key=lambda item: item[1])
        }

    def history_of_param(self, experiment: str, num: int, name: str) -> list[dict[str, Any]]:
        """Return all that was posted to a run under a name, oldest first: value, time, author and origin."""
        self.check(Action.READ, experiment)
        return [
            {
                "value": None if row.value is None else decode(row.value),
                "time": row.time,
                "author": row.author,
                "origin": None if row.origin is None else decode(row.origin),
            }
            for row in self.store.posted(self._find(experiment, num).run)
            if row.source == "param" and row.name == name
        ]
