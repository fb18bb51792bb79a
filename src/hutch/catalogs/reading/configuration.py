"""The configuration of a stream's devices, as its descriptors have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hutch.catalogs.metadata import dictionary
from hutch.errors import StreamNotFoundError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from hutch.catalogs.stream import Stream

__all__ = ["Configuration", "DeviceConfiguration"]


class Configuration(Mapping[str, "DeviceConfiguration"]):
    """The configuration of each device of a stream, as its descriptors have it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        return iter(
            dict.fromkeys(
                device for found in self._stream.descriptors for device in dictionary(found, "configuration")
            )
        )

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, device: str) -> DeviceConfiguration:
        """Return the configuration of a device.

        :raises StreamNotFoundError: if there is none, naming the devices there are.
        """
        devices = list(self)
        if device not in devices:
            known = ", ".join(devices) or "none"
            msg = f"No device {device!r} in stream {self._stream.place}. Devices: {known}"
            raise StreamNotFoundError(msg)
        return DeviceConfiguration(self._stream, device)

    def __repr__(self) -> str:
        return f"<Configuration of {self._stream.place}: {', '.join(self) or 'no devices'}>"

    def _ipython_key_completions_(self) -> Sequence[str]:
        return list(self)


class DeviceConfiguration(Mapping[str, "np.ndarray"]):
    """The configuration of one device: each key has a value for each descriptor of the stream."""

    def __init__(self, stream: Stream, device: str) -> None:
        self._stream = stream
        self.device = device

    def read(self, datetimes: bool | None = None) -> xr.Dataset:
        """Return it as a dataset, a row for each descriptor at the descriptor's ``time``."""
        from hutch.catalogs.reading.datasets import configuration

        wanted = self._stream.wants_datetimes(datetimes)
        return configuration(self._stream.descriptors, self.device, datetimes=wanted)

    def __iter__(self) -> Iterator[str]:
        return (str(name) for name in self.read(datetimes=False).data_vars)

    def __len__(self) -> int:
        return len(self.read(datetimes=False).data_vars)

    def __getitem__(self, key: str) -> np.ndarray:
        """Return the values of a key, one for each descriptor.

        :raises StreamNotFoundError: if there is none, naming the keys there are.
        """
        found = self.read(datetimes=False)
        if key not in found.data_vars:
            known = ", ".join(map(str, found.data_vars)) or "none"
            msg = f"No key {key!r} in the configuration of {self.device!r}. Keys: {known}"
            raise StreamNotFoundError(msg)
        values: np.ndarray = found[key].values
        return values

    def __repr__(self) -> str:
        return f"<Configuration of {self.device!r} in {self._stream.place}: {', '.join(self)}>"

    def _ipython_key_completions_(self) -> Sequence[str]:
        return list(self)
