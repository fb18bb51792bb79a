"""A folder that files appear and grow in, looked at again and again.

A look compares size, time of change and number of the inode of each file with what they were, as the file
server tells them: no clock of this machine is compared with the server's. Only a file for which they are not
the same is opened. Some file systems count time so coarsely that two changes look like one; so a file that
has changed is looked into once more the next time.

The kernel may tell that there is something before it is time to look, and never replaces looking.
"""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hutch.errors import (
    ConfigurationError,
    HutchError,
    SourceError,
    SourceUnavailableError,
    UnknownFormatError,
)
from hutch.monitor.formats import FileSource, broken_formats, find_format, known_formats
from hutch.monitor.formats.opened_files import UNREADABLE, WAITS_S, base_of, next_generation, opened
from hutch.monitor.observing import sentence_of
from hutch.monitor.reading.waking import Written
from hutch.monitor.sources import Format, Sighting, SourceSpec

__all__ = ["FolderWatcher", "Refusal", "sight_file"]

_MOST_WAITING = 32
"""A file that cannot be read, and stays as it is, is tried again after so many polls at most."""

_PATIENCE = 10
"""A file that goes on changing is spoken of after so many attempts to read it."""

_PAUSES = 5.0
"""An early look waits until so many times as long has passed as the work after the last look took."""

_Stamp = tuple[int, int, int]
"""Size (bytes), time of change (ns since 1970, of the file server), number of the inode."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file, or the folder, that cannot be read, and why."""

    path: str
    why: str


@dataclass(slots=True)
class _Known:
    """What is known of a file.

    :ivar is_settled: whether it was looked into when it had not changed any more.
    :ivar generation: how often it was cut short and went on as the same file.
    :ivar seen: when it was last seen to change, by the watcher's clock.
    :ivar failures: how often in a row it could not be read since it changed last; ``waiting`` polls pass
        before the next attempt.
    :ivar attempts: how often in a row it could not be read.
    """

    stamp: _Stamp
    base: str
    seen: float
    is_settled: bool = False
    sighting: Sighting | None = None
    generation: int = 0
    failures: int = 0
    attempts: int = 0
    waiting: int = 0
    refused: str = ""


@dataclass(slots=True)
class _Notes:
    """What a poll has to tell besides sightings, until it is asked for."""

    refusals: list[Refusal] = field(default_factory=list)


