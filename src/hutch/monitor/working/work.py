"""What a worker process does: it reads new rows once for all its plots, and draws them.

Each call of a plot is announced before it is made, so that who waits for an answer knows whom to blame if
none comes. What a call raises fails that plot alone; the others go on.
"""

from __future__ import annotations

import gc
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hutch.errors import HutchError
from hutch.monitor.keeping import Keeper, replace_file
from hutch.monitor.observing import Failure
from hutch.monitor.plugins.plot_finding import SHIPPED, Finds
from hutch.monitor.reading.marks import Marks
from hutch.monitor.sources import BadRange, Sighting, Source
from hutch.monitor.working.drawing import close, close_leaked, render
from hutch.monitor.working.jobs import Call, Draw, Drawn, Failed, Fold, Folded, Forget, Job, Setup
from hutch.monitor.working.memory import Growth
from hutch.monitor.working.seats import Handed, Seat
from hutch.monitor.working.surroundings import Surroundings

__all__ = ["Work", "picture_file"]

_MOST_SOURCES = 16
"""Of so many sources states are held in memory; those of others are read again when they are needed."""
_MOST_FIGURES = 64
"""So many figures are held that can be drawn anew at any time."""
_RAISED = (Exception, KeyboardInterrupt, SystemExit)
"""What somebody's code raises by itself: Ctrl-C does not come to workers, and they end by being killed."""


class _FailedError(Exception):
    """A plot failed, and that has been told."""


