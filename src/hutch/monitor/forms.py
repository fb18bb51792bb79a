"""The two forms of a plot: one that accumulates and draws, and the older one that is called with new rows.

A plot is a class; an instance of it belongs to one source. Its name is the attribute under which it is found
in its module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy.typing as npt

from hutch.monitor.batch import Batch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CalledPlot", "Plot", "State"]

State = Mapping[str, npt.NDArray[Any]]
"""What has been accumulated: arrays by name, of numbers or text, none of objects."""


@runtime_checkable
class Plot(Protocol):
    """What accumulates rows, and is drawn from what has been accumulated.

    The same rows give the same state, whether they come in one batch or in many, in order or merged from
    several instances that saw a part each. A plot may have an attribute ``is_idle``: while it is true, the
    source has nothing that the plot could show, and no picture is made.
    """

    formats: tuple[str, ...]
    """Names of the formats whose rows it is for, ``("packets",)``, ``("run",)``; else those of LArPix."""

    def update(self, batch: Batch) -> None:
        """Take rows into account; the time this takes depends on them alone."""

    def merge(self, other: Self) -> None:
        """Take into account what another instance has accumulated."""

    def state(self) -> State:
        """Return what has been accumulated."""

    def restore(self, state: State) -> None:
        """Go on from what :meth:`state` returned; the instance is new."""

    def figure(self, fig: Figure | None = None) -> Figure:
        """Draw what has been accumulated.

        :param fig: what was returned before in this process, to be changed rather than made anew.
        """


@runtime_checkable
class CalledPlot(Protocol):
    """What is called with new rows only, and keeps what it needs in its figure."""

    def __call__(self, filename: str, fh: Any, fig: Figure | None = None) -> Figure | None:
        """Return the figure to be saved.

        :param filename: of the file that is watched.
        :param fh: an open ``h5py.File`` that holds only rows that are new.
        :param fig: the figure that was returned before; None at first.
        """
