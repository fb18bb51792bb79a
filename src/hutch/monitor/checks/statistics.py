"""Probabilities that checks rest on, from first principles: how likely is what is seen, if nothing is wrong.

All take and return arrays or numbers, float64, and are accurate to about 1e-10 relative. The formulas are
those of the NIST Digital Library of Mathematical Functions (DLMF), https://dlmf.nist.gov, and of
W. H. Press et al., Numerical Recipes, 3rd edition (NR).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "Comparison",
    "binomial_two_sided",
    "chi_square_tail",
    "kolmogorov_tail",
    "pool_bins",
    "poisson_tail",
    "two_sample_chi_square",
    "two_sample_kolmogorov",
]

Floats = npt.NDArray[np.float64]

_MOST_TERMS = 100_000
_EPSILON = 1e-15
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two histograms differ.

    :ivar statistic: chi square, or the largest distance of the cumulated shares.
    :ivar p: the probability of at least this, if both are from one distribution.
    :ivar degrees: degrees of freedom, for chi square; else the number of bins.
    """

    statistic: float
    p: float
    degrees: int


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the probability that chi square is at least this.

    ``Q(degrees / 2, statistic / 2)``: with 10 degrees of freedom 18.307 gives 0.05.
    """
    return _upper_gamma(degrees / 2, statistic / 2)


def poisson_tail(count: float, mean: float) -> float:
    """Return the probability of at least so many, where so many are expected: ``P(count, mean)``.

    5 or more where 1 is expected: 0.00366.
    """
    return 1.0 if count <= 0 else _lower_gamma(count, mean)


def kolmogorov_tail(distance: float) -> float:
    """Return the probability of at least this scaled distance (NR 6.14.56): of 1.358, 0.05."""
    if distance <= 0:
        return 1.0
    if distance < 1.18:  # noqa: PLR2004 - where the two series are equally good
        y = math.exp(-(math.pi**2) / (8 * distance**2))
        return 1 - math.sqrt(2 * math.pi) / distance * (y + y**9 + y**25 + y**49)
    x = math.exp(-2 * distance**2)
    return 2 * (x - x**4 + x**9)


def two_sample_chi_square(first: Floats, second: Floats, tolerance: float = 0.0) -> Comparison:
    """Compare two histograms of counts, of any totals (NR 14.3.3), after :func:`pool_bins`.

    :param first: counts by bin, shape ``(bins,)``; the other alike.
    :param tolerance: a relative difference of a bin that is taken for nothing, beside that of chance; its
        square adds to the variance.
    """
    n, m = float(first.sum()), float(second.sum())
    both = first + second
    used = both > 0
    a, b, both = first[used], second[used], both[used]
    difference = math.sqrt(m / n) * a - math.sqrt(n / m) * b
    # What either is expected to be, had both the shares of their sum.
    spread = tolerance * both * math.sqrt(n * m) / (n + m)
    statistic = float((difference**2 / (both + spread**2)).sum())
    degrees = max(int(used.sum()) - 1, 0)
    return Comparison(statistic, chi_square_tail(statistic, degrees) if degrees else 1.0, degrees)


def pool_bins(first: Floats, second: Floats, least: float) -> tuple[Floats, Floats]:
    """Join neighbouring bins until so many counts are expected in each, of either histogram.

    Chi square holds for expected counts from about 5 on (W. G. Cochran, Biometrics 10 (1954) 417).
    """
    n, m = float(first.sum()), float(second.sum())
    if not n or not m:
        return first[:0], second[:0]
    share = min(n, m) / (n + m)
    starts, waiting = [0], 0.0
    both = first + second
    for number, count in enumerate(both):
        waiting += float(count) * share
        if waiting >= least:
            starts.append(number + 1)
            waiting = 0.0
    # What is left over at the end belongs to the last bin that is full.
    starts.pop()
    if not starts:
        return first.sum(keepdims=True), second.sum(keepdims=True)
    return np.add.reduceat(first, starts), np.add.reduceat(second, starts)


def two_sample_kolmogorov(first: Floats, second: Floats) -> Comparison:
    """Compare two histograms of counts by their cumulated shares (NR 14.3.17 to 14.3.19).

    Within a bin the order of values is unknown, so the distance is at most what it would be for the values:
    the probability is on the safe side.
    """
    n, m = float(first.sum()), float(second.sum())
    distance = float(np.abs(np.cumsum(first) / n - np.cumsum(second) / m).max())
    root = math.sqrt(n * m / (n + m))
    return Comparison(distance, kolmogorov_tail((root + 0.12 + 0.11 / root) * distance), len(first))


def binomial_two_sided(count: Floats, trials: Floats, share: float) -> Floats:
    """Return twice the smaller tail of a binomial distribution, at most 1: exact, whatever the counts.

    :param count: successes, shape ``(n,)``.
    :param trials: of how many, same shape.
    :param share: the probability of a success.
    """
    # P(X >= k) = I_share(k, n - k + 1), DLMF 8.17.5.
    least = np.where(count > 0, _beta_ratio(np.maximum(count, 1), trials - count + 1, share), 1.0)
    most = np.where(count < trials, _beta_ratio(np.maximum(trials - count, 1), count + 1, 1 - share), 1.0)
    found: Floats = np.minimum(2 * np.minimum(least, most), 1.0)
    return found


def _lower_gamma(a: float, x: float) -> float:
    """Return the regularised lower incomplete gamma function, ``P(a, x)``."""
    if x <= 0:
        return 0.0
    return _gamma_series(a, x) if x < a + 1 else 1 - _gamma_fraction(a, x)


def _upper_gamma(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function, ``Q(a, x)``."""
    if x <= 0:
        return 1.0
    return 1 - _gamma_series(a, x) if x < a + 1 else _gamma_fraction(a, x)


