"""What the monitor asks of its worker processes, and what they answer; all of it is pickled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hutch.monitor.observing import Failure, Observer
from hutch.monitor.plugins.modules import Broken, Origin
from hutch.monitor.plugins.plot_finding import PlotInfo
from hutch.monitor.sources import BadRange, Sighting, Source, SourceSpec

__all__ = ["Call", "Draw", "Drawn", "Failed", "Finished", "Fold", "Folded", "Forget", "Job", "Ready", "Setup"]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker begins with.

    :ivar origins: where plug-ins are loaded from.
    :ivar plots: names of those that are wanted; None for all.
    :ivar extension: of pictures, without the dot.
    :ivar limit_bytes: how much a worker may take beyond what it has when it begins.
    :ivar sample: as many of the newest rows are read at a time, and those before left out; None for all.
    :ivar wants_png: whether pictures are sent back.
    :ivar shipped: returns the plots that come with hutch, by name.
    :ivar open_source: opens a source.
    :ivar environment: variables of the process that asks.
    :ivar left_out: places whose plug-ins are not loaded, because that ended a worker.
    """

    out: Path
    states: Path
    extension: str
    origins: tuple[Origin, ...]
    plots: tuple[str, ...] | None
    limit_bytes: int
    sample: int | None
    wants_png: bool
    observers: tuple[Observer, ...]
    shipped: Callable[[], Any]
    open_source: Callable[[SourceSpec], Source]
    environment: dict[str, str]
    left_out: tuple[Broken, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Take new rows of a source into account.

    :ivar budget_s: stop reading after so long, and answer; the rest is asked for again.
    """

    sighting: Sighting
    plots: tuple[str, ...]
    budget_s: float


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw plots of a source, and write their pictures.

    :ivar budget_s: begin no other after so long, and answer; the rest is asked for again.
    """

    sighting: Sighting
    plots: tuple[str, ...]
    budget_s: float


@dataclass(frozen=True, slots=True)
class Forget:
    """Let go of what is held in memory of a source."""

    base: str


Job = Fold | Draw | Forget


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the plug-ins."""

    plots: dict[str, PlotInfo]
    broken: tuple[Broken, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What a worker does from now on, so that it is known should it never come back.

    :ivar subject: the plot; the origin, for ``import``; empty if it is nobody's.
    :ivar what: as in :class:`hutch.monitor.observing.Failure`.
    """

    subject: str
    what: str


@dataclass(frozen=True, slots=True)
class Folded:
    """How far a plot has come.

    :ivar begun: the row up to which it counted when it was made here: what was kept then, or 0.
    :ivar drawn: when its picture was written, s since 1970, if it shows all rows that were seen.
    :ivar is_kept: whether its state is on disk.
    """

    plot: str
    begun: int
    seen: int
    there: int
    skipped: int
    updated: float
    seconds: float
    bad: tuple[BadRange, ...]
    is_kept: bool
    drawn: float | None
    judgements: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture was written; of the older form, if no rows have come, there is none.

    :ivar seen: the row up to which it counts.
    """

    plot: str
    seen: int
    drawn: float | None
    seconds: float
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong with a plot of a source; with every plot of the job, if the name is empty."""

    base: str
    plot: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Finished:
    """The job is done."""
