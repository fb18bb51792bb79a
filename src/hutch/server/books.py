"""The logbooks that are served, one for each store, and in which of them an experiment is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hutch.access import Access, Experiment, Identity
from hutch.catalogs import Catalog
from hutch.errors import ExperimentNotFoundError
from hutch.logbook import Logbook
from hutch.server.access import Gate

__all__ = ["Book", "find_book", "open_books"]


@dataclass(frozen=True, slots=True)
class Book:
    """The logbook of a store.

    :ivar catalogs: names under which the store is served.
    """

    logbook: Logbook
    access: Access
    catalogs: frozenset[str]

    def find(self, experiment: str) -> Experiment | None:
        """Return an experiment; None if the store has none of this name."""
        try:
            return self.access.experiments.find(experiment)
        except ExperimentNotFoundError:
            return None

    def is_for(self, identity: Identity) -> bool:
        """Tell whether somebody is not kept from all catalogs of the store."""
        return identity.catalogs is None or bool(self.catalogs & identity.catalogs)


def open_books(catalogs: Mapping[str, Catalog], gate: Gate) -> list[Book]:
    """Return the logbooks of the stores that are served, in the order of their first catalogs."""
    names: dict[int, list[str]] = {}
    for name, catalog in catalogs.items():
        names.setdefault(id(catalog.store), []).append(name)
    found = []
    for same in names.values():
        access = gate.access(same[0])
        found.append(Book(Logbook(catalogs[same[0]].store, access), access, frozenset(same)))
    return found


def find_book(books: Sequence[Book], experiment: str, identity: Identity) -> Book:
    """Return the logbook that an experiment is in; what may be done there, it says itself.

    :raises ExperimentNotFoundError: if there is none of this name that somebody may know of.
    """
    for book in books:
        if book.is_for(identity) and book.find(experiment) is not None:
            return book
    msg = f"There is no experiment {experiment!r} that {identity.name!r} may read."
    raise ExperimentNotFoundError(msg)
