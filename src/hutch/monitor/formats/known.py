"""Which formats there are, and which of them a file has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from hutch.errors import UnknownFormatError
from hutch.monitor.formats.growing import Growing
from hutch.monitor.formats.opened_files import UNREADABLE
from hutch.monitor.formats.packets import Packets
from hutch.monitor.formats.raw import Raw
from hutch.monitor.sources import Format

__all__ = ["GROUP", "broken_formats", "find_format", "format_named", "known_formats"]

logger = logging.getLogger("hutch.monitor")

GROUP = "hutch.formats"
"""The group of entry points that publish formats."""


def known_formats() -> tuple[Format, ...]:
    """Return the formats, in the order in which they are asked; the first that has a name keeps it."""
    found: dict[str, Format] = {}
    own: list[Format] = [Packets(), Raw(), Growing()]
    for one in [*_published()[0], *own]:
        found.setdefault(one.name, one)
    return tuple(found.values())


def broken_formats() -> MappingProxyType[str, str]:
    """Return which published formats cannot be used, by the name of their entry point, and why."""
    return MappingProxyType(_published()[1])


def find_format(file: Any, formats: Sequence[Format] | None = None) -> Format | None:
    """Return the format of an open file of h5py; None if it is of no known one.

    :param formats: else all known ones.
    :raises OSError, RuntimeError, ValueError, KeyError: if the file cannot be read; what else a format raises
        is said, and the next one is asked.
    """
    return next((one for one in (known_formats() if formats is None else formats) if _fits(one, file)), None)


def _fits(one: Format, file: Any) -> bool:
    try:
        return one.fits(file)
    except UNREADABLE:
        raise
    except Exception as error:  # whatever a plug-in raises
        logger.warning("The format %r is passed over: %s: %s", one.name, type(error).__name__, error)
        return False


def format_named(name: str) -> Format:
    """Return the format of a name.

    :raises UnknownFormatError: if there is none, naming those there are.
    """
    for one in known_formats():
        if one.name == name:
            return one
    known = ", ".join(one.name for one in known_formats())
    broken = "".join(f". {entry!r} cannot be loaded: {why}" for entry, why in broken_formats().items())
    msg = f"There is no format {name!r} of files. Known: {known}{broken}"
    raise UnknownFormatError(msg)


@cache
def _published() -> tuple[list[Format], dict[str, str]]:
    """Return the formats of packages by the names of their entry points, and why others are broken."""
    found: list[Format] = []
    broken: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            what = entry.load()
            one = what() if isinstance(what, type) else what
            missing = [name for name in ("name", "suffixes", "fits", "open") if not hasattr(one, name)]
            if missing:
                broken[entry.name] = f"{entry.value!r} has no {', '.join(missing)}"
            else:
                found.append(one)
        except Exception as error:
            broken[entry.name] = f"{type(error).__name__}: {error}"
    return found, broken
