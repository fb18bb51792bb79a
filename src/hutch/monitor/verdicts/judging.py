"""Checks at work: after each fold, in the process that holds a plot, they look at what it has accumulated."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hutch.errors import HutchError
from hutch.monitor.checks.finding import find_checks
from hutch.monitor.checks.forms import Judgement, Seen, Verdict
from hutch.monitor.checks.settings import ConfiguredCheck, make_checks
from hutch.monitor.forms import Plot
from hutch.monitor.observing import sentence_of
from hutch.monitor.plugins.modules import Broken, find_origins
from hutch.monitor.plugins.plot_finding import plot_version
from hutch.monitor.reading.run_sources import catalog_at
from hutch.monitor.sources import Sighting
from hutch.monitor.verdicts.files import VerdictFile, verdict_file
from hutch.monitor.verdicts.found import Found, source_name, stream_name
from hutch.monitor.verdicts.references import ReferenceFinder

__all__ = ["CheckObserver", "Judge"]

logger = logging.getLogger("hutch.monitor")

_MOST_FILES = 500
"""As many sources are remembered at once; what others had is read again."""


class Judge:
    """Judges plots, and remembers what it said last where nobody else does.

    :param checks: that are set up.
    :param references: what they compare with.
    :param folder: of all pictures, where ``verdicts.jsonl`` of each source tells what was said last; without
        one this is kept here.
    """

    def __init__(
        self, checks: Sequence[ConfiguredCheck], references: ReferenceFinder, folder: Path | None = None
    ) -> None:
        self._checks = checks
        self._references = references
        self._folder = folder
        self._files: dict[tuple[str, str], VerdictFile] = {}
        self._said: dict[tuple[str, str, str], str] = {}
        self._complaints: dict[tuple[str, str, str], str] = {}

    def judge(self, sighting: Sighting, name: str, plot: Plot, seen: int) -> list[Found]:
        """Return what all checks that look at a plot say of it now.

        :param name: the plot's.
        :param seen: the number of the row up to which the plot has taken rows into account.
        """
        stream = stream_name(sighting)
        found = []
        for check in self._checks:
            if check.looks_at(name) and stream in (None, check.stream):
                found.append(self._judge(check, sighting, name, plot, seen))
        return found

    def _judge(self, check: ConfiguredCheck, sighting: Sighting, name: str, plot: Plot, seen: int) -> Found:
        verdict_name = check.verdict_name(name)
        before = self._before(sighting, verdict_name)
        last = None if before is None else Verdict(before)
        references: list[Seen] = []
        is_broken = False
        try:
            references = self._references.find(check, sighting, name, plot)
            said = check.check(Seen(source_name(sighting), name, plot, seen, before=last), references)
            verdict = None if said.verdict is None else Verdict(said.verdict)
        except Exception as error:
            # A check that fails says nothing of the data, and must not stop the plot.
            is_broken, verdict = True, None
            said = Judgement(None, None, f"The check {check.name!r} has failed: {sentence_of(error)}")
            self._complain(sighting, verdict_name, said.sentence, error)
        if verdict is not None:
            self._said[(*_place(sighting), verdict_name)] = verdict
        has_turned = verdict is Verdict.BAD and before != Verdict.BAD
        return Found(
            name=verdict_name,
            verdict=verdict,
            before=before,
            value=None if said.value is None else float(said.value),
            sentence=said.sentence,
            check=check.kind.name,
            version=check.kind.version,
            parameters=check.parameters,
            plot=name,
            plot_version=plot_version(plot),
            rows=seen,
            references=tuple(reference.source for reference in references),
            picture=_picture(plot) if has_turned and self._folder is not None else None,
            is_broken=is_broken,
        )

    def _complain(self, sighting: Sighting, name: str, sentence: str, error: Exception) -> None:
        """Say that a check has failed, once; hutch's own errors explain themselves."""
        key = (*_place(sighting), name)
        if self._complaints.get(key) != sentence:
            self._complaints[key] = sentence
            trace = None if isinstance(error, HutchError) else error
            logger.warning("%s: %s", source_name(sighting), sentence, exc_info=trace)

    def _before(self, sighting: Sighting, name: str) -> str | None:
        place = _place(sighting)
        if self._folder is None:
            return self._said.get((*place, name))
        if place not in self._files:
            path = verdict_file(self._folder, sighting.spec)
            self._files[place] = VerdictFile(path, sighting.spec.identity)
            while len(self._files) > _MOST_FILES:
                del self._files[next(iter(self._files))]
        verdict = self._files[place].last_verdict(name)
        return verdict if verdict in set(Verdict) else None


@dataclass
class CheckObserver:
    """The :class:`~hutch.monitor.observing.Observer` that lets checks look; it is pickled into every worker.

    :ivar tables: of the checks that are set up.
    :ivar where: the file that they are from, for people.
    :ivar plugins: folders, files and modules that bring kinds of checks.
    :ivar folder: of all pictures.
    :ivar store: the address of the store that references are in; None if there is none.
    :ivar attach_open: a file that no run names belongs to the one that is open.
    :ivar left_out: places of plug-ins that cannot be loaded.
    """

    tables: Mapping[str, Mapping[str, Any]]
    where: str
    plugins: tuple[str, ...]
    folder: Path
    store: str | None = None
    attach_open: bool = False
    left_out: tuple[Broken, ...] = ()
    _judge: Judge | None = field(default=None, init=False, repr=False, compare=False)

    def observe(self, sighting: Sighting, name: str, plot: Plot, seen: int) -> Sequence[Found]:
        """Return what checks say of a plot after rows were folded in."""
        if self._judge is None:
            kinds = find_checks(find_origins(self.plugins), left_out=self.left_out)
            checks = make_checks(self.tables, kinds, self.where)
            self._judge = Judge(checks, _references(self.store, self.attach_open), self.folder)
        return self._judge.judge(sighting, name, plot, seen)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker process needs; it makes its own checks."""
        plain = {name: dict(table) for name, table in self.tables.items()}
        return {**vars(self), "tables": plain, "_judge": None}


def _references(store: str | None, attach_open: bool) -> ReferenceFinder:
    opened = None if store is None else partial(catalog_at, store)
    return ReferenceFinder(opened, attach_open=attach_open)


def _picture(plot: Plot) -> bytes | None:
    """Return the picture of this moment; None if the plot cannot be drawn."""
    out = io.BytesIO()
    try:
        plot.figure().savefig(out, format="png")
    except Exception as error:
        # The verdict counts, with or without a picture.
        logger.warning("A picture of %s could not be drawn: %s", type(plot).__name__, error)
        return None
    return out.getvalue()


def _place(sighting: Sighting) -> tuple[str, str]:
    return sighting.spec.address, sighting.spec.identity
