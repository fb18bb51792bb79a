"""Checks of a detector's channels: those that count too much, and those that do not count at all.

A plot says what each channel has by a read-out, ``per_channel()``: either a tuple of ids, one row a channel,
and of counts; or what has ``count`` and the ids ``io_group``, ``tile``, ``chip``, ``channel`` as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hutch.monitor.checks.forms import Judgement, Seen, merged, parameter, too_little
from hutch.monitor.checks.limits import grade, plainly
from hutch.monitor.checks.statistics import poisson_tail

__all__ = ["DeadChannels", "HotChannels"]

Floats = npt.NDArray[np.float64]

_TRIMMED = 0.05
"""The part of the channels, those that count most, that a typical count is told without."""
_FEW = 5.0
"""A median below this says little: counts are whole numbers."""
_DEFAULT = "default"
_IDS = ("io_group", "tile", "chip", "channel")
_NAMED = 5
"""As many channels a sentence names."""


@dataclass(frozen=True)
class HotChannels:
    """No channel counts far more than the typical one, or than it did in the reference.

    A channel is hot if it counts more than ``factor`` times what is typical, and if chance alone would make
    one of all channels do so with less than the probability ``alpha``: Poisson, with Bonferroni's correction.
    """

    plot: str | Sequence[str] = "HotPixel"
    readout: str = parameter("gives the channels: their ids, and their counts", "per_channel")
    factor: float = parameter("hot is above so many times what is typical", 10.0)
    medium_above: int = parameter("medium with more hot channels than this", 0)
    bad_above: int = parameter("bad with more hot channels than this", 5)
    alpha: float = parameter("the probability of a false alarm", 1e-3)
    least: int = parameter("as many counts there must be in all to tell", 1000, unit="counts")

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Judge the channels by what they have counted so far."""
        ids, counts = _channels(seen, self.readout)
        total = float(counts.sum())
        if total < self.least:
            return too_little(f"There are {total:,.0f} counts; it takes {self.least:,} to tell.")
        reference = merged(references)
        expected = np.full(len(counts), _typical(counts))
        told = "the typical channel"
        if reference is not None:
            known, before = _channels(reference, self.readout)
            scaled = _matched(ids, known, before)
            # The sum without the hot ones tells how long this is, compared with the reference.
            expected = np.maximum(scaled * _scale(counts, scaled), expected)
            told = "in the reference"
        limit = self.factor * expected
        above = np.flatnonzero(counts > limit)
        tails = (poisson_tail(float(counts[one]), float(limit[one])) for one in above)
        hot = [int(one) for one, tail in zip(above, tails, strict=True) if tail * len(counts) < self.alpha]
        hot.sort(key=lambda one: -counts[one])
        verdict = grade(len(hot), (0, self.bad_above), (0, self.medium_above))
        said = f"{len(hot):,} of {len(counts):,} channels count more than {self.factor:g} times {told}"
        return Judgement(verdict, float(len(hot)), f"{said}{_named(ids, hot)}.")


@dataclass(frozen=True)
class DeadChannels:
    """No channel is silent that should count: one that counts in the reference, or that the detector has.

    A channel is dead if it has not counted once though so many counts were expected that chance alone would
    make one of all channels silent with less than the probability ``alpha``.
    """

    plot: str | Sequence[str] = "HotPixel"
    readout: str = parameter("gives the channels: their ids, and their counts", "per_channel")
    channels: int = parameter("how many channels there should be; 0 if a reference or the geometry says", 0)
    geometry: str = parameter(
        "the path of a pixel geometry that says which there are; 'default' is that of maps of pixels", ""
    )
    medium_above: int = parameter("medium with more dead channels than this", 0)
    bad_above: int = parameter("bad with more dead channels than this", 10)
    alpha: float = parameter("the probability of a false alarm", 1e-3)

    def __call__(self, seen: Seen, references: Sequence[Seen]) -> Judgement:
        """Judge the channels by what they have counted so far."""
        ids, counts = _channels(seen, self.readout)
        reference = merged(references)
        if reference is not None:
            return self._by_reference(ids, counts, *_channels(reference, self.readout))
        if self.geometry:
            expected_ids = _pixels(self.geometry, ids)
            counted = _matched(expected_ids, ids, counts)
            return self._judge(expected_ids, counted, np.full(len(counted), _typical(counts)))
        if self.channels:
            return self._by_number(counts)
        return too_little("There is nothing to tell dead channels by: give channels, geometry or references.")

    def _by_reference(self, ids: Any, counts: Floats, known: Any, before: Floats) -> Judgement:
        counted = _matched(known, ids, counts)
        return self._judge(known, counted, before * _scale(counted, before))

    def _by_number(self, counts: Floats) -> Judgement:
        """Judge how many channels are missing, which have no names then."""
        missing = max(self.channels - int((counts > 0).sum()), 0)
        padded = np.concatenate([counts[counts > 0], np.zeros(missing)])
        return self._judge(None, padded, np.full(len(padded), _typical(counts)))

    def _judge(self, ids: Any, counts: Floats, expected: Floats) -> Judgement:
        enough = math.log(max(len(counts), 1) / self.alpha)
        telling = expected >= enough
        if not telling.any():
            typical = float(np.median(expected)) if len(expected) else 0.0
            return too_little(
                f"Each channel should have counted {plainly(typical)} times by now; it takes "
                f"{plainly(enough)} to tell a dead one."
            )
        dead = [int(one) for one in np.flatnonzero(telling & (counts == 0))]
        verdict = grade(len(dead), (0, self.bad_above), (0, self.medium_above))
        said = f"{len(dead):,} of {int(telling.sum()):,} channels that should count are silent"
        return Judgement(verdict, float(len(dead)), f"{said}{_named(ids, dead)}.")


