"""One round of work: which worker does what next, until nothing is left or it is time for pictures.

A plot of a source has its place in one worker, where its state is; the plots of one source are spread over
all of them. A worker folds the new rows of one source after the other, for a bounded time each, and draws the
plots of a source when it is up to date, or when a picture is due.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from hutch.monitor.working.crew import BEGIN, Crew, Died
from hutch.monitor.working.jobs import Draw, Drawn, Failed, Finished, Fold, Folded, Forget, Job
from hutch.monitor.working.standing import Standing, Watched

__all__ = ["Changed", "Round"]

_PATIENCE_S = 1.0
"""Between looks at how long workers take."""

_MOST_DEATHS = 10
"""After so many deaths of workers in a round, those that nobody is to blame for count as failures too."""

Changed = Callable[[Watched, str, bytes | None], None]
"""Called with a source, a plot and its picture, when there is something new to say of the plot."""


class Round:
    """One round of work.

    :param cycle: its number.
    :param until: when plots are drawn though they are not up to date, by ``time.monotonic``.
    :param fold_s: how long a worker reads at a time.
    :param changed: called when there is something to say of a plot.
    :param progress: called with the base, the plot, rows seen and there.
    """

    def __init__(
        self,
        crew: Crew,
        cycle: int,
        until: float,
        fold_s: float,
        changed: Changed,
        progress: Callable[[str, str, int, int], None],
    ) -> None:
        self.pictures = 0
        self._crew = crew
        self._cycle = cycle
        self._until = until
        self._fold_s = fold_s
        self._changed = changed
        self._progress = progress
        self._queues: list[deque[Job]] = [deque() for _ in range(len(crew))]
        self._watched: dict[str, Watched] = {}
        self._folded: set[tuple[int, str]] = set()
        """Workers, and the sources of which they have folded rows."""
        self._deaths = 0
        self.stuck: set[tuple[str, str]] = set()
        """Plots that got no further though they were asked to; not asked again in this round."""

    def run(self, watched: Iterable[Watched], forgotten: Iterable[str]) -> None:
        """Do what is to be done.

        :param forgotten: bases of sources that workers let go of.
        """
        for base in forgotten:
            for queue in self._queues:
                queue.append(Forget(base))
        for one in watched:
            self._watched[one.sighting.spec.base] = one
            for number in range(len(self._queues)):
                self._go_on(number, one)
        while self._hand_out():
            for number, job, answer in self._crew.answers(_PATIENCE_S):
                self._take(number, job, answer)

    def _hand_out(self) -> bool:
        """Give each worker that is free its next job; return whether anybody works."""
        works = False
        for number, queue in enumerate(self._queues):
            if queue and self._crew.is_free(number):
                self._crew.give(number, queue.popleft())
            works = works or bool(queue) or not self._crew.is_free(number)
        return works

    def _go_on(self, number: int, one: Watched) -> None:
        """Have a worker do what is next for its plots of a source."""
        mine = self._places(number, one)
        foldable = one.chosen(lambda standing: self._is_foldable(one, standing))
        folds = tuple(name for name in foldable if name in mine and (one.base, name) not in self.stuck)
        # However short the time is, each round gets further.
        if folds and (time.monotonic() < self._until or (number, one.base) not in self._folded):
            self._folded.add((number, one.base))
            self._queues[number].append(Fold(one.sighting, folds, self._fold_s))
            return
        drawable = one.chosen(lambda standing: standing.needs_drawing() and not standing.rests(self._cycle))
        draws = tuple(name for name in drawable if name in mine)
        if draws:
            self._queues[number].append(Draw(one.sighting, draws))

    def _is_foldable(self, one: Watched, standing: Standing) -> bool:
        return standing.is_behind(one.sighting) and not standing.rests(self._cycle)

    def _places(self, number: int, one: Watched) -> set[str]:
        """Return the plots of a source that are a worker's."""
        count = len(self._queues)
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
        elif isinstance(answer, Finished):
            self._go_on(number, one)

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
        self._deaths += 1
        if death.failure.what == BEGIN and self._deaths < _MOST_DEATHS:
            # It had not even begun: somebody else's deed.
            self._go_on(number, one)
            return
        blamed = (death.subject,) if death.subject in one.plots else job.plots
        for name in blamed:
            one.plots[name].fail(death.failure, self._cycle)
            self._changed(one, name, None)
        self._go_on(number, one)
