"""Checks over what is past: what they would have said of runs and files, and from which row on.

A source is folded anew, a part at a time, and checks look after each part, as they do while data are taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hutch.catalogs import Catalog, Run
from hutch.catalogs.verdicts import post_verdict
from hutch.documents import encode
from hutch.errors import HutchError
from hutch.monitor.arrays import pack_state
from hutch.monitor.batch import Batch
from hutch.monitor.checks.settings import ConfiguredCheck
from hutch.monitor.forms import Plot
from hutch.monitor.observing import sentence_of
from hutch.monitor.plugins.plot_finding import plot_version
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.run_sources import know_catalog, spec_of
from hutch.monitor.sources import BadRange, Sighting
from hutch.monitor.verdicts.found import Found, source_name
from hutch.monitor.verdicts.judging import Judge
from hutch.monitor.verdicts.references import ReferenceFinder
from hutch.store.rows.monitor import PlotStateRow

__all__ = [
    "Progress",
    "Replayed",
    "Turn",
    "keep_reference",
    "replay_sightings",
    "scan_id_of",
    "sightings_of",
    "summarize",
]

Progress = Callable[[int, int], object]
"""Called with how many rows are done, and how many there are."""

_PARTS = 100
"""A source is looked at so many times, unless its parts would be smaller than the least."""
_LEAST_ROWS = 100
_MOST_ROWS = 200_000
_AUTHOR = "monitor replay"


@dataclass(frozen=True, slots=True)
class Turn:
    """A verdict that changed.

    :ivar row: the number of the row up to which data had been looked at.
    """

    row: int
    verdict: str | None
    value: float | None
    sentence: str


@dataclass(slots=True)
class Replayed:
    """What one check would have said of one source.

    :ivar source: the path of a file, or ``uid/stream``.
    :ivar turns: each change of the verdict, in order; the first is the first verdict.
    :ivar last: what it says of all of the data; None if it has not looked.
    :ivar problem: why it could not look; empty if it could.
    """

    source: str
    run: str | None
    scan_id: int | None
    name: str
    turns: list[Turn] = field(default_factory=list)
    last: Found | None = None
    problem: str = ""

    @property
    def verdict(self) -> str | None:
        """What it says of all of the data."""
        return None if self.last is None else self.last.verdict

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        last = self.last
        return {
            "source": self.source,
            "run": self.run,
            "scan_id": self.scan_id,
            "check": self.name,
            "verdict": self.verdict,
            "value": None if last is None else last.value,
            "sentence": self.problem or ("" if last is None else last.sentence),
            "rows": None if last is None else last.rows,
            "references": [] if last is None else list(last.references),
            "turns": [
                {"row": one.row, "verdict": one.verdict, "value": one.value, "sentence": one.sentence}
                for one in self.turns
            ],
            "failed": bool(self.problem) or (last is not None and last.is_broken),
        }


def sightings_of(run: Run, streams: Iterable[str]) -> Iterator[Sighting]:
    """Yield the streams of a run as the monitor sees them, of those that it has."""
    # Read through the store that is open, and not opened once more.
    know_catalog(run.store.location, Catalog(run.store))
    stop = run.stop
    counts = run.count_rows()
    for name in dict.fromkeys(streams):
        if name in counts:
            spec = spec_of(run.store.location, run, name)
            written = run.row.time if stop is None else stop.get("time", run.row.time)
            yield Sighting(spec, counts[name], float(written), stop is not None, run.uid)


def replay_sightings(
    sources: Iterable[Sighting],
    checks: Sequence[ConfiguredCheck],
    plots: Mapping[str, Callable[[], Any]],
    *,
    catalog: Catalog | None = None,
    post: bool = False,
    rows_at_once: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Replayed]:
    """Yield what checks would have said of sources, source by source.

    :param plots: classes by name, which checks look at.
    :param catalog: that references are in, and that verdicts are posted to.
    :param post: post the last verdict of each check to the run that the source is of, and keep what plots
        have accumulated, to be compared with; else nothing is written. Nobody is told that one is bad.
    :param rows_at_once: checks look each time so many rows have been folded in; else a hundred times.
    :param progress: told of the rows of the source at hand.
    """
    for sighting in sources:
        fold = _Fold(sighting, checks, plots, catalog)
        yield from fold.run(rows_at_once, progress)
        if post and catalog is not None:
            fold.post(catalog)


def scan_id_of(sighting: Sighting, catalog: Catalog | None) -> int | None:
    """Return the scan_id of the run that a source is of, if it is of one that has one."""
    return None if catalog is None or sighting.run is None else catalog[sighting.run].scan_id


def summarize(replayed: Iterable[Replayed]) -> dict[str, dict[str, int]]:
    """Return how often each check would have said ``good``, ``medium``, ``bad``, ``null``, or failed."""
    counts: dict[str, Counter[str]] = {}
    for one in replayed:
        is_failed = bool(one.problem) or (one.last is not None and one.last.is_broken)
        said = "failed" if is_failed else one.verdict or "null"
        counts.setdefault(one.name, Counter())[str(said)] += 1
    words = ("good", "medium", "bad", "null", "failed")
    return {name: {word: count[word] for word in words} for name, count in counts.items()}


def keep_reference(
    catalog: Catalog,
    name: str,
    sources: Sequence[Sighting],
    plots: Mapping[str, Callable[[], Any]],
    author: str,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Let a name stand for sources that checks compare with, and keep what plots accumulate of them.

    :param plots: classes by name, of those that are compared.
    :returns: what is wrong with plots of which nothing is kept, by their names.
    :raises HutchError: if a source cannot be read.
    """
    problems: dict[str, str] = {}
    for sighting in sources:
        fold = _Fold(sighting, [], plots, catalog)
        for _ in fold.run(None, progress):
            pass
        if fold.error is not None:
            raise fold.error
        fold.keep(catalog)
        problems |= fold.problems
    named = list(dict.fromkeys(one.run or one.spec.address for one in sources))
    with catalog.store.transaction() as writer:
        writer.save_reference(name, encode(named), author)
    return problems


