"""The one place that is asked: who is this, what may they read, and may they do that."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hutch.access.attempts import Attempts
from hutch.access.executables import Executables
from hutch.access.experiments import Experiments
from hutch.access.identities import ALL_SCOPES, PUBLIC, Identity, known_catalogs, known_scopes
from hutch.access.keys import ApiKeys
from hutch.access.membership import readable, shifts
from hutch.access.naming import is_user_name
from hutch.access.passwords import Passwords, hash_password
from hutch.access.roles import NEEDED, WHILE_LOCKED, Action, Role, operator_of, role_named
from hutch.access.users import Users
from hutch.catalogs import Catalog
from hutch.errors import (
    AccessDeniedError,
    ExperimentLockedError,
    ExperimentNotFoundError,
    StoreError,
)
from hutch.queries.conditions import Condition, everything, nothing
from hutch.store.protocols.store import Store
from hutch.store.rows.access import ExperimentRow, UserRow

__all__ = ["ADMIN_KEY_VARIABLE", "Access"]

ADMIN_KEY_VARIABLE = "HUTCH_ADMIN_KEY"
"""The environment variable that holds a key with every scope."""

_OWNERLESS = (
    "A key without an owner has no roles. Make one that has those of a user: "
    "hutch key create --owner USER --scope SCOPE"
)


class Access:
    """Who may do what, as one store says; it may hold for the catalogs of other stores as well.

    :param store: with the keys, users, experiments and roles.
    :param attempts: counts wrong passwords.
    :param clock: returns s since 1970.
    :ivar keys: makes and revokes API keys.
    :ivar users: adds and removes users.
    :ivar experiments: makes experiments and gives roles.
    :ivar executables: the list of what workflows may run.
    """

    def __init__(
        self, store: Store, *, attempts: Attempts | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.users = Users(store, clock)
        self.keys = ApiKeys(store, self.users, clock)
        self.experiments = Experiments(store, self.users, clock)
        self.executables = Executables(store, clock)
        self._store = store
        self._attempts = attempts or Attempts()
        self._passwords = Passwords()

    # who is this

    def identify_key(self, text: str) -> Identity | None:
        """Return whose an API key is; None if it is none, or expired, revoked, or its owner disabled.

        What ``$HUTCH_ADMIN_KEY`` holds is a key with every scope.
        """
        admin = os.environ.get(ADMIN_KEY_VARIABLE, "")
        given, wanted = (word.encode("utf-8", "surrogatepass") for word in (text, admin))
        if wanted and hmac.compare_digest(given, wanted):
            return Identity("admin", ALL_SCOPES)
        key = self.keys.find(text)
        if key is None:
            return None
        scopes = known_scopes(" ".join(key.scopes))
        catalogs = None if key.catalogs is None else frozenset(key.catalogs)
        if key.owner is None:
            return Identity(f"key {key.prefix}", scopes, None, catalogs)
        owner = self._store.user(key.owner)
        if owner is None or owner.disabled is not None:
            return None
        # A key may do no more than who owns it may.
        theirs = _identity_of(owner)
        return replace(theirs, scopes=scopes & theirs.scopes, catalogs=_both(catalogs, theirs.catalogs))

    def identify_user(self, name: str, password: str) -> Identity | None:
        """Return who has a name and a password; None if nobody has, or they are disabled.

        It takes as long for a name that nobody has.

        :raises TooManyAttemptsError: if too many wrong passwords were given for the name lately.
        :raises MissingExtraError: if argon2 is not installed.
        """
        row = self._store.user(name) if is_user_name(name) else None
        kept = None if row is None else row.password
        if not self._passwords.is_known(password, kept):
            self._attempts.begin(name[:100])
            if not self._passwords.is_right(password, kept):
                return None
            self._attempts.succeed(name[:100])
        if row is None or row.disabled is not None:
            return None
        self._renew(row, password)
        return _identity_of(row)

    def identify_trusted(self, name: str) -> Identity | None:
        """Return a user whom a proxy or Kerberos has identified; None if nobody is so called, or disabled."""
        row = self._store.user(name) if is_user_name(name) else None
        return None if row is None or row.disabled is not None else _identity_of(row)

    # what may they read

    def visible(self, catalog: Catalog, identity: Identity | None, name: str | None = None) -> Catalog:
        """Return a catalog as it would be if there were only the runs that somebody may read.

        It holds for rows, look-ups, counts, values, words, and the feed; what changes later about roles and
        experiments holds for the next catalog that is asked for.

        :param name: under which the catalog is served; else its own.
        """
        may_open = self.may_open(identity, catalog.name if name is None else name)
        return catalog.restricted(self.readable(identity) if may_open else nothing)

    def may_open(self, identity: Identity | None, catalog: str) -> bool:
        """Tell whether somebody may read in the catalog of a name."""
        if identity is None or "read" not in identity.scopes:
            return False
        return identity.catalogs is None or catalog in identity.catalogs

    def readable(self, identity: Identity | None) -> Condition:
        """Return the condition that the runs fulfil which somebody may read, in whichever catalog."""
        if identity is None or "read" not in identity.scopes:
            return nothing
        if identity.is_admin:
            return everything
        rows = self._store.experiments()
        if not rows:
            # As long as there are none, the name of one is a field like any other.
            return everything
        roles = self._roles_of(identity)
        names = {
            row.name for row in rows if row.opened is not None or _role(identity, row, roles) is not None
        }
        return readable(names, shifts(self._store.activations()))

    # may they do that

    def may(self, identity: Identity | None, action: Action | str, experiment: str | None) -> bool:
        """Tell whether somebody may do something in an experiment; see :meth:`check` for why not."""
        try:
            self.check(identity, action, experiment)
        except (AccessDeniedError, ExperimentLockedError, ExperimentNotFoundError):
            return False
        return True

    def check(self, identity: Identity | None, action: Action | str, experiment: str | None) -> None:
        """Raise if somebody may not do something in an experiment.

        :param action: see :class:`~hutch.access.roles.Action`.
        :param experiment: its name; None for what belongs to none, where scopes alone decide.
        :raises AccessDeniedError: naming the scope or the role that it takes.
        :raises ExperimentNotFoundError: if there is no such experiment, or they may not know of it.
        :raises ExperimentLockedError: if it is locked, and nobody may.
        """
        action = Action(action)
        scope, needed = NEEDED[action]
        if identity is None or scope not in identity.scopes:
            who = "Nobody in particular" if identity is None else repr(identity.name)
            msg = f"{who} may not do this ({action}): it takes the scope {scope!r}."
            raise AccessDeniedError(msg)
        if experiment is None:
            return
        row = self._store.experiment(experiment) if experiment.isprintable() else None
        role = None if row is None else _role(identity, row, self._roles_of(identity))
        if row is None or (role is None and row.opened is None):
            msg = f"There is no experiment {experiment!r} that {identity.name!r} may read."
            raise ExperimentNotFoundError(f"{msg} {_OWNERLESS}" if _is_ownerless(identity) else msg)
        is_enough = role is not None and role >= needed
        if not is_enough and not (action is Action.READ and row.opened is not None):
            remedy = f"Give it with: hutch experiment role {experiment} USER {needed.label}"
            msg = (
                f"{identity.name!r} may not do this in experiment {experiment!r} ({action}): it takes the "
                f"role {needed.label!r}. {_OWNERLESS if _is_ownerless(identity) else remedy}"
            )
            raise AccessDeniedError(msg)
        if row.locked is not None and action not in WHILE_LOCKED:
            msg = f"Experiment {experiment!r} is locked. Unlock it with: hutch experiment unlock {experiment}"
            raise ExperimentLockedError(msg)

    def check_run(self, identity: Identity | None, action: Action | str, start: Mapping[str, Any]) -> None:
        """Raise if somebody may not do something with a run, or a run that is to be.

        :param start: its start document; where it names several experiments, they must be allowed it in all.
        :raises AccessDeniedError: as :meth:`check` does; so do the other errors.
        """
        # Only where there are experiments does the name of one mean something.
        names: list[str | None] = []
        if self._store.experiments():
            names += self.experiments.of_run(start)
        if identity is not None and identity.is_admin:
            known = {row.name for row in self._store.experiments()}
            names = [name for name in names if name in known]
        for name in names or [None]:
            self.check(identity, action, name)

    def role_in(self, identity: Identity, experiment: str) -> Role | None:
        """Return the role that somebody has in an experiment; None if they have none, or there is no such.

        Who may do everything is operator.
        """
        row = self._store.experiment(experiment) if experiment.isprintable() else None
        return None if row is None else _role(identity, row, self._roles_of(identity))

    def is_trusted(self, name: str, experiment: str) -> bool:
        """Tell whether what somebody has set going may still write in an experiment.

        Who is no user is a program that had the store itself.

        :param name: of the user.
        """
        row = self._store.user(name) if is_user_name(name) else None
        if row is None:
            return True
        role = self.role_in(_identity_of(row), experiment) if row.disabled is None else None
        return role is not None and role >= Role.WRITER

    def _roles_of(self, identity: Identity) -> dict[str, Role]:
        if identity.user is None:
            return {}
        return {row.experiment: role_named(row.role) for row in self._store.roles_of(identity.user)}

    def _renew(self, row: UserRow, password: str) -> None:
        """Hash a password again if it is time to."""
        if row.password is None or not self._passwords.is_outdated(row.password):
            return
        hashed = hash_password(password)
        try:
            with self._store.transaction() as writer:
                writer.lock("access")
                if self._store.user(row.name) == row:
                    writer.put_access(replace(row, password=hashed))
        except StoreError:
            # A store that can only be read still lets them in.
            return


def _is_ownerless(identity: Identity) -> bool:
    """Tell whether somebody is a key without an owner."""
    return identity.user is None and identity != PUBLIC


def _identity_of(row: UserRow) -> Identity:
    return Identity(row.name, known_scopes(row.scopes), row.name, known_catalogs(row.catalogs))


def _both(some: frozenset[str] | None, others: frozenset[str] | None) -> frozenset[str] | None:
    """Return what is in two limits, of which None is none."""
    if some is None or others is None:
        return others if some is None else some
    return some & others


def _role(identity: Identity, row: ExperimentRow, roles: Mapping[str, Role]) -> Role | None:
    if identity.is_admin or (identity.user is not None and identity.user == operator_of(row.instrument)):
        return Role.OPERATOR
    return roles.get(row.name)
