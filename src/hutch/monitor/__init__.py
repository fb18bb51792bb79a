"""The monitor: what the data of a run that is going are worth, in pictures and verdicts.

``batch``, ``forms``, ``sources`` and ``observing`` say what plug-ins meet; ``formats``, ``plots`` and
``checks`` are those that come with hutch, and ``plugins`` finds the others. ``reading`` tells what has grown,
``working`` has it folded into plots and drawn by worker processes, ``verdicts`` judges what plots hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hutch.monitor.verdicts.trying import replay

__all__ = ["replay"]

_PLACES = {"replay": "hutch.monitor.verdicts.trying"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_PLACES[name]), name)
