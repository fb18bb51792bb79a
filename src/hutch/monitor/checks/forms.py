"""What a check is: it looks at what a plot has accumulated, and says what the data are worth.

A check is a small class, best a dataclass: its fields are its parameters, and an instance is called with what
is seen now and with what it is compared with. Instances keep nothing between calls; the verdict before is
given to them.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hutch.errors import CheckError
from hutch.monitor.forms import Plot, State

__all__ = ["Check", "Judgement", "Seen", "Verdict", "merged", "parameter", "too_little"]

_ABOUT, _UNIT = "about", "unit"

_NO_READOUTS = frozenset({"figure", "formats", "merge", "restore", "state", "update", "version"})
"""What every plot has."""


class Verdict(StrEnum):
    """What data are worth."""

    GOOD = "good"
    MEDIUM = "medium"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check says.

    :ivar verdict: None if there is too little data to tell.
    :ivar value: the number that it rests on; None if there is none.
    :ivar sentence: for the operator: what is so, and what was expected.
    """

    verdict: Verdict | None
    value: float | None
    sentence: str


class Seen:
    """What a plot has accumulated of a source.

    :ivar source: the path of a file, or ``uid/stream``.
    :ivar name: of the plot.
    :ivar plot: the plot itself, with its read-outs.
    :ivar rows: how many rows have been taken into account.
    :ivar before: what the check that looks said last of this source; None if nothing.
    """

    def __init__(
        self, source: str, name: str, plot: Plot, rows: int, *, before: Verdict | None = None
    ) -> None:
        self.source = source
        self.name = name
        self.plot = plot
        self.rows = rows
        self.before = before

    @cached_property
    def state(self) -> State:
        """What has been accumulated: arrays by name."""
        return self.plot.state()

    def readout(self, name: str, *args: Any) -> Any:
        """Return what a method or an attribute of the plot says, or an array of its state.

        :raises CheckError: if there is none of this name.
        """
        found = None if name.startswith("_") else getattr(self.plot, name, None)
        if found is not None:
            return found(*args) if callable(found) else found
        if name in self.state:
            return self.state[name]
        methods = inspect.getmembers(type(self.plot), lambda one: callable(one) or isinstance(one, property))
        public = [one for one, _ in methods if not one.startswith("_") and one not in _NO_READOUTS]
        known = ", ".join(sorted({*public, *self.state})) or "none"
        msg = f"The plot {self.name!r} has no read-out {name!r}; it has {known}."
        raise CheckError(msg)

    def number(self, name: str, *args: Any) -> float:
        """Return a read-out that is one number; NaN where there is none yet.

        :raises CheckError: if it is no number.
        """
        found = self.readout(name, *args)
        try:
            return float("nan") if found is None else float(np.asarray(found, dtype=float).item())
        except (TypeError, ValueError) as error:
            msg = f"The read-out {name!r} of the plot {self.name!r} is no number, but {type(found).__name__}."
            raise CheckError(msg) from error

    def array(self, name: str, *args: Any) -> npt.NDArray[Any]:
        """Return a read-out as an array.

        :raises CheckError: if it holds no numbers.
        """
        found = np.asarray(self.readout(name, *args))
        if found.dtype.kind not in "buif":
            msg = f"The read-out {name!r} of the plot {self.name!r} holds no numbers, but {found.dtype}."
            raise CheckError(msg)
        return found


@runtime_checkable
class Check(Protocol):
    """What judges a plot.

    :ivar plot: the name of the plot that it looks at, or several; ``*`` stands for any characters.
    """

    plot: str | Sequence[str]

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Return what is to be said of what is seen.

        :param references: the same plot of what it is compared with; none if nothing is.
        """


def parameter(about: str, default: Any = dataclasses.MISSING, *, unit: str = "") -> Any:
    """Return a field of a check: a parameter that can be set.

    :param about: what it means.
    :param default: what it is if nobody says; without it somebody must.
    :param unit: of the number.
    """
    return dataclasses.field(default=default, metadata={_ABOUT: about, _UNIT: unit})


def too_little(sentence: str, value: float | None = None) -> Judgement:
    """Return the judgement of who cannot tell yet.

    :param sentence: what there is, and what it would take.
    """
    return Judgement(None, value, sentence)


def merged(references: Sequence[Seen]) -> Seen | None:
    """Return all references as one, as if one plot had seen the rows of all; None if there are none."""
    if not references:
        return None
    if len(references) == 1:
        return references[0]
    plot = type(references[0].plot)()
    for reference in references:
        part = type(reference.plot)()
        part.restore(reference.state)
        plot.merge(part)
    names = ", ".join(reference.source for reference in references)
    return Seen(names, references[0].name, plot, sum(reference.rows for reference in references))
