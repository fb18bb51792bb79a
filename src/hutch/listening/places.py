"""Which run a document belongs to, also if the run began before this listener did.

A listener goes on at a position in the middle of runs: their starts and descriptors do not come again.
What a document names is then looked up in the store, and its run gone on with. Runs that another
process records are passed over, and looked after: if that one dies, they are gone on with here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hutch.documents import decode
from hutch.errors import DocumentError, RunOwnedError
from hutch.recording import Recorder
from hutch.recording.events.paging import bulk_events
from hutch.recording.uids import uid_in
from hutch.store import RunRow, Store

__all__ = ["Counts", "Places"]

_LINKS = {
    "event": ("descriptor", "descriptor"),
    "event_page": ("descriptor", "descriptor"),
    "datum": ("resource", "resource"),
    "datum_page": ("resource", "resource"),
    "bulk_datum": ("resource", "resource"),
    "stream_datum": ("stream_resource", "stream_resource"),
}
"""Of a kind of document: the field that names another document, and the kind of that."""

_NAMED = ("descriptor", "resource", "stream_resource")
"""Kinds of documents that others name."""

_OF_RUNS = frozenset({*_NAMED, "stop"})
"""Kinds of documents that name their run."""

_LINGER_S = 5.0
"""So long a run that has ended is kept in mind if documents of it come again."""


@dataclass
class Counts:
    """What came."""

    messages: int = 0
    runs: int = 0
    """Runs that began or were gone on with."""
    events: int = 0
    passed_over: int = 0
    """Documents of runs that are recorded by another process, or were deleted."""
    faults: int = 0
    """Messages that are no documents."""
    gone: int = 0
    """Messages that were gone before they could be read."""


@dataclass
class _OpenRun:
    last: float
    """When something of it came, in s."""
    has_ended: bool
    """It had ended before its documents came here, once more."""
    names: list[str] = field(default_factory=list)
    """Uids of its documents that others name."""


class Places:
    """The runs of one channel, and the recorder that takes their documents.

    :ivar has_news: True after something came that other documents may have waited for.
    """

    def __init__(
        self, store: Store, recorder: Recorder, title: str, counts: Counts, say: Callable[[str], None]
    ) -> None:
        self.has_news = False
        self._store = store
        self._recorder = recorder
        self._title = title
        self._counts = counts
        self._say = say
        self._open: dict[str, _OpenRun] = {}
        self._run_of: dict[str, str] = {}
        self._elsewhere: dict[str, dict[int, int] | None] = {}
        """Runs that are passed over: where they begin here, None if nobody is going to ask for them."""

    @property
    def open_runs(self) -> list[str]:
        """The runs that are open, in the order of their starts."""
        return [uid for uid, run in self._open.items() if not run.has_ended]

    @property
    def holds(self) -> list[dict[int, int]]:
        """Where runs begin that may have to be gone on with here."""
        return [since for since in self._elsewhere.values() if since is not None]

    def place(self, name: str, document: dict[str, Any], offsets: dict[int, int]) -> bool:
        """Record a document, or pass it over; False if what it needs is not there.

        :param offsets: where the channel is.
        :raises StoreError: if the store cannot take it now.
        """
        if name == "start":
            self._place_start(document, offsets)
            return True
        run = self._find_run(name, document, offsets)
        if run == "":
            return False
        if run not in self._elsewhere:
            self._record(name, document, run)
            return True
        self._counts.passed_over += 1
        if name in _NAMED:
            # So that what names it is known to be elsewhere too.
            self._run_of[uid_in(document, "uid")] = run
        elif name == "stop" and self._elsewhere[run] is None:
            self._drop_elsewhere(run)
        return True

    def go_on(self, uid: str, offsets: dict[int, int]) -> bool:
        """Go on with a run of the store; tell whether it is there."""
        row = self._row(uid)
        if row is not None:
            self._start(uid, decode(row.start), offsets)
        return row is not None

    def let_go_idle(self, idle_s: float) -> None:
        """Let runs go of which nothing comes any more."""
        now = time.monotonic()
        idle = [uid for uid, run in self._open.items() if not run.has_ended and now > run.last + idle_s]
        for uid in idle:
            self._recorder.let_go(uid)
            self._forget(uid)
            self._say(f"Nothing came of run {uid!r} for {idle_s:g} s: it counts as interrupted.")
        ended = [uid for uid, run in self._open.items() if run.has_ended and now > run.last + _LINGER_S]
        for uid in ended:
            row = self._row(uid)
            if row is not None and row.stop is not None:
                # The same stop once more: the recorder forgets the run.
                self._recorder("stop", decode(row.stop))
            self._forget(uid)

    def look_elsewhere(self) -> list[dict[int, int]]:
        """See what has become of runs that others record; return where those begin that nobody does now."""
        found = []
        for uid, since in list(self._elsewhere.items()):
            row = self._row(uid)
            if since is None or (row and row.stop is None and self._store.is_live(row.owner)):
                continue
            self._drop_elsewhere(uid)
            if row is not None and row.stop is None:
                self._say(f"Run {uid!r} is not recorded elsewhere any more: gone on with here.")
                found.append(since)
        return found

    def run_id(self, uid: str) -> int | None:
        """Return the store's number of a run."""
        row = self._row(uid)
        return row.id if row else None

    def _place_start(self, start: dict[str, Any], offsets: dict[int, int]) -> None:
        uid = uid_in(start, "uid")
        if uid in self._elsewhere:
            self._counts.passed_over += 1
        elif not uid or uid in self._open:
            self._recorder("start", start)
        elif not self._row(uid) and any(found.uid == uid for found in self._store.tombstones(uid)):
            self._pass_over(uid, "has been deleted from this store", None)
        else:
            self._start(uid, start, offsets)
            self.has_news = True

    def _start(self, uid: str, start: dict[str, Any], offsets: dict[int, int]) -> None:
        """Begin a run or go on with it, or pass it over if another process has it."""
        try:
            self._recorder("start", start)
        except RunOwnedError:
            self._pass_over(uid, "is being recorded by another process", dict(offsets))
            return
        row = self._row(uid)
        run = self._open[uid] = _OpenRun(time.monotonic(), row is not None and row.stop is not None)
        self._counts.runs += not run.has_ended
        for document in self._store.documents(row.id, _NAMED) if row else ():
            run.names.append(document.uid)
            self._run_of[document.uid] = uid

    def _pass_over(self, uid: str, reason: str, since: dict[int, int] | None) -> None:
        self._elsewhere[uid] = since
        self._counts.passed_over += 1
        self._say(f"Run {uid!r} {reason}: what {self._title} has of it is passed over.")

    def _find_run(self, name: str, document: dict[str, Any], offsets: dict[int, int]) -> str | None:
        """Return the run of a document, "" if it is not known, None if the document does not say.

        A run of the store that was not open here is gone on with.
        """
        if name == "bulk_events":
            name, document = "event", _first_event(document)
        if name in _LINKS:
            link, kind = _LINKS[name]
            uid = uid_in(document, link)
            run = self._run_of.get(uid)
            return self._find_named(kind, uid, offsets) if run is None and uid else run
        if name not in _OF_RUNS:
            return None
        uid = uid_in(document, "run_start")
        if not uid:
            # An old resource does not name its run: it is of the one that was started last.
            known = self._known_run(name, uid_in(document, "uid"))
            return known if known in self._open else next(reversed(self._open), None)
        if uid in self._open or uid in self._elsewhere:
            return uid
        row = self._row(uid)
        if row is not None and (name != "stop" or row.stop is None):
            self.go_on(uid, offsets)
        return uid if row is not None else ""

    def _find_named(self, kind: str, uid: str, offsets: dict[int, int]) -> str:
        """Return the run of a document that another one names, "" if the store does not have it."""
        run = self._known_run(kind, uid)
        if run and run not in self._open and run not in self._elsewhere:
            self.go_on(run, offsets)
        if run in self._elsewhere:
            self._run_of[uid] = run
        return run

    def _known_run(self, kind: str, uid: str) -> str:
        found = self._store.find_document(kind, uid) if uid else None
        return self._store.run_by_id(found[0]).uid if found else ""

    def _record(self, name: str, document: dict[str, Any], uid: str | None) -> None:
        self._recorder(name, document)
        if name == "event":
            self._counts.events += 1
        elif name == "event_page" and isinstance(document.get("uid"), (list, tuple)):
            self._counts.events += len(document["uid"])
        run = self._open.get(uid or "")
        if run is None or uid is None:
            return
        run.last = time.monotonic()
        if name in _NAMED:
            own = uid_in(document, "uid")
            if self._run_of.setdefault(own, uid) == uid:
                run.names.append(own)
            self.has_news = True
        elif name == "stop":
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        for name in self._open.pop(uid).names:
            self._run_of.pop(name, None)

    def _drop_elsewhere(self, uid: str) -> None:
        del self._elsewhere[uid]
        self._run_of = {name: run for name, run in self._run_of.items() if run != uid}

    def _row(self, uid: str) -> RunRow | None:
        rows = self._store.runs_by_uid([uid])
        return rows[0] if rows else None


def _first_event(bulk: dict[str, Any]) -> dict[str, Any]:
    try:
        return next(iter(bulk_events(bulk)), {})
    except DocumentError:
        return {}
