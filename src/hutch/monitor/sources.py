"""What the monitor watches: something that rows are added to, a file or a stream of a run.

A source is told apart by its address and its identity. The identity changes when what is at the address is
not the continuation of what was there: a file that was replaced or cut short. Rows are numbered from 0 in
one identity. A :class:`SourceSpec` crosses processes; what it opens does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from hutch.config.addresses import shown_place
from hutch.monitor.batch import Batch

__all__ = ["BadRange", "Format", "Sighting", "Source", "SourceSpec"]


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What is needed to open a source in any process.

    :ivar address: the absolute path of a file; or the address of a store, a blank and
        ``uid/stream``, both as in addresses of the web.
    :ivar identity: of what was found there.
    :ivar format: the name of its format.
    :ivar base: how its pictures' files and folder begin, unique in a monitor.
    :ivar datasets: only these of a file, if its format leaves a choice; all that fit if there are none.
    """

    address: str = field(repr=False)
    identity: str
    format: str
    base: str
    datasets: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The address as people may see it, without a password."""
        return shown_place(self.address)


@dataclass(frozen=True, slots=True)
class BadRange:
    """Rows that cannot be read, and why; they are passed over and reported."""

    start: int
    stop: int
    why: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A source as it was seen at a moment.

    :ivar rows: how many there are.
    :ivar written: when rows were added last, by the clock of who keeps them, s since 1970.
    :ivar is_complete: whether no more will come: the run has ended.
    :ivar run: the uid of the run, if it is a stream of one.
    :ivar remark: what somebody should know of how such sources are read, in one sentence.
    """

    spec: SourceSpec
    rows: int
    written: float
    is_complete: bool = False
    run: str | None = None
    remark: str = ""


class Source(Protocol):
    """An opened source; closed by leaving its context."""

    spec: SourceSpec

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

    def rows(self) -> int:
        """Return how many rows there are now."""

    def read(self, start: int, stop: int) -> Batch | BadRange:
        """Return rows, from ``start`` on and fewer than asked for if it must be, or that they are bad.

        What comes back begins at ``start``; whoever reads goes on at its ``stop``, which is ``start`` where
        there are no more.

        :raises SourceChangedError: if something else is there now.
        :raises SourceUnavailableError: if nothing can be read at this moment; it may be later.
        """

    def write(self, batch: Batch, group: Any) -> None:
        """Write rows into an open HDF5 file as the source's own files hold them, and nothing else."""


class Format(Protocol):
    """A kind of file; entry points of the group ``hutch.formats`` add others.

    :ivar name: how it is called.
    :ivar suffixes: of files that may be of this kind, ``(".h5", ".hdf5")``.
    """

    name: str
    suffixes: tuple[str, ...]

    def fits(self, file: Any) -> bool:
        """Tell whether an open file is of this kind; the first that says so has it."""

    @property
    def open(self) -> Callable[[SourceSpec], Source]:
        """What opens a source of this kind."""
