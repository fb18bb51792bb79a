"""The checks that are shipped: what they say of data that are right, wrong, and too few."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hutch.errors import CheckError
from hutch.monitor.batch import Batch
from hutch.monitor.checks import (
    BinByBin,
    ChiSquare,
    DeadChannels,
    Drift,
    HotChannels,
    Kolmogorov,
    Range,
    Rate,
    Seen,
    Threshold,
    Verdict,
)
from hutch.monitor.plots.column_statistics import ColumnStatistics

from ...larpix_files import CHANNELS, write_geometry

GOOD, MEDIUM, BAD = Verdict.GOOD, Verdict.MEDIUM, Verdict.BAD


class Counted:
    """A plot that has what a test gives it, and adds it up when it is merged."""

    formats = ("packets",)

    def __init__(self, **arrays):
        self.arrays = {name: np.asarray(value) for name, value in arrays.items()}

    def update(self, batch):
        raise NotImplementedError

    def figure(self, fig=None):
        raise NotImplementedError

    def merge(self, other):
        known = self.arrays
        self.arrays = {
            name: value + known[name] if name in known else value for name, value in other.arrays.items()
        }

    def state(self):
        return self.arrays

    def restore(self, state):
        self.arrays = dict(state)

    def per_channel(self):
        return self.arrays["ids"], self.arrays["counts"]


def seen(before=None, **arrays):
    return Seen("/data/a.h5", "Counted", Counted(**arrays), 100, before=before)


# limits


def test_a_threshold_judges_a_number():
    check = Threshold("Counted", "level", low=10, high=20, medium_high=18, unit="V")

    assert [check(seen(level=value), []).verdict for value in (9.9, 10, 18, 18.1, 20, 20.1, math.nan)] == [
        BAD, GOOD, GOOD, MEDIUM, MEDIUM, BAD, None,
    ]  # fmt: skip
    judgement = check(seen(level=25.5), [])
    assert judgement.value == 25.5
    assert judgement.sentence == "level is 25.5 V; good is from 10 to 20 V."


def test_what_was_bad_is_good_again_only_within_limits_of_its_own():
    check = Threshold("Counted", "level", low=10, good_low=12)
    before, verdicts = None, []
    for value in (15, 11, 9.5, 10.5, 11.9, 12, 10.5, 9, 11):
        before = check(seen(before, level=value), []).verdict
        verdicts.append(before)

    assert verdicts == [GOOD, GOOD, BAD, BAD, BAD, GOOD, GOOD, BAD, BAD]
    assert check(seen(BAD, level=11), []).sentence == "level is 11; it was bad, and is good again from 12 on."


@pytest.mark.parametrize(
    ("how", "value"), [("mean", 2.5), ("min", 1.0), ("max", 4.0), ("sum", 10.0), ("last", 3.0)]
)
def test_an_array_is_reduced_to_a_number(how, value):
    assert Threshold("Counted", "level", how)(seen(level=[[1, 2], [4, 3]]), []).value == value


def test_a_read_out_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(CheckError, match=r"has no read-out 'levle'; it has level, per_channel"):
        Threshold("Counted", "levle")(seen(level=1), [])
    with pytest.raises(CheckError, match="is no number"):
        Threshold("Counted", "level")(seen(level=[1, 2]), [])


def test_a_word_that_a_check_does_not_know_is_refused_when_it_is_made():
    with pytest.raises(CheckError, match="'reduce' cannot be 'median'; give mean, min, max, sum, last."):
        Threshold("Counted", "level", "median")
    with pytest.raises(CheckError, match="'of' cannot be 'means'; give every, mean, last"):
        Range("T", of="means")


def over_time(counts, before=None, width=2, first=1000, left_out=()):
    """Return counts in bins from a time on, some of which had no timestamp."""
    kept = [number for number in range(len(counts)) if number not in left_out]
    return seen(
        before,
        time_s=[first + number * width for number in kept],
        bin_width_s=width,
        time_range_s=[first, first + len(counts) * width - 1],
        rates_hz=[counts[number] / width for number in kept],
    )


def test_one_wrong_timestamp_is_no_rate_and_a_pause_is_none():
    check = Rate("Counted", low_hz=50, window_s=20, least_s=6)
    hour = 1800  # bins of 2 s
    # A packet of the next year, while all others come as they should.
    assert (
        check(over_time([200] * 20 + [0] * 9 * hour + [1], left_out=range(20, 20 + 9 * hour)), []).value
        == 100.0
    )
    # Taken up again after hours: only what has come since counts.
    again = over_time([200] * 20 + [0] * 9 * hour + [300] * 5, left_out=range(20, 20 + 9 * hour))
    assert (check(again, []).verdict, check(again, []).value) == (GOOD, 150.0)
    assert check(over_time([9, *[0] * hour, 9], left_out=range(1, hour + 1)), []).verdict is None


def test_a_window_that_is_shorter_than_what_it_takes_to_tell_is_enough():
    check = Rate("Counted", low_hz=50, window_s=4)
    assert check(over_time([200, 200]), []).sentence == "There are 2 s of data; it takes 4 s to tell."
    assert check(over_time([200, 200, 200, 7]), []).value == 100.0
    assert Rate("Counted", least_s=0)(over_time([200]), []).verdict is None


def test_a_rate_is_that_of_the_end_of_the_data():
    check = Rate("Counted", low_hz=50, high_hz=200, window_s=10, least_s=6)

    # The last bin is not over.
    assert check(over_time([200, 200, 200]), []).verdict is None
    assert check(over_time([200, 200, 200, 7]), []).value == 100.0
    judgement = check(over_time([1000] * 10 + [50] * 6), [])
    assert (judgement.verdict, judgement.value) == (BAD, 25.0)
    assert judgement.sentence == "25 packets/s over the last 10 s; good is from 50 to 200 Hz."
    # 51 Hz is good, unless it was bad before: it takes 5 % more than the limit.
    assert check(over_time([102] * 6), []).verdict is GOOD
    assert check(over_time([102] * 6, BAD), []).verdict is BAD
    assert check(over_time([106] * 6, BAD), []).verdict is GOOD


def test_a_pause_lowers_the_rate_and_a_wide_bin_counts_for_what_it_covers():
    check = Rate("Counted", window_s=10, least_s=1)

    assert check(over_time([200] * 6, left_out=(2, 3)), []).value == 60.0
    assert check(over_time([640, 640, 5], width=64), []).value == 10.0
    assert check(over_time([], []), []).verdict is None


# channels


IDS = [(1, chip, channel) for chip in range(10) for channel in range(50)]


def test_a_hot_channel_is_found_and_named():
    counts = np.random.default_rng(3).poisson(20.0, 500)
    assert HotChannels("Counted")(seen(ids=IDS, counts=counts), []).verdict is GOOD
    counts[77] = 5000
    judgement = HotChannels("Counted")(seen(ids=IDS, counts=counts), [])

    assert (judgement.verdict, judgement.value) == (MEDIUM, 1.0)
    assert judgement.sentence == "1 of 500 channels count more than 10 times the typical channel: 1-1-27."
    counts[100:106] = 4000
    judgement = HotChannels("Counted")(seen(ids=IDS, counts=counts), [])
    assert (judgement.verdict, judgement.value) == (BAD, 7.0)
    assert judgement.sentence.endswith(": 1-1-27, 1-2-0, 1-2-1, 1-2-2, 1-2-3, ….")


def test_low_counts_make_no_channel_hot():
    random = np.random.default_rng(11)
    for _ in range(200):
        counts = random.poisson(0.3, 5000)
        ids = np.arange(5000)
        assert HotChannels("Counted", factor=3.0)(seen(ids=ids, counts=counts), []).verdict is GOOD


def test_too_few_counts_tell_no_hot_channel():
    judgement = HotChannels("Counted")(seen(ids=IDS[:2], counts=[1, 900]), [])
    assert judgement.verdict is None
    assert judgement.sentence == "There are 901 counts; it takes 1,000 to tell."


def test_a_channel_that_was_hot_in_the_reference_as_well_is_let_be():
    counts = np.full(500, 100)
    counts[7] = 9000
    reference = seen(ids=IDS, counts=counts * 3)

    assert HotChannels("Counted")(seen(ids=IDS, counts=counts), [reference]).verdict is GOOD
    assert HotChannels("Counted")(seen(ids=IDS, counts=counts), []).verdict is MEDIUM
    counts[8] = 9000
    judgement = HotChannels("Counted")(seen(ids=IDS[::-1], counts=counts[::-1]), [reference])
    assert judgement.sentence == "1 of 500 channels count more than 10 times in the reference: 1-0-8."


def test_a_channel_that_counts_in_the_reference_and_not_now_is_dead():
    reference = seen(ids=IDS, counts=np.full(500, 1000))
    counts = np.random.default_rng(3).poisson(30.0, 500)
    counts[[3, 4]] = 0
    now = seen(ids=IDS, counts=counts)
    judgement = DeadChannels("Counted")(now, [reference])

    assert (judgement.verdict, judgement.value) == (MEDIUM, 2.0)
    assert judgement.sentence == "2 of 500 channels that should count are silent: 1-0-3, 1-0-4."
    # Channels that have never counted have no row at all.
    alive = counts > 0
    short = seen(ids=np.array(IDS)[alive], counts=counts[alive])
    assert DeadChannels("Counted")(short, [reference]) == judgement


def test_silence_is_told_only_when_chance_does_not_explain_it():
    reference = seen(ids=IDS, counts=np.full(500, 1000))
    # 500 channels: chance makes one silent with 0.1 % at ln(500 / 0.001) = 13.1 counts expected.
    for mean, told in ((13, False), (14, True)):
        counts = np.full(500, mean)
        assert (DeadChannels("Counted")(seen(ids=IDS, counts=counts), [reference]).verdict is GOOD) is told


def test_dead_channels_are_told_by_a_number_as_well():
    now = seen(ids=IDS[:480], counts=np.full(480, 50))

    judgement = DeadChannels("Counted", channels=500)(now, [])
    assert (judgement.verdict, judgement.value) == (BAD, 20.0)
    assert DeadChannels("Counted")(now, []).verdict is None


def test_a_geometry_says_which_channels_there_are(tmp_path):
    file = tmp_path / "layout.yaml"
    write_geometry(file)
    # 100 chips from 11 on, with pixels on 49 of 64 channels each: one of them counts nothing.
    ids = [(2, 5, chip, channel) for chip in range(11, 111) for channel in CHANNELS]
    now = seen(ids=ids[:-1], counts=np.full(4899, 50))
    judgement = DeadChannels("Counted", geometry=str(file))(now, [])

    assert judgement.value == 1.0
    assert judgement.sentence == (
        f"1 of 4,900 channels that should count are silent: 2-5-110-{CHANNELS[-1]}."
    )


# comparisons


SHAPE = np.array([0.05, 0.2, 0.35, 0.2, 0.1, 0.05, 0.03, 0.02])


@pytest.mark.parametrize("kind", [ChiSquare, Kolmogorov, BinByBin])
def test_a_histogram_of_the_same_shape_is_good_and_another_one_bad(kind):
    random = np.random.default_rng(17)
    check = kind("Counted", "counts")
    reference = seen(counts=random.multinomial(50_000, SHAPE))

    assert check(seen(counts=random.multinomial(4000, SHAPE)), [reference]).verdict is GOOD
    judgement = check(seen(counts=random.multinomial(4000, np.roll(SHAPE, 1))), [reference])
    assert judgement.verdict is BAD
    assert judgement.value < 1e-4
    assert "by chance less than 1e-12" in judgement.sentence


@pytest.mark.parametrize("kind", [ChiSquare, Kolmogorov, BinByBin])
def test_false_alarms_are_as_rare_as_is_said(kind):
    random = np.random.default_rng(23)
    check = kind("Counted", "counts", medium_below=0.01, bad_below=0.001)
    verdicts = [
        check(
            seen(counts=random.multinomial(200, SHAPE)), [seen(counts=random.multinomial(3000, SHAPE))]
        ).verdict
        for _ in range(1000)
    ]
    # 10 are expected of chi square, less of the others; more than 22 have a probability of 0.0003.
    assert sum(verdict is not GOOD for verdict in verdicts) <= 22


@pytest.mark.parametrize("kind", [ChiSquare, Kolmogorov, BinByBin])
def test_a_difference_within_the_tolerance_is_good(kind):
    reference = seen(counts=SHAPE * 1e8)
    now = seen(counts=SHAPE * (1 + np.linspace(-0.01, 0.01, 8)) * 1e8)

    assert kind("Counted", "counts")(now, [reference]).verdict is BAD
    assert kind("Counted", "counts", tolerance=0.02)(now, [reference]).verdict is GOOD


@pytest.mark.parametrize("kind", [ChiSquare, Kolmogorov, BinByBin])
def test_without_a_reference_or_with_too_few_counts_nothing_is_said(kind):
    check = kind("Counted", "counts")
    assert check(seen(counts=SHAPE * 1000), []).sentence == "There is no reference to compare with."
    judgement = check(seen(counts=[10, 10]), [seen(counts=[500, 500])])
    assert (judgement.verdict, judgement.sentence) == (
        None, "There are 20 counts here; it takes 100 to compare.",
    )  # fmt: skip
    assert check(seen(counts=[0, 0]), [seen(counts=[0, 0])]).verdict is None


def test_several_references_are_one():
    shifted = np.roll(SHAPE, 1)
    both = [seen(counts=SHAPE * 1e4), seen(counts=shifted * 1e4)]

    assert ChiSquare("Counted", "counts")(seen(counts=(SHAPE + shifted) * 500), both).verdict is GOOD
    # What is compared with is left alone.
    assert both[0].state["counts"].sum() == pytest.approx(1e4)


def test_other_bins_cannot_be_compared():
    with pytest.raises(CheckError, match="has 8 bins and 3 in the reference"):
        ChiSquare("Counted", "counts")(seen(counts=SHAPE * 1000), [seen(counts=[500, 500, 500])])


# columns of runs


def columns(values, start=0, plot=None, units="K"):
    """Return what is accumulated of a column ``T``."""
    plot = plot or ColumnStatistics()
    facts = {"data_keys": {"T": {"units": units}}}
    plot.update(Batch("uid/primary", "run", start, {"T": np.asarray(values, dtype=float)}, facts))
    return Seen("uid/primary", "ColumnStatistics", plot, len(values))


def test_values_of_a_field_must_lie_within_a_range():
    check = Range("T", low=270, high=300, medium_high=295)

    assert check(columns([280, 294.5]), []).sentence == "T is from 280 to 294.5; good is from 270 to 300 K."
    assert check(columns([280, 296]), []).verdict is MEDIUM
    judgement = check(columns([280, 301, 250]), [])
    assert (judgement.verdict, judgement.value) == (BAD, 250.0)
    assert check(columns([math.nan]), []).verdict is None
    assert check(columns([math.nan, 280]), []).sentence.endswith("; 1 values are no numbers.")
    assert Range("p", low=1)(columns([280]), []).verdict is None


def test_the_mean_or_the_last_value_may_be_what_counts():
    now = columns([280, 301, 250])

    assert Range("T", low=270, high=300, of="mean")(now, []).value == 277.0
    assert Range("T", low=270, high=300, of="last")(now, []).verdict is BAD


def test_a_drift_is_seen_against_the_beginning_and_against_a_reference():
    random = np.random.default_rng(2)
    steady = 280 + random.normal(0, 0.5, 1000)
    check = Drift("ColumnStatistics", "series", "T", window=50, bad_above=1.0)

    assert check(columns(steady), []).verdict is GOOD
    judgement = check(columns(steady + np.linspace(0, 2, 1000)), [])
    assert judgement.verdict is BAD
    values = steady + np.linspace(0, 2, 1000)
    assert judgement.value == pytest.approx(values[-50:].mean() - values[:50].mean())
    assert check(columns(steady + 2), []).verdict is GOOD
    assert check(columns(steady + 2), [columns(steady)]).verdict is BAD
    assert check(columns(steady[:99]), []).verdict is None
    relative = Drift("ColumnStatistics", "series", "T", window=50, bad_above=0.01, relative=True)
    assert relative(columns(steady + 2), [columns(steady)]).verdict is GOOD


def test_a_large_change_that_chance_explains_is_no_drift():
    check = Drift("ColumnStatistics", "series", "T", window=5, bad_above=0.1)
    assert check(columns([0, 10, -10, 5, -5, 1, 9, -8, 5, -4]), []).verdict is GOOD
