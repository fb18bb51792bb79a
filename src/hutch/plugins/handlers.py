"""Handlers: what opens the files that a resource document names.

A handler is called with a path and the resource's arguments, and gives something that is called with
a datum's arguments and gives an array: ``handler(path, **resource_kwargs)(**datum_kwargs)``. Which
handler opens a resource is told by its ``spec``. Packages publish handlers as entry points of the
group ``databroker.handlers``; a program adds its own with :func:`register_handler`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hutch.errors import ExternalDataError

__all__ = ["GROUP", "Handler", "find_handler", "handler_specs", "is_known", "register_handler"]

GROUP = "databroker.handlers"
"""The group of entry points that publish handlers."""

Handler = Callable[..., Callable[..., Any]]
"""``handler(path, **resource_kwargs)(**datum_kwargs)`` gives an array."""

_registered: dict[str, Handler] = {}


def register_handler(spec: str, handler: Handler) -> None:
    """Open resources of a spec with this handler, in this process, whatever packages publish.

    :param spec: as in the resource documents, ``"AD_HDF5"`` for example.
    """
    _registered[spec] = handler


def handler_specs() -> list[str]:
    """Return every spec that a handler is known for, sorted."""
    return sorted({*_registered, *_published()})


def is_known(spec: str) -> bool:
    """Tell whether a program has registered, or a package publishes, a handler for a spec."""
    return spec in _registered or spec in _published()


def find_handler(spec: str, others: Iterable[str] = ()) -> Handler:
    """Return the handler that opens resources of a spec.

    :param others: specs that are opened without one, for messages.
    :raises ExternalDataError: if none is known, or if the package that publishes it fails to load.
    """
    if spec in _registered:
        return _registered[spec]
    entry = _published().get(spec)
    if entry is None:
        known = ", ".join(sorted({*handler_specs(), *others})) or "none"
        msg = (
            f"No handler opens resources of spec {spec!r}. Known specs: {known}. Install the package that "
            f"publishes one ({GROUP}), area-detector-handlers for example, "
            "or give one: hutch.plugins.register_handler(spec, handler)"
        )
        raise ExternalDataError(msg)
    try:
        handler: Handler = entry.load()
    except Exception as error:
        msg = (
            f"The handler {entry.value!r} for resources of spec {spec!r} cannot be loaded: "
            f"{type(error).__name__}: {error}"
        )
        raise ExternalDataError(msg) from error
    return handler


@cache
def _published() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
