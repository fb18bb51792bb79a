"""One round of work: which worker does what next, until nothing is left or the time is over.

A plot of a source has its place in one worker, where its state is; the plots of one source are spread over
all of them. A worker folds the new rows of one source after the other, for a bounded time each, and then
draws plots. Half of the time is for reading, so that neither keeps the other from getting on; what waited for
longest comes first. What is left is for the next round.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from hutch.monitor.working.crew import BEGIN, Crew, Died
from hutch.monitor.working.jobs import Draw, Drawn, Failed, Fold, Folded, Forget, Job
from hutch.monitor.working.standing import Watched

__all__ = ["Changed", "Round"]

_PATIENCE_S = 1.0
"""Between looks at how long workers take."""

_READING = 0.5
"""The part of the time in which rows are read while there are more."""

_MOST_DEATHS = 10
"""After so many deaths of workers in a round, those that nobody is to blame for count as failures too."""

Changed = Callable[[Watched, str, bytes | None], None]
"""Called with a source, a plot and its picture, when there is something new to say of the plot."""


class Round:
    """One round of work.

    :param cycle: its number.
    :param began: when the time began to run, by ``time.monotonic``.
    :param interval_s: how long it runs. However short it is, each worker folds and draws something; what is
        being drawn when it is over is finished.
    :param fold_s: how long a worker reads at a time.
    :param changed: called when there is something to say of a plot.
    :param progress: called with the base, the plot, rows seen and there.
    """

    def __init__(
        self,
        crew: Crew,
        cycle: int,
        began: float,
        interval_s: float,
        fold_s: float,
        changed: Changed,
        progress: Callable[[str, str, int, int], None],
    ) -> None:
        self.pictures = 0
        self._crew = crew
        self._cycle = cycle
        self._read_until = began + _READING * interval_s
        self._until = began + interval_s
        self._fold_s = fold_s
        self._changed = changed
        self._progress = progress
        self._forgotten: list[deque[str]] = [deque() for _ in range(len(crew))]
        self._unread: list[deque[Watched]] = [deque() for _ in range(len(crew))]
        """For each worker the sources that it has to look at, in turn."""
        self._watched: dict[str, Watched] = {}
        self._have_folded: set[int] = set()
        self._have_drawn: set[int] = set()
        self._deaths = 0
        self.stuck: set[tuple[str, str]] = set()
        """Plots that got no further though they were asked to; not asked again in this round."""

    def run(self, watched: Iterable[Watched], forgotten: Iterable[str]) -> None:
        """Do what is to be done.

        :param forgotten: bases of sources that workers let go of.
        """
        self._watched = {one.base: one for one in watched}
        for number in range(len(self._crew)):
            self._forgotten[number].extend(forgotten)
            self._unread[number] = self._in_turn(number)
        while self._hand_out():
            for number, job, answer in self._crew.answers(_PATIENCE_S):
                self._take(number, job, answer)

    def _hand_out(self) -> bool:
        """Give each worker that is free its next job; return whether anybody works."""
        works = False
        for number in range(len(self._crew)):
            if self._crew.is_free(number):
                job = self._next(number)
                if job is not None:
                    self._crew.give(number, job)
            works = works or not self._crew.is_free(number)
        return works

    def _next(self, number: int) -> Job | None:
        """Return what a worker does next."""
        if self._forgotten[number]:
            return Forget(self._forgotten[number].popleft())
        return self._next_fold(number) or self._next_draw(number)

    def _next_fold(self, number: int) -> Fold | None:
        unread = self._unread[number]
        while unread and (time.monotonic() < self._read_until or number not in self._have_folded):
            one = unread.popleft()
            folds = self._foldable(number, one)
            if folds:
                unread.append(one)
                self._have_folded.add(number)
                for name in folds:
                    one.plots[name].asked = time.monotonic()
                return Fold(one.sighting, folds, self._fold_s)
        return None

    def _next_draw(self, number: int) -> Draw | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0 and number in self._have_drawn:
            return None
        waiting = {base: self._drawable(number, one) for base, one in self._watched.items()}
        waiting = {base: draws for base, draws in waiting.items() if draws}
        if not waiting:
            return None
        base = min(waiting, key=lambda base: self._watched[base].plots[waiting[base][0]].drawn or 0.0)
        self._have_drawn.add(number)
        return Draw(self._watched[base].sighting, waiting[base], max(left_s, 0.0))

    def _in_turn(self, number: int) -> deque[Watched]:
        """Return the sources that have rows for a worker, the one that waited for longest first."""
        asked = {
            base: min(one.plots[name].asked for name in folds)
            for base, one in self._watched.items()
            if (folds := self._foldable(number, one))
        }
        return deque(self._watched[base] for base in sorted(asked, key=asked.__getitem__))

    def _foldable(self, number: int, one: Watched) -> tuple[str, ...]:
        """Return the plots of a source that a worker can have rows folded into."""
        mine = self._places(number, one)
        foldable = one.chosen(
            lambda standing: standing.is_behind(one.sighting) and not standing.rests(self._cycle)
        )
        return tuple(name for name in foldable if name in mine and (one.base, name) not in self.stuck)

    def _drawable(self, number: int, one: Watched) -> tuple[str, ...]:
        """Return the plots of a source that a worker can draw, the one that waited for longest first."""
        mine = self._places(number, one)
        drawable = one.chosen(lambda standing: standing.needs_drawing() and not standing.rests(self._cycle))
        draws = (name for name in drawable if name in mine)
        return tuple(sorted(draws, key=lambda name: one.plots[name].drawn or 0.0))

    def _places(self, number: int, one: Watched) -> set[str]:
        """Return the plots of a source that are a worker's."""
        count = len(self._crew)
        return {name for at, name in enumerate(one.plots) if (at + one.number) % count == number}

    # answers

    def _take(self, number: int, job: Job, answer: Any) -> None:
        if isinstance(job, Forget):
            return
        one = self._watched[job.sighting.spec.base]
        if isinstance(answer, Folded):
            self._take_folded(one, job, answer)
        elif isinstance(answer, Drawn):
            one.plots[answer.plot].draw(answer)
            self.pictures += answer.drawn is not None
            self._changed(one, answer.plot, answer.picture)
        elif isinstance(answer, Failed):
            self._take_failed(job, answer)
        elif isinstance(answer, Died):
            self._take_death(number, one, job, answer)

    def _take_folded(self, one: Watched, job: Fold | Draw, answer: Folded) -> None:
        standing = one.plots[answer.plot]
        if standing.seen == answer.seen:
            self.stuck.add((one.base, answer.plot))
        had_failed = standing.failure is not None and not standing.rests(self._cycle)
        standing.folded(answer, is_over=job.sighting.is_complete)
        if had_failed and not standing.needs_drawing():
            standing.failure = None
            self._changed(one, answer.plot, None)
        self._progress(one.base, answer.plot, answer.seen, answer.there)

    def _take_failed(self, job: Fold | Draw, answer: Failed) -> None:
        one = self._watched.get(answer.base)
        if one is None:
            return  # of a source that has nothing to do now: what it had is restored when it has
        for name in (answer.plot,) if answer.plot else job.plots:
            one.plots[name].fail(answer.failure, self._cycle)
            self._changed(one, name, None)

    def _take_death(self, number: int, one: Watched, job: Fold | Draw, death: Died) -> None:
        """Blame a plot, or the reading; what others had not kept is folded anew."""
        for other in self._watched.values():
            for name in self._places(number, other):
                other.plots[name].lose()
        self._unread[number] = self._in_turn(number)
        self._deaths += 1
        if death.failure.what == BEGIN and self._deaths < _MOST_DEATHS:
            return  # it had not even begun: somebody else's deed
        blamed = (death.subject,) if death.subject in one.plots else job.plots
        for name in blamed:
            one.plots[name].fail(death.failure, self._cycle)
            self._changed(one, name, None)
