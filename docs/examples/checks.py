"""A check of our own: a field of a run goes up all the time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hutch.monitor.checks import Judgement, Seen, Verdict, parameter, too_little


@dataclass(frozen=True)
class Rising:
    """A field rises from row to row, but for a few rows."""

    field: str = parameter("the field: a column of the stream")
    medium_above: float = parameter("medium if a larger fraction of steps leads down", 0.0)
    bad_above: float = parameter("bad if a larger fraction of steps leads down", 0.1)
    plot: str = "ColumnStatistics"

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Judge the steps so far."""
        steps = np.diff(seen.array("series", self.field))
        if not len(steps):
            return too_little("There are less than two values.")
        down = float((steps < 0).mean())
        verdict = Verdict.GOOD
        if down > self.bad_above:
            verdict = Verdict.BAD
        elif down > self.medium_above:
            verdict = Verdict.MEDIUM
        return Judgement(verdict, down, f"{self.field}: {down:.0%} of the steps lead down.")
