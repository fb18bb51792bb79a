"""What bluesky adds to the prompt of ``hutch shell``: a RunEngine, devices and plans, by short names."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.bluesky import load_devices, run_engine
from hutch.bluesky.devices import Devices
from hutch.bluesky.extra import needing_bluesky

if TYPE_CHECKING:
    from hutch.bluesky.engine import CatalogRunEngine
    from hutch.catalogs import Catalog

__all__ = ["Prompt", "open_prompt"]

_MODULES = {
    "bp": "bluesky.plans",
    "bps": "bluesky.plan_stubs",
    "bpp": "bluesky.preprocessors",
}
"""Modules by the names that everybody gives them."""


@dataclass
class Prompt:
    """Names for a prompt.

    :ivar engine: the RunEngine.
    :ivar devices: all of them, also those that are not bound by their names.
    :ivar names: what is bound.
    :ivar unbound: devices whose names are no names of Python, or those of something else here.
    """

    engine: CatalogRunEngine
    devices: Devices
    names: dict[str, Any] = field(default_factory=dict)
    unbound: list[str] = field(default_factory=list)

    def set_up(self, shell: Any) -> None:
        """Make IPython comfortable: progress bars, bluesky's magics, ``await`` in bluesky's event loop.

        :param shell: an IPython ``InteractiveShell``.
        """
        from bluesky import RunEngine
        from bluesky.magics import BlueskyMagics
        from bluesky.run_engine import autoawait_in_bluesky_event_loop
        from bluesky.utils import ProgressBarManager

        self.engine.waiting_hook = ProgressBarManager()  # type: ignore[assignment]
        # Theirs would not find devices connected in the event loop of this one. It records nothing.
        BlueskyMagics.RE = RunEngine({}, loop=self.engine.loop)
        shell.register_magics(BlueskyMagics)
        autoawait_in_bluesky_event_loop(shell)  # type: ignore[no-untyped-call]


def open_prompt(
    cat: Catalog,
    devices_file: Path | None = None,
    *,
    mock: bool = False,
    best_effort: bool = False,
    interactive: bool = False,
) -> Prompt:
    """Return the names for a prompt: ``RE``, ``devices`` and each of them, ``bp``, ``bps``, ``bpp``.

    :param cat: where runs are recorded.
    :param devices_file: see :func:`hutch.bluesky.load_devices`.
    :param mock: simulate the devices' process variables.
    :param best_effort: bind a ``BestEffortCallback`` as ``bec``, which prints tables and draws plots.
    :param interactive: the names are for IPython, and :meth:`Prompt.set_up` will be called.
    :raises ConfigurationError: naming all problems of the devices file.
    :raises MissingExtraError: if bluesky is not installed.
    """
    if interactive:
        # Before anything else: importing them makes a RunEngine, and its event loop bluesky's.
        with needing_bluesky("Running plans"):
            import_module("bluesky.magics")
    devices = Devices({}) if devices_file is None else load_devices(devices_file, mock=mock)
    prompt = Prompt(run_engine(cat, devices=devices), devices)
    prompt.names = {"RE": prompt.engine, "devices": devices}
    prompt.names |= {name: import_module(module) for name, module in _MODULES.items()}
    if best_effort:
        prompt.names["bec"] = _best_effort(prompt.engine)
    taken = {"cat", *prompt.names}
    for name, device in devices.items():
        if name.isidentifier() and not keyword.iskeyword(name) and name not in taken:
            prompt.names[name] = device
        else:
            prompt.unbound.append(name)
    return prompt


def _best_effort(engine: CatalogRunEngine) -> Any:
    import matplotlib
    from bluesky.callbacks.best_effort import BestEffortCallback

    callback = BestEffortCallback()  # type: ignore[no-untyped-call]
    if matplotlib.get_backend().lower() == "agg":
        # There is no screen: figures would be drawn for nobody.
        callback.disable_plots()  # type: ignore[no-untyped-call]
    engine.subscribe(callback)  # type: ignore[no-untyped-call]
    return callback
