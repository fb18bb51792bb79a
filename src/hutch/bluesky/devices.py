"""The devices of a beamline, by name and by label."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from hutch.catalogs.summary import printable
from hutch.errors import DeviceNotFoundError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["BASELINE", "Devices"]

BASELINE = "baseline"
"""The label of devices that are read at the beginning and the end of each run."""


class Devices(Mapping[str, Any]):
    """Devices by name, as :func:`hutch.bluesky.load_devices` makes them.

    ``devices["theta"]`` is ``devices.theta``. A name that is also a method of dictionaries is reached with
    brackets only.

    :param devices: by name.
    :param labels: of each device, by its name.
    :param event_loop: bluesky's, if devices are connected in it; a RunEngine must use the same.
    :ivar failures: why devices that were asked for are not there, by name.
    """

    def __init__(
        self,
        devices: Mapping[str, Any],
        labels: Mapping[str, Iterable[str]] | None = None,
        failures: Mapping[str, str] | None = None,
        *,
        event_loop: AbstractEventLoop | None = None,
    ) -> None:
        self._devices = dict(devices)
        self._labels = {name: frozenset((labels or {}).get(name, ())) for name in devices}
        self.failures = dict(failures or {})
        self.event_loop = event_loop

    def __getitem__(self, name: str) -> Any:
        try:
            return self._devices[name]
        except KeyError:
            raise DeviceNotFoundError(self._why_not(name)) from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for by copying and by prompts
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def __dir__(self) -> list[str]:
        names = (name for name in self if name.isidentifier() and not keyword.iskeyword(name))
        return sorted({*super().__dir__(), *names})

    def __repr__(self) -> str:
        rows = [("device", "class", "labels")]
        for name, device in self.items():
            rows.append((name, type(device).__name__, ", ".join(sorted(self._labels[name]))))
        widths = [max(len(printable(row[column])) for row in rows) for column in range(3)]
        lines = [
            "  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        ]
        lines += [
            f"not there: {printable(name)}: {printable(reason)}" for name, reason in self.failures.items()
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    @property
    def labels(self) -> dict[str, list[str]]:
        """The names of the devices that have each label."""
        found: dict[str, list[str]] = {}
        for name, labels in self._labels.items():
            for label in labels:
                found.setdefault(label, []).append(name)
        return dict(sorted(found.items()))

    @property
    def baseline(self) -> list[Any]:
        """The devices with the label ``baseline``."""
        return list(self.with_label(BASELINE).values())

    def with_label(self, label: str) -> Devices:
        """Return the devices with a label, of which there may be none."""
        chosen = {name: device for name, device in self.items() if label in self._labels[name]}
        return Devices(chosen, self._labels, event_loop=self.event_loop)

    def _why_not(self, name: str) -> str:
        if name in self.failures:
            return f"Device {name!r} is not there: {self.failures[name]}"
        near = get_close_matches(name, self, 3)
        count = f"There are {len(self)} others" if self else "There are none"
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"{count}."
        return f"There is no device {name!r}. {hint}"