def _gamma_series(a: float, x: float) -> float:
    """Return ``P(a, x)`` by its series, DLMF 8.11.4, which converges fast below ``a + 1``."""
    term = total = 1 / a
    for number in range(1, _MOST_TERMS):
        term *= x / (a + number)
        total += term
        if term < total * _EPSILON:
            break
    return min(total * math.exp(a * math.log(x) - x - math.lgamma(a)), 1.0)


def _gamma_fraction(a: float, x: float) -> float:
    """Return ``Q(a, x)`` by its continued fraction, DLMF 8.9.2, by Lentz's method (NR 6.2)."""
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    found = d
    for number in range(1, _MOST_TERMS):
        an = -number * (number - a)
        b += 2
        d = 1 / (an * d + b or _TINY)
        c = b + an / c or _TINY
        found *= d * c
        if abs(d * c - 1) < _EPSILON:
            break
    return found * math.exp(a * math.log(x) - x - math.lgamma(a))


_log_gamma = np.vectorize(math.lgamma, otypes=[float])


def _beta_ratio(a: Floats, b: Floats, x: float) -> Floats:
    """Return the regularised incomplete beta function ``I_x(a, b)``, by its symmetry where that is faster."""
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    if not 0 < x < 1:
        return np.full(a.shape, float(x >= 1))
    is_left = x < (a + 1) / (a + b + 2)
    p, q, y = np.where(is_left, a, b), np.where(is_left, b, a), np.where(is_left, x, 1 - x)
    scale = _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b) + a * math.log(x) + b * math.log1p(-x)
    part = np.exp(scale) * _beta_fraction(p, q, y) / p
    found: Floats = np.clip(np.where(is_left, part, 1 - part), 0, 1)
    return found


def _beta_fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """Return the continued fraction of the incomplete beta function (NR 6.4.5), for all at once."""
    c, d = np.ones_like(a), 1 / _not_zero(1 - (a + b) * x / (a + 1))
    found = d.copy()
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _not_zero(1 + step * d)
            c = _not_zero(1 + step / c)
            found *= d * c
        if np.all(np.abs(d * c - 1) < _EPSILON * 10):
            break
    return found


def _not_zero(values: Floats) -> Floats:
    return np.where(np.abs(values) < _TINY, _TINY, values)
