"""Checks that compare what is seen with references: whole histograms, and means.

With very many counts every difference is significant; so each of these checks takes a ``tolerance``, below
which a difference is taken for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hutch.errors import CheckError
from hutch.monitor.checks.forms import Judgement, Seen, Verdict, merged, parameter, too_little
from hutch.monitor.checks.limits import plainly
from hutch.monitor.checks.statistics import (
    binomial_two_sided,
    kolmogorov_tail,
    pool_bins,
    two_sample_chi_square,
    two_sample_kolmogorov,
)

__all__ = ["BinByBin", "ChiSquare", "Drift", "Kolmogorov"]

Floats = npt.NDArray[np.float64]

_NONE = "There is no reference to compare with."


@dataclass(frozen=True)
class _Histograms:
    """What the checks of histograms have in common."""

    plot: str | Sequence[str]
    array: str = parameter("the read-out, or array of the state, that holds counts by bin")
    medium_below: float = parameter("medium if the probability of chance is below this", 1e-2)
    bad_below: float = parameter("bad if the probability of chance is below this", 1e-4)
    tolerance: float = parameter("a difference that is taken for nothing, as a fraction", 0.0)
    least: int = parameter("as many counts there must be on either side to tell", 100, unit="counts")

    def _pair(self, seen: Seen, references: Sequence[Seen]) -> tuple[Floats, Floats, Judgement | None]:
        """Return the counts of both sides, and why they cannot be compared yet.

        :raises CheckError: if they have not the same bins.
        """
        ours = seen.array(self.array).ravel().astype(float)
        reference = merged(references)
        if reference is None:
            return ours, ours, too_little(_NONE)
        theirs = reference.array(self.array).ravel().astype(float)
        if ours.shape != theirs.shape:
            msg = (
                f"{self.array!r} has {len(ours):,} bins and {len(theirs):,} in the reference: they cannot be "
                "compared bin by bin. Choose an array whose bins are fixed."
            )
            raise CheckError(msg)
        for counts, where in ((ours, "here"), (theirs, "in the reference")):
            total = float(counts.sum())
            if total < max(self.least, 1):
                said = f"There are {total:,.0f} counts {where}; it takes {self.least:,} to compare."
                return ours, theirs, too_little(said)
        return ours, theirs, None

    def _by_chance(self, p: float) -> Verdict:
        if p < self.bad_below:
            return Verdict.BAD
        return Verdict.MEDIUM if p < self.medium_below else Verdict.GOOD


@dataclass(frozen=True)
class ChiSquare(_Histograms):
    """A histogram has the shape that it has in the reference, by chi square over its bins.

    Neighbouring bins are joined until each is expected to hold enough counts.
    """

    per_bin: float = parameter("so many counts are expected in each joined bin", 5.0, unit="counts")

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Compare the histogram so far."""
        ours, theirs, missing = self._pair(seen, references)
        if missing is not None:
            return missing
        found = two_sample_chi_square(*pool_bins(ours, theirs, self.per_bin), self.tolerance)
        if not found.degrees:
            return too_little("All counts are in one bin; a shape has several.")
        said = (
            f"{self.array}: chi square is {plainly(found.statistic)} for {found.degrees} degrees of freedom"
        )
        return Judgement(self._by_chance(found.p), found.p, f"{said}, by chance {_chance(found.p)}.")


