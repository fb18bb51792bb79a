"""The simulated beamline of ``hutch demo``: a stage, a diffraction axis, two detectors that count photons."""

from __future__ import annotations

from typing import Any

import numpy as np
from ophyd.sim import Syn2DGauss, SynAxis, SynGauss, SynSignal
from ophyd.utils import LimitError

__all__ = ["Beamline"]


class Axis(SynAxis):  # type: ignore[misc]
    """A simulated axis that has units and a limit switch.

    :param highest: positions above it, in the axis's units, are refused.
    """

    def __init__(self, *, highest: float = np.inf, **options: Any) -> None:
        super().__init__(**options)
        self._highest = highest

    def describe(self) -> Any:
        """Return the data keys, with units."""
        return _with_units(super().describe(), self.egu)

    def set(self, value: float) -> Any:
        """Move, and return the status of the move.

        :raises LimitError: if the position is beyond the limit switch.
        """
        if value > self._highest:
            limit = f"the limit switch at {self._highest:g} {self.egu}"
            msg = f"{self.name}: {value:g} {self.egu} is beyond {limit}"
            raise LimitError(msg)
        return super().set(value)


class Peak(SynGauss):  # type: ignore[misc]
    """Counts photons of a peak along one axis."""

    def describe(self) -> Any:
        """Return the data keys, with units."""
        return _with_units(super().describe(), "counts")


class Spot(Syn2DGauss):  # type: ignore[misc]
    """Counts photons of a spot on two axes."""

    def describe(self) -> Any:
        """Return the data keys, with units."""
        return _with_units(super().describe(), "counts")


class Counter(SynSignal):  # type: ignore[misc]
    """Counts photons."""

    def describe(self) -> Any:
        """Return the data keys, with units."""
        return _with_units(super().describe(), "counts")


class ShotNoise:
    """Counting statistics, one number at a time, as numpy 2.4 and ophyd need it."""

    def __init__(self) -> None:
        self._random = np.random.default_rng()

    def poisson(self, mean: float, size: int) -> int:
        """Return how many photons came where ``mean`` were expected."""
        return int(self._random.poisson(mean))


class Beamline:
    """All devices, by attribute."""

    def __init__(self) -> None:
        noise = ShotNoise()
        drift = np.random.default_rng()
        self.theta = Axis(name="theta", egu="deg", value=12.0, delay=0.1)
        self.sample_x = Axis(name="sample_x", egu="mm", value=0.0, highest=4.0)
        self.sample_y = Axis(name="sample_y", egu="mm", value=0.0)
        self.diode = Peak(
            "diode", self.theta, "theta", 12.43, 48_000, sigma=0.11, noise="poisson", random_state=noise
        )
        self.fluorescence = Spot(
            "fluorescence", self.sample_x, "sample_x", self.sample_y, "sample_y",
            center=(0.55, -0.3), Imax=1_850, sigma=0.62, noise="poisson", random_state=noise,
        )  # fmt: skip
        self.has_beam = True
        self.ion_chamber = Counter(
            lambda: noise.poisson(52_000 if self.has_beam else 1_300, 1), name="ion_chamber"
        )
        self.temperature = SynSignal(lambda: round(295.0 + drift.normal(0, 0.05), 3), name="temperature")

    @property
    def baseline(self) -> list[Any]:
        """Devices that are meant to stay as they are during a run."""
        return [self.theta, self.sample_x, self.sample_y, self.temperature]


def _with_units(data_keys: Any, units: str) -> Any:
    for about in data_keys.values():
        about["units"] = units
    return data_keys