class FolderWatcher:
    """The files of a folder that formats can read.

    A file that was there before, and one that comes back, is taken up like a new one; its identity says
    whether it goes on.

    :param folder: to look in.
    :param formats: those that are asked; else all known ones.
    :param patterns: of the names of files, as in a shell; else the suffixes that the formats name.
    :param subfolders: True looks into them too.
    :param datasets: only these are read of files whose format leaves a choice.
    :param rest_s: a file that has not changed for so long has come to rest.
    :param clock: s, of which only differences are used.
    :raises ConfigurationError: if the folder is none.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        formats: Sequence[Format] | None = None,
        patterns: Sequence[str] | None = None,
        subfolders: bool = False,
        datasets: Sequence[str] = (),
        rest_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = os.path.abspath(folder)
        if not os.path.isdir(self.folder):
            msg = f"{self.folder!r} is no folder. Name the one that files are written into"
            raise ConfigurationError(msg)
        self._formats = tuple(known_formats() if formats is None else formats)
        if patterns is None:
            patterns = sorted({f"*{suffix}" for one in self._formats for suffix in one.suffixes})
        self._is_wanted = re.compile("|".join(map(fnmatch.translate, patterns))).match
        self._subfolders = subfolders
        self._datasets = tuple(datasets)
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._bases: dict[str, str] = {}
        broken = broken_formats() if formats is None else {}
        self._notes = _Notes([Refusal(entry, _broken(entry, why)) for entry, why in broken.items()])
        self._folder_refused = ""
        self._written = Written(self.folder, subfolders=subfolders)
        self._rest_s = rest_s
        self._polled = time.monotonic()
        self._next_early: float | None = None
        self._touched: set[str] = set()
        """Paths that were written to since the last poll."""

    def poll(self) -> list[Sighting]:
        """Return the files that are new, or whose rows are others than at the last poll, the oldest first."""
        now = self._clock()
        self._polled, self._next_early = time.monotonic(), None
        self._touched.clear()
        stamps = dict(sorted(self._stamps()))
        for path in self._known.keys() - stamps.keys():
            # Its base stays taken: it may come back, and its pictures are still there.
            del self._known[path]
        found = [self._poll(path, stamp, now) for path, stamp in stamps.items()]
        return sorted((one for one in found if one is not None), key=lambda one: one.written)

    def wait(self, timeout_s: float) -> bool:
        """Wait until a file is written that is new, or had come to rest; tell whether there is one.

        What has grown a moment ago waits for its time. Looks that come early are so far apart that what is
        done after each of them takes a small part of the time.

        :param timeout_s: not longer than this.
        """
        now = time.monotonic()
        end = now + timeout_s
        if self._next_early is None:
            self._next_early = now + _PAUSES * (now - self._polled)
        while now < end:
            until = self._next_early if now < self._next_early else end
            self._touched |= self._written.wait(min(until, end) - now)
            now = time.monotonic()
            if now >= self._next_early and any(map(self._is_resting, self._touched)):
                return True
        return False

    def _is_resting(self, path: str) -> bool:
        """Tell whether a file is wanted, and new or had not changed for long."""
        known = self._known.get(path)
        is_resting = known is None or self._clock() - known.seen >= self._rest_s
        return is_resting and self._is_wanted(os.path.basename(path)) is not None

    def refusals(self) -> list[Refusal]:
        """Return what could not be read since this was asked last; each reason of a file once."""
        found, self._notes.refusals = self._notes.refusals, []
        return found

    # one file

    def _poll(self, path: str, stamp: _Stamp, now: float) -> Sighting | None:
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = _Known(stamp, self._base(path), now)
        elif known.stamp != stamp:
            known.stamp, known.seen, known.is_settled = stamp, now, False
            known.waiting = known.failures = 0
        elif known.is_settled:
            return None
        elif known.waiting:
            known.waiting -= 1
            return None
        else:
            known.is_settled = not known.refused and not known.failures
        return self._look(path, known)

    def _look(self, path: str, known: _Known) -> Sighting | None:
        try:
            # What cannot be read now is tried again at the next poll, and not waited for.
            found = sight_file(
                path,
                known.base,
                formats=self._formats,
                datasets=self._datasets,
                waits_s=(),
                is_patient=False,
            )
        except SourceError as error:
            self._refuse(path, known, str(error))
            return None
        known.failures, known.attempts, known.refused = 0, 0, ""
        before = known.sighting
        if before is not None:
            if base_of(before.spec.identity) == found.spec.identity:
                known.generation += found.rows < before.rows
            else:
                known.generation = 0
            found = _of_generation(found, known.generation)
            if (found.spec, found.rows) == (before.spec, before.rows):
                return None
        known.sighting = found
        return found

    def _refuse(self, path: str, known: _Known, why: str) -> None:
        known.failures += 1
        known.attempts += 1
        known.waiting = min(2 ** (known.failures - 1), _MOST_WAITING) - 1
        # As long as it changes it may be half-written, which is nothing to speak of before it lasts.
        is_lasting = known.failures > 1 or known.attempts > _PATIENCE
        if is_lasting and known.refused != why:
            known.refused = why
            self._notes.refusals.append(Refusal(path, why))

    def _base(self, path: str) -> str:
        """Return how the pictures of a file begin: its name without the suffix, unless another has that."""
        relative = os.path.relpath(path, self.folder).replace(os.sep, "-")
        for base in (os.path.splitext(relative)[0], relative):
            if self._bases.setdefault(base, path) == path:
                return base
        number = 2
        while self._bases.setdefault(f"{relative}-{number}", path) != path:
            number += 1
        return f"{relative}-{number}"

    # the folder

    def _stamps(self) -> Iterator[tuple[str, _Stamp]]:
        try:
            yield from _scan(self.folder, self._is_wanted, self._subfolders)
            self._folder_refused = ""
        except OSError as error:
            if self._folder_refused != str(error):
                self._folder_refused = str(error)
                self._notes.refusals.append(Refusal(self.folder, f"the folder cannot be read: {error}"))


def _scan(folder: str, is_wanted: Callable[[str], object], subfolders: bool) -> Iterator[tuple[str, _Stamp]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if is_wanted(entry.name) and entry.is_file():
                    about = entry.stat()
                    yield entry.path, (about.st_size, about.st_mtime_ns, about.st_ino)
                elif subfolders and entry.is_dir(follow_symlinks=False):
                    yield from _scan(entry.path, is_wanted, subfolders)
            except OSError:
                continue  # it has vanished since it was listed, or leads nowhere; the others go on


def sight_file(
    path: str | os.PathLike[str],
    base: str | None = None,
    *,
    formats: Sequence[Format] | None = None,
    datasets: Sequence[str] = (),
    waits_s: tuple[float, ...] = WAITS_S,
    is_patient: bool = True,
) -> Sighting:
    """Return one file as it is now.

    :param base: how its pictures begin; else its name without the suffix.
    :param formats: those that are asked; else all known ones.
    :param waits_s: a file that cannot be opened is tried again after these.
    :param is_patient: wait a few seconds for a first row that cannot be read yet.
    :raises UnknownFormatError: if no format reads it, or it lacks what its format needs.
    :raises SourceUnavailableError: if it cannot be read now.
    """
    path = os.path.abspath(path)
    base = os.path.splitext(os.path.basename(path))[0] if base is None else base
    try:
        written = os.stat(path).st_mtime
    except OSError as error:
        raise SourceUnavailableError(f"{path!r} cannot be read: {error.strerror}") from error
    one = _format_of(path, formats, waits_s)
    try:
        source = one.open(SourceSpec(path, "", one.name, base, tuple(datasets)))
        if not isinstance(source, FileSource):
            msg = f"the format {one.name!r} opens {path!r} as {type(source).__name__}, which is no FileSource"
            raise UnknownFormatError(msg)
        identity, rows, remark = source.look(is_patient=is_patient)
    except HutchError:
        raise
    except Exception as error:  # whatever a plug-in raises
        msg = f"the format {one.name!r} cannot read {path!r}: {sentence_of(error)}"
        raise UnknownFormatError(msg) from error
    spec = SourceSpec(path, identity, one.name, base, tuple(datasets))
    return Sighting(spec, rows, written, remark=remark)


def _format_of(path: str, formats: Sequence[Format] | None, waits_s: tuple[float, ...]) -> Format:
    with opened(path, waits_s) as file:
        try:
            found = find_format(file, formats)
            names = ", ".join(file) or "nothing"
        except UNREADABLE as error:
            msg = f"{path!r} cannot be read now: {type(error).__name__}: {error}"
            raise SourceUnavailableError(msg) from error
    if found is None:
        known = ", ".join(one.name for one in (known_formats() if formats is None else formats))
        broken = broken_formats() if formats is None else {}
        said = "".join(f". {_broken(entry, why)}" for entry, why in broken.items())
        msg = f"{path!r} is of no known format ({known}); it holds {names}{said}"
        raise UnknownFormatError(msg)
    return found


def _broken(entry: str, why: str) -> str:
    return f"The format {entry!r} cannot be used: {why}"


def _of_generation(found: Sighting, number: int) -> Sighting:
    spec = replace(found.spec, identity=next_generation(found.spec.identity, number))
    return replace(found, spec=spec)
