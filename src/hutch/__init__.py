"""hutch records the runs of an experiment, finds them again, and reads them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hutch.api import catalog as catalog
    from hutch.api import open_catalog as open_catalog

__all__ = ["__version__", "catalog", "open_catalog"]

__version__ = "0.1.0"

_LAZY = {"catalog": "hutch.api", "open_catalog": "hutch.api"}
_PACKAGES = ("bluesky", "elog")


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that ``import hutch`` stays light."""
    from importlib import import_module

    if name in _LAZY:
        found = getattr(import_module(_LAZY[name]), name)
    elif name in _PACKAGES:
        found = import_module(f"hutch.{name}")
    else:
        msg = f"module 'hutch' has no attribute {name!r}"
        raise AttributeError(msg)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