def _channels(seen: Seen, readout: str) -> tuple[npt.NDArray[Any], Floats]:
    """Return the ids of channels, shape ``(channels, columns)``, and their counts."""
    found = seen.readout(readout)
    if isinstance(found, tuple):
        ids, counts = np.asarray(found[0]), np.asarray(found[1], dtype=float)
    else:
        ids = np.stack([np.asarray(getattr(found, name)) for name in _IDS], axis=1)
        counts = np.asarray(found.count, dtype=float)
    return ids.reshape(len(ids), -1) if len(ids) else ids.reshape(0, 1), counts


def _pixels(path: str, seen: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the ids of all channels that have a pixel; a geometry of one tile is that of all that were seen.

    :param seen: ids of channels that have counted.
    """
    from hutch.monitor.plots.geometry import read_geometry

    geometry = read_geometry(None if path == _DEFAULT else path)
    if geometry.kind == "single-tile":
        tiles = {(int(one[0]), int(one[1])) for one in seen}
    else:
        panels = (geometry.anode(group) for group in geometry.io_groups)
        tiles = {tile for panel in panels if panel is not None for tile in panel.cells}
    found = []
    for tile in sorted(tiles):
        panel = geometry.tile(*tile)
        if panel is not None:
            pixels = np.argwhere(panel.cells[tile] >= 0)
            found.append(np.hstack([np.tile(tile, (len(pixels), 1)), pixels]))
    return np.vstack(found) if found else np.zeros((0, len(_IDS)), dtype=np.int64)


def _typical(counts: Floats) -> float:
    """Return what a typical channel has counted, of those that have counted at all."""
    counted = np.sort(counts[counts > 0])
    if not len(counted):
        return 0.0
    median = float(np.median(counted))
    kept = counted[: max(math.ceil(len(counted) * (1 - _TRIMMED)), 1)]
    return median if median >= _FEW else float(kept.mean())


def _scale(counts: Floats, before: Floats) -> float:
    """Return how much more there is than in the reference, told by channels that have counted in both."""
    both = (counts > 0) & (before > 0)
    if not both.any():
        return 0.0
    ratios = counts[both] / before[both]
    kept = ratios <= np.quantile(ratios, 1 - _TRIMMED)
    return float(counts[both][kept].sum() / before[both][kept].sum())


def _matched(ids: npt.NDArray[Any], known: npt.NDArray[Any], counts: Floats) -> Floats:
    """Return the counts of some channels; 0 of those that are not known."""
    if not len(ids) or not len(known):
        return np.zeros(len(ids))
    asked, there = _as_numbers(ids, known)
    order = np.argsort(there)
    places = np.minimum(np.searchsorted(there, asked, sorter=order), len(there) - 1)
    rows = order[places]
    return np.where(there[rows] == asked, counts[rows], 0.0)


def _as_numbers(*tables: npt.NDArray[Any]) -> list[npt.NDArray[np.int64]]:
    """Return one number for each id: its columns are digits, each of a base of its own."""
    least = np.min([table.min(axis=0) for table in tables], axis=0).astype(np.int64)
    most = np.max([table.max(axis=0) for table in tables], axis=0).astype(np.int64)
    weights = np.append(np.cumprod((most - least + 1)[:0:-1])[::-1], 1)
    return [(table.astype(np.int64) - least) @ weights for table in tables]


def _named(ids: Any, which: Sequence[int]) -> str:
    if not which or ids is None:
        return ""
    names = ["-".join(map(str, np.atleast_1d(ids[one]).tolist())) for one in which[:_NAMED]]
    return f": {', '.join(names)}{', …' if len(which) > _NAMED else ''}"
