"""What all query objects are: conditions that people write down, combine, compare and pickle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from hutch.queries.conditions import And, Condition, Not, Or

__all__ = ["All", "Any", "Inverse", "Query"]


class Query(ABC):
    """A question about runs; ``&``, ``|`` and ``~`` combine them.

    Each kind is a frozen dataclass, so two that ask the same are equal.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def condition(self) -> Condition:
        """The condition that it stands for."""

    def __and__(self, other: Query) -> All:
        return All((*_parts(self, All), *_parts(other, All))) if isinstance(other, Query) else NotImplemented

    def __or__(self, other: Query) -> Any:
        return Any((*_parts(self, Any), *_parts(other, Any))) if isinstance(other, Query) else NotImplemented

    def __invert__(self) -> Inverse:
        return Inverse(self)

    def __bool__(self) -> bool:
        # ``Key("x") == 1 and Key("y") == 2`` would silently be the second alone.
        msg = f"{self!r} is neither true nor false. Combine queries with & and |, or search twice."
        raise TypeError(msg)


@dataclass(frozen=True)
class All(Query):
    """All of these hold."""

    queries: tuple[Query, ...]

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return And(tuple(query.condition for query in self.queries))


@dataclass(frozen=True)
class Any(Query):
    """One of these holds."""

    queries: tuple[Query, ...]

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Or(tuple(query.condition for query in self.queries))


@dataclass(frozen=True)
class Inverse(Query):
    """This does not hold."""

    query: Query

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Not(self.query.condition)


def _parts(query: Query, kind: type[All | Any]) -> tuple[Query, ...]:
    """Return what a query combines, if it is of a kind, so that a long chain of one kind is not deep."""
    return query.queries if isinstance(query, kind) else (query,)
