"""The monitor as a command: what was asked for becomes a monitor, which works until it is done or stopped."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hutch.cli.options import find_run, open_existing
from hutch.config import configuration
from hutch.errors import ConfigurationError, HutchError

if TYPE_CHECKING:
    from rich.progress import Progress

    from hutch.catalogs import Catalog
    from hutch.logbook import VerdictEntries
    from hutch.monitor.sources import Sighting
    from hutch.monitor.verdicts.setup import Judging
    from hutch.monitor.working.cycle import Monitor, Report

__all__ = ["Asked", "work"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say."""

    folder: Path | None
    out: Path
    interval_s: float
    flush_interval_s: float
    extension: str
    names: tuple[str, ...]
    once: tuple[str, ...]
    scheduler: str | None
    catalog: str | None
    is_served: bool
    store: str | None
    attach_run: str
    checks_file: str | None
    datasets: tuple[str, ...]
    plugins: tuple[str, ...]
    sample: int | None
    workers: int | None
    limit_seconds: float
    limit_bytes: int


def work(asked: Asked) -> int:
    """Do what was asked for, and return the exit status."""
    from hutch.monitor.working.running import alone_in

    with ExitStack() as stack:
        screen = stack.enter_context(_Screen.shown())
        catalog = _catalog(asked)
        if asked.once:
            states = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hutch-monitor-")))
            sightings, is_whole = _sightings(asked, catalog, screen)
            judging = stack.enter_context(_judging(asked, catalog, screen))
            monitor = stack.enter_context(_monitor(asked, [], screen, judging, states))
            _spread(asked, sightings, monitor, states, screen)
            status = _once(asked, monitor, sightings, screen)
            _Entries(catalog, screen).write()
            return status if is_whole else 1
        watchers = _watchers(asked, catalog)
        stack.enter_context(alone_in(asked.out))
        judging = stack.enter_context(_judging(asked, catalog, screen))
        monitor = stack.enter_context(_monitor(asked, watchers, screen, judging, None))
        try:
            _go_on(monitor, watchers, asked.interval_s, screen, judging, _Entries(catalog, screen))
        except KeyboardInterrupt:
            # What plots have accumulated is on disk: there is nothing to put in order.
            screen.say("Stopped.")
    return 0


def _go_on(
    monitor: Monitor,
    watchers: list[Any],
    interval_s: float,
    screen: _Screen,
    judging: Judging,
    entries: _Entries,
) -> None:
    from hutch.cli.format import counted
    from hutch.monitor.working.running import run, wait_for

    def told(report: Report) -> None:
        for watcher in watchers:
            for refusal in getattr(watcher, "refusals", list)():
                screen.say(refusal.why)
        screen.tell(report)
        judging.rest()
        entries.write()

    if judging.checks:
        screen.say(f"Checks: {', '.join(judging.checks)}.")
    screen.say(f"{counted(len(monitor.plots), 'plot')}. Stop with Ctrl-C.")
    run(monitor, interval_s, wait=wait_for(watchers), told=told)


def _once(asked: Asked, monitor: Monitor, sightings: list[Sighting], screen: _Screen) -> int:
    from hutch.cli.format import counted
    from hutch.monitor.working.running import make_once

    failures = 0
    for sighting in sightings:
        report = make_once(monitor, sighting)
        # A plot that lacks something here counts as a failure only if it was asked for.
        failures += sum(bool(asked.names) or not one.is_lack for one in report.failures.values())
        drawn = sum(one.drawn is not None for one in monitor.watched[sighting.spec.base].plots.values())
        folder = monitor.out / f"{sighting.spec.base}_dqm"
        screen.say(f"{counted(drawn, 'plot')} of {counted(sighting.rows, 'row')} in {str(folder)!r}.")
        if not monitor.watched[sighting.spec.base].plots:
            screen.say(f"No plot is for rows of the format {sighting.spec.format!r}.")
    unfit = _unfit(monitor, sightings) if asked.names else []
    for sentence in unfit:
        screen.say(f"hutch: {sentence}")
    return 1 if failures or unfit else 0


