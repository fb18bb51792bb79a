"""Who writes in a logbook, and whether they may: asked in one place, and noted."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any, Self

from hutch.access import Access, Action, Identity
from hutch.access.roles import WHILE_LOCKED
from hutch.catalogs import Catalog
from hutch.catalogs.signatures import this_user
from hutch.documents import decode, encode
from hutch.errors import AccessDeniedError, ExperimentLockedError
from hutch.store.protocols.store import Store, Writer

__all__ = ["Desk"]


class Desk:
    """Where somebody reads and writes the logbooks of a store.

    :param store: the store, or a catalog of it.
    :param access: who may do what; else what the store itself says.
    :param identity: on whose behalf everything is done. None is a program that has the store itself, which
        may do everything but write into an experiment that is locked.
    :param clock: returns s since 1970.
    """

    def __init__(
        self,
        store: Store | Catalog,
        access: Access | None = None,
        *,
        identity: Identity | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store: Store = store.store if isinstance(store, Catalog) else store
        self.access = access or Access(self.store)
        self.identity = identity
        self._clock = clock
        self._seen: dict[str, int] = {}
        """How much of the feed has been looked at for runs of an experiment."""

    def of(self, identity: Identity) -> Self:
        """Return the same for somebody: they are asked for their rights, and all they do bears their name."""
        found = copy.copy(self)
        found.identity = identity
        return found

    def check(self, action: Action, experiment: str) -> None:
        """Raise if it may not be done in an experiment.

        :raises AccessDeniedError: naming the scope or the role that it takes.
        :raises ExperimentNotFoundError: if there is no such experiment, or they may not know of it.
        :raises ExperimentLockedError: if it is locked.
        """
        if self.identity is not None:
            self.access.check(self.identity, action, experiment)
            return
        if self.access.experiments.find(experiment).is_locked and action not in WHILE_LOCKED:
            msg = f"Experiment {experiment!r} is locked. Unlock it with: hutch experiment unlock {experiment}"
            raise ExperimentLockedError(msg)

    def audit(self, experiment: str, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Return who did what in an experiment, the newest first.

        :param before: the id of one: only those before it.
        :returns: dictionaries of ``id``, ``time`` (s since 1970), ``author``, ``action``, ``subject`` and
            ``details``.
        """
        self.check(Action.READ, experiment)
        return [
            {
                "id": row.id,
                "time": row.time,
                "author": row.author,
                "action": row.action,
                "subject": row.subject,
                "details": None if row.details is None else decode(row.details),
            }
            for row in self.store.audit(experiment, before=before, limit=limit)
        ]

    def _signed(self, author: str | None) -> str:
        """Return the name that something is signed with.

        :param author: as given; who acts for themselves signs with no other name, unless they are admin.
        :raises AccessDeniedError: if they would.
        """
        if self.identity is None:
            return (author or "").strip() or this_user()
        if author is None or author == self.identity.name:
            return self.identity.name
        if not self.identity.is_admin:
            msg = f"{self.identity.name!r} may not sign with the name {author!r}."
            raise AccessDeniedError(msg)
        return author

    def _note(
        self, writer: Writer, experiment: str, author: str, action: str, subject: str, details: Any = None
    ) -> None:
        """Note in the transaction in which it is done that somebody does something."""
        kept = None if details is None else encode(details)
        writer.add_audit(experiment, self._clock(), author, action, subject, kept)