@dataclass(frozen=True)
class Kolmogorov(_Histograms):
    """A histogram has the shape that it has in the reference, by the distance of the cumulated shares.

    It sees a shift better than chi square does, and a single bin worse.
    """

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Compare the histogram so far."""
        ours, theirs, missing = self._pair(seen, references)
        if missing is not None:
            return missing
        found = two_sample_kolmogorov(ours, theirs)
        p = found.p
        if self.tolerance:
            n, m = float(ours.sum()), float(theirs.sum())
            p = kolmogorov_tail(max(found.statistic - self.tolerance, 0) * math.sqrt(n * m / (n + m)))
        said = f"{self.array}: cumulated shares differ by up to {plainly(found.statistic)}"
        return Judgement(self._by_chance(p), p, f"{said}, by chance {_chance(p)}.")


@dataclass(frozen=True)
class BinByBin(_Histograms):
    """No single bin of a histogram has more or less than its share in the reference.

    Each bin is compared by an exact binomial test, with Bonferroni's correction for the number of bins; it
    holds for low counts.
    """

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Compare the bins so far."""
        ours, theirs, missing = self._pair(seen, references)
        if missing is not None:
            return missing
        n, m = float(ours.sum()), float(theirs.sum())
        both = ours + theirs
        tails = binomial_two_sided(ours, both, n / (n + m))
        if self.tolerance:
            tails = np.where(np.abs(ours / n - theirs / m) <= self.tolerance * both / (n + m), 1.0, tails)
        tails = np.minimum(tails * max(int((both > 0).sum()), 1), 1.0)
        p, worst = float(tails.min()), int(tails.argmin())
        off = int((tails < self.medium_below).sum())
        said = f"{self.array}: {off:,} of {len(both):,} bins differ from the reference"
        if off:
            share = (ours[worst] / n) / (theirs[worst] / m) if theirs[worst] else math.inf
            said += f", bin {worst} the most: {plainly(share)} times as much, by chance {_chance(p)}"
        return Judgement(self._by_chance(p), p, f"{said}.")


@dataclass(frozen=True)
class Drift:
    """A mean is where it was: at the beginning of the run, or in the reference.

    The means of the first and of the last values are compared, or that of the last ones with all of the
    reference. A change counts if it is both larger than the limits and significant (Welch's t, for large
    samples: B. L. Welch, Biometrika 34 (1947) 28); values are taken to be independent.
    """

    plot: str | Sequence[str]
    series: str = parameter("the read-out that gives values in order")
    field: str = parameter("what the read-out is asked for; empty if for nothing", "")
    window: int = parameter("so many values at the beginning and at the end are compared", 20)
    medium_above: float = parameter("medium if the mean has changed by more", math.inf)
    bad_above: float = parameter("bad if the mean has changed by more", math.inf)
    relative: bool = parameter("whether the limits are fractions of what it was", False)
    sigmas: float = parameter("a change counts if it is so many standard errors large", 3.0)

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Compare the end with the beginning or the reference."""
        values = self._values(seen)
        reference = merged(references)
        first = values[: self.window] if reference is None else self._values(reference)
        where = "at the beginning" if reference is None else "in the reference"
        last = values[-self.window :]
        if len(values) < self.window * (2 if reference is None else 1) or len(first) < self.window:
            needed = self.window * (2 if reference is None else 1)
            return too_little(f"There are {len(values):,} values; it takes {needed:,} to see a drift.")
        before, now = float(first.mean()), float(last.mean())
        error = math.sqrt(first.var(ddof=1) / len(first) + last.var(ddof=1) / len(last))
        change = now - before
        if self.relative:
            if not before:
                return too_little(f"The mean {where} is 0, which nothing can be a fraction of.")
            change, error = change / abs(before), error / abs(before)
        size = abs(change) if abs(change) > self.sigmas * error else 0.0
        verdict = (
            Verdict.BAD
            if size > self.bad_above
            else Verdict.MEDIUM
            if size > self.medium_above
            else Verdict.GOOD
        )
        shown = f"{change:+.2%}" if self.relative else f"{change:+.4g}"
        name = self.field or self.series
        said = f"{name}: the mean is {plainly(now)} and was {plainly(before)} {where}: {shown}"
        return Judgement(verdict, change, f"{said} ± {f'{error:.2%}' if self.relative else plainly(error)}.")

    def _values(self, seen: Seen) -> Floats:
        values = seen.array(self.series, *([self.field] if self.field else [])).ravel().astype(float)
        finite: Floats = values[np.isfinite(values)]
        return finite


def _chance(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-12 else "less than 1e-12"  # noqa: PLR2004