def _unfit(monitor: Monitor, sightings: Sequence[Sighting]) -> list[str]:
    """Return which plots are for none of what was given, and how to change that."""
    from hutch.monitor.plugins.plot_finding import SHIPPED

    given = sorted({sighting.spec.format for sighting in sightings})
    found = []
    for name, info in monitor.plots.items() if given else ():
        if set(given).isdisjoint(info.formats):
            hint = (
                "List what each plot is for with: hutch monitor plots"
                if info.origin == SHIPPED
                else f"If it can draw those, say so in its class: formats = ({given[0]!r},)"
            )
            found.append(
                f"{name} was not drawn: it is for rows of the formats {', '.join(info.formats) or 'none'}, "
                f"and what was given has rows of {', '.join(given)}. {hint}"
            )
    return found


def _catalog(asked: Asked) -> Catalog | None:
    """Return the catalog whose runs are watched, or that plots and verdicts are published in."""
    if asked.catalog is None and not asked.is_served and asked.store is None:
        return None
    return open_existing(asked.store or asked.catalog or None)


def _watchers(asked: Asked, catalog: Catalog | None) -> list[Any]:
    from hutch.monitor.reading.run_watching import RunWatcher
    from hutch.monitor.reading.watching import FolderWatcher

    watchers: list[Any] = []
    if asked.catalog is not None and catalog is not None:
        watched = open_existing(asked.catalog) if asked.catalog else catalog
        watchers.append(RunWatcher(watched))
    if asked.folder is not None or not watchers:
        folder = asked.folder or Path()
        watchers.append(FolderWatcher(folder, datasets=asked.datasets, rest_s=asked.interval_s))
    return watchers


def _sightings(asked: Asked, catalog: Catalog | None, screen: _Screen) -> tuple[list[Sighting], bool]:
    """Return what plots are to be made of, and whether that is all: files; runs, if a catalog was named.

    :raises HutchError: if the only one cannot be read; of several, the others are made.
    """
    from hutch.monitor.reading.watching import sight_file
    from hutch.monitor.verdicts.replaying import sightings_of

    found: list[Sighting] = []
    is_whole = True
    for one in asked.once:
        try:
            if catalog is None or Path(one).is_file():
                base = Path(one).stem
                taken = {sighting.spec.base for sighting in found}
                names = (f"{base}-{number}" for number in count(2))
                base = base if base not in taken else next(n for n in names if n not in taken)
                found.append(sight_file(one, base, datasets=asked.datasets))
            else:
                run = find_run(catalog, one)
                streams = [*sightings_of(run, list(run))]
                found += streams
                if not streams:
                    is_whole = False
                    screen.say(f"hutch: the run {one!r} has no events, so there is nothing to plot.")
        except HutchError as error:
            if len(asked.once) == 1:
                raise
            is_whole = False
            screen.say(f"hutch: {error}")
    return found, is_whole


def _spread(asked: Asked, sightings: list[Sighting], monitor: Monitor, states: Path, screen: _Screen) -> None:
    """Have the workers of a scheduler read, if there is one; the monitor goes on from there.

    It reads the last row itself, so that checks look at what has been accumulated.
    """
    scheduler = asked.scheduler or configuration().settings.monitor.scheduler
    if not scheduler:
        return
    from hutch.monitor.keeping import Keeper
    from hutch.monitor.working.spreading import accumulate, connected, keep_accumulated

    parts = [replace(one, rows=one.rows - 1) for one in sightings if one.rows > 1]
    with connected(scheduler) as client:
        found = accumulate(
            parts,
            client,
            names=asked.names or None,
            plugins=asked.plugins,
            progress=lambda done, rows: screen.show(scheduler, "", done, rows),
        )
        for one in found:
            if one.problem:
                screen.say(f"hutch: {one.problem}")
            keep_accumulated(Keeper(states), one, asked.plugins)


def _monitor(
    asked: Asked, watchers: list[Any], screen: _Screen, judging: Judging, states: Path | None
) -> Monitor:
    from hutch.monitor.working.cycle import Limits, Monitor
    from hutch.monitor.working.running import check_writable

    if asked.out.exists() and not asked.out.is_dir():
        msg = f"{str(asked.out)!r} is no folder. Name the one that pictures go into with -o."
        raise ConfigurationError(msg)
    check_writable(asked.out)
    monitor = Monitor(
        asked.out,
        watchers,
        plots=asked.names or None,
        plugins=asked.plugins,
        extension=asked.extension,
        interval_s=asked.interval_s,
        flush_interval_s=asked.flush_interval_s,
        workers=asked.workers,
        limits=Limits(asked.limit_seconds, asked.limit_bytes),
        sample=asked.sample,
        states=states,
        publisher=judging.publisher,
        observers=judging.observers,
        say=screen.say,
        progress=screen.show,
    )
    for name, patterns in judging.probed.plots.items():
        for pattern in patterns:
            if not any(fnmatchcase(plot, pattern) for plot in monitor.plots):
                screen.say(f"The check {name!r} looks at the plot {pattern!r}, which is not made.")
    return monitor


