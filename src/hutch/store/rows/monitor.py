"""What the tables of the monitor hold, row by row; the fields stand in the order of the columns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FrozenFigure", "PlotStateRow", "ReferenceRow", "TileRow"]


@dataclass(frozen=True, slots=True)
class TileRow:
    """How one plot of one source stands, without its picture."""

    source: str
    """The path of a file; of a stream of a run ``uid/stream``."""
    plot: str
    run: int | None
    """The number of the run that it belongs to."""
    base: str
    """How the names of its pictures begin."""
    updated: float
    """When rows were taken into account last, s since 1970."""
    meta: bytes
    """What else there is to say, as a document."""
    picture_bytes: int | None = None
    """How large its picture is; None if there is none yet."""


@dataclass(frozen=True, slots=True)
class PlotStateRow:
    """What a plot had accumulated of a source that is complete."""

    source: str
    """The path of a file; of a stream of a run ``uid/stream``."""
    plot: str
    run: int | None
    version: str
    """Of the plot; states of another one cannot be compared."""
    time: float
    """When the last rows were written, s since 1970."""
    rows: int
    meta: bytes
    """What else there is to say, as a document."""
    state: bytes
    """Arrays by name, an npz file without objects."""


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A name for sources that others are compared with."""

    name: str
    sources: bytes
    """A list of uids of runs and paths of files, as a document."""
    time: float
    """When it was saved, s since 1970."""
    author: str


@dataclass(frozen=True, slots=True)
class FrozenFigure:
    """A verdict that turned bad, with the picture as it was at that moment."""

    posted: int
    """The number of the verdict among what was posted: the id of a ``PostedRow``."""
    run: int
    plot: str
    """The plot that was judged; empty if the verdict is about columns of the run."""
    picture: bytes | None
    """A PNG; None if there was none."""
