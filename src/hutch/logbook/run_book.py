"""The runs of an experiment and their numbers; runs that a DAQ begins and ends by hand.

A run has its number in the experiment from when somebody first asks for it: the ``run_num`` or the
``scan_id`` of its start document if that is free, else one more than the greatest. It keeps it for good,
also when the run is deleted.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hutch.access import Action
from hutch.access.membership import Shift, experiments_of, runs_of, shifts
from hutch.catalogs import Run
from hutch.catalogs.care.closing import close_run
from hutch.catalogs.open_runs import BY_HAND, is_by_hand
from hutch.catalogs.signatures import Signature
from hutch.catalogs.tombstones import check_present, present_row
from hutch.documents import decode, encode, leaves, plain
from hutch.errors import (
    DocumentError,
    FeedPrunedError,
    ReadOnlyStoreError,
    RunClosedError,
    RunNotFoundError,
)
from hutch.logbook.rights import Desk
from hutch.recording.committing.starting import begin_run
from hutch.recording.scan_ids import ScanIds
from hutch.store.protocols.store import RunRow, Topic, Writer
from hutch.store.rows.logbook import EntryRow, RunNumberRow

__all__ = ["NumberedRun", "RunBook"]

_CHANGES_AT_ONCE = 1000
_STATUSES = ("abort", "fail", "success")


@dataclass(frozen=True)
class NumberedRun:
    """A run of an experiment.

    :ivar num: its number in the experiment.
    """

    experiment: str
    num: int
    run: Run

    @property
    def begin(self) -> float:
        """When it began, s since 1970."""
        return self.run.row.time

    @property
    def end(self) -> float | None:
        """When it ended, s since 1970; None if it has not."""
        stop = self.run.stop
        return None if stop is None else stop.get("time")

    @property
    def is_open(self) -> bool:
        """True if it has not ended."""
        return self.run.row.stop is None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "experiment": self.experiment,
            "num": self.num,
            "uid": self.run.uid,
            "scan_id": self.run.scan_id,
            "begin": self.begin,
            "end": self.end,
            "status": self.run.status,
        }


class RunBook(Desk):
    """The part of a logbook that is about runs."""

    # which

    def runs(self, experiment: str, *, start: int = 0, limit: int | None = None) -> list[NumberedRun]:
        """Return the runs of an experiment, the greatest number first, ``limit`` from the ``start``-th on."""
        self.check(Action.READ, experiment)
        self._number(experiment)
        rows = self.store.run_numbers(experiment, start=start, limit=limit)
        return self._numbered(experiment, rows)

    def run(self, experiment: str, num: int) -> NumberedRun:
        """Return a run by its number.

        :raises RunNotFoundError: if the experiment has none; RunDeletedError if it had.
        """
        self.check(Action.READ, experiment)
        row = self._find(experiment, num)
        found = self._numbered(experiment, [row])
        if not found:
            check_present(self.store, row.run)
            raise _no_run(experiment, num)
        return found[0]

    def run_of(self, experiment: str, uid: str) -> NumberedRun:
        """Return a run by its uid, and give it a number if it has none.

        :raises RunNotFoundError: if it is no run of the experiment.
        """
        self.check(Action.READ, experiment)
        self._number(experiment)
        for row in self.store.runs_by_uid([uid]):
            number = self.store.number_of_run(experiment, row.id)
            if number is not None and (found := self._numbered(experiment, [number])):
                return found[0]
        msg = f"Experiment {experiment!r} has no run {uid!r}."
        raise RunNotFoundError(msg)

    def current_run(self, experiment: str) -> NumberedRun | None:
        """Return the run that began last, whether it goes on or has ended; None if there is none."""
        self.check(Action.READ, experiment)
        self._number(experiment)
        # Some of the last may have been deleted, or have been given to another experiment.
        for most in (5, 1000):
            found = self._numbered(experiment, self.store.latest_run_numbers(experiment, most))
            if found:
                return max(found, key=lambda run: run.run.row.id)
        return None

    # by hand

    def start_run(self, experiment: str, *, author: str | None = None, **metadata: Any) -> NumberedRun:
        """Begin a run that another request or process ends; one that was begun so before is ended first.

        :param metadata: more of the start document.
        :returns: the run; its number counts up from 1 in the experiment.
        :raises AccessDeniedError: if they may not; so do the other errors of :meth:`check`.
        :raises DocumentError: if the metadata cannot be taken.
        """
        self.check(Action.OPERATE, experiment)
        signed = self._signed(author)
        self._number(experiment)
        numbers = ScanIds(self.store)
        scan_id = numbers.reserve()
        about = self.access.experiments.find(experiment)
        with self.store.transaction() as writer:
            known = writer.run_numbers(experiment)
            if known:
                self._end_before(max(known, key=lambda row: row.run), signed)
            num = max((row.number for row in known), default=0) + 1
            start = plain(
                {
                    **metadata,
                    "uid": str(uuid.uuid4()),
                    "time": self._clock(),
                    "scan_id": scan_id,
                    "experiment": experiment,
                    "instrument": about.instrument,
                    "run_num": num,
                    BY_HAND: signed,
                }
            )
            begun = begin_run(self.store, start["uid"], start, encode(start))
            if begun is None:
                raise DocumentError(f"There is a run {start['uid']!r} already.")
            writer.add_run_number(experiment, num, begun.id)
            self._note(writer, experiment, signed, "run.start", str(num))
        numbers.used(scan_id)
        self.store.sync()
        return NumberedRun(experiment, num, Run(self.store, self.store.run_by_id(begun.id)))

    def end_run(
        self,
        experiment: str,
        num: int | None = None,
        *,
        exit_status: str = "success",
        author: str | None = None,
        reason: str = "",
    ) -> NumberedRun:
        """End a run that was begun by hand, or that was interrupted.

        :param num: its number; the run that began last if none is given.
        :raises RunNotFoundError: if there is none.
        :raises RunClosedError: if it has ended already.
        :raises RunOwnedError: if a process records it that lives.
        """
        self.check(Action.OPERATE, experiment)
        if exit_status not in _STATUSES:
            msg = f"A run ends with 'success', 'abort' or 'fail', not with {exit_status!r}."
            raise DocumentError(msg)
        signed = self._signed(author)
        found = self.current_run(experiment) if num is None else self.run(experiment, num)
        if found is None:
            raise RunNotFoundError(f"Experiment {experiment!r} has no runs yet.")
        row = found.run.row
        if is_by_hand(row):
            with self.store.transaction() as writer:
                self._end_by_hand(writer, row.id, exit_status, signed, reason)
                self._note(writer, experiment, signed, "run.end", str(found.num))
            self.store.sync()
        else:
            close_run(self.store, row, Signature(signed, reason or "ended in the logbook"), exit_status)
            with self.store.transaction() as writer:
                self._note(writer, experiment, signed, "run.end", str(found.num))
        return NumberedRun(experiment, found.num, Run(self.store, self.store.run_by_id(row.id)))

    def _end_before(self, last: RunNumberRow, author: str) -> None:
        """End the run that was begun by hand before another one, if it goes on."""
        row = self.store.runs_by_id([last.run]).get(last.run)
        if row is not None and row.stop is None and is_by_hand(row):
            with self.store.transaction() as writer:
                self._end_by_hand(writer, row.id, "success", author, "another run was begun")

    def _end_by_hand(self, writer: Writer, run: int, exit_status: str, author: str, reason: str) -> None:
        writer.lock(f"run/{run}")
        row = present_row(self.store, run)
        if row.stop is not None:
            raise RunClosedError(f"Run {row.uid!r} has ended already.")
        stop = {
            "uid": str(uuid.uuid4()),
            "time": max(self._clock(), row.time),
            "run_start": row.uid,
            "exit_status": exit_status,
            "reason": reason,
            "num_events": {},
            BY_HAND: author,
        }
        writer.add_leaves(run, row.time, leaves(stop, "stop"))
        writer.end_run(run, encode(stop), exit_status)

    # numbers

    def _find(self, experiment: str, num: int) -> RunNumberRow:
        """Return which run has a number.

        :raises RunNotFoundError: if there is none.
        """
        row = self.store.run_number(experiment, num)
        if row is None:
            self._number(experiment)
            row = self.store.run_number(experiment, num)
        if row is None:
            raise _no_run(experiment, num)
        return row

    def _attached_run(self, experiment: str, run: int | None, answered: EntryRow | None) -> int | None:
        """Return the number of the run that an entry is attached to; see :meth:`EntryBook.post`."""
        if run == 0:
            return None
        if run is not None:
            return self._find(experiment, run).number
        if answered is not None:
            return answered.run_num
        self._number(experiment)
        for most in (5, 1000):
            found = self._numbered(experiment, self.store.latest_run_numbers(experiment, most))
            if found:
                return max(found, key=lambda one: one.run.row.id).num
        return None

    def _numbered(self, experiment: str, numbers: Sequence[RunNumberRow]) -> list[NumberedRun]:
        """Return runs that are there, and still of the experiment, in the order of their numbers' rows."""
        rows = self.store.runs_by_id([number.run for number in numbers])
        all_shifts: list[Shift] | None = None
        found = []
        for number in numbers:
            row = rows.get(number.run)
            if row is None:
                continue
            if row.amended is not None:
                # Somebody may have corrected what experiment it is of.
                all_shifts = shifts(self.store.activations()) if all_shifts is None else all_shifts
                if experiment not in experiments_of(decode(row.amended), all_shifts):
                    continue
            found.append(NumberedRun(experiment, number.number, Run(self.store, row)))
        return found

    def _number(self, experiment: str) -> None:
        """Give numbers to the runs of an experiment that have none; cheap if there are none."""
        cursor = f"run_numbers/{experiment}"
        if experiment not in self._seen:
            kept = self.store.cursor(cursor)
            self._seen[experiment] = -1 if kept is None else int(kept)
        before = self._seen[experiment]
        suspects, last = self._suspects(before)
        if suspects is None:
            last = self.store.last_change()
            suspects = set(self.store.search(runs_of(experiment, shifts(self.store.activations()))).ids())
        rows: list[RunRow] = []
        if suspects:
            all_shifts = shifts(self.store.activations())
            found = self.store.runs_by_id(sorted(suspects)).values()
            rows = [row for row in found if experiment in experiments_of(decode(row.current), all_shifts)]
        if last == before:
            return
        with suppress(ReadOnlyStoreError):
            if rows or last > before + _CHANGES_AT_ONCE or before < 0:
                self._give(experiment, rows, cursor, last)
        self._seen[experiment] = last

    def _suspects(self, after: int) -> tuple[set[int] | None, int]:
        """Return the runs that began or were corrected after a change, and the last change looked at.

        None stands for all runs, if it is not known any more which.
        """
        found: set[int] = set()
        while after >= 0:
            try:
                changes = self.store.changes(after, _CHANGES_AT_ONCE)
            except FeedPrunedError:
                return None, after
            found |= {
                change.run
                for change in changes
                if change.run is not None and change.topic in (Topic.START, Topic.AMEND)
            }
            after = changes[-1].number if changes else after
            if len(changes) < _CHANGES_AT_ONCE:
                return found, after
        return None, after

    def _give(self, experiment: str, rows: Sequence[RunRow], cursor: str, last: int) -> None:
        """Give numbers to those of some runs that have none, in the order in which they began."""
        with self.store.transaction() as writer:
            known = writer.run_numbers(experiment)
            taken, numbered = {row.number for row in known}, {row.run for row in known}
            largest = max(taken, default=0)
            for row in sorted(rows, key=lambda row: row.id):
                if row.id in numbered:
                    continue
                wished = _wished(row)
                number = next((one for one in wished if one not in taken), largest + 1)
                writer.add_run_number(experiment, number, row.id)
                taken.add(number)
                largest = max(largest, number)
            writer.set_cursor(cursor, str(last).encode())


def _wished(row: RunRow) -> list[int]:
    """Return the numbers that a run would have if they were free."""
    start = decode(row.current)
    given = (start.get("run_num"), row.scan_id)
    return [number for number in given if type(number) is int and 0 < number < 2**63]


def _no_run(experiment: str, num: int) -> RunNotFoundError:
    remedy = f"hutch table show --experiment {experiment}"
    msg = f"Experiment {experiment!r} has no run {num}. List its runs with: {remedy}"
    return RunNotFoundError(msg)
