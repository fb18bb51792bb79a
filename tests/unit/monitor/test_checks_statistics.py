"""The probabilities of checks: tables of textbooks, and sums that take all possibilities one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.monitor.checks.statistics import (
    binomial_two_sided,
    chi_square_tail,
    kolmogorov_tail,
    poisson_tail,
    pool_bins,
    two_sample_chi_square,
    two_sample_kolmogorov,
)


# Upper quantiles of chi square: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
@pytest.mark.parametrize(
    ("degrees", "p", "quantile"),
    [(1, 0.05, 3.841), (1, 0.001, 10.828), (10, 0.05, 18.307), (10, 0.001, 29.588), (100, 0.01, 135.807)],
)
def test_chi_square_has_the_tails_of_the_tables(degrees, p, quantile):
    assert chi_square_tail(quantile, degrees) == pytest.approx(p, rel=2e-3)


def test_chi_square_of_two_degrees_is_an_exponential():
    for value in (0.0, 0.1, 1.0, 5.0, 50.0, 300.0):
        assert chi_square_tail(value, 2) == pytest.approx(math.exp(-value / 2), rel=1e-11)


@given(st.integers(1, 400), st.floats(0.01, 300))
def test_a_tail_of_poisson_is_the_sum_of_its_terms(count, mean):
    terms = (math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count, count + 2000))
    assert poisson_tail(count, mean) == pytest.approx(math.fsum(terms), rel=1e-8, abs=1e-14)


def test_nothing_or_more_is_certain():
    assert poisson_tail(0, 3.0) == 1.0
    assert poisson_tail(3, 0.0) == 0.0


# N. Smirnov, Annals of Mathematical Statistics 19 (1948) 279: 1 - L(z).
@pytest.mark.parametrize(
    ("distance", "p"),
    [(0.5, 0.963945), (0.83, 0.496), (1.0, 0.27), (1.18, 0.123454), (1.36, 0.049486), (1.63, 0.009846)],
)
def test_the_distance_of_kolmogorov_has_the_tails_of_the_table(distance, p):
    assert kolmogorov_tail(distance) == pytest.approx(p, rel=2e-3)


def test_both_series_of_kolmogorov_meet():
    assert kolmogorov_tail(1.18 - 1e-12) == pytest.approx(kolmogorov_tail(1.18), rel=1e-9)
    assert kolmogorov_tail(0.0) == kolmogorov_tail(0.05) == 1.0


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 99))
def test_the_binomial_test_adds_up_all_that_is_as_far_out(count, others, percent):
    trials, share = count + others, Fraction(percent, 100)
    terms = [math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)]
    expected = min(1, 2 * min(sum(terms[count:]), sum(terms[: count + 1])))

    found = binomial_two_sided(np.array([float(count)]), np.array([float(trials)]), float(share))
    assert found[0] == pytest.approx(float(expected), rel=1e-9, abs=1e-13)


def test_two_histograms_are_compared_as_the_formula_says():
    first, second = np.array([12.0, 30, 58, 0]), np.array([55.0, 140, 205, 0])
    n, m = 100, 400
    slow = sum(
        (math.sqrt(m / n) * a - math.sqrt(n / m) * b) ** 2 / (a + b)
        for a, b in zip(first, second, strict=True)
        if a + b
    )
    found = two_sample_chi_square(first, second)

    assert found.statistic == pytest.approx(slow)
    assert found.degrees == 2
    # It is Pearson's chi square of the table of two rows as well.
    pearson = 0.0
    for row, total in ((first, n), (second, m)):
        for count, both in zip(row[:3], (first + second)[:3], strict=True):
            expected = both * total / (n + m)
            pearson += (count - expected) ** 2 / expected
    assert found.statistic == pytest.approx(pearson)


def test_a_tolerance_takes_a_difference_for_nothing_that_is_significant_else():
    first = np.full(10, 1e6)
    second = first * np.linspace(0.99, 1.01, 10)

    assert two_sample_chi_square(first, second).p < 1e-10
    assert two_sample_chi_square(first, second, tolerance=0.02).p > 0.5


def test_chance_alone_gives_each_probability_as_often_as_it_says():
    random = np.random.default_rng(5)
    shares = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    chi, kolmogorov = [], []
    for _ in range(2000):
        first, second = (random.multinomial(size, shares).astype(float) for size in (300, 900))
        chi.append(two_sample_chi_square(*pool_bins(first, second, 5.0)).p)
        kolmogorov.append(two_sample_kolmogorov(first, second).p)
    # 2000 tries tell 0.05 to 0.005, one standard deviation.
    assert np.mean(np.array(chi) < 0.05) == pytest.approx(0.05, abs=0.02)
    # Bins make it cautious.
    assert np.mean(np.array(kolmogorov) < 0.05) < 0.05


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=30),
    st.floats(1, 20),
)
def test_joined_bins_keep_all_counts_and_expect_enough(pairs, least):
    first, second = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    ours, theirs = pool_bins(first, second, least)
    n, m = first.sum(), second.sum()
    if not n or not m:
        assert len(ours) == len(theirs) == 0
        return
    assert (ours.sum(), theirs.sum()) == (n, m)
    if len(ours) > 1:
        assert ((ours + theirs) * min(n, m) / (n + m)).min() >= least * (1 - 1e-12)


def test_the_distance_is_the_largest_one_of_cumulated_shares():
    found = two_sample_kolmogorov(np.array([10.0, 0, 10]), np.array([0.0, 10, 10]))

    assert found.statistic == pytest.approx(0.5)
    root = math.sqrt(20 * 20 / 40)
    terms = [
        2 * (-1) ** (j - 1) * math.exp(-2 * (j * (root + 0.12 + 0.11 / root) * 0.5) ** 2)
        for j in range(1, 40)
    ]
    assert found.p == pytest.approx(sum(terms), rel=1e-6)
