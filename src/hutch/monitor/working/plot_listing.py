"""Which plots there are, told without running anybody's code in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hutch.monitor.plugins.modules import Broken, find_origins
from hutch.monitor.plugins.plot_finding import PlotInfo
from hutch.monitor.reading.opening import open_source
from hutch.monitor.working.crew import Crew
from hutch.monitor.working.cycle import Limits, shipped_plots
from hutch.monitor.working.jobs import Setup

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
