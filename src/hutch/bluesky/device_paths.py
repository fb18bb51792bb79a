"""From the path of a class, as it stands in a devices file, to the class."""

from __future__ import annotations

from difflib import get_close_matches
from functools import reduce
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hutch.errors import ConfigurationError

__all__ = ["resolve"]

_STAND_INS = {"apsbits.utils.sim_creator": "hutch.bluesky.creators"}
"""Modules of packages that need not be installed, because another one does the same."""


def resolve(path: str) -> Any:
    """Return what a path stands for: ``package.module.Class`` or ``package.module:Outer.Class``.

    :raises ConfigurationError: if there is nothing there.
    """
    module_name, _, name = path.rpartition(".") if ":" not in path else path.partition(":")
    if not name or not all(module_name.split(".")):
        msg = "it is no path of a class; write package.module.Class"
        raise ConfigurationError(msg)
    if module_name in _STAND_INS and find_spec(module_name.partition(".")[0]) is None:
        module_name = _STAND_INS[module_name]
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if f"{module_name}.".startswith(f"{missing}."):
            top = "" if "." in missing else "; is its package installed?"
            msg = f"there is no module {missing!r}{top}"
        else:
            msg = f"{module_name!r} needs the module {missing!r}, which is not there"
        raise ConfigurationError(msg) from error
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError as error:
        near = get_close_matches(name, dir(module), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        msg = f"there is no {name!r} in {module_name!r}{hint}"
        raise ConfigurationError(msg) from error
