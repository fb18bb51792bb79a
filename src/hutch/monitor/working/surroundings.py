"""What the plots of a process share beside rows: the working folder, and the settings of matplotlib."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import matplotlib

__all__ = ["Surroundings"]

_RC: Any = matplotlib.rcParams
_LASTING = "backend"
"""The setting that is the process's."""


class Surroundings:
    """Keeps what a plot changes around itself from others; it is made before plug-ins are loaded.

    A plot finds its settings as it left them. What plug-ins set while they are loaded, all plug-ins have, and
    shipped plots do not.
    """

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._settings: Mapping[str, Any] = _current()
        self._shipped: Mapping[str, Any] = {}
        """What shipped plots have otherwise."""
        self._changed: dict[str, Mapping[str, Any]] = {}
        """What each plot of a plug-in has otherwise, by its name."""

    def settle(self) -> None:
        """Take what plug-ins have set for theirs; they are loaded now."""
        before, self._settings = self._settings, _current()
        self._shipped = _differing(before, self._settings)

    @contextmanager
    def of(self, name: str, *, is_shipped: bool) -> Iterator[None]:
        """Lend a plot its surroundings for a call, and put them back afterwards."""
        mine = self._shipped if is_shipped else self._changed.get(name, {})
        _RC.update(mine)
        try:
            yield
        finally:
            if not is_shipped:
                mine = self._changed[name] = _differing(_RC, self._settings)
            _RC.update({key: self._settings[key] for key in mine})
            self.return_home()

    def return_home(self) -> None:
        """Go back to the working folder."""
        with suppress(OSError):
            if os.getcwd() == self._folder:
                return
        with suppress(OSError):
            os.chdir(self._folder)


def _current() -> dict[str, Any]:
    """Return the settings as they are; lists among them may be changed in place."""
    return {key: list(value) if isinstance(value, list) else value for key, value in _RC.items()}


def _differing(settings: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the settings that are not as others."""
    return {key: value for key, value in settings.items() if key != _LASTING and value != others[key]}
