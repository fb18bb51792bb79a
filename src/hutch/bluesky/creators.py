"""Functions that a devices file can name where a class does not do: devices that exist, and rows of them.

They do what the functions of these names in ``apsbits.utils.sim_creator`` do, and stand in for them where
apsbits is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hutch.bluesky.device_paths import resolve

__all__ = ["factory_base", "motors", "predefined_device"]


def predefined_device(*, creator: str, name: str = "") -> Any:
    """Return a device that a module has made already, such as ``ophyd.sim.motor``.

    :param creator: where it is.
    :param name: a new name for it.
    """
    device: Any = resolve(creator)
    if name:
        device.name = name
    return device


def factory_base(
    *,
    creator: str = "ophyd.Signal",
    names: str = "object{}",
    prefix: str | None = None,
    first: int = 0,
    last: int = 0,
    fake: bool = False,
    **keywords: Any,
) -> Iterator[Any]:
    """Yield a row of devices of one class, numbered.

    :param creator: the class.
    :param names: of the devices; ``{}``, at the end if it is left out, stands for the number.
    :param prefix: of their process variables, likewise.
    :param first: the first number.
    :param last: the last number.
    :param fake: make devices that simulate their process variables.
    :param keywords: given to the class for each.
    """
    made: Any = simulated(resolve(creator)) if fake else resolve(creator)
    for number in range(min(first, last), max(first, last) + 1):
        if prefix is not None:
            keywords["prefix"] = _numbered(prefix, number)
        yield made(name=_numbered(names, number), **keywords)


def motors(*, prefix: str, names: str = "m{}", fake: bool = False, **options: Any) -> Iterator[Any]:
    """Yield a row of ``ophyd.EpicsMotor``; see :func:`factory_base`."""
    return factory_base(creator="ophyd.EpicsMotor", prefix=prefix, names=names, fake=fake, **options)


def simulated(creator: Any) -> Any:
    """Return a class of ophyd's with its process variables simulated; anything else as it is."""
    from ophyd.ophydobj import OphydObject
    from ophyd.sim import make_fake_device

    is_of_ophyd = isinstance(creator, type) and issubclass(creator, OphydObject)
    return make_fake_device(creator) if is_of_ophyd else creator


def _numbered(pattern: str, number: int) -> str:
    return (pattern if "{" in pattern else f"{pattern}{{}}").format(number)
