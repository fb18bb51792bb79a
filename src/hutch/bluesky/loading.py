"""From a devices file to devices that are connected."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bluesky.run_engine import (
    _ensure_event_loop_running,
    get_bluesky_event_loop,
    set_bluesky_event_loop,
)

from hutch.bluesky.creators import simulated
from hutch.bluesky.device_file import Creator, DeviceFile, Entry, Problem, parameters, read_device_file
from hutch.bluesky.devices import Devices
from hutch.errors import DevicesFailedError

__all__ = ["load"]

logger = logging.getLogger("hutch.bluesky")

_GRACE_S = 1.0
"""A device that has not given up connecting so much later than it should is given up."""
_LONGEST_REASON = 300


def load(
    path: Path, *, mock: bool, strict: bool, timeout_s: float, creators: Mapping[str, Creator]
) -> Devices:
    """Make the devices of a file and connect them; see :func:`hutch.bluesky.load_devices`."""
    file = read_device_file(path, creators)
    loader = _Loader(file, mock=mock)
    for entry in file.entries:
        loader.make(entry)
    file.raise_problems()
    loader.connect(timeout_s)
    failures = file.failures
    for reason in failures.values():
        logger.warning("A device of %r is not there: %s", str(path), reason)
    if failures and strict:
        listed = "\n".join(f"  - {reason}" for reason in failures.values())
        msg = f"Devices of {str(path)!r} are not there:\n{listed}"
        raise DevicesFailedError(msg, failures)
    return Devices(loader.devices, loader.labels, failures, event_loop=loader.event_loop)


class _Loader:
    """Makes devices, one entry after the other, and connects them, all at once.

    :ivar devices: what was made, by name.
    :ivar labels: of each of them.
    :ivar event_loop: in which devices of ophyd-async are connected; None if there are none.
    """

    def __init__(self, file: DeviceFile, *, mock: bool) -> None:
        self.devices: dict[str, Any] = {}
        self.labels: dict[str, frozenset[str]] = {}
        self._file = file
        self._mock = mock
        self._entries: dict[str, Entry] = {}
        self.event_loop: asyncio.AbstractEventLoop | None = None

    def make(self, entry: Entry) -> None:
        """Make the devices of an entry; what goes wrong is noted."""
        creator, keywords = entry.creator, dict(entry.keywords)
        try:
            if self._mock and "fake" in (parameters(creator) or {}):
                keywords.setdefault("fake", True)
            elif self._mock:
                creator = simulated(creator)
            for device in _each(creator(**keywords)):
                self._add(device, entry)
        except Exception as error:  # whatever a device does
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if isinstance(error, TypeError) and unknown and unknown[1] in keywords:
                sentence = f"there is no keyword {unknown[1]!r}"
                self._file.problems.append(Problem(entry.line, entry.about, sentence))
            else:
                self._fail(entry.name, entry, f"it can't be made, {_reason(error)}")

    def connect(self, timeout_s: float) -> None:
        """Connect all devices; those that can't be are taken away and noted."""
        coroutines = {
            name: device.connect
            for name, device in self.devices.items()
            if inspect.iscoroutinefunction(getattr(device, "connect", None))
        }
        deadline = time.monotonic() + timeout_s
        # Those of ophyd connect by themselves meanwhile.
        outcomes = self._connect_async(coroutines, timeout_s) if coroutines else {}
        outcomes |= {
            name: _wait_for(device, deadline)
            for name, device in self.devices.items()
            if name not in coroutines
        }
        for name, error in outcomes.items():
            if error is not None:
                del self.devices[name], self.labels[name]
                self._fail(name, self._entries[name], f"it can't be connected, {_reason(error)}")

    def _add(self, device: Any, entry: Entry) -> None:
        name = getattr(device, "name", None)
        if not isinstance(name, str) or not name:
            self._fail(entry.name, entry, f"{device!r} is no device: it has no name")
        elif name in self.devices:
            taken = f"the name {name!r} is taken by the device on line {self._entries[name].line}"
            self._fail(f"{name}, line {entry.line}", entry, taken)
        else:
            # Where bluesky's own magics look for labels.
            labels = {*getattr(device, "_ophyd_labels_", ()), *entry.labels}
            with suppress(AttributeError):
                device._ophyd_labels_ = labels  # noqa: SLF001 - they offer no other place
            self.devices[name], self.labels[name] = device, frozenset(labels)
            self._entries[name] = entry

    def _fail(self, name: str, entry: Entry, reason: str) -> None:
        self._file.failures[name] = str(Problem(entry.line, entry.about, reason))

    def _connect_async(
        self, connects: Mapping[str, Any], timeout_s: float
    ) -> dict[str, BaseException | None]:
        async def connect_all() -> list[BaseException | None]:
            each = (
                asyncio.wait_for(connect(mock=self._mock, timeout=timeout_s), timeout_s + _GRACE_S)
                for connect in connects.values()
            )
            return list(await asyncio.gather(*each, return_exceptions=True))

        self.event_loop = _event_loop()
        outcomes = asyncio.run_coroutine_threadsafe(connect_all(), self.event_loop).result()
        return dict(zip(connects, outcomes, strict=True))


def _each(made: Any) -> Iterator[Any]:
    """Yield the devices that a class or a function made."""
    if isinstance(made, (list, tuple, set, frozenset, Iterator)):
        yield from made
    else:
        yield made


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return bluesky's event loop, in which devices must be connected that a RunEngine is to use."""
    loop: asyncio.AbstractEventLoop | None = get_bluesky_event_loop()  # type: ignore[no-untyped-call]
    if loop is None or not loop.is_running():
        loop = asyncio.new_event_loop()
        set_bluesky_event_loop(loop)  # type: ignore[no-untyped-call]
        _ensure_event_loop_running(loop)  # type: ignore[no-untyped-call]
    return loop


def _wait_for(device: Any, deadline: float) -> Exception | None:
    """Wait until a device of ophyd is connected; return why it is not."""
    try:
        if not getattr(device, "connected", True):
            device.wait_for_connection(timeout=max(deadline - time.monotonic(), 0.01))
    except Exception as error:  # whatever a device does
        return error
    return None


def _reason(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