class Work:
    """The plots of a worker process, and what they have accumulated.

    :param tell: sends an answer.
    """

    def __init__(
        self,
        setup: Setup,
        finds: Finds,
        tell: Callable[[Any], None],
        growth: Growth,
        surroundings: Surroundings,
    ) -> None:
        self._setup = setup
        self._finds = finds
        self._tell = tell
        self._growth = growth
        self._surroundings = surroundings
        self._keeper = Keeper(setup.states)
        self._seats: dict[str, dict[str, Seat]] = {}

    def do(self, job: Job) -> None:
        """Do a job; what goes wrong is told."""
        if isinstance(job, Forget):
            self._forget(job.base)
            return
        self._take_up(job.sighting)
        if isinstance(job, Fold):
            self._fold(job)
        else:
            self._draw(job)
        self._let_go(job.sighting.spec.base)

    # folding

    def _fold(self, job: Fold) -> None:
        try:
            self._tell(Call("", "read"))
            with self._setup.open_source(job.sighting.spec) as source:
                there = source.rows()
                marks = Marks(source, there)
                seats = self._seats_for(job, there, marks)
                try:
                    self._read(source, seats, there, job.budget_s)
                finally:
                    # Also if it breaks off: what was taken in is kept with the mark of its last row.
                    for seat in seats:
                        seat.mark = marks.of(seat.cursor)
        except _RAISED as error:
            if isinstance(error, MemoryError):
                self._fail_greedy(error)
            self._tell(Failed(job.sighting.spec.base, "", _failure("read", error)))
            seats = list(self._seats.get(job.sighting.spec.base, {}).values())
            seats = [seat for seat in seats if seat.info.name in job.plots]
            there = max((seat.cursor for seat in seats), default=0)
        for seat in seats:
            with suppress(_FailedError):
                self._settle(seat, job.sighting, there)

    def _known(self, job: Fold | Draw) -> Iterator[str]:
        """Yield the names of plots; of those that could not be loaded this time it is told."""
        for name in job.plots:
            if name in self._finds.infos:
                yield name
            else:
                failure = Failure("make", f"There is no plot {name!r} any more: its plug-in was left out.")
                self._tell(Failed(job.sighting.spec.base, name, failure))

    def _seats_for(self, job: Fold, there: int, marks: Marks) -> list[Seat]:
        """Return the seats that have work to do; of the others it is told that all is done.

        One whose rows are others now begins anew.
        """
        found = []
        for name in self._known(job):
            if self._is_idle(job.sighting, name, there, marks):
                continue
            with suppress(_FailedError):
                seat = self._seat(job.sighting, name)
                if not marks.agrees(seat.cursor, seat.mark):
                    self._drop(job.sighting.spec.base, name)
                    seat = self._seat(job.sighting, name, restores=False)
                found.append(seat)
        return found

    def _is_idle(self, sighting: Sighting, name: str, there: int, marks: Marks) -> bool:
        """Tell whether a plot that is not in memory has nothing to do, going by what is kept of it."""
        spec = sighting.spec
        info = self._finds.infos[name]
        is_looked_at = sighting.is_complete and bool(self._setup.observers) and not info.is_called
        if is_looked_at or name in self._seats.get(spec.base, {}):
            return False
        kept = self._keeper.read_kept(spec.base, name)
        if kept is None or (kept.identity, kept.version) != (spec.identity, info.version):
            return False
        drawn = self._drawn_since_kept(spec.base, name)
        if kept.cursor != there or (info.is_called and drawn is None):
            return False
        if not marks.agrees(kept.cursor, kept.mark):
            return False
        self._tell(
            Folded(name, there, there, there, kept.skipped, kept.updated, 0.0, kept.bad, True, drawn, ())
        )
        return True

    def _drawn_since_kept(self, base: str, name: str) -> float | None:
        """Return when the picture was written, if that was after the state was."""
        try:
            picture = picture_file(self._setup.out, base, name, self._setup.extension).stat()
            state = self._keeper.file(base, name).stat()
        except OSError:
            return None
        return picture.st_mtime if picture.st_mtime_ns > state.st_mtime_ns else None

    def _seat(self, sighting: Sighting, name: str, *, restores: bool = True) -> Seat:
        """Return the seat of a plot, made and restored if it is not there."""
        spec = sighting.spec
        seats = self._seats.setdefault(spec.base, {})
        if name in seats:
            return seats[name]
        info, make = self._finds.infos[name], self._finds.classes[name]
        with self._call(name, "make", spec.base):
            seat = Seat(info, spec, make)
        try:
            with self._growth.of((spec.base, name)):
                if restores:
                    seat.restore(self._keeper)
        except _RAISED:
            # What was kept is of another version of the plot: it begins anew.
            with self._call(name, "make", spec.base):
                seat = Seat(info, spec, make)
        seats[name] = seat
        return seat

    def _read(self, source: Source, seats: Sequence[Seat], there: int, budget_s: float) -> None:
        """Read what is new to each, the newest first: who lags behind holds nobody up."""
        until = time.monotonic() + budget_s
        working = list(seats)
        if self._setup.sample is not None:
            for seat in working:
                seat.skip_to(there - self._setup.sample)
        while behind := [seat for seat in working if seat.cursor < there]:
            front = max(seat.cursor for seat in behind)
            group = [seat for seat in behind if seat.cursor == front]
            self._tell(Call("", "read"))
            found = source.read(front, there)
            if found.stop <= front:
                break
            failed = self._hand_out(source, group, found)
            working = [seat for seat in working if seat not in failed]
            if time.monotonic() >= until:
                break

    def _hand_out(self, source: Source, group: Sequence[Seat], found: Any) -> list[Seat]:
        """Let plots take rows into account; return those that failed."""
        failed = []
        if isinstance(found, BadRange):
            for seat in group:
                seat.bad.append(found)
                seat.cursor = found.stop
            return []
        handed = Handed(source, found)
        for seat in group:
            try:
                with self._call(seat.info.name, "update", source.spec.base) as took:
                    seat.update(handed)
            except _FailedError:
                failed.append(seat)
                continue
            seat.seconds += took()
            seat.cursor = found.stop
            seat.updated = time.time()
        return failed

    def _settle(self, seat: Seat, sighting: Sighting, there: int) -> None:
        """Keep what a plot has accumulated, let observers look at it, and tell how far it has come.

        Of a source that is complete observers see all plots, also those that nothing is new to.
        """
        base, name = sighting.spec.base, seat.info.name
        if seat is not self._seats.get(base, {}).get(name):
            return  # it has failed
        is_new = seat.cursor != seat.kept_cursor
        with self._call(name, "update", base, is_writing=True):
            seat.keep(self._keeper)
        judgements: list[Any] = []
        if (is_new or sighting.is_complete) and not seat.info.is_called:
            for observer in self._setup.observers:
                with self._call(name, "observe", base):
                    judgements += observer.observe(sighting, name, seat.plot, seat.cursor)
        self._tell(
            Folded(
                plot=name,
                begun=seat.begun,
                seen=seat.cursor,
                there=max(there, seat.cursor),
                skipped=seat.skipped,
                updated=seat.updated,
                seconds=seat.seconds,
                bad=tuple(seat.bad),
                is_kept=seat.kept_cursor == seat.cursor,
                drawn=None if is_new else self._drawn_since_kept(base, name),
                judgements=tuple(judgements),
            )
        )
        seat.seconds = 0.0

    # drawing

    def _draw(self, job: Draw) -> None:
        until = time.monotonic() + job.budget_s
        for name in self._known(job):
            with suppress(_FailedError):
                self._draw_one(job.sighting, name)
            if time.monotonic() >= until:
                break

    def _draw_one(self, sighting: Sighting, name: str) -> None:
        base = sighting.spec.base
        seat = self._seat(sighting, name)
        began = time.monotonic()
        extension = self._setup.extension
        with self._call(name, "draw", base):
            figure = seat.draw()
            content = render(figure, extension) if figure is not None else None
        if figure is None or content is None:
            self._tell(Drawn(name, seat.cursor, None, time.monotonic() - began, None))
            return
        with self._call(name, "write", base, is_writing=True):
            replace_file(picture_file(self._setup.out, base, name, extension), content)
            png = None
            if self._setup.wants_png:
                png = content if extension == "png" else render(figure, "png")
            self._tell(Drawn(name, seat.cursor, time.time(), time.monotonic() - began, png))

    # what is held in memory

    def _take_up(self, sighting: Sighting) -> None:
        """Make a source the one used last; let go of what was accumulated of another identity of it."""
        base = sighting.spec.base
        seats = self._seats[base] = self._seats.pop(base, {})
        if any(seat.spec.identity != sighting.spec.identity for seat in seats.values()):
            for name in list(seats):
                self._drop(base, name)

    def _let_go(self, base: str) -> None:
        """Let go of what has not been used for longest and can be had again: kept states, drawn figures."""
        others = [name for name in self._seats if name != base]
        for name in others[: max(len(others) + 1 - _MOST_SOURCES, 0)]:
            for plot, seat in list(self._seats[name].items()):
                if not seat.info.is_called and seat.kept_cursor == seat.cursor:
                    self._drop(name, plot)
            if not self._seats[name]:
                del self._seats[name]
        holding = [
            seat
            for seats in self._seats.values()
            for seat in seats.values()
            if seat.figure is not None and not seat.info.is_called
        ]
        for seat in holding[: max(len(holding) - _MOST_FIGURES, 0)]:
            close(seat.figure)
            seat.figure = None

    def _forget(self, base: str) -> None:
        for name in list(self._seats.get(base, {})):
            self._drop(base, name)
        self._seats.pop(base, None)

    def _drop(self, base: str, name: str) -> None:
        seat = self._seats.get(base, {}).pop(name, None)
        if seat is not None:
            close(seat.figure)
        self._growth.forget((base, name))

    # calls

    @contextmanager
    def _call(
        self, name: str, what: str, base: str, *, is_writing: bool = False
    ) -> Iterator[Callable[[], float]]:
        """Announce a call, and fail the plot if it raises; yield what tells how long it took, s.

        :param is_writing: an ``OSError`` is the disk's fault, and the plot stays as it is.
        :raises _FailedError: if the call raised.
        """
        self._tell(Call(name, what))
        began = time.monotonic()
        is_shipped = self._finds.infos[name].origin == SHIPPED
        try:
            with self._growth.of((base, name)), self._surroundings.of(name, is_shipped=is_shipped):
                yield lambda: time.monotonic() - began
        except OSError as error:
            self._fail(base, name, "write" if is_writing else what, error, is_kept=is_writing)
            if not is_writing:
                raise _FailedError from error
        except MemoryError as error:
            if self._fail_greedy(error) is None:
                self._fail(base, name, what, error)
            self._drop(base, name)
            raise _FailedError from error
        except _RAISED as error:
            self._fail(base, name, what, error)
            raise _FailedError from error
        finally:
            close_leaked(self._kept_figures())

    def _fail(self, base: str, name: str, what: str, error: BaseException, *, is_kept: bool = False) -> None:
        if not is_kept:
            self._drop(base, name)
        self._tell(Failed(base, name, _failure(what, error)))

    def _fail_greedy(self, error: MemoryError) -> tuple[str, str] | None:
        """Fail the plot that has taken most of the memory, whoever ran out of it; None if none stands out."""
        found = self._growth.blame(self._setup.limit_bytes)
        if found is not None:
            self._fail(*found, "update", error)
        gc.collect()
        return found

    def _kept_figures(self) -> set[int]:
        return {id(seat.figure) for seats in self._seats.values() for seat in seats.values()}


def picture_file(out: Path, base: str, plot: str, extension: str) -> Path:
    """Return where the picture of a plot is."""
    return out / f"{base}_dqm" / f"{base}_{plot}.{extension}"


def _failure(what: str, error: BaseException) -> Failure:
    """Return what an error says; hutch's own explain themselves, others also where they come from."""
    if isinstance(error, HutchError):
        return Failure(what, str(error))
    sentence = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, MemoryError):
        sentence = "MemoryError: it took more memory than a worker may have; --limit-bytes sets how much."
    return Failure(what, sentence.replace(os.linesep, " "), "".join(traceback.format_exception(error)))