def _judging(asked: Asked, catalog: Catalog | None, screen: _Screen) -> Judging:
    """Return who looks at plots, and who is told how they stand."""
    from hutch.monitor.plugins.modules import find_origins
    from hutch.monitor.verdicts.setup import set_up_judging

    judging = set_up_judging(
        asked.out,
        checks=asked.checks_file,
        plugins=asked.plugins,
        catalog=catalog,
        attach="open" if catalog is not None and asked.attach_run == "open" else "",
        serve=asked.is_served,
        limit_s=asked.limit_seconds,
    )
    for sentence in judging.probed.replaced:
        screen.say(sentence)
    # Of those that were named, the workers say so.
    named = {str(origin) for origin in find_origins(asked.plugins)}
    for broken in judging.probed.broken:
        if broken.origin not in named:
            screen.say(f"hutch: {broken.sentence}")
    return judging


class _Entries:
    """Writes an entry of the logbook for each verdict of a catalog that turned bad."""

    def __init__(self, catalog: Catalog | None, screen: _Screen) -> None:
        self._catalog = catalog
        self._screen = screen
        self._entries: VerdictEntries | None = None
        self._problem = ""

    def write(self) -> None:
        """Write those that there are to be. A store that is away gets them later."""
        if self._catalog is None:
            return
        from hutch.logbook import Logbook, VerdictEntries

        try:
            self._entries = self._entries or VerdictEntries(Logbook(self._catalog))
            for entry in self._entries.look():
                self._screen.say(f"Entry {entry.id} in the logbook of {entry.experiment}: {entry.title}.")
            self._problem = ""
        except HutchError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._screen.say(f"hutch: the logbook waits: {error}")


class _Screen:
    """What is said on stderr: a line for each cycle, and bars at a terminal while there is much to read."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._rows: dict[str, dict[str, tuple[int, int]]] = {}
        self._told: tuple[str, ...] = ()

    @classmethod
    @contextmanager
    def shown(cls) -> Iterator[_Screen]:
        """Show bars within this, if stderr is a terminal."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from hutch.cli import format

        terminal = format.console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bars:
            yield cls(bars)

    def say(self, sentence: str) -> None:
        """Show a sentence."""
        from hutch.cli.format import printable

        if self._bars.disable:
            click.echo(printable(sentence), err=True)
        else:
            self._bars.console.print(printable(sentence))

    def show(self, base: str, plot: str, seen: int, there: int) -> None:
        """Show how far a plot is."""
        from hutch.cli.format import printable

        if self._bars.disable:
            return
        plots = self._rows.setdefault(base, {})
        plots[plot] = seen, there
        done, total = sum(one for one, _ in plots.values()), sum(one for _, one in plots.values())
        if done < total and base not in self._tasks:
            self._tasks[base] = self._bars.add_task(printable(base), total=there)
        if base in self._tasks:
            self._bars.update(self._tasks[base], completed=done // len(plots), total=total // len(plots))
        if done >= total:
            del self._rows[base]
            if base in self._tasks:
                self._bars.remove_task(self._tasks.pop(base))

    def tell(self, report: Report) -> None:
        """Say what a cycle did, if it did anything; that nothing gets on is said once while it stays so."""
        from hutch.cli.format import counted

        if not report.sources:
            return
        parts = [
            counted(report.sources, "source"),
            counted(report.rows, "row"),
            counted(report.pictures, "picture"),
        ]
        count = sum(not failure.is_lack for failure in report.failures.values())
        failed = f"; {counted(count, 'plot')} failed" if count else ""
        more = "; more is there" if report.is_behind else ""
        before, self._told = self._told, (*parts, failed, more)
        if self._told == before and not (report.rows or report.pictures):
            return
        self.say(f"{time.strftime('%H:%M:%S')} {', '.join(parts)} in {report.seconds:.2f} s{failed}{more}")
