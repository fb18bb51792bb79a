"""Checks: what the data of a plot are worth, as a verdict, a number and a sentence."""

from hutch.monitor.checks.channels import DeadChannels, HotChannels
from hutch.monitor.checks.comparing import BinByBin, ChiSquare, Drift, Kolmogorov
from hutch.monitor.checks.forms import Check, Judgement, Seen, Verdict, merged, parameter, too_little
from hutch.monitor.checks.limits import Range, Rate, Threshold, grade, plainly

__all__ = [
    "BinByBin",
    "Check",
    "ChiSquare",
    "DeadChannels",
    "Drift",
    "HotChannels",
    "Judgement",
    "Kolmogorov",
    "Range",
    "Rate",
    "Seen",
    "Threshold",
    "Verdict",
    "grade",
    "merged",
    "parameter",
    "plainly",
    "too_little",
]
