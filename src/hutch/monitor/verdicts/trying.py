"""Checks tried on runs and files that somebody names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hutch.catalogs import Catalog, Run
from hutch.monitor.checks.finding import find_checks
from hutch.monitor.checks.settings import ConfiguredCheck, configured_checks, make_checks
from hutch.monitor.plots import SHIPPED
from hutch.monitor.plugins.modules import Broken, find_origins
from hutch.monitor.plugins.plot_finding import find_plots
from hutch.monitor.reading.watching import sight_file
from hutch.monitor.sources import Sighting
from hutch.monitor.verdicts.replaying import Progress, Replayed, replay_sightings, sightings_of

__all__ = ["known_plots", "replay"]

Checks = str | os.PathLike[str] | Mapping[str, Mapping[str, Any]] | Sequence[ConfiguredCheck] | None
"""A TOML file, what would stand in it, or checks that are made; None stands for ``hutch.toml``."""


def replay(
    what: Iterable[Run | Sighting | str | os.PathLike[str]],
    checks: Checks = None,
    *,
    catalog: Catalog | None = None,
    plugins: Sequence[str] = (),
    post: bool = False,
    rows_at_once: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Replayed]:
    """Yield what checks would have said of runs and files, one after the other.

    :param what: runs, and paths of files.
    :param checks: a TOML file of tables ``[monitor.checks.NAME]``, or what would stand in it:
        ``{"warm": {"check": "Range", "field": "T", "high": 300}}``; else those of ``hutch.toml``.
    :param catalog: that references are in, and that verdicts are posted to.
    :param plugins: folders, files and modules of plots and checks.
    :param post: post the last verdict of each check to its run; else nothing is written.
    :param rows_at_once: checks look each time so many rows have been added; else about a hundred times.
    :param progress: told of the rows of the run or file at hand.
    :raises ConfigurationError: naming everything that is wrong with the checks.
    """
    made = _made(checks, plugins)
    streams = [check.stream for check in made]
    sightings = (sighting for one in what for sighting in _sightings(one, streams))
    return replay_sightings(
        sightings,
        made,
        known_plots(plugins),
        catalog=catalog,
        post=post,
        rows_at_once=rows_at_once,
        progress=progress,
    )


def known_plots(plugins: Sequence[str] = (), left_out: Sequence[Broken] = ()) -> dict[str, Callable[[], Any]]:
    """Return the plots that checks can look at, by name: those that accumulate.

    :param plugins: folders, files and modules of others.
    :param left_out: places that are not loaded.
    """
    found = find_plots(find_origins(plugins), SHIPPED, left_out=left_out)
    return {name: make for name, make in found.classes.items() if not found.infos[name].is_called}


def _made(checks: Checks, plugins: Sequence[str]) -> Sequence[ConfiguredCheck]:
    kinds = find_checks(find_origins(plugins))
    if checks is None or isinstance(checks, str | os.PathLike):
        return configured_checks(kinds, None if checks is None else Path(checks))
    return make_checks(checks, kinds, "the checks") if isinstance(checks, Mapping) else checks


def _sightings(one: Run | Sighting | str | os.PathLike[str], streams: Sequence[str]) -> Iterator[Sighting]:
    if isinstance(one, Run):
        yield from sightings_of(one, streams)
    else:
        yield one if isinstance(one, Sighting) else sight_file(one)
