"""Which plots there are, told without running anybody's code in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hutch.monitor.crew import Crew
from hutch.monitor.cycle import Limits, shipped_plots
from hutch.monitor.jobs import Setup
from hutch.monitor.opening import open_source
from hutch.monitor.plot_finding import PlotInfo
from hutch.monitor.plugin_modules import Broken, find_origins

__all__ = ["list_plots"]


def list_plots(plugins: Sequence[str] = ()) -> tuple[dict[str, PlotInfo], list[Broken]]:
    """Return the plots by name, and what cannot be loaded.

    :param plugins: folders, files and modules with plots.
    :raises ConfigurationError: if one of them is not there.
    """
    limits = Limits()
    setup = Setup(
        out=Path(),
        states=Path(),
        extension="png",
        origins=tuple(find_origins(plugins)),
        plots=None,
        limit_bytes=limits.bytes,
        sample=None,
        wants_png=False,
        observers=(),
        shipped=shipped_plots,
        open_source=open_source,
        environment=dict(os.environ),
    )
    crew = Crew(setup, 1, limits.seconds)
    try:
        return crew.plots, crew.broken
    finally:
        crew.close()
