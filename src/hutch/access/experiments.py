"""Experiments: made, activated, locked, opened, and who has which role in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hutch.access.membership import experiments_of, runs_of, shifts
from hutch.access.naming import check_experiment_name, check_new, parse_instrument
from hutch.access.roles import Role, operator_of, role_named
from hutch.access.users import Users
from hutch.catalogs.signatures import this_user
from hutch.documents import encode
from hutch.errors import ConfigurationError, ExperimentLockedError, ExperimentNotFoundError
from hutch.queries.conditions import Condition
from hutch.store.protocols.store import Store, Writer
from hutch.store.rows.access import ExperimentRow, RoleRow

__all__ = ["Experiment", "Experiments"]

_LARGEST_STATION = 2**31


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment. All times are in s since 1970."""

    name: str
    instrument: str
    """In capitals."""
    station: int
    leader: str
    description: str
    begins: float | None
    ends: float | None
    created: float
    author: str
    locked: float | None
    """Since when nobody writes."""
    opened: float | None
    """Since when all may read it who may read its catalog; None if only its members may."""

    @classmethod
    def of(cls, row: ExperimentRow) -> Experiment:
        """Return an experiment as the store has it."""
        return cls(**asdict(row))

    @property
    def is_locked(self) -> bool:
        """True if nobody writes into it now."""
        return self.locked is not None

    @property
    def is_open(self) -> bool:
        """True if all may read it who may read its catalog."""
        return self.opened is not None

    @property
    def operator(self) -> str:
        """The user who is operator in all experiments of the instrument."""
        return operator_of(self.instrument)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


