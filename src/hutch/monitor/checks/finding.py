"""Which kinds of checks there are: those that hutch ships, that packages publish, that somebody adds."""

from __future__ import annotations

import dataclasses
import inspect
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from hutch import __version__
from hutch.monitor import checks
from hutch.monitor.plugins.modules import Broken, Origin, load_classes, summary_of

__all__ = ["GROUP", "CheckKind", "Kinds", "Parameter", "find_checks"]

GROUP = "hutch.checks"
"""The group of entry points that publish checks."""

_SHIPPED = "hutch"
_NAMES = (
    *("Rate", "HotChannels", "DeadChannels", "Threshold", "Range", "Drift"),
    *("ChiSquare", "Kolmogorov", "BinByBin"),
)
_SIMPLE: tuple[type, ...] = (bool, int, float, str)
_ARGUMENTS = 2
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a check.

    :ivar type: what it holds; None if that is not said simply.
    :ivar default: what it is if nobody says; ``inspect.Parameter.empty`` if somebody must.
    """

    name: str
    type: type | None
    default: Any
    about: str
    unit: str

    @property
    def is_required(self) -> bool:
        """Whether somebody must say it."""
        return self.default is inspect.Parameter.empty

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it; a limit that is none is null."""
        is_open = isinstance(self.default, float) and math.isinf(self.default)
        return {
            "name": self.name,
            "type": None if self.type is None else self.type.__name__,
            "required": self.is_required,
            "default": None if self.is_required or is_open else self.default,
            "about": self.about,
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class CheckKind:
    """A kind of check that was found.

    :ivar make: the class.
    :ivar origin: where it comes from: ``hutch``, a file, a module or an entry point.
    :ivar version: changes if what it says may have changed.
    :ivar summary: the first sentence of its documentation.
    :ivar replaces: whose kind of the same name it takes the place of; empty if nobody's.
    """

    name: str
    make: type
    origin: str
    version: str
    summary: str
    parameters: tuple[Parameter, ...]
    replaces: str = ""

    @property
    def plot(self) -> str | tuple[str, ...]:
        """The plots that it looks at if nobody says; empty if somebody must."""
        said = next((one for one in self.parameters if one.name == "plot"), None)
        found: Any = getattr(self.make, "plot", "") if said is None or said.is_required else said.default
        return found if isinstance(found, str) else tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "name": self.name,
            "origin": self.origin,
            "version": self.version,
            "summary": self.summary,
            "about": inspect.getdoc(self.make) or "",
            "plot": self.plot,
            "parameters": [one.to_json() for one in self.parameters],
        }


@dataclass(slots=True)
class Kinds:
    """What was found: kinds of checks by name, and what is broken."""

    kinds: dict[str, CheckKind]
    broken: list[Broken]

    def add(self, name: str, make: type, origin: str, version: str) -> None:
        """Take a kind in; one of the same name that was found before gives way."""
        before = self.kinds.get(name)
        version = str(getattr(make, "version", "") or version)
        replaces = before.origin if before else ""
        about = summary_of(make)
        self.kinds[name] = CheckKind(name, make, origin, version, about, _parameters(make), replaces)


def find_checks(
    origins: Iterable[Origin] = (),
    announce: Callable[[str], object] = lambda origin: None,
    left_out: Iterable[Broken] = (),
) -> Kinds:
    """Return every kind of check: of several that have one name, the one that somebody added.

    :param origins: what was named, in this order; what packages publish comes before, what is shipped first.
    :param announce: told of each place before it is loaded, for who watches over this.
    :param left_out: places that are known to be broken, and not loaded.
    """
    found = Kinds({}, list(left_out))
    for name in _NAMES:
        found.add(name, getattr(checks, name), _SHIPPED, __version__)
    for name, make, origin in load_classes(GROUP, origins, found.broken, announce):
        if _is_check(make):
            found.add(name, make, str(origin), origin.version() or _digest(make))
    return found


def _is_check(make: type) -> bool:
    """Tell whether a class's instances are called with what is seen and references, and name a plot."""
    function = inspect.getattr_static(make, "__call__", None)
    if not inspect.isfunction(function) or inspect.isabstract(make) or hasattr(make, "figure"):
        return False
    parameters = inspect.signature(function).parameters
    needed = [
        one
        for one in parameters.values()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    names_plot = hasattr(make, "plot") or any(one.name == "plot" for one in _fields(make))
    # A plot of the older form is called with two things as well, and a figure.
    return len(needed) == _ARGUMENTS + 1 and names_plot and "fig" not in parameters


def _fields(make: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(make) if dataclasses.is_dataclass(make) else ()


def _parameters(make: type) -> tuple[Parameter, ...]:
    """Return what an instance is made with."""
    metadata: dict[str, Mapping[str, Any]] = {one.name: one.metadata for one in _fields(make)}
    try:
        hints = typing.get_type_hints(make) if metadata else typing.get_type_hints(make.__init__)  # type: ignore[misc]
    except (NameError, TypeError, AttributeError):
        hints = {}
    found = []
    for one in inspect.signature(make).parameters.values():
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        said = metadata.get(one.name, {})
        kind = hints.get(one.name)
        simple = kind if kind in _SIMPLE else None
        found.append(Parameter(one.name, simple, one.default, said.get("about", ""), said.get("unit", "")))
    return tuple(found)


def _digest(make: type) -> str:
    """Return what changes if the text of a class does; empty if that cannot be read."""
    try:
        return sha256(inspect.getsource(make).encode()).hexdigest()[:_DIGITS]
    except (OSError, TypeError):
        return ""
