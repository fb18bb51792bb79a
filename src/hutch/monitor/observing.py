"""The monitor's two seams: who looks at a plot after rows were folded in, and who is told how it stands.

An :class:`Observer` is pickled into every worker process, and looks at plots there, where their state is;
what it finds goes with the next :class:`Tile` to the :class:`Publisher`, in the monitor's own process. A
file of the output folder, ``status.json``, says the same to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from hutch.errors import HutchError
from hutch.monitor.forms import Plot
from hutch.monitor.sources import BadRange, Sighting

__all__ = ["Failure", "Observer", "Publisher", "Tile", "count_rows", "fraction_of", "sentence_of"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a plot.

    :ivar what: what it was asked to do: ``make``, ``update``, ``draw``, ``observe``; or what was done for
        it: ``read`` its rows, ``write`` its state or picture.
    :ivar sentence: what happened, in one line.
    :ivar traceback: where, as Python prints it; empty if there is none: the process was killed.
    :ivar times: how often in a row.
    """

    what: str
    sentence: str
    traceback: str = ""
    times: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @property
    def is_passing(self) -> bool:
        """Whether it is no fault of the plot, and the next cycle may be without it."""
        return self.what in ("read", "write")

    @property
    def is_lack(self) -> bool:
        """Whether the plot cannot be made here, and says why: it lacks a geometry, for example."""
        return self.what == "make" and not self.traceback


def sentence_of(error: BaseException) -> str:
    """Return what an error says, in one line: hutch's own explain themselves."""
    return str(error) if isinstance(error, HutchError) else f"{type(error).__name__}: {error}"


def count_rows(bad: Iterable[BadRange]) -> int:
    """Return how many rows were passed over because they cannot be read."""
    return sum(one.stop - one.start for one in bad)


def fraction_of(taken: int, there: int) -> float:
    """Return which part of the rows that there are has been taken into account, 0 to 1."""
    return min(taken / there, 1.0) if there else 1.0


@dataclass(frozen=True, slots=True)
class Tile:
    """How one plot of one source stands.

    :ivar sighting: the source, as it was when its rows were folded in.
    :ivar plot: the plot's name.
    :ivar seen: the number of the row up to which the plot has taken rows into account.
    :ivar there: how many rows there are.
    :ivar updated: when rows were taken into account last, s since 1970.
    :ivar drawn: the same for the picture; None if there is none yet.
    :ivar seconds: what folding and drawing took since the tile before, s.
    :ivar skipped: how many rows up to there were left out, because only a sample was asked for.
    :ivar bad: rows that cannot be read, and were passed over.
    :ivar failure: why it stands still, or None.
    :ivar judgements: what observers have found since the tile before, in order.
    :ivar picture: a PNG, if it was drawn anew since the tile before and a publisher is there.
    :ivar state_file: the file that holds the plot's state, for :func:`hutch.monitor.keeping.read_state`; None
        for a plot of the older form.
    """

    sighting: Sighting
    plot: str
    seen: int
    there: int
    updated: float
    drawn: float | None
    seconds: float
    skipped: int = 0
    bad: tuple[BadRange, ...] = ()
    failure: Failure | None = None
    judgements: tuple[Any, ...] = ()
    picture: bytes | None = None
    state_file: Path | None = None

    @property
    def source(self) -> str:
        """The address of the source."""
        return self.sighting.spec.address

    @property
    def run(self) -> str | None:
        """The uid of the run that the source is a stream of."""
        return self.sighting.run

    @property
    def fraction(self) -> float:
        """Which part of the rows has been taken into account, 0 to 1."""
        return fraction_of(self.seen - self.skipped - self.unreadable, self.there)

    @property
    def unreadable(self) -> int:
        """How many rows were passed over because they cannot be read."""
        return count_rows(self.bad)


class Observer(Protocol):
    """Who looks at plots; it is pickled into every worker process."""

    def observe(self, sighting: Sighting, name: str, plot: Plot, seen: int) -> Sequence[Any]:
        """Return what there is to say of a plot after rows were folded in, or its source was complete.

        It can be pickled.

        An error becomes the failure of the plot, as if it were its own.

        :param name: the plot's.
        :param seen: the number of the row up to which the plot has taken rows into account.
        """


class Publisher(Protocol):
    """Who is told how plots stand; called in the monitor's own process, one tile after the other."""

    def publish(self, tile: Tile) -> None:
        """Make a tile known; an error is reported and the monitor goes on."""
