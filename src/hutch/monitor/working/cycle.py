"""The monitor: it looks at what it watches, has new rows folded into plots, and has the plots drawn.

All rows are taken into account, and drawing shows the newest state: if it is slower than data come, pictures
are fewer. What plots have accumulated is on disk after each step, so that a monitor may be killed at any time
and the next one goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from hutch.errors import ConfigurationError, HutchError, StoreError
from hutch.monitor.keeping import Keeper, sweep
from hutch.monitor.observing import Failure, Observer, Publisher
from hutch.monitor.plugins.modules import find_origins, fingerprint
from hutch.monitor.plugins.plot_choosing import check_names
from hutch.monitor.reading.opening import open_source
from hutch.monitor.sources import Sighting, Source, SourceSpec
from hutch.monitor.working.crew import Crew, default_workers
from hutch.monitor.working.jobs import Setup
from hutch.monitor.working.news import News
from hutch.monitor.working.round import Round
from hutch.monitor.working.standing import Standing, Watched

__all__ = ["Limits", "Monitor", "Report", "Watcher", "shipped_plots"]


class Watcher(Protocol):
    """What tells of sources that are new or have changed."""

    def poll(self) -> Sequence[Sighting]:
        """Return the sources that are new, or have changed since this was called last."""


def shipped_plots() -> Mapping[str, type]:
    """Return the plots that come with hutch, by name."""
    from hutch.monitor.plots import SHIPPED

    return SHIPPED


@dataclass(frozen=True, slots=True)
class Limits:
    """How much plots may take.

    :ivar seconds: one call of a plot, s.
    :ivar bytes: a worker process, beyond what it has when it begins.
    :ivar fold_s: rows are read for about so long before a worker answers and its plots' states are kept, s.
    """

    seconds: float = 60.0
    bytes: int = 2_000_000_000
    fold_s: float = 2.0


@dataclass(slots=True)
class Report:
    """What a cycle did.

    :ivar sources: how many had something new.
    :ivar rows: how many were taken into account, each once however many plots there are.
    :ivar pictures: how many were written.
    :ivar failures: of plots, by base and name.
    :ivar is_behind: whether a next cycle can begin at once: rows are left, or plots that wait to be drawn.
    """

    seconds: float = 0.0
    sources: int = 0
    rows: int = 0
    pictures: int = 0
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)
    is_behind: bool = False


class Monitor:
    """Watches sources and keeps the pictures of their plots up to date; its workers end with the context.

    Workers are processes that import the main module of the program, which has to guard what it does with
    ``if __name__ == "__main__"``.

    :param out: folder of the pictures, ``<base>_dqm/<base>_<Plot>.<extension>``; it is made.
    :param watchers: who tells what there is.
    :param plots: names of those that are wanted; else all.
    :param plugins: folders, files and modules with plots.
    :param extension: of pictures: ``png``, ``pdf`` or ``svg``.
    :param interval_s: a cycle ends after about so long also if there is more to read and to draw; what waited
        for longest comes first in the next one.
    :param flush_interval_s: a source that has not changed for so long is let go of.
    :param workers: how many processes; else as many as there are processors.
    :param sample: take at most so many of the newest rows at a time, and leave out those before.
    :param states: folder of what plots have accumulated; else ``.hutch-monitor`` in ``out``.
    :param publisher: who is told how plots stand.
    :param observers: who looks at plots in the workers.
    :param say: told, in one sentence, what somebody should know.
    :param progress: told of each answer: the base, the plot, rows seen and there.
    :param clock: s since 1970.
    :raises ConfigurationError: if a plot or a plug-in is named that is not there.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        watchers: Sequence[Watcher] = (),
        *,
        plots: Sequence[str] | None = None,
        plugins: Sequence[str] = (),
        extension: str = "png",
        interval_s: float = 30.0,
        flush_interval_s: float = 1800.0,
        workers: int | None = None,
        limits: Limits | None = None,
        sample: int | None = None,
        states: Path | None = None,
        publisher: Publisher | None = None,
        observers: Sequence[Observer] = (),
        say: Callable[[str], None] = lambda sentence: None,
        progress: Callable[[str, str, int, int], None] = lambda base, plot, seen, there: None,
        shipped: Callable[[], Mapping[str, type]] = shipped_plots,
        opener: Callable[[SourceSpec], Source] = open_source,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.out = Path(out)
        # Whoever changes the working folder moves no pictures.
        self._folder = self.out.absolute()
        self.watched: dict[str, Watched] = {}
        self._watchers = watchers
        self._plugins = tuple(plugins)
        self._interval_s = interval_s
        self._flush_interval_s = flush_interval_s
        self._limits = limits or Limits()
        self._publisher = publisher
        self._progress = progress
        self._clock = clock
        self._workers = workers or default_workers()
        self._keeper = Keeper(states.absolute()) if states else Keeper.under(self._folder)
        self._cycle = 0
        self._numbered = 0
        self._untold: list[tuple[Standing, tuple[Any, ...]]] = []
        """Plots of which nobody could be told, with what was found of them."""
        self._news = News(say)
        self._setup = Setup(
            out=self._folder,
            states=self._keeper.folder,
            extension=extension,
            origins=tuple(find_origins(self._plugins)),
            plots=tuple(plots) if plots is not None else None,
            limit_bytes=self._limits.bytes,
            sample=sample,
            wants_png=publisher is not None,
            observers=tuple(observers),
            shipped=shipped,
            open_source=opener,
            environment=dict(os.environ),
        )
        self._sweep()
        self._fingerprint = fingerprint(self._plugins)
        self._crew = self._start()
        try:
            check_names(self._setup.plots, self._crew.plots, self._crew.broken)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, whatever they do; what plots have accumulated is on disk."""
        self._crew.close()

    @property
    def plots(self) -> dict[str, Any]:
        """The plots that are drawn, by name: where each comes from, and what it is for."""
        chosen = self._setup.plots
        return {name: info for name, info in self._crew.plots.items() if chosen is None or name in chosen}

    # a cycle

    def cycle(self, sightings: Iterable[Sighting] = ()) -> Report:
        """Look once at everything, take new rows into account, draw, and say how all stands.

        :param sightings: of sources, beside what watchers tell.
        """
        began = time.monotonic()
        self._cycle += 1
        for standing, judgements in self._untold:
            standing.tell_again(judgements)
        self._untold = []
        self._renew_plugins()
        for sighting in [*sightings, *self._poll()]:
            self._sight(sighting)
        forgotten = self._flush()
        busy = [one for one in self.watched.values() if self._foldable(one) or self._drawable(one)]
        report = Report(sources=len(busy))
        work = Round(
            self._crew,
            self._cycle,
            began,
            self._interval_s,
            self._limits.fold_s,
            self._plot_changed,
            self._progress,
        )
        work.run(busy, forgotten)
        for one in busy:
            one.is_told = False
            report.rows += one.count_new()
            for name in one.chosen(lambda plot: not plot.is_told):
                self._plot_changed(one, name, None)
        for one in self.watched.values():
            self._tell(one)
            report.failures |= one.failures()
        self._news.tell()
        report.pictures = work.pictures
        report.is_behind = any(
            self._foldable(one, work.stuck) or self._drawable(one) for one in self.watched.values()
        )
        report.seconds = time.monotonic() - began
        return report

    def _poll(self) -> Iterator[Sighting]:
        """Yield what has changed; a watcher that cannot tell, its store being away, is asked again later."""
        for number, watcher in enumerate(self._watchers):
            try:
                yield from watcher.poll()
            except (HutchError, OSError) as error:
                self._news.once(f"watcher/{number}", f"{error} It is tried again.")
            else:
                self._news.settled(f"watcher/{number}")

    def _sight(self, sighting: Sighting) -> None:
        base = sighting.spec.base
        if sighting.remark:
            # It is the same for many files, and said of the first.
            self._news.once(sighting.remark, sighting.remark)
        if base in self.watched:
            self.watched[base].sight(sighting, self._clock())
            return
        plots = {name: Standing() for name in self._fitting(sighting)}
        self.watched[base] = Watched(sighting, self._clock(), plots, self._numbered)
        self._numbered += 1

    def _fitting(self, sighting: Sighting) -> list[str]:
        """Return the names of the plots that are for rows of a source."""
        return [name for name, info in self.plots.items() if sighting.spec.format in info.formats]

    def _foldable(self, one: Watched, stuck: Set[tuple[str, str]] = frozenset()) -> bool:
        """Tell whether there are rows for plots of a source, but for those that are stuck."""
        return any(
            plot.is_behind(one.sighting) and not plot.rests(self._cycle)
            for name, plot in one.plots.items()
            if (one.base, name) not in stuck
        )

    def _drawable(self, one: Watched) -> bool:
        return any(plot.needs_drawing() and not plot.rests(self._cycle) for plot in one.plots.values())

    def _flush(self) -> list[str]:
        """Let go of sources that nothing has come of for long, and all is done; return their bases."""
        oldest = self._clock() - self._flush_interval_s
        forgotten = [base for base, one in self.watched.items() if one.changed < oldest and one.is_done()]
        for base in forgotten:
            del self.watched[base]
            self._news.forget(base)
        return forgotten

    # what is made known

    def _plot_changed(self, one: Watched, name: str, picture: bytes | None) -> None:
        failure = one.plots[name].failure
        if failure is not None:
            self._news.failed(one.base, name, failure)
        else:
            self._news.mended(one.base, name)
        unreadable = one.plots[name].unreadable
        if unreadable:
            last = one.plots[name].bad[-1]
            sentence = f"{one.base}: {unreadable:,} rows cannot be read, and are passed over; the last are"
            self._news.once(f"bad/{one.base}", f"{sentence} {last.start:,} to {last.stop - 1:,}: {last.why}")
        # What cannot be made here, as it lacks a geometry, is said once, and is nothing to look at.
        is_lacking = failure is not None and failure.is_lack and one.plots[name].drawn is None
        if self._publisher is None or is_lacking:
            return
        info = self._crew.plots[name]
        tile = one.tile(name, self._keeper, is_called=info.is_called, picture=picture)
        try:
            self._publisher.publish(tile)
        except Exception as error:
            if isinstance(error, StoreError):
                self._untold.append((one.plots[name], tile.judgements))
            self._news.once(
                "publish", f"How plots stand cannot be published: {type(error).__name__}: {error}"
            )
        else:
            self._news.settled("publish")

    def _tell(self, one: Watched) -> None:
        if one.is_told or not one.plots:
            return
        try:
            one.write_status(self._folder, self._setup.extension, self._clock())
        except OSError as error:
            self._news.once("status", f"{str(self.out)!r} cannot be written to: {error.strerror}.")
        else:
            self._news.settled("status")

    # workers and plug-ins

    def _start(self) -> Crew:
        """Start the workers, and say which plug-ins cannot be used, and which replace others."""
        crew = Crew(self._setup, self._workers, self._limits.seconds)
        for broken in crew.broken:
            self._news.once(f"plugin/{broken.origin}", broken.sentence)
        for name, info in crew.plots.items():
            if not info.formats:
                said = (
                    f"{name} of {info.origin} is for nothing: it has formats = (). Leave that out, "
                    "and it is for LArPix files, or name some, as in formats = ('hdf5',)."
                )
                self._news.once(f"formats/{name}", said)
            if info.replaces:
                self._news.once(
                    f"replaced/{name}", f"{name} is that of {info.origin}, not that of {info.replaces}."
                )
        return crew

    def _renew_plugins(self) -> None:
        """Start the workers anew if a file of a plug-in has changed, was dropped in or was taken away."""
        found = fingerprint(self._plugins)
        if found == self._fingerprint:
            return
        self._fingerprint = found
        before = self._crew.plots
        try:
            origins = tuple(find_origins(self._plugins))
            self._crew.close()
            self._setup = replace(self._setup, origins=origins)
            self._crew = self._start()
            check_names(self._setup.plots, self._crew.plots, ())
        except ConfigurationError as error:
            # Somebody is at work on the plug-ins: the other plots go on.
            self._news.once("plugins", str(error))
        for one in self.watched.values():
            kept = {
                name: plot
                for name, plot in one.plots.items()
                if before.get(name) == self._crew.plots.get(name) and plot.failure is None
            }
            for plot in kept.values():
                plot.lose()
            one.plots = {name: kept.get(name) or Standing() for name in self._fitting(one.sighting)}

    def _sweep(self) -> None:
        """Remove what monitors that were killed have left half-written."""
        for folder in [*self._folder.glob("*_dqm"), *self._keeper.folder.glob("*")]:
            sweep(folder)
