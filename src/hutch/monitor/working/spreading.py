"""Sources that are folded in parts on many machines, through dask: each part by itself, then all in order.

What plots accumulate of parts is merged to what one process would have accumulated of the whole. Plots of the
older form keep what they know in their figures, and are left to who draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hutch.errors import ConfigurationError, MissingExtraError
from hutch.monitor.forms import Plot, State
from hutch.monitor.keeping import Keeper, Kept
from hutch.monitor.observing import sentence_of
from hutch.monitor.plots import SHIPPED
from hutch.monitor.plugins.modules import find_origins
from hutch.monitor.plugins.plot_finding import Finds, find_plots
from hutch.monitor.reading.opening import open_source
from hutch.monitor.sources import BadRange, Sighting, SourceSpec

__all__ = ["PART_ROWS", "Accumulated", "Part", "accumulate", "connected", "fold_part", "keep_accumulated"]

PART_ROWS = 2_000_000
"""So many rows are one part."""


@dataclass(frozen=True, slots=True)
class Part:
    """What plots have accumulated of some rows of a source; it crosses processes.

    :ivar states: by the names of plots.
    :ivar problems: why a plot has none, by its name.
    """

    start: int
    stop: int
    states: Mapping[str, State] = field(default_factory=dict)
    bad: tuple[BadRange, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Accumulated:
    """What plots have accumulated of a source.

    :ivar stop: the number of the row up to which they have.
    :ivar problem: why the source could not be read; empty if it could.
    """

    sighting: Sighting
    stop: int = 0
    plots: dict[str, Plot] = field(default_factory=dict)
    bad: list[BadRange] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    problem: str = ""


@contextmanager
def connected(scheduler: str) -> Iterator[Any]:
    """Lend a client of dask's scheduler at an address, as in ``tcp://beamline:8786``.

    :raises ConfigurationError: if nobody answers there.
    :raises MissingExtraError: if ``distributed`` is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        msg = "Many machines need dask. Install it with: pip install 'hutch[distributed]'"
        raise MissingExtraError(msg) from error
    try:
        client: Any = Client(scheduler, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        msg = f"No scheduler of dask answers at {scheduler!r}: {error}. Start one with: dask scheduler"
        raise ConfigurationError(msg) from error
    with client:
        yield client


def accumulate(
    sightings: Sequence[Sighting],
    client: Any,
    *,
    names: Sequence[str] | None = None,
    plugins: Sequence[str] = (),
    part_rows: int = PART_ROWS,
    progress: Callable[[int, int], object] | None = None,
) -> Iterator[Accumulated]:
    """Yield what plots accumulate of sources, in the order of the sources, which many machines read.

    A source that cannot be read says so, and the others go on.

    :param client: of ``dask.distributed``; its workers see the same files, and have hutch installed.
    :param names: of plots; all that are for the source's format if not given.
    :param plugins: folders, files and modules of plots, as the workers see them.
    :param progress: called with how many rows are done, and how many there are.
    """
    places = tuple(map(str, find_origins(plugins)))
    finds = _finds(places)
    rows = sum(one.rows for one in sightings)
    waiting = []
    for sighting in sightings:
        cuts = [*range(0, sighting.rows, part_rows), sighting.rows]
        ranges = list(zip(cuts, cuts[1:], strict=False))
        tasks = [
            client.submit(
                fold_part,
                sighting.spec,
                start,
                stop,
                None if names is None else tuple(names),
                places,
                pure=False,
                retries=2,
            )
            for start, stop in ranges
        ]
        waiting.append((sighting, tasks))
    before = 0
    for sighting, tasks in waiting:
        found = Accumulated(sighting)
        for task in tasks:
            try:
                part: Part = task.result()
            except Exception as error:  # whatever the worker met, or that it died again and again
                found.problem = sentence_of(error)
                break
            if part.start != found.stop:
                place, there = sighting.spec.place, f"{found.stop:,} instead of {sighting.rows:,}"
                found.problem = f"{place!r} has fewer rows than it had, {there}: it was cut short."
                break
            _add(found, part, finds)
            if progress is not None:
                progress(before + found.stop, rows)
        for task in tasks:
            task.release()
        before += sighting.rows
        if progress is not None:
            progress(before, rows)
        yield found


def fold_part(
    spec: SourceSpec, start: int, stop: int, names: Sequence[str] | None, plugins: tuple[str, ...]
) -> Part:
    """Return what plots accumulate of some rows of a source.

    :raises HutchError: if the source cannot be read.
    """
    finds = _finds(plugins)
    plots: dict[str, Plot] = {}
    problems: dict[str, str] = {}
    for name, info in finds.infos.items():
        if info.is_called or spec.format not in info.formats or (names is not None and name not in names):
            continue
        try:
            plots[name] = finds.classes[name]()
        except Exception as error:
            problems[name] = sentence_of(error)
    bad: list[BadRange] = []
    at = start
    with open_source(spec) as source:
        while at < stop and (batch := source.read(at, stop)).stop > at:
            at = batch.stop
            if isinstance(batch, BadRange):
                bad.append(batch)
                continue
            for name, plot in list(plots.items()):
                try:
                    plot.update(batch)
                except Exception as error:
                    problems[name] = sentence_of(error)
                    del plots[name]
    return Part(start, at, {name: plot.state() for name, plot in plots.items()}, tuple(bad), problems)


def keep_accumulated(keeper: Keeper, found: Accumulated, plugins: Sequence[str] = ()) -> None:
    """Keep what was accumulated as a monitor does, which goes on from there.

    :raises OSError: if it cannot be written.
    """
    infos = _finds(tuple(plugins)).infos
    spec = found.sighting.spec
    for name, plot in found.plots.items():
        kept = Kept(
            spec.identity,
            infos[name].version,
            found.stop,
            updated=found.sighting.written,
            bad=tuple(found.bad),
        )
        keeper.write(spec.base, name, kept, plot.state())


def _add(found: Accumulated, part: Part, finds: Finds) -> None:
    """Merge a part into what the parts before it have come to."""
    found.problems.update(part.problems)
    found.bad += part.bad
    for name in found.problems:
        found.plots.pop(name, None)
    for name, state in part.states.items():
        if name in found.problems:
            continue
        plot: Plot = finds.classes[name]()
        plot.restore(state)
        if found.stop == 0:
            found.plots[name] = plot
        elif name in found.plots:
            found.plots[name].merge(plot)
    found.stop = part.stop


@cache
def _finds(plugins: tuple[str, ...]) -> Finds:
    return find_plots(find_origins(plugins), SHIPPED)