class Experiments:
    """The experiments of a store.

    :param clock: returns s since 1970.
    """

    def __init__(self, store: Store, users: Users, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._users = users
        self._clock = clock

    def create(
        self,
        name: str,
        *,
        instrument: str,
        station: int = 0,
        leader: str = "",
        description: str = "",
        begins: float | None = None,
        ends: float | None = None,
        is_open: bool = False,
        author: str | None = None,
    ) -> Experiment:
        """Make an experiment, which its members read unless it is opened; it is not active yet.

        :param begins: s since 1970.
        :param ends: s since 1970.
        :param is_open: all may read it who may read its catalog.
        :param author: who makes it; else the user of this process and the host's name.
        :raises ConfigurationError: if there is one of this name, or something can't be.
        """
        check_experiment_name(name)
        if isinstance(station, bool) or not 0 <= station < _LARGEST_STATION:
            raise ConfigurationError(f"{station!r} is no station. Give a number from 0 on.")
        _check_times(name, begins, ends)
        now = self._clock()
        row = ExperimentRow(
            name,
            parse_instrument(instrument),
            station,
            leader,
            description,
            begins,
            ends,
            now,
            author or this_user(),
            opened=now if is_open else None,
        )
        with self._store.transaction() as writer:
            writer.lock("access")
            check_new(name, "an experiment", (other.name for other in self._store.experiments()))
            writer.put_access(row)
            self._note(writer, name, row.author, "create")
        self._store.sync()
        return Experiment.of(row)

    def describe(
        self,
        name: str,
        *,
        leader: str | None = None,
        description: str | None = None,
        begins: float | None = None,
        ends: float | None = None,
        author: str | None = None,
    ) -> Experiment:
        """Say more, or something else, about an experiment; what is None stays.

        :param begins: s since 1970.
        :param ends: s since 1970.
        :raises ExperimentNotFoundError: if there is none of this name.
        :raises ConfigurationError: if it would end before it begins.
        """
        given = {"leader": leader, "description": description, "begins": begins, "ends": ends}
        said: dict[str, Any] = {key: value for key, value in given.items() if value is not None}

        def change(row: ExperimentRow) -> ExperimentRow:
            changed = replace(row, **said)
            _check_times(name, changed.begins, changed.ends)
            return changed

        return self._change(name, "describe", author, change, said)

    def all(self) -> list[Experiment]:
        """Return all experiments, by name."""
        return [Experiment.of(row) for row in self._store.experiments()]

    def find(self, name: str) -> Experiment:
        """Return an experiment.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        return Experiment.of(self._row(name))

    # which one is active

    def activate(self, name: str, *, author: str | None = None) -> Experiment:
        """Make an experiment the active one at its instrument and station, in place of another.

        Runs that begin there from now on belong to it, unless they name another one.

        :raises ExperimentNotFoundError: if there is none of this name.
        :raises ExperimentLockedError: if it is locked.
        """
        with self._store.transaction() as writer:
            writer.lock("access")
            row = self._row(name)
            if row.locked is not None:
                msg = (
                    f"Experiment {name!r} is locked, so nothing can be recorded in it. Unlock it first: "
                    f"hutch experiment unlock {name}"
                )
                raise ExperimentLockedError(msg)
            if self._active_name(row.instrument, row.station) != name:
                who = author or this_user()
                writer.add_activation(row.instrument, row.station, name, self._clock(), who)
                self._note(writer, name, who, "activate")
        self._store.sync()
        return Experiment.of(row)

    def deactivate(self, name: str, *, author: str | None = None) -> bool:
        """Have no experiment active where this one is; tell whether it was.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        with self._store.transaction() as writer:
            writer.lock("access")
            row = self._row(name)
            was_active = self._active_name(row.instrument, row.station) == name
            if was_active:
                who = author or this_user()
                writer.add_activation(row.instrument, row.station, None, self._clock(), who)
                self._note(writer, name, who, "deactivate")
        self._store.sync()
        return was_active

    def active(self, instrument: str, station: int = 0) -> Experiment | None:
        """Return the experiment that is active at a station of an instrument; None if none is.

        :param instrument: in capitals or not.
        """
        name = self._active_name(instrument.upper(), station)
        row = None if name is None else self._store.experiment(name)
        return None if row is None else Experiment.of(row)

    def active_names(self) -> set[str]:
        """Return the names of all experiments that are active now."""
        last = {(row.instrument, row.station): row.experiment for row in self._store.activations()}
        return {name for name in last.values() if name is not None}

    def _active_name(self, instrument: str, station: int) -> str | None:
        last = {(row.instrument, row.station): row.experiment for row in self._store.activations()}
        return last.get((instrument, station))

    # what may be done in it

    def lock(self, name: str, *, author: str | None = None) -> Experiment:
        """Let nobody write into an experiment.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        now = self._clock()
        return self._change(name, "lock", author, lambda row: replace(row, locked=row.locked or now))

    def unlock(self, name: str, *, author: str | None = None) -> Experiment:
        """Let write into an experiment again who may.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        return self._change(name, "unlock", author, lambda row: replace(row, locked=None))

    def open(self, name: str, *, author: str | None = None) -> Experiment:
        """Let read an experiment who may read its catalog.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        now = self._clock()
        return self._change(name, "open", author, lambda row: replace(row, opened=row.opened or now))

    def restrict(self, name: str, *, author: str | None = None) -> Experiment:
        """Let only its members read an experiment.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        return self._change(name, "restrict", author, lambda row: replace(row, opened=None))

    def set_role(self, name: str, user: str, role: Role | str | None, *, author: str | None = None) -> None:
        """Give a user a role in an experiment in place of the one they have, or with None take it away.

        :raises ExperimentNotFoundError: if there is no such experiment.
        :raises UserNotFoundError: if there is no such user.
        :raises ConfigurationError: if there is no such role.
        """
        given = role_named(role) if isinstance(role, str) else role
        who = author or this_user()
        with self._store.transaction() as writer:
            writer.lock("access")
            self._row(name)
            self._users.find(user)
            if given is None:
                writer.drop_role(name, user)
            else:
                writer.put_access(RoleRow(name, user, given.label, self._clock(), who))
            self._note(writer, name, who, "role", {user: None if given is None else given.label})
        self._store.sync()

    def roles(self, name: str) -> dict[str, Role]:
        """Return the users that have a role in an experiment, without the operator of its instrument.

        :raises ExperimentNotFoundError: if there is none of this name.
        """
        self._row(name)
        return {row.member: role_named(row.role) for row in self._store.roles_in(name)}

    # its runs

    def of_run(self, start: Mapping[str, Any]) -> list[str]:
        """Return the names of the experiments that a run belongs to, by its start document.

        What it names may be none that there is; see :mod:`hutch.access.membership`.
        """
        return experiments_of(start, shifts(self._store.activations()))

    def runs_of(self, name: str) -> Condition:
        """Return the condition that the runs of an experiment fulfil, for ``Catalog.restricted``."""
        return runs_of(name, shifts(self._store.activations()))

    def _change(
        self,
        name: str,
        what: str,
        author: str | None,
        change: Callable[[ExperimentRow], ExperimentRow],
        details: Any = None,
    ) -> Experiment:
        """Change an experiment; what changes nothing is not noted."""
        with self._store.transaction() as writer:
            writer.lock("access")
            before = self._row(name)
            row = change(before)
            if row != before:
                writer.put_access(row)
                self._note(writer, name, author or this_user(), what, details)
        self._store.sync()
        return Experiment.of(row)

    def _note(self, writer: Writer, name: str, author: str, what: str, details: Any = None) -> None:
        """Note who does something, in the transaction in which it is done."""
        kept = None if details is None else encode(details)
        writer.add_audit(name, self._clock(), author, f"experiment.{what}", name, kept)

    def _row(self, name: str) -> ExperimentRow:
        row = self._store.experiment(name) if name.isascii() and name.isprintable() else None
        if row is None:
            msg = (
                f"There is no experiment {name!r}. List them with: hutch experiment list. Make one with: "
                "hutch experiment create NAME --instrument XPP"
            )
            raise ExperimentNotFoundError(msg)
        return row


def _check_times(name: str, begins: float | None, ends: float | None) -> None:
    if begins is not None and ends is not None and begins > ends:
        msg = f"Experiment {name!r} can't end before it begins. Exchange the two times."
        raise ConfigurationError(msg)