class _Fold:
    """One source, folded into the plots that checks look at."""

    def __init__(
        self,
        sighting: Sighting,
        checks: Sequence[ConfiguredCheck],
        plots: Mapping[str, Callable[[], Any]],
        catalog: Catalog | None,
    ) -> None:
        self._sighting = sighting
        self._judge = Judge(checks, ReferenceFinder(None if catalog is None else lambda: catalog))
        self._plots: dict[str, Plot] = {}
        self.problems: dict[str, str] = {}
        """Why plots could not be made, or did not take rows, by name."""
        self._found: dict[str, Replayed] = {}
        self._seen = 0
        self.error: HutchError | None = None
        """Why the source could not be read."""
        self._scan_id = scan_id_of(sighting, catalog)
        stream = sighting.spec.address.rpartition("/")[2]
        fitting = [one for one in checks if sighting.run is None or one.stream == stream]
        for name, make in plots.items():
            if checks and not any(one.looks_at(name) for one in fitting):
                continue
            if sighting.spec.format not in getattr(make, "formats", ()):
                continue
            try:
                self._plots[name] = make()
            except Exception as error:  # whatever a plug-in raises
                self.problems[name] = sentence_of(error)
        self._checks = fitting
        for name, why in self.problems.items():
            self._note_problem(name, why)

    def run(self, rows_at_once: int | None, progress: Progress | None) -> Iterator[Replayed]:
        """Fold all rows; yield what checks have said at the end."""
        rows = self._sighting.rows
        part = rows_at_once or min(max(rows // _PARTS, _LEAST_ROWS), _MOST_ROWS)
        try:
            with open_source(self._sighting.spec) as source:
                while self._seen < rows and self._plots:
                    batch = source.read(self._seen, min(self._seen + part, rows))
                    if batch.stop <= self._seen:
                        break
                    if not isinstance(batch, BadRange):
                        self._update(batch)
                    self._seen = batch.stop
                    self._look()
                    if progress is not None:
                        progress(self._seen, rows)
        except HutchError as error:
            self.error = error
            for name in self._plots:
                self._note_problem(name, str(error))
        if not self._seen:
            self._look()
        yield from self._found.values()

    def _update(self, batch: Batch) -> None:
        """Let plots take rows into account; one that fails is left out, and the others go on."""
        for name, plot in list(self._plots.items()):
            try:
                plot.update(batch)
            except Exception as error:  # whatever a plug-in raises
                self._note_problem(name, sentence_of(error))
                del self._plots[name]

    def _note_problem(self, name: str, why: str) -> None:
        """Note why the checks that look at a plot cannot."""
        self.problems[name] = why
        for check in self._checks:
            if check.looks_at(name):
                replayed = self._replayed(check.verdict_name(name))
                replayed.problem = replayed.problem or why

    def _look(self) -> None:
        for name, plot in self._plots.items():
            for found in self._judge.judge(self._sighting, name, plot, self._seen):
                replayed = self._replayed(found.name)
                before = replayed.turns[-1].verdict if replayed.turns else None
                if found.verdict != before:
                    turn = Turn(self._seen, found.verdict, found.value, found.sentence)
                    replayed.turns.append(turn)
                replayed.last = found

    def _replayed(self, name: str) -> Replayed:
        if name not in self._found:
            source = source_name(self._sighting)
            self._found[name] = Replayed(source, self._sighting.run, self._scan_id, name)
        return self._found[name]

    def post(self, catalog: Catalog) -> None:
        """Post the last verdicts to the run, and keep what plots have accumulated."""
        uid = self._sighting.run
        if uid is not None:
            run = catalog[uid]
            for one in self._found.values():
                if one.last is not None and not one.last.is_broken and not one.problem:
                    origin = one.last.origin(self._sighting, run.row.time)
                    post_verdict(
                        catalog.store,
                        run.row.id,
                        one.name,
                        one.last.verdict,
                        origin={**origin, "turns": one.to_json()["turns"]},
                        plot=one.last.plot,
                        author=_AUTHOR,
                        is_final=True,
                        is_told=False,
                    )
        self.keep(catalog)

    def keep(self, catalog: Catalog) -> None:
        """Keep what plots have accumulated, to be compared with."""
        uid = self._sighting.run
        run = None if uid is None else catalog[uid].row.id
        verdicts = {one.name: one.verdict for one in self._found.values()}
        spec = self._sighting.spec
        meta = encode({"format": spec.format, "identity": spec.identity, "verdicts": verdicts})
        for name, plot in self._plots.items():
            row = PlotStateRow(
                source_name(self._sighting),
                name,
                run,
                plot_version(plot),
                self._sighting.written,
                self._seen,
                meta,
                pack_state(plot.state()),
            )
            with catalog.store.transaction() as writer:
                writer.keep_plot_state(row)
