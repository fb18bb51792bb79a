"""Which plots there are: those that hutch ships, those that packages publish, those that somebody adds."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from hutch.monitor.forms import Plot
from hutch.monitor.plugins.modules import Broken, Origin, load_classes, summary_of

__all__ = ["GROUP", "SHIPPED", "Finds", "PlotInfo", "find_plots", "plot_version"]

GROUP = "hutch.plots"
"""The group of entry points that publish plots."""

SHIPPED = "hutch"
"""Where a plot that hutch ships comes from."""

_OWN_FORM = ("update", "state", "restore", "figure")
_FORMATS = ("packets", "raw")
"""What plots are for, unless they say otherwise: those of LArPix, as of the older monitor."""


@dataclass(frozen=True, slots=True)
class PlotInfo:
    """A plot that was found; it crosses processes.

    :ivar origin: where it comes from: ``hutch``, a file, a module or an entry point.
    :ivar formats: whose rows it is for.
    :ivar is_called: whether it is of the older form, which is called with new rows.
    :ivar version: changes if what it does may have changed; its state counts no more then.
    :ivar summary: the first sentence of its documentation.
    :ivar replaces: whose plot of the same name it takes the place of; empty if of nobody.
    """

    name: str
    origin: str
    formats: tuple[str, ...]
    is_called: bool
    version: str
    summary: str
    replaces: str = ""


_versions: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""The versions of the classes that were found in this process."""


def plot_version(plot: Plot) -> str:
    """Return what changes if what a plot accumulates may have changed."""
    return _versions.get(type(plot)) or str(getattr(plot, "version", "1"))


@dataclass(slots=True)
class Finds:
    """What was found: plots by name, and what is broken."""

    classes: dict[str, Callable[[], Any]] = field(default_factory=dict)
    infos: dict[str, PlotInfo] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def add(self, name: str, plot: Callable[[], Any], origin: str, version: str) -> None:
        """Take a plot in; one of the same name that was found before gives way."""
        before = self.infos.get(name)
        is_called = not _is_own_form(plot)
        self.classes[name] = plot
        _versions[plot] = str(getattr(plot, "version", "") or version)
        self.infos[name] = PlotInfo(
            name=name,
            origin=origin,
            formats=_formats(plot),
            is_called=is_called,
            version=_versions[plot],
            summary=summary_of(plot),
            replaces=before.origin if before else "",
        )


def find_plots(
    origins: Iterable[Origin],
    shipped: Mapping[str, type],
    announce: Callable[[str], object] = lambda origin: None,
    left_out: Iterable[Broken] = (),
) -> Finds:
    """Return every plot: of several that have one name, the one that somebody added.

    :param origins: what was named, in this order; what packages publish comes before, what is shipped first.
    :param announce: told of each place before it is loaded, for who watches over this.
    :param left_out: places that are known to be broken, and not loaded.
    """
    finds = Finds()
    for name in shipped:
        try:
            finds.add(name, shipped[name], SHIPPED, "1")
        except ImportError as error:
            sentence = f"The plot {name!r} is left out: {error}"
            finds.broken.append(Broken(SHIPPED, sentence, "".join(traceback.format_exception(error))))
    finds.broken += left_out
    for name, plot, origin in load_classes(GROUP, origins, finds.broken, announce):
        if _is_plot(plot):
            finds.add(name, plot, str(origin), origin.version())
    return finds


def _is_plot(plot: type) -> bool:
    return not inspect.isabstract(plot) and (_is_own_form(plot) or _is_called_form(plot))


def _is_own_form(plot: Any) -> bool:
    return all(callable(getattr(plot, name, None)) for name in _OWN_FORM)


def _is_called_form(plot: type) -> bool:
    """Tell whether a class's instances are called with a file's name, a file and a figure."""
    function = inspect.getattr_static(plot, "__call__", None)
    if not inspect.isfunction(function):
        return False
    try:
        inspect.signature(function).bind(None, "name", None, fig=None)
    except TypeError:
        return False
    return True


def _formats(plot: Any) -> tuple[str, ...]:
    formats = getattr(plot, "formats", _FORMATS)
    return (formats,) if isinstance(formats, str) else tuple(map(str, formats))
